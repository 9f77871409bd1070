package core_test

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/coretest"
)

// A client that cuts the connection of its poll after the upgrade packet no longer needs that poll.
func TestPollGoneBehindTheUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		s := b.open(poll4)
		ws := s.probe()
		ws.SendText("2probe")
		b.wantFrame(ws, "3probe")
		s.get().Wait()
		s.get().Wait()
		x := &pollExchange{Exchange: newQuietExchange(http.MethodGet, s.query, ""), wait: func(*core.Waiter) core.WaitResult {
			ws.SendText("5")
			b.wantEvent("upgrade: websocket") // adopted; the poll is woken
			return core.Gone                  // and the client has cut its old connection
		}}
		b.Server.Serve(x, b.Engine)
		synctest.Wait()
		if s.socket.ReadyState() != core.StateOpen {
			t.Errorf("state %s: %s", s.socket.ReadyState(), <-b.events)
		}
		b.end()
		ws.Cut()
	})
}

// If Conflate leaves nothing to send, nothing waits for the network any more.
func TestVolatileBehindConflate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var drop atomic.Bool
		b := newBench(t, core.Config{Conflate: func(_ *core.Socket, m []core.Message) []core.Message {
			if drop.Load() {
				return nil
			}
			return m
		}})
		ws, s := b.openWS(ws4)
		ws.Stall(true)
		_ = s.Send(core.Text("a"))
		synctest.Wait()
		_ = s.Send(core.Text("b"))
		drop.Store(true)
		ws.Stall(false)
		synctest.Wait()
		drop.Store(false)
		b.wantFrame(ws, "4a")
		time.Sleep(5 * time.Second)
		if err := s.SendVolatile(core.Text("v")); err != nil || s.Buffered() != 0 {
			t.Errorf("%v, buffered %d", err, s.Buffered())
		}
		b.end()
		ws.Cut()
	})
}

// A write that takes the token again is not affected by what another write has done to the token meanwhile.
func TestCloseNowCutsAWriteBehindConflate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ws *coretest.WebSocket
		var calls atomic.Int32
		b := newBench(t, core.Config{Conflate: func(_ *core.Socket, m []core.Message) []core.Message {
			if calls.Add(1) == 2 {
				ws.Ping("x") // its pong may leave meanwhile
				time.Sleep(10 * time.Millisecond)
				ws.Stall(true)
			}
			return m
		}})
		var s *core.Socket
		ws, s = b.openWS(ws4)
		ws.Stall(true)
		_ = s.Send(core.Text("a"))
		synctest.Wait()
		_ = s.Send(core.Text("b"))
		ws.Stall(false)
		time.Sleep(time.Second)
		synctest.Wait()
		before := time.Now()
		s.CloseNow()
		b.wantEvent("close: forced close")
		if took := time.Since(before); took > time.Second {
			t.Errorf("CloseNow: OnClose after %v", took)
		}
		b.end()
		ws.Cut()
	})
}

// A handshake whose answer is aborted leaves a session that ends like any other.
func TestAbortedHandshakeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{OnHeaders: func(http.Header, *http.Request) { panic(http.ErrAbortHandler) }})
		func() {
			defer func() { _ = recover() }()
			b.Server.Serve(&pollExchange{Exchange: newQuietExchange(http.MethodGet, poll4, "")}, b.Engine)
		}()
		time.Sleep(time.Hour)
		if n := b.Server.Len(); n != 0 {
			t.Errorf("%d sessions after an hour", n)
		}
		b.Server.Close()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.Server.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

func TestUpgradeDurationLeavesTheApplicationOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{OnConnection: func(s *core.Socket) {
			s.OnUpgrade(func(core.Transport) { time.Sleep(5 * time.Second) })
		}})
		s := b.open(poll4)
		ws := s.probe()
		ws.SendText("2probe")
		b.wantFrame(ws, "3probe")
		ws.SendText("5")
		time.Sleep(time.Second)
		if n := b.Server.Stats().Upgraded; n != 1 {
			t.Errorf("upgraded %d a second behind the upgrade packet", n)
		}
		time.Sleep(10 * time.Second)
		if d := b.Server.Stats().UpgradeDuration.Sum; d > time.Second {
			t.Errorf("the upgrade took %v", d)
		}
		b.end()
		ws.Cut()
	})
}

// wrappingEngine wraps the connections that it makes.
type wrappingEngine struct {
	coretest.Engine
	wrap func(core.WebSocketConn) core.WebSocketConn
}

