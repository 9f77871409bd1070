package core_test

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
)

// stuckExchange is a poll whose client does not read the answer.
type stuckExchange struct {
	core.Exchange
	result chan error // of Respond
	late   bool       // Respond returns at once, as under Fiber
	done   func(error)
}

func (x *stuckExchange) WhenSent(done func(error)) bool {
	if x.late {
		x.done = done
	}
	return x.late
}

func (x *stuckExchange) Respond(int, []byte) error {
	if x.done != nil {
		go func() { x.done(<-x.result) }()
		return nil
	}
	return <-x.result
}

// stuckPoll sends a message and a poll for it.
func (s session) stuckPoll(text string, late bool) *stuckExchange {
	s.t.Helper()
	if err := s.socket.Send(core.Text(text)); err != nil {
		s.t.Fatal(err)
	}
	x := &stuckExchange{Exchange: newQuietExchange(http.MethodGet, s.query, ""), result: make(chan error), late: late}
	go s.Server.Serve(x, s.Engine)
	synctest.Wait()
	return x
}

// TestUnreadAnswers: while the answer to a poll is not read, the next poll brings nothing, so that a client
// cannot have more sent than MaxBuffered by polling on.
func TestUnreadAnswers(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for name, late := range map[string]bool{"Respond waits": false, "Respond does not wait": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, core.Config{})
				s := b.open(poll4)
				first := s.stuckPoll(long, late)
				_ = s.socket.Send(core.Text("b"))
				second := s.get()
				synctest.Wait()
				if n := s.socket.Buffered(); second.Answered() || n != 5001 {
					t.Errorf("the second poll was answered %q, %d bytes are buffered", second.Body, n)
				}
				first.result <- nil
				b.wantAnswer(second, 200, "4b")
				if n := s.socket.Buffered(); n != 0 {
					t.Errorf("%d bytes are buffered in the end", n)
				}

				// A third one at a time overlaps.
				s.stuckPoll(long, late).result <- s.overlap()
				b.wantEvent("close: transport error")
				b.end()
			})
			synctest.Test(t, func(t *testing.T) { // the client cuts its connection
				unsent := -1
				b := newBench(t, core.Config{OnConnection: func(s *core.Socket) {
					s.OnClose(func(core.CloseReason, error) { unsent = s.Unsent() })
				}})
				s := b.open(poll4)
				first := s.stuckPoll(long, late)
				_ = s.socket.Send(core.Text("b"))
				second := s.get()
				synctest.Wait()
				s.socket.CloseNow()
				synctest.Wait()
				if unsent != -1 {
					t.Errorf("OnClose was called while an answer was under way; Unsent was %d then", unsent)
				}
				b.wantAnswer(second, 200, "1")
				first.result <- net.ErrClosed
				synctest.Wait()
				if unsent != 2 { // none behind one that was lost
					t.Errorf("Unsent is %d", unsent)
				}
				b.end()
			})
		})
	}
}

// overlap sends two more polls.
func (s session) overlap() error {
	waiting := s.get()
	synctest.Wait()
	s.wantAnswer(s.get(), 400, badRequest)
	waiting.Wait()
	return net.ErrClosed
}

// TestUpgradeBesideUnreadAnswer: an upgrade does not wait for a client that does not read, but what waits
// comes after what is under way.
func TestUpgradeBesideUnreadAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		s := b.open(poll4)
		first := s.stuckPoll("a", false)
		_ = s.socket.Send(core.Text("b"))
		second := s.get()
		ws := s.probe()
		ws.SendText("2probe")
		b.wantFrame(ws, "3probe")
		b.wantAnswer(second, 200, "6")
		ws.SendText("5")
		b.wantEvent("upgrade: websocket")
		time.Sleep(time.Second)
		if n := ws.Waiting(); n != 0 {
			t.Errorf("%d frames came before the answer had left", n)
		}
		first.result <- nil
		b.wantFrame(ws, "4b")
		ws.Cut()
		b.end()
	})
}

// TestUnreadPongs: pings of revision 3 are not answered without end while the client reads nothing.
func TestUnreadPongs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{AllowEIO3: true})
		s := b.open(poll3)
		for range 10 {
			b.wantAnswer(s.post(strings.Repeat("1:2", 1000)), 200, "ok")
		}
		if n := len(s.socket.WriteBuffer()); n != 64 {
			t.Errorf("%d packets wait", n)
		}
		b.wantAnswer(s.get(), 200, strings.Repeat("1:3", 64))
		b.wantAnswer(s.post("1:2"), 200, "ok")
		b.wantAnswer(s.get(), 200, "1:3")
		b.end()
	})
}
