package core_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
)

func splitPayload(body string) []string { return strings.Split(body, "\x1e") }

// A waiting poll brings what was sent before the end, however soon the end comes: a WebSocket would have
// written it.
func TestLastWordsForAWaitingPoll(t *testing.T) {
	for name, end := range map[string]func(s session){
		"CloseNow":     func(s session) { s.socket.CloseNow() },
		"close packet": func(s session) { s.post("1").Wait() },
		"broken":       func(s session) { s.post("x").Wait() },
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 { // the poll may be answered before the end
				synctest.Test(t, func(t *testing.T) {
					unsent := -1
					b := newBench(t, core.Config{OnConnection: func(s *core.Socket) {
						s.OnClose(func(core.CloseReason, error) { unsent = s.Unsent() })
					}})
					defer b.end()
					s := b.open(poll4)
					poll := s.get()
					synctest.Wait()
					_ = s.socket.Send(core.Text("a"))
					_ = s.socket.Send(core.Text("b"))
					end(s)
					body := poll.Wait().Body
					synctest.Wait()
					want, known := map[string]int{"4a": 1, "4a\x1e4b": 0}[strings.TrimSuffix(body, "\x1e1")]
					if !known || unsent != want {
						t.Errorf("%q, and %d unsent", body, unsent)
					}
				})
			}
		})
	}
}

func TestPollingClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		defer b.end()

		s := b.open(poll4) // by the client, with a waiting poll
		poll := s.get()
		synctest.Wait()
		b.wantAnswer(s.post("1"), 200, "ok")
		b.wantAnswer(poll, 200, "6")
		b.wantEvent("close: transport close")
		b.wantAnswer(s.get(), 400, unknownSID)

		s = b.open(poll4) // by the client, whose poll arrives a moment later
		post := s.post("1")
		synctest.Wait()
		b.wantAnswer(s.get(), 200, "6")
		b.wantAnswer(post, 200, "ok")
		b.wantEvent("close: transport close")

		s = b.open(poll4) // by the application, buffered messages first
		_ = s.socket.Send(core.Text("a"))
		s.socket.Close()
		if err := s.socket.Send(core.Text("b")); !errors.Is(err, core.ErrClosed) {
			t.Errorf("Send after Close: %v", err)
		}
		b.wantAnswer(s.get(), 200, "4a")
		b.wantAnswer(s.get(), 200, "1")
		b.wantEvent("close: forced close")
		b.wantAnswer(s.get(), 400, unknownSID)

		s = b.open(poll4) // dropping what is buffered
		_ = s.socket.Send(core.Text("a"))
		s.socket.CloseNow()
		b.wantEvent("close: forced close")
		b.wantAnswer(s.get(), 400, unknownSID)

		s = b.open(poll4) // by the application; the client never comes back
		s.socket.Close()
		began := time.Now()
		b.wantEvent("close: forced close")
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("given up after %v", took)
		}
	})
}

func TestWebSocketClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{MaxPayload: 1000})
		defer b.end()

		ws, s := b.openWS(ws4) // by the application, buffered messages first
		ws.Stall(true)
		for i := range 200 {
			_ = s.Send(core.Text(fmt.Sprint(i)))
		}
		s.Close()
		ws.Stall(false)
		for i := range 200 {
			b.wantFrame(ws, fmt.Sprintf("4%d", i))
		}
		b.wantClosed(ws, 0)
		b.wantEvent("close: forced close")

		ws, s = b.openWS(ws4) // dropping what is buffered
		ws.Stall(true)
		_ = s.Send(core.Text("a"))
		s.CloseNow()
		b.wantEvent("close: forced close")
		<-ws.Done()

		ws, _ = b.openWS(ws4)
		ws.SendClose(1000)
		b.wantEvent("close: transport close")
		<-ws.Done()

		ws, _ = b.openWS(ws4)
		ws.Cut()
		b.wantEvent("close: transport close")

		ws, _ = b.openWS(ws4)
		ws.SendText("1")
		b.wantEvent("close: transport close")
		b.wantClosed(ws, 0)

		ws, _ = b.openWS(ws4)
		ws.SendText("abc")
		b.wantEvent("close: parse error")
		b.wantClosed(ws, 0)

		ws, _ = b.openWS(ws4)
		ws.SendText("4\xff")
		b.wantEvent("close: transport error")
		b.wantClosed(ws, 1007)

		ws, _ = b.openWS(ws4)
		ws.SendText("4" + strings.Repeat("a", 1000))
		b.wantEvent("close: transport error")
		b.wantClosed(ws, 1009)
	})
}