func (e wrappingEngine) Accept(conn net.Conn, buffered []byte, r *http.Request, o core.WebSocketOptions) (core.WebSocketConn, error) {
	inner, err := e.Engine.Accept(conn, buffered, r, o)
	return e.wrap(inner), err
}

// lateConn begins its Flush late, as a goroutine does that loses its processor.
type lateConn struct{ core.WebSocketConn }

func lateEngine() core.WebSocketEngine {
	return wrappingEngine{wrap: func(c core.WebSocketConn) core.WebSocketConn { return lateConn{c} }}
}

func (c lateConn) Flush(block bool) (bool, error) {
	time.Sleep(10 * time.Millisecond)
	return c.WebSocketConn.Flush(block)
}

// A client that closes while a write is under way gets the rest of it, and a close frame.
func TestClientClosesDuringAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{WebSocketEngine: lateEngine()})
		ws, s := b.openWS(ws4)
		time.Sleep(time.Second)
		go func() { _ = s.Send(core.Text("x")) }()
		synctest.Wait()
		ws.SendClose(1000)
		b.wantEvent("close: transport close")
		<-ws.Done()
		var frames []coretest.Frame
		for {
			f, ok := ws.Next()
			if !ok {
				break
			}
			frames = append(frames, f)
		}
		if len(frames) == 0 || !frames[len(frames)-1].Close {
			t.Errorf("the client's close frame was not answered: %+v, unsent %d", frames, s.Unsent())
		}
		time.Sleep(time.Second)
		b.end()
	})
}

// waitConn cannot write anything without waiting, as over TLS.
type waitConn struct{ core.WebSocketConn }

func waitEngine() core.WebSocketEngine {
	return wrappingEngine{wrap: func(c core.WebSocketConn) core.WebSocketConn { return waitConn{c} }}
}

func (c waitConn) Flush(block bool) (bool, error) {
	if !block {
		return c.Unflushed() == 0, nil
	}
	time.Sleep(time.Millisecond)
	return c.WebSocketConn.Flush(true)
}

// What callbacks have sent is not lost if the end of the session came in the same segment as their input.
func TestRepliesGoBeforeTheEnd(t *testing.T) {
	engines := map[string]core.WebSocketEngine{"at once": nil, "waiting": waitEngine()}
	for name, end := range map[string]func(*coretest.WebSocket){
		"close frame":            func(ws *coretest.WebSocket) { ws.SendClose(1000) },
		"close packet":           func(ws *coretest.WebSocket) { ws.SendText("1") },
		"close packet and frame": func(ws *coretest.WebSocket) { ws.SendText("1"); ws.SendClose(1000) },
		"wrong heartbeat":        func(ws *coretest.WebSocket) { ws.SendText("2") },
		"unknown packet":         func(ws *coretest.WebSocket) { ws.SendText("9") },
		"invalid UTF-8":          func(ws *coretest.WebSocket) { ws.SendText("4\xff") },
	} {
		for how, engine := range engines {
			t.Run(name+", "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, core.Config{WebSocketEngine: engine})
					ws, _ := b.openWS(ws4)
					synctest.Wait()
					ws.SendText("4a") // read together, with what follows
					ws.SendText("4b")
					end(ws)
					b.wantFrame(ws, "4a")
					b.wantFrame(ws, "4b")
					if f, ok := ws.Next(); !ok || !f.Close {
						t.Errorf("%+v %v", f, ok)
					}
					ws.Cut()
					b.end()
				})
			})
		}
	}
}

// Messages that Conflate is being asked about are not sent if the client closes meanwhile.
func TestClientClosesDuringConflate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var calls atomic.Int32
		b := newBench(t, core.Config{WebSocketEngine: waitEngine(), Conflate: func(_ *core.Socket, m []core.Message) []core.Message {
			if calls.Add(1) == 1 {
				<-release
			}
			return m
		}})
		ws, s := b.openWS(ws4)
		time.Sleep(time.Second)
		go func() { _ = s.Send(core.Text("asked about")) }()
		synctest.Wait()
		_ = s.Send(core.Text("sent meanwhile"))
		ws.Ping("x") // its pong is under way when the client closes
		ws.SendClose(1000)
		time.Sleep(time.Second)
		if f, ok := ws.Next(); !ok || !f.Pong {
			t.Errorf("%+v %v", f, ok)
		}
		if f, ok := ws.Next(); !ok || !f.Close {
			t.Errorf("%+v %v", f, ok)
		}
		close(release)
		b.wantEvent("close: transport close")
		if n := s.Unsent(); n != 2 {
			t.Errorf("%d messages are unsent", n)
		}
		b.end()
	})
}
