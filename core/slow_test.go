package core_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/coretest"
)

func TestRefusedMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{MaxPayload: 1000, MaxBuffered: 4000, BufferPolicy: core.RefuseMessage})
		defer b.end()
		ws, s := b.openWS(ws4)
		ws.Stall(true)
		for i, text := range []string{"1000", "1000", "1000", "1000", "1", "0"} {
			size := map[string]int{"1000": 1000, "1": 1, "0": 0}[text]
			err := s.Send(core.Binary(make([]byte, size)))
			if want := i == 4; errors.Is(err, core.ErrBufferFull) != want {
				t.Errorf("message %d of %d bytes: %v", i, size, err)
			}
		}
		if n := s.Buffered(); n != 4000 || s.ReadyState() != core.StateOpen {
			t.Errorf("%d bytes wait, state %s", n, s.ReadyState())
		}
		ws.Stall(false)
		synctest.Wait()
		if n := ws.Waiting(); n != 5 || s.Buffered() != 0 {
			t.Errorf("%d messages arrived, %d bytes wait", n, s.Buffered())
		}
		if err := s.Send(core.Text("again")); err != nil {
			t.Error(err)
		}
		if n := b.Server.Stats().SlowRefused; n != 1 {
			t.Errorf("%d refused messages were counted", n)
		}
	})
}

// Empty messages count, too: a list of them takes memory.
func TestManyEmptyMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{MaxPayload: 1000, MaxBuffered: 64_000, BufferPolicy: core.RefuseMessage})
		defer b.end()
		s := b.open(poll4).socket
		sent := 0
		for s.Send(core.Message{}) == nil {
			sent++
		}
		if sent != 1024 {
			t.Errorf("%d empty messages wait", sent)
		}
	})
}

func TestVolatile(t *testing.T) {
	message := core.Text("v")
	synctest.Test(t, func(t *testing.T) {
		var inCallback []error
		b := newBench(t, core.Config{OnConnection: func(s *core.Socket) {
			s.OnMessage(func(m core.Message) {
				inCallback = append(inCallback, s.Send(m), s.SendVolatile(message), s.SendVolatile(message))
			})
		}})
		defer b.end()
		volatile := func(s *core.Socket, want error) {
			t.Helper()
			if err := s.SendVolatile(message); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}

		s := b.open(poll4)
		volatile(s.socket, core.ErrDropped) // nobody waits
		poll := s.get()
		synctest.Wait()
		volatile(s.socket, nil)
		volatile(s.socket, core.ErrDropped)
		b.wantAnswer(poll, 200, "4v")
		_ = s.socket.Send(core.Text("waits"))
		volatile(s.socket, core.ErrDropped)
		b.wantAnswer(s.get(), 200, "4waits")

		ws, socket := b.openWS(ws4)
		volatile(socket, nil)
		b.wantFrame(ws, "4v")
		ws.Stall(true)
		_ = socket.Send(core.Text("stuck"))
		synctest.Wait()
		volatile(socket, core.ErrDropped)
		ws.Stall(false)
		synctest.Wait()
		volatile(socket, nil)
		b.wantFrame(ws, "4stuck")
		b.wantFrame(ws, "4v")

		// What is held back while a callback runs, to leave together, is not held up by the client.
		ws.SendText("4a")
		ws.SendText("4b")
		for _, text := range []string{"4a", "4v", "4v", "4b", "4v", "4v"} {
			b.wantFrame(ws, text)
		}
		synctest.Wait()
		if err := errors.Join(inCallback...); err != nil || len(inCallback) != 6 {
			t.Errorf("%v", inCallback)
		}

		socket.CloseNow()
		volatile(socket, core.ErrClosed)
		if n := b.Server.Stats().VolatileDropped; n != 4 {
			t.Errorf("%d dropped messages were counted", n)
		}
	})
}

func TestStalledWriterIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{WriteTimeout: 3 * time.Second})
		defer b.end()
		ws, s := b.openWS(ws4)
		ws.Stall(true)
		_ = s.Send(core.Text("x"))
		began := time.Now()
		b.wantEvent("close: transport error")
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
		<-ws.Done()
		if n := b.Server.Stats().SlowClosed; n != 1 {
			t.Errorf("%d slow clients were counted", n)
		}
	})
}

