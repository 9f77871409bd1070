package integration_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fasthttp/websocket"

	"github.com/goengineio/engineio/conflate"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/parser"
)

func TestSocketProperties(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{})
		b.overBoth(func(c *session) {
			s := c.socket
			want := core.Polling
			if c.ws != nil {
				want = core.WebSocket
			}
			if s.ID() != c.open.SID || len(s.ID()) != 20 || s.Protocol() != 4 || s.Transport() != want || s.Upgraded() || s.Upgrading() ||
				s.ReadyState() != core.StateOpen || !strings.HasPrefix(s.RemoteAddr(), "127.0.0.1:") {
				t.Errorf("id %q (%q), protocol %d, transport %s, upgraded %v, upgrading %v, %s, remote %s", s.ID(), c.open.SID,
					s.Protocol(), s.Transport(), s.Upgraded(), s.Upgrading(), s.ReadyState(), s.RemoteAddr())
			}
			r := s.Request()
			if r.Method != http.MethodGet || r.URL.Query().Get("transport") != string(want) || r.Host == "" || r.RemoteAddr != s.RemoteAddr() {
				t.Errorf("request %+v", r)
			}
		})
	})
}

func TestSocketUpgrade(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		upgraded := make(chan core.Transport, 1)
		upgrading := make(chan core.Transport, 1)
		b := start(core.Config{OnConnection: func(s *core.Socket) {
			s.OnUpgrading(func(to core.Transport) { upgrading <- to })
			s.OnUpgrade(func(to core.Transport) { upgraded <- to })
		}})
		c := b.connect(poll4)
		poll := b.goGet(c.query)
		conn := c.probe()
		if to := await(t, upgrading, "upgrading"); to != core.WebSocket || !c.socket.Upgrading() || c.socket.Upgraded() || c.socket.Transport() != core.Polling {
			t.Errorf("upgrading to %s; %v %v %s", to, c.socket.Upgrading(), c.socket.Upgraded(), c.socket.Transport())
		}
		b.want(await(t, poll, "poll"), http.StatusOK, "6")
		c.socket.Send(core.Text("meanwhile")) // over whatever is there
		b.want(b.get(c.query), http.StatusOK, "4meanwhile")
		_ = conn.WriteMessage(websocket.TextMessage, []byte("5"))
		if to := await(t, upgraded, "upgrade"); to != core.WebSocket || c.socket.Upgrading() || !c.socket.Upgraded() || c.socket.Transport() != core.WebSocket {
			t.Errorf("upgraded to %s; %v %v %s", to, c.socket.Upgrading(), c.socket.Upgraded(), c.socket.Transport())
		}
		c.ws = conn
		c.send("4x")
		c.wantPackets("4x")
		b.wantRefused(b.get(c.query), http.StatusBadRequest, core.BadRequest, "Bad request", "TRANSPORT_MISMATCH")
	})
}

func TestSendTextAndBinary(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{})
		b.overBoth(func(c *session) {
			for _, m := range []core.Message{core.Text("a"), core.Binary([]byte{1, 2, 3}), core.Text("€😀"), core.Text("")} {
				if err := c.socket.Send(m); err != nil {
					t.Error(err)
				}
			}
			binary := "bAQID"
			if c.ws != nil {
				binary = "\x01\x02\x03"
			}
			c.wantPackets("4a", binary, "4€😀", "4")
			c.socket.CloseNow()
			if err := c.socket.Send(core.Text("late")); !errors.Is(err, core.ErrClosed) {
				t.Errorf("got %v", err)
			}
		})
	})
}

func TestSendFunc(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{})
		b.overBoth(func(c *session) {
			sent := make(chan int, 100)
			for i := range 10 {
				if err := c.socket.SendFunc(core.Text(fmt.Sprint(i)), func() { sent <- i }); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 10 {
				c.wantPackets(fmt.Sprint("4", i))
			}
			for i := range 10 {
				if got := await(t, sent, "callback"); got != i {
					t.Errorf("callback %d, want %d", got, i)
				}
			}
		})

		// What is dropped is not called back. OnClose is the last callback.
		c := b.connect(poll4)
		called := false
		_ = c.socket.SendFunc(core.Text("dropped"), func() { called = true })
		c.socket.CloseNow()
		b.wantEnd(core.ForcedClose)
		if called {
			t.Error("a dropped message was called back")
		}
		if err := c.socket.SendFunc(core.Text("late"), func() { called = true }); !errors.Is(err, core.ErrClosed) || called {
			t.Errorf("after the end: %v, called back: %v", err, called)
		}
	})
}

func TestSocketClose(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{})
		b.overBoth(func(c *session) {
			c.socket.Send(core.Text("last words"))
			c.socket.Close()
			if state := c.socket.ReadyState(); c.ws == nil && state != core.StateClosing {
				t.Errorf("state %s", state) // until the client has fetched the rest
			}
			c.wantPackets("4last words")
			if c.ws == nil {
				c.wantPackets("1")
			} else if _, _, err := c.ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNoStatusReceived) {
				t.Errorf("got %v", err)
			}
			b.wantEnd(core.ForcedClose)
			if state := c.socket.ReadyState(); state != core.StateClosed {
				t.Errorf("state %s", state)
			}
			if _, there := b.engine.Get(c.open.SID); there {
				t.Error("still there")
			}
		})

		// The client's own close.
		b.overBoth(func(c *session) {
			c.send("1")
			b.wantEnd(core.TransportClose)
		})
	})
}

