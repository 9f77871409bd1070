package integration_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/debuglog"
	"github.com/goengineio/engineio/internal/fastws"
)

func TestPingIntervalAndTimeout(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{PingInterval: 50 * time.Millisecond, PingTimeout: time.Second})
		b.overBoth(func(c *session) {
			if c.open.PingInterval != 50 || c.open.PingTimeout != 1000 {
				t.Errorf("announced %+v", c.open)
			}
			for range 3 {
				c.wantPackets("2")
				c.send("3")
			}
			c.wantPackets("2")
			asked := time.Now()
			b.wantEnd(core.PingTimeout)
			if waited := time.Since(asked); waited < 800*time.Millisecond {
				t.Errorf("given up after %v", waited)
			}
		})
	})
}

func TestUpgradeTimeout(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{UpgradeTimeout: 50 * time.Millisecond})
		c := b.connect(poll4)
		conn := c.probe()
		var late net.Error
		if _, _, err := conn.ReadMessage(); err == nil || errors.As(err, &late) && late.Timeout() {
			t.Errorf("the probe lives on: %v", err)
		}
		eventually(t, "the upgrade is given up", func() bool { return !c.socket.Upgrading() })
		c.send("4still polling")
		for packet := c.next(); packet != "4still polling"; packet = c.next() {
			if packet != "6" {
				t.Fatalf("got %q", packet)
			}
		}
	})
}

func TestMaxPayload(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{MaxPayload: 1000})
		fits := "4" + strings.Repeat("a", 999)
		b.overBoth(func(c *session) {
			if c.open.MaxPayload != 1000 {
				t.Errorf("announced %+v", c.open)
			}
			c.send(fits)
			c.wantPackets(fits)
			if c.ws == nil {
				if a := c.post(c.query, fits+"a"); a.status != http.StatusRequestEntityTooLarge {
					t.Errorf("got %d %q", a.status, a.body)
				}
				c.send("4still here")
				c.wantPackets("4still here")
				return
			}
			c.send(fits + "a")
			if _, _, err := c.ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseMessageTooBig) {
				t.Errorf("got %v", err)
			}
			if e := b.wantEnd(core.TransportError); !errors.Is(e.err, core.ErrTooLarge) {
				t.Errorf("ended with %v", e.err)
			}
		})
	})
}

// TestOneAnswerToALargeBody: a body that comes in many pieces beyond the limit is answered once.
func TestOneAnswerToALargeBody(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{MaxPayload: 1000})
		c := b.connect(poll4)
		conn, r := b.raw("POST /engine.io/?" + c.query + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
		chunk := "400\r\n" + strings.Repeat("4", 1024) + "\r\n"
		for range 4 {
			_, _ = io.WriteString(conn, chunk) // may be refused already
		}
		_, _ = io.WriteString(conn, "0\r\n\r\n")
		answers, _ := io.ReadAll(r) // the connection may be cut for what it still sends
		if n := bytes.Count(answers, []byte("HTTP/1.1 ")); n != 1 || !bytes.HasPrefix(answers, []byte("HTTP/1.1 413 ")) {
			t.Errorf("%d answers: %q", n, answers)
		}
	})
}

func TestMaxBuffered(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{MaxPayload: 1000, MaxBuffered: 4000})
		c := b.connect(poll4)
		full := core.Binary(make([]byte, 1000))
		for i := range 4 {
			if err := c.socket.Send(full); err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		if n := c.socket.Buffered(); n != 4000 {
			t.Errorf("%d bytes wait", n)
		}
		if err := c.socket.Send(core.Text("x")); !errors.Is(err, core.ErrBufferFull) {
			t.Errorf("got %v", err)
		}
		if e := b.wantEnd(core.TransportError); !errors.Is(e.err, core.ErrBufferFull) {
			t.Errorf("ended with %v", e.err)
		}
	})
}

func TestAllowRequest(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		var asked atomic.Int32
		b := start(core.Config{AllowRequest: func(r *http.Request) error {
			asked.Add(1)
			if !strings.HasPrefix(r.RemoteAddr, "127.0.0.1:") {
				return errors.New("remote address " + r.RemoteAddr)
			}
			switch r.URL.Query().Get("token") + r.Header.Get("X-Token") {
			case "good":
				return nil
			case "":
				return errors.New("")
			}
			return errors.New("token <unknown>")
		}})
		b.connect(poll4 + "&token=good").send("4x")
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times; only handshakes are to be decided about", n)
		}
		b.connect(ws4 + "&token=good")
		if a := b.do(http.MethodGet, poll4, "", http.Header{"X-Token": {"good"}}); a.status != http.StatusOK {
			t.Errorf("by header: %d %s", a.status, a.body)
		}
		b.wantRefused(b.get(poll4), http.StatusForbidden, core.Forbidden, "Forbidden", "")
		a := b.get(poll4 + "&token=bad")
		b.want(a, http.StatusForbidden, `{"code":4,"message":"token \u003cunknown\u003e"}`)
		b.wantTold(core.Forbidden, "token <unknown>", "")
		_, a = b.dial(ws4, nil)
		b.want(a, http.StatusBadRequest, "Forbidden")
		b.wantTold(core.Forbidden, "Forbidden", "")
	})
}

