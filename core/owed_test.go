package core_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
)

// pollExchange is a poll during whose wait something happens.
type pollExchange struct {
	core.Exchange
	wait     func(w *core.Waiter) core.WaitResult
	answered string
}

func (x *pollExchange) Wait(w *core.Waiter) core.WaitResult { return x.wait(w) }

func (x *pollExchange) Respond(_ int, body []byte) error {
	x.answered = string(body)
	return nil
}

// TestOwed: the session ends after Send has woken the poll, but before the poll has run.
func TestOwed(t *testing.T) {
	for _, c := range []struct {
		name     string
		result   core.WaitResult
		abort    bool // the answer is aborted
		answered string
		unsent   int
	}{
		{"woken", core.Woken, false, "4precious\x1e1", 0},
		{"expired", core.Expired, false, "4precious\x1e1", 0},
		{"gone", core.Gone, false, "", 1},
		{"aborted", core.Woken, true, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sent, closed, abort bool
				unsent := -1
				b := newBench(t, core.Config{
					OnHeaders: func(http.Header, *http.Request) {
						if abort {
							panic(http.ErrAbortHandler)
						}
					},
					OnConnection: func(s *core.Socket) {
						s.OnClose(func(core.CloseReason, error) { unsent, closed = s.Unsent(), true })
					},
				})
				s := b.open(poll4)
				abort = c.abort
				x := &pollExchange{Exchange: newQuietExchange(http.MethodGet, s.query, ""), wait: func(*core.Waiter) core.WaitResult {
					_ = s.socket.SendFunc(core.Text("precious"), func() { sent = !closed })
					s.socket.CloseNow()
					return c.result
				}}
				func() {
					defer func() { _ = recover() }()
					b.Server.Serve(x, b.Engine)
				}()
				synctest.Wait()
				if x.answered != c.answered || unsent != c.unsent || sent != (c.unsent == 0) {
					t.Errorf("answered %q, unsent %d, told %v", x.answered, unsent, sent)
				}
				if err := b.Server.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// An answer that is aborted ends the session.
func TestAbortedAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		abort := false
		b := newBench(t, core.Config{OnHeaders: func(http.Header, *http.Request) {
			if abort {
				panic(http.ErrAbortHandler)
			}
		}})
		defer b.end()
		s := b.open(poll4)
		abort = true
		_ = s.socket.Send(core.Text("x"))
		func() {
			defer func() { _ = recover() }()
			b.Server.Serve(&pollExchange{Exchange: newQuietExchange(http.MethodGet, s.query, "")}, b.Engine)
		}()
		b.wantEvent("close: transport error")
	})
}

// When the server closes, the last answer has everything: the next poll may reach another server.
func TestShutdownSaysAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		s := b.open(poll4)
		_ = s.socket.Send(core.Text("owed"))
		go func() { _ = b.Server.Shutdown(t.Context()) }()
		synctest.Wait()
		b.wantAnswer(s.get(), 200, "4owed\x1e1")
		b.wantEvent("close: forced close")
	})
}

// A candidate that does not read ends with the server, even while it waits for the network.
func TestStalledCandidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		s := b.open(poll4)
		ws := s.probe()
		synctest.Wait()
		ws.Stall(true)
		ws.SendText("2probe")
		synctest.Wait()
		s.socket.CloseNow()
		b.wantEvent("close: forced close")
		before := time.Now()
		b.end()
		<-ws.Done()
		if took := time.Since(before); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