func TestUnsent(t *testing.T) {
	type end struct {
		count    int
		messages []string
	}
	for name, c := range map[string]struct {
		run  func(b *bench) *core.Socket
		want []string
	}{
		"nothing": {func(b *bench) *core.Socket {
			ws, s := b.openWS(ws4)
			_ = s.Send(core.Text("a"))
			b.wantFrame(ws, "4a")
			s.CloseNow()
			return s
		}, nil},
		"a stalled client": {func(b *bench) *core.Socket {
			ws, s := b.openWS(ws4)
			_ = s.Send(core.Text("arrives"))
			b.wantFrame(ws, "4arrives")
			ws.Stall(true)
			for _, text := range []string{"a", "b", "c"} {
				_ = s.Send(core.Text(text))
				synctest.Wait()
			}
			s.CloseNow()
			return s
		}, []string{"a", "b", "c"}},
		"a cut while writing": {func(b *bench) *core.Socket {
			ws, s := b.openWS(ws4)
			ws.Stall(true)
			_ = s.Send(core.Text("a"))
			synctest.Wait()
			_ = s.Send(core.Text("b"))
			ws.Cut()
			return s
		}, []string{"a", "b"}},
		"a stalled client, the server closes": {func(b *bench) *core.Socket {
			ws, s := b.openWS(ws4)
			ws.Stall(true)
			_ = s.Send(core.Text("a"))
			s.Close()
			return s
		}, []string{"a"}},
		"a poll that never comes": {func(b *bench) *core.Socket {
			s := b.open(poll4)
			_ = s.socket.Send(core.Text("a"))
			_ = s.socket.Send(core.Binary([]byte("b")))
			s.post("1")
			return s.socket
		}, []string{"a", "b"}},
		"a poll that leaves": {func(b *bench) *core.Socket {
			s := b.open(poll4)
			poll := s.get()
			synctest.Wait()
			poll.Leave()
			_ = s.socket.Send(core.Text("a"))
			return s.socket
		}, []string{"a"}},
		"an answered poll": {func(b *bench) *core.Socket {
			s := b.open(poll4)
			poll := s.get()
			synctest.Wait()
			_ = s.socket.Send(core.Text("a"))
			b.wantAnswer(poll, 200, "4a")
			s.socket.CloseNow()
			return s.socket
		}, nil},
		"too much": {func(b *bench) *core.Socket {
			s := b.open(poll4)
			for range 5 {
				_ = s.socket.Send(core.Text(strings.Repeat("x", 1000)))
			}
			return s.socket
		}, []string{strings.Repeat("x", 1000), strings.Repeat("x", 1000), strings.Repeat("x", 1000), strings.Repeat("x", 1000)}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ends := make(chan end, 1)
				b := newBench(t, core.Config{MaxPayload: 1000, MaxBuffered: 4000, OnConnection: func(s *core.Socket) {
					s.OnClose(func(core.CloseReason, error) {
						e := end{count: s.Unsent()}
						for _, m := range s.UnsentMessages() {
							e.messages = append(e.messages, string(m.Data))
						}
						ends <- e
					})
				}})
				defer b.end()
				s := c.run(b)
				e := <-ends
				synctest.Wait()
				if e.count != len(c.want) || strings.Join(e.messages, " ") != strings.Join(c.want, " ") {
					t.Errorf("%d: %q, want %q", e.count, e.messages, c.want)
				}
				if len(s.UnsentMessages()) > 0 || s.Unsent() != len(c.want) {
					t.Error("the messages are kept after OnClose, or the count is not")
				}
			})
		})
	}
}

func TestMaxSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var refused []string
		b := newBench(t, core.Config{MaxSessions: 2, OnConnectionError: func(e *core.RequestError, _ *http.Request) {
			refused = append(refused, e.Context)
		}})
		defer b.end()
		s := b.open(poll4)
		ws, _ := b.openWS(ws4)
		b.wantAnswer(b.Get(poll4), 503, `{"code":3,"message":"Too many sessions"}`)
		if _, a := b.WebSocket(ws4); a.Wait().Status != 503 {
			t.Errorf("a WebSocket: %d", a.Status)
		}
		b.wantAnswer(s.post("4served"), 200, "ok")
		ws.SendText("1")
		b.wantEvent("close: transport close")
		b.openWS(ws4)
		if strings.Join(refused, " ") != "TOO_MANY_SESSIONS TOO_MANY_SESSIONS" {
			t.Errorf("%q", refused)
		}
	})
}

// A handshake is refused even if the last place is taken while its WebSocket is being accepted.
func TestMaxSessionsIsStrict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{MaxSessions: 50})
		defer b.end()
		var refused int
		var all []*coretest.WebSocket
		for range 100 {
			ws, _ := b.WebSocket(ws4)
			all = append(all, ws)
		}
		time.Sleep(10 * ms) // open packets leave a moment after the 101
		for _, ws := range all {
			if ws.Waiting() == 0 {
				refused++
			} else if f, _ := ws.Next(); f.Close {
				refused++
				if f.Code != 1013 {
					t.Errorf("closed with %d", f.Code)
				}
			}
		}
		if n := b.Server.Len(); n != 50 || refused != 50 {
			t.Errorf("%d sessions, %d refused", n, refused)
		}
	})
}

func TestWarningsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := newBench(t, core.Config{MaxSessions: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		defer b.end()
		b.openWS(ws4)
		for range 1000 {
			b.Get(poll4).Wait()
			b.Get(poll3).Wait()
		}
		if n := strings.Count(log.String(), "\n"); n != 2 {
			t.Errorf("%d lines: %.500s", n, log.String())
		}
		time.Sleep(10 * time.Second)
		b.Get(poll4).Wait()
		if text := log.String(); strings.Count(text, "\n") != 3 || !strings.Contains(text, "omitted=999") {
			t.Errorf("%.500s", text)
		}
	})
}

// What clients have sent before a shutdown is delivered. What they send to a session that the application
// has closed is not.
func TestInputWhileClosing(t *testing.T) {
	for _, shutdown := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			got := make(chan string, 10)
			b := newBench(t, core.Config{OnConnection: func(s *core.Socket) {
				s.OnMessage(func(m core.Message) { got <- string(m.Data) })
			}})
			s := b.open(poll4)
			r, w := io.Pipe()
			post := b.Do(http.MethodPost, s.query, r, nil)
			synctest.Wait()
			if shutdown {
				go func() { _ = b.Server.Shutdown(t.Context()) }()
			} else {
				s.socket.Close()
			}
			synctest.Wait()
			_, _ = io.WriteString(w, "4late\x1e3\x1e4later")
			_ = w.Close()
			b.wantAnswer(post, 200, "ok")
			b.wantAnswer(s.get(), 200, "1")
			b.wantEvent("close: forced close")
			if n := len(got); (n == 2) != shutdown {
				t.Errorf("shutdown %v: %d messages", shutdown, n)
			}
			b.Server.Close()
		})
	}
}