func TestTransports(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		polling := start(core.Config{Transports: []core.Transport{core.Polling}})
		if upgrades := polling.connect(poll4).open.Upgrades; len(upgrades) != 0 {
			t.Errorf("offered %v", upgrades)
		}
		_, a := polling.dial(ws4, nil)
		polling.want(a, http.StatusBadRequest, "Transport unknown")

		ws := start(core.Config{Transports: []core.Transport{core.WebSocket}})
		c := ws.connect(ws4)
		c.send("4x")
		c.wantPackets("4x")
		ws.wantRefused(ws.get(poll4), http.StatusBadRequest, core.UnknownTransport, "Transport unknown", "")
	})
}

func TestAllowUpgrades(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		if upgrades := start(core.Config{}).connect(poll4).open.Upgrades; !slices.Equal(upgrades, []string{"websocket"}) {
			t.Errorf("offered %v", upgrades)
		}
		if upgrades := start(core.Config{DisableUpgrades: true}).connect(poll4).open.Upgrades; len(upgrades) != 0 {
			t.Errorf("offered %v", upgrades)
		}
	})
}

func TestCookie(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		for _, tt := range []struct {
			cookie *core.CookieOptions
			want   string // with SID in place of the id
		}{
			{nil, ""},
			{&core.CookieOptions{}, "io=SID; Path=/; HttpOnly; SameSite=Lax"},
			{&core.CookieOptions{
				Name: "sticky", Path: "/engine.io", Domain: "example.com", MaxAge: 60, Secure: true, AllowScripts: true,
				SameSite: http.SameSiteNoneMode, Partitioned: true, Expires: time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC),
			}, "sticky=SID; Path=/engine.io; Domain=example.com; Expires=Mon, 02 Jan 2040 03:04:05 GMT; Max-Age=60; Secure; SameSite=None; Partitioned"},
		} {
			b := start(core.Config{Cookie: tt.cookie})
			b.overBoth(func(c *session) {
				if got, want := c.header.Get("Set-Cookie"), strings.Replace(tt.want, "SID", c.open.SID, 1); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				if c.ws == nil {
					c.socket.Send(core.Text("x"))
					if a := b.get(c.query); a.header.Get("Set-Cookie") != "" {
						t.Errorf("a later answer sets %q", a.header.Get("Set-Cookie"))
					}
				}
			})
		}
	})
}

func TestInitialPacket(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		hello := core.Text("hello")
		b := start(core.Config{InitialPacket: &hello, AllowEIO3: true})
		for _, query := range []string{poll4, poll3, poll3 + "&b64=1"} {
			packets := split(query, b.get(query).body)
			if len(packets) != 2 || packets[0][0] != '0' || packets[1] != "4hello" {
				t.Errorf("%s: got %q", query, packets)
			}
			await(t, b.sockets, "socket")
		}
		for _, query := range []string{ws4, ws3} {
			b.connect(query).wantPackets("4hello")
		}

		data := core.Binary([]byte{1, 2, 3})
		b = start(core.Config{InitialPacket: &data, AllowEIO3: true})
		b.connect(poll4).wantPackets("bAQID")
		b.connect(poll3 + "&b64=1").wantPackets("b4AQID")
		b.connect(ws4).wantPackets("\x01\x02\x03")
		b.connect(ws3).wantPackets("\x04\x01\x02\x03")
		if a := b.get(poll3); !strings.HasSuffix(a.body, "\x01\x04\xff\x04\x01\x02\x03") {
			t.Errorf("binary over polling, revision 3: %q", a.body)
		}
	})
}

