package core_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/coretest"
)

// TestInvalidOriginIsTold: net/http answers such a request itself; if one gets through, the application
// learns why it was refused.
func TestInvalidOriginIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		b := newBench(t, core.Config{OnConnectionError: func(e *core.RequestError, r *http.Request) {
			told = append(told, e.Context+" "+r.Header.Get("Origin"))
		}})
		b.wantAnswer(b.Do(http.MethodGet, poll4, nil, http.Header{"Origin": {"a\x01b"}}), 400, badRequest)
		if !slices.Equal(told, []string{"INVALID_ORIGIN a\x01b"}) {
			t.Errorf("told %q", told)
		}
		b.end()
	})
}

// TestHooksInOrder: hooks are called in the order of events, and none after OnClose.
func TestHooksInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		note := func(what string) func() { return func() { told = append(told, what) } }
		b := newBench(t, core.Config{OnConnection: func(s *core.Socket) {
			s.OnPacketCreate(func(p core.Packet) { told = append(told, "create "+string(p.Data)) })
			s.OnFlush(func(packets []core.Packet) { told = append(told, "flush "+string(packets[0].Data)) })
			s.OnDrain(note("drain"))
			s.OnError(func(err error) { told = append(told, "error "+err.Error()) })
			s.OnClose(func(core.CloseReason, error) { told = append(told, "close") })
		}})
		s := b.open(poll4)
		_ = s.socket.SendFunc(core.Text("a"), note("sent a"))
		_ = s.socket.SendFunc(core.Text("b"), note("sent b"))
		b.wantAnswer(s.get(), 200, "4a\x1e4b")
		_ = s.socket.SendFunc(core.Text("c"), note("sent c")) // is dropped
		s.post("x").Wait()
		synctest.Wait()
		want := "create a, create b, flush a, sent a, sent b, drain, create c, error parser"
		if got := strings.Join(told, ", "); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, ", close") || strings.Contains(got, "sent c") {
			t.Errorf("told %q", got)
		}
		b.end()
	})
}

// TestObserversHoldNobodyUp: a session does not wait for a hook that observes; only its OnClose does.
func TestObserversHoldNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		closed := false
		b := newBench(t, core.Config{OnConnection: func(s *core.Socket) {
			s.OnDrain(func() { <-release })
			s.OnClose(func(core.CloseReason, error) { closed = true })
		}})
		ws, s := b.openWS(ws4)
		for _, text := range []string{"a", "b"} {
			s.Send(core.Text(text))
			b.wantFrame(ws, "4"+text)
		}
		ws.SendText("4echo")
		b.wantFrame(ws, "4echo")
		time.Sleep(25*time.Second + time.Millisecond)
		b.wantFrame(ws, "2")
		s.CloseNow()
		synctest.Wait()
		if closed {
			t.Error("OnClose came before another hook had returned")
		}
		close(release)
		synctest.Wait()
		if !closed {
			t.Error("OnClose did not come")
		}
		b.end()
		ws.Cut()
	})
}

// TestOneCallbackForAllSessions: Config.OnMessage serves sessions without a callback of their own, a server
// needs no OnConnection, and a panic costs one session.
func TestOneCallbackForAllSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := core.NewServer(core.Config{OnMessage: func(s *core.Socket, m core.Message) {
			switch string(m.Data) {
			case "panic":
				panic("on purpose")
			case "own":
				s.OnMessage(func(m core.Message) { _ = s.Send(core.Text("own " + string(m.Data))) })
			}
			_ = s.Send(core.Text(s.ID() + " " + string(m.Data)))
		}})
		if err != nil {
			t.Fatal(err)
		}
		b := &bench{t: t, Client: &coretest.Client{Server: srv, Engine: coretest.Engine{}}}
		sid := b.parseOpen(b.Get(poll4).Wait().Body).SID
		query := poll4 + "&sid=" + sid
		b.wantAnswer(b.Post(query, "4own\x1e4a\x1e4b"), 200, "ok")
		b.wantAnswer(b.Get(query), 200, "4"+sid+" own\x1e4own a\x1e4own b")

		ws, _ := b.WebSocket(ws4)
		f, _ := ws.Next()
		other := b.parseOpen(f.Text).SID
		ws.SendText("4hi")
		b.wantFrame(ws, "4"+other+" hi")
		ws.SendText("4panic")
		b.wantClosed(ws, 0)
		synctest.Wait()
		if n := srv.Len(); n != 1 {
			t.Errorf("%d sessions are left", n)
		}
		b.end()
	})
}

// TestSessionsWithoutOnConnectionAndOnClose: they take no goroutine for either, and end properly in every way:
// upgraded beside a callback that blocks, closed inside callbacks, too slow, and shut down.
func TestSessionsWithoutOnConnectionAndOnClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		srv, err := core.NewServer(core.Config{MaxPayload: 1000, MaxBuffered: 4000, OnMessage: func(s *core.Socket, m core.Message) {
			switch string(m.Data) {
			case "block":
				_ = s.Send(core.Text("a"))
				<-release
			case "close":
				s.Close()
			case "close now":
				s.CloseNow()
			case "too much":
				for range 10 {
					_ = s.Send(core.Text(strings.Repeat("x", 900)))
				}
			default:
				_ = s.Send(m)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		b := &bench{t: t, Client: &coretest.Client{Server: srv, Engine: coretest.Engine{}}}
		open := func() (query string) { return poll4 + "&sid=" + b.parseOpen(b.Get(poll4).Wait().Body).SID }

		query := open()
		post := b.Post(query, "4block")
		b.wantAnswer(b.Get(query), 200, "4a")
		ws, _ := b.WebSocket(strings.Replace(query, poll4, ws4, 1))
		ws.SendText("2probe")
		b.wantFrame(ws, "3probe")
		ws.SendText("5")
		ws.SendText("4x")
		synctest.Wait()
		close(release)
		b.wantAnswer(post, 200, "ok")
		b.wantFrame(ws, "4x")
		ws.SendText("4close")
		b.wantClosed(ws, 0)

		for _, how := range []string{"close", "close now", "too much"} {
			query = open()
			poll := b.Get(query)
			synctest.Wait()
			b.Post(query, "4"+how).Wait()
			poll.Wait()
			b.Get(query).Wait()
			synctest.Wait()
			if n := srv.Len(); n != 0 {
				t.Errorf("%s: %d sessions are left", how, n)
			}
		}

		poll := b.Get(open())
		synctest.Wait()
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		poll.Wait()
		b.end()
	})
}