func TestSocketCloseNow(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{})
		c := b.connect(poll4)
		c.socket.Send(core.Text("dropped"))
		c.socket.CloseNow()
		b.wantEnd(core.ForcedClose)
		if c.socket.ReadyState() != core.StateClosed || len(c.socket.WriteBuffer()) != 0 || c.socket.Buffered() != 0 {
			t.Errorf("%s, %v", c.socket.ReadyState(), c.socket.WriteBuffer())
		}
		b.wantRefused(b.get(c.query), http.StatusBadRequest, core.UnknownSID, "Session ID unknown", "")
	})
}

func TestWriteBuffer(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		c := start(core.Config{}).connect(poll4)
		c.socket.Send(core.Text("abc"))
		c.socket.Send(core.Binary([]byte{1, 2}))
		packets := c.socket.WriteBuffer()
		if len(packets) != 2 || packets[0].Type != parser.Message || string(packets[0].Data) != "abc" || !packets[1].Binary || c.socket.Buffered() != 5 {
			t.Errorf("%v, %d bytes", packets, c.socket.Buffered())
		}
		c.wantPackets("4abc", "bAQI=")
		eventually(t, "the buffer is empty", func() bool { return len(c.socket.WriteBuffer()) == 0 && c.socket.Buffered() == 0 })
	})
}

func TestSocketDataAndContext(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{})
		b.overBoth(func(c *session) {
			if c.socket.Data() != nil {
				t.Errorf("data %v", c.socket.Data())
			}
			type user struct{ name string }
			c.socket.SetData(&user{"ada"})
			if u, ok := c.socket.Data().(*user); !ok || u.name != "ada" {
				t.Errorf("data %v", c.socket.Data())
			}

			ctx := c.socket.Context()
			if ctx.Err() != nil || c.socket.Context() != ctx {
				t.Errorf("context %v", ctx.Err())
			}
			c.socket.CloseNow()
			if err := await(t, endOf(ctx), "end of the context"); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			b.wantEnd(core.ForcedClose)
		})

		c := b.connect(poll4)
		c.socket.CloseNow()
		b.wantEnd(core.ForcedClose)
		if c.socket.Context().Err() == nil {
			t.Error("a context that begins after the session must be over")
		}
	})
}

// endOf gives one value when the context ends.
func endOf(ctx context.Context) <-chan error {
	c := make(chan error, 1)
	context.AfterFunc(ctx, func() { c <- ctx.Err() })
	return c
}

func TestBroadcast(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{AllowEIO3: true})
		clients := []*session{b.connect(poll4), b.connect(ws4), b.connect(poll3 + "&b64=1"), b.connect(ws3)}
		long := strings.Repeat("x", 70_000)
		for _, m := range []core.Message{core.Text("hello"), core.Binary([]byte{1, 2, 3}), core.Text(long[:200]), core.Text(long)} {
			if n := b.engine.Broadcast(m); n != 4 {
				t.Errorf("%d took it", n)
			}
		}
		for i, binary := range []string{"bAQID", "\x01\x02\x03", "b4AQID", "\x04\x01\x02\x03"} {
			clients[i].wantPackets("4hello", binary, "4"+long[:200], "4"+long)
		}

		prepared := core.Prepare(core.Text("to some"))
		some := []*core.Socket{clients[0].socket, clients[1].socket}
		if n := prepared.SendTo(slices.Values(some)); n != 2 {
			t.Errorf("%d took it", n)
		}
		if err := clients[3].socket.SendPrepared(prepared); err != nil {
			t.Error(err)
		}
		for _, i := range []int{0, 1, 3} {
			clients[i].wantPackets("4to some")
		}
		clients[2].socket.Send(core.Text("nothing before"))
		clients[2].wantPackets("4nothing before")

		clients[0].socket.CloseNow()
		b.wantEnd(core.ForcedClose)
		if n := prepared.SendTo(slices.Values(some)); n != 1 {
			t.Errorf("%d took it", n)
		}
		if err := clients[0].socket.SendPrepared(prepared); !errors.Is(err, core.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestConflation(t *testing.T) {
	key := func(m core.Message) (string, bool) {
		name, _, ok := strings.Cut(string(m.Data), "=")
		return name, ok
	}
	isNoise := func(m core.Message) bool { return string(m.Data) == "noise" }
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{Conflate: conflate.Chain(
			conflate.Filter(func(m core.Message) bool { return !isNoise(m) }),
			conflate.LatestByKey(key),
		)})
		c := b.connect(poll4)
		for _, text := range []string{"a=1", "b=1", "noise", "a=2", "x"} {
			c.socket.Send(core.Text(text))
		}
		c.wantPackets("4b=1", "4a=2", "4x")
		if n := b.engine.Conflated(); n != 2 {
			t.Errorf("%d conflated", n)
		}

		c = b.connect(ws4)
		for _, text := range []string{"noise", "a=1", "noise", "x"} {
			c.socket.Send(core.Text(text))
		}
		c.wantPackets("4a=1", "4x")
		if n := b.engine.Conflated(); n != 4 {
			t.Errorf("%d conflated", n)
		}
	})
}

// TestLeavingWithoutAWord: a client that cuts its connection.
func TestLeavingWithoutAWord(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{})
		c := b.connect(ws4)
		_ = c.ws.Close()
		b.wantEnd(core.TransportClose)
		if n := b.engine.Len(); n != 0 {
			t.Errorf("%d sessions", n)
		}
	})
}