func TestCloseInsideCallbacks(t *testing.T) {
	closers := map[string]func(*core.Socket){
		"Close": (*core.Socket).Close, "CloseNow": (*core.Socket).CloseNow,
		"panic": func(*core.Socket) { panic("by design") },
	}
	for name, end := range closers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var order []string
				done := make(chan struct{}, 1)
				where := ""
				b := newBench(t, core.Config{OnConnection: func(s *core.Socket) {
					s.OnClose(func(core.CloseReason, error) {
						order = append(order, "close")
						done <- struct{}{}
					})
					s.OnMessage(func(core.Message) {
						order = append(order, "message")
						end(s)
						time.Sleep(time.Second)
						order = append(order, "returns")
						panic("once more")
					})
					if where == "connection" {
						end(s)
					}
				}})
				defer b.end()
				ws, _ := b.openWS(ws4)
				ws.SendText("4x")
				ws.SendText("4y")
				<-done
				if name != "panic" {
					b.want(strings.Join(order, " "), "message returns close")
				} else {
					b.want(strings.Join(order, " "), "message close")
				}
				s := b.open(poll4)
				order = nil
				post := s.post("4x\x1e4y")
				b.wantAnswer(post, 200, "ok")
				b.get1(s)
				<-done
				b.want(order[0], "message")
				b.want(order[len(order)-1], "close")

				where = "connection"
				b.Get(poll4).Wait()
				if name == "Close" {
					time.Sleep(31 * time.Second)
				}
				<-done
			})
		})
	}
}

// get1 fetches what a graceful close left for the client, if there is anything.
func (b *bench) get1(s session) { s.get().Wait() }

func TestOnCloseInsideOnCloseAndAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		b := newBench(t, core.Config{OnConnection: func(s *core.Socket) {
			s.OnClose(func(core.CloseReason, error) {
				calls++
				s.Close()
				s.CloseNow()
				if err := s.Send(core.Text("x")); !errors.Is(err, core.ErrClosed) {
					t.Errorf("Send in OnClose: %v", err)
				}
			})
		}})
		defer b.end()
		ws, s := b.openWS(ws4)
		s.CloseNow()
		s.CloseNow()
		s.Close()
		ws.Cut()
		synctest.Wait()
		if calls != 1 {
			t.Errorf("OnClose was called %d times", calls)
		}
	})
}

func TestSlowClientIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{MaxPayload: 1000, MaxBuffered: 10_000, WriteTimeout: time.Minute})
		defer b.end()
		ws, s := b.openWS(ws4)
		ws.Stall(true)
		var err error
		sent := 0
		for err == nil {
			err = s.Send(core.Text(strings.Repeat("x", 1000)))
			sent++
		}
		if !errors.Is(err, core.ErrBufferFull) || sent != 11 {
			t.Errorf("message %d: %v", sent, err)
		}
		b.wantEvent("close: transport error")
		<-ws.Done()

		ws, s = b.openWS(ws4) // with a WriteTimeout that is longer, the heartbeat decides
		ws.Stall(true)
		_ = s.Send(core.Text("x"))
		b.wantEvent("close: ping timeout")
		<-ws.Done()
	})
}

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		s := b.open(poll4)
		poll := s.get()
		ws, other := b.openWS(ws4)
		_ = other.Send(core.Text("last words"))
		go func() {
			b.wantFrame(ws, "4last words")
			b.wantClosed(ws, 1001)
		}()
		synctest.Wait()
		began := time.Now()
		if err := b.Server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 100*ms {
			t.Errorf("Shutdown took %v", took)
		}
		b.wantAnswer(poll, 200, "1")
		b.wantEvent("close: forced close")
		b.wantEvent("close: forced close")
		if a := b.Get(poll4).Wait(); a.Status != 503 {
			t.Errorf("a handshake after Shutdown: %d", a.Status)
		}
		if _, a := b.WebSocket(ws4); a.Wait().Status != 503 {
			t.Errorf("a WebSocket after Shutdown: %d", a.Status)
		}
	})
}

func TestShutdownOfAnEmptyServerNeedsNoTime(t *testing.T) {
	srv, err := core.NewServer(core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := srv.Shutdown(over); err != nil {
		t.Error(err)
	}
}

func TestShutdownIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		b.open(poll4) // does not poll
		ws, s := b.openWS(ws4)
		ws.Stall(true) // does not read
		_ = s.Send(core.Text("x"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		<-ws.Done()
		if b.Server.Len() != 0 {
			t.Error("sessions left")
		}
	})
}

// Close, CloseNow and the client's leaving at the same time agree on one end.
func TestConcurrentCloses(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, core.Config{})
			defer b.end()
			ws, s := b.openWS(ws4)
			_ = s.Send(core.Text("x"))
			go s.Close()
			go s.CloseNow()
			go ws.SendClose(1000)
			synctest.Wait()
			<-b.events
			select {
			case event := <-b.events:
				t.Errorf("a second end: %s", event)
			default:
			}
		})
	}
}