func TestAllowEIO3(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{})
		for _, query := range []string{poll3, "transport=polling", "EIO=5&transport=polling"} {
			b.wantRefused(b.get(query), http.StatusBadRequest, core.UnsupportedProtocolVersion, "Unsupported protocol version", "")
		}
		_, a := b.dial(ws3, nil)
		b.want(a, http.StatusBadRequest, "Unsupported protocol version")

		b = start(core.Config{AllowEIO3: true})
		for _, query := range []string{poll3, ws3, "transport=polling", poll4, ws4} { // one server, both revisions
			c := b.connect(query)
			want := 3
			if strings.Contains(query, "EIO=4") {
				want = 4
			}
			if got := c.socket.Protocol(); got != want {
				t.Errorf("%s: revision %d", query, got)
			}
			if want == 3 {
				c.send("2")
				c.wantPackets("3")
			}
		}
	})
}

func TestGenerateID(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{GenerateID: func(r *http.Request) (string, error) {
			if id := r.URL.Query().Get("id"); id != "" {
				return id, nil
			}
			return "", errors.New("no id left")
		}})
		if c := b.connect(poll4 + "&id=one"); c.open.SID != "one" || c.socket.ID() != "one" {
			t.Errorf("got %+v", c.open)
		}
		if c := b.connect(ws4 + "&id=two"); c.open.SID != "two" {
			t.Errorf("got %+v", c.open)
		}
		for _, bad := range []string{"", "&id=one", "&id=two", "&id=a%0d%0ab", "&id=a%20b", "&id=a%22b", "&id=a%3Bb"} {
			b.wantRefused(b.get(poll4+bad), http.StatusBadRequest, core.BadRequest, "Bad request", "ID_GENERATION_ERROR")
			_, a := b.dial(ws4+bad, nil)
			b.want(a, http.StatusBadRequest, "Bad request")
			b.wantTold(core.BadRequest, "Bad request", "ID_GENERATION_ERROR")
		}
		if n := b.engine.Len(); n != 2 {
			t.Errorf("%d sessions", n)
		}
	})
}

func TestDisableJSONP(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{DisableJSONP: true})
		b.wantRefused(b.get(poll4+"&j=0"), http.StatusForbidden, core.Forbidden, "Forbidden", "")
		b.connect(poll4)
	})
}

// countingEngine is a WebSocketEngine of the application.
type countingEngine struct {
	core.WebSocketEngine
	accepted atomic.Int32
}

func (e *countingEngine) Accept(conn net.Conn, buffered []byte, r *http.Request, o core.WebSocketOptions) (core.WebSocketConn, error) {
	e.accepted.Add(1)
	return e.WebSocketEngine.Accept(conn, buffered, r, o)
}

func TestWebSocketEngine(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		engine := &countingEngine{WebSocketEngine: fastws.New()}
		c := start(core.Config{WebSocketEngine: engine}).connect(ws4)
		c.send("4x")
		c.wantPackets("4x")
		if n := engine.accepted.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestSubprotocols(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{})
		for _, tt := range []struct {
			offered []string
			chosen  string
		}{{nil, ""}, {[]string{"chat"}, "chat"}, {[]string{"chat", "superchat"}, "chat"}} {
			conn, a := b.dial(ws4, nil, tt.offered...)
			if conn == nil {
				t.Fatalf("%q: %d %s", tt.offered, a.status, a.body)
			}
			if got := a.header.Values("Sec-WebSocket-Protocol"); strings.Join(got, ",") != tt.chosen || conn.Subprotocol() != tt.chosen {
				t.Errorf("%q: chosen %q", tt.offered, got)
			}
		}
	})
}

// TestDebugScopes runs as a process started with DEBUG in its environment would.
func TestDebugScopes(t *testing.T) {
	for _, tt := range []struct{ debug, shown, hidden string }{
		{"engine*", `scope=engine sid=|scope=engine:socket sid=|scope=engine error=`, ""},
		{"engine:*", `scope=engine:socket sid=`, "scope=engine "},
		{"engine*,-engine:socket", `scope=engine sid=`, "scope=engine:socket"},
	} {
		t.Run(tt.debug, func(t *testing.T) {
			t.Setenv("DEBUG", tt.debug)
			for _, framework := range frameworks {
				var out lockedBuffer
				b := newBench(t, framework.serve, core.Config{Logger: debuglog.FromEnv(&out)})
				c := b.connect(ws4)
				c.socket.CloseNow()
				b.wantEnd(core.ForcedClose)
				b.get("transport=none")
				for part := range strings.SplitSeq(tt.shown, "|") {
					if !strings.Contains(out.String(), part) {
						t.Errorf("%s: %q is missing in\n%s", framework.name, part, out.String())
					}
				}
				if tt.hidden != "" && strings.Contains(out.String(), tt.hidden) {
					t.Errorf("%s: %q is in\n%s", framework.name, tt.hidden, out.String())
				}
			}
		})
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
