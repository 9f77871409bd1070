package integration_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/goengineio/engineio/core"
)

type userKey struct{}

func TestUse(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{})
		seen := make(chan string, 100)
		b.engine.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen <- r.Method + " " + r.URL.Query().Get("transport") + " " + r.Header.Get("Upgrade")
				w.Header().Set("X-First", "1")
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, "ada")))
			})
		})
		b.engine.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Second", w.Header().Get("X-First")+"2") // so the first ran before
				switch r.URL.Query().Get("case") {
				case "refused":
				case "answered":
					w.Header().Set("WWW-Authenticate", "Basic")
					http.Error(w, "who are you?", http.StatusUnauthorized)
				default:
					next.ServeHTTP(w, r)
				}
			})
		})

		c := b.connect(poll4)
		c.send("4x")
		c.wantPackets("4x")
		ws := b.connect(ws4)
		c.upgrade()
		for _, want := range []string{"GET polling ", "POST polling ", "GET polling ", "GET websocket websocket"} {
			if got := await(t, seen, "request"); got != want {
				t.Errorf("saw %q, want %q", got, want)
			}
		}
		for _, c := range []*session{c, ws} {
			if c.header.Get("X-First") != "1" || c.header.Get("X-Second") != "12" {
				t.Errorf("headers %v", c.header)
			}
			if user := c.socket.Context().Value(userKey{}); user != "ada" {
				t.Errorf("user %v", user)
			}
		}

		b.wantRefused(b.get(poll4+"&case=refused"), http.StatusBadRequest, core.BadRequest, "Bad request", "MIDDLEWARE_FAILURE")
		_, a := b.dial(ws4+"&case=refused", nil)
		b.want(a, http.StatusBadRequest, "Bad request")
		b.wantTold(core.BadRequest, "Bad request", "MIDDLEWARE_FAILURE")
		a = b.get(poll4 + "&case=answered")
		b.want(a, http.StatusUnauthorized, "who are you?\n")
		b.wantTold(core.BadRequest, "Bad request", "MIDDLEWARE_FAILURE")
		if a.header.Get("WWW-Authenticate") != "Basic" {
			t.Errorf("headers %v", a.header)
		}
		if _, a = b.dial(ws4+"&case=answered", nil); a.status != http.StatusUnauthorized {
			t.Errorf("a WebSocket: %d %s", a.status, a.body)
		}
		if n := b.engine.Len(); n != 2 {
			t.Errorf("%d sessions", n)
		}
	})
}

func TestHeadersHooks(t *testing.T) {
	add := func(name string) func(http.Header, *http.Request) {
		return func(h http.Header, r *http.Request) {
			h.Set(name, r.URL.Query().Get("transport"))
			h.Add("Set-Cookie", name+"=1")
		}
	}
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{Cookie: &core.CookieOptions{}, OnInitialHeaders: add("X-Initial"), OnHeaders: add("X-Every")})
		check := func(name string, h http.Header, initial, every string, cookies int) {
			t.Helper()
			if h.Get("X-Initial") != initial || h.Get("X-Every") != every || len(h.Values("Set-Cookie")) != cookies {
				t.Errorf("%s: %v", name, h)
			}
		}
		c := b.connect(poll4)
		check("handshake", c.header, "polling", "polling", 3)
		c.socket.Send(core.Text("x"))
		check("poll", b.get(c.query).header, "", "polling", 1)
		check("POST", b.post(c.query, "4x").header, "", "polling", 1)
		_, a := b.dial(ws4+"&sid="+c.open.SID, nil)
		check("101 of an upgrade", a.header, "", "websocket", 1)
		check("101", b.connect(ws4).header, "websocket", "websocket", 3)
	})
}

func TestConnectionError(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{AllowEIO3: true, AllowRequest: func(r *http.Request) error {
			if r.URL.Query().Has("forbidden") {
				return errors.New("not you")
			}
			return nil
		}, GenerateID: func(r *http.Request) (string, error) {
			if id := r.URL.Query().Get("id"); id != "" {
				return id, nil
			}
			return "", errors.New("no id")
		}})
		polling, ws := b.connect(poll4+"&id=a"), b.connect(ws4+"&id=b")
		const bad = http.StatusBadRequest
		for _, tt := range []struct {
			method, query string
			status        int
			code          core.ErrorCode
			message       string
			context       string
		}{
			{"GET", "EIO=4", bad, core.UnknownTransport, "Transport unknown", ""},
			{"GET", poll4 + "&sid=nobody", bad, core.UnknownSID, "Session ID unknown", ""},
			{"POST", poll4, bad, core.BadHandshakeMethod, "Bad handshake method", ""},
			{"GET", poll4 + "&forbidden", http.StatusForbidden, core.Forbidden, "not you", ""},
			{"GET", ws4, bad, core.BadRequest, "Bad request", "TRANSPORT_HANDSHAKE_ERROR"},
			{"GET", poll4 + "&sid=b", bad, core.BadRequest, "Bad request", "TRANSPORT_MISMATCH"},
			{"GET", poll3 + "&sid=a", bad, core.BadRequest, "Bad request", "PROTOCOL_MISMATCH"},
			{"POST", poll3 + "&sid=a", bad, core.BadRequest, "Bad request", "PROTOCOL_MISMATCH"},
			{"GET", poll4, bad, core.BadRequest, "Bad request", "ID_GENERATION_ERROR"},
		} {
			b.wantRefused(b.do(tt.method, tt.query, "", nil), tt.status, tt.code, tt.message, tt.context)
		}
		for _, tt := range []struct {
			query, message string
			code           core.ErrorCode
			context        string
		}{
			{poll4, "Bad request", core.BadRequest, "TRANSPORT_HANDSHAKE_ERROR"},
			{ws3 + "&sid=a", "Bad request", core.BadRequest, "PROTOCOL_MISMATCH"},
			{ws4 + "&sid=nobody", "Session ID unknown", core.UnknownSID, ""},
			{ws4 + "&forbidden", "not you", core.Forbidden, ""},
			{ws4, "Bad request", core.BadRequest, "ID_GENERATION_ERROR"},
		} {
			_, a := b.dial(tt.query, nil)
			b.want(a, bad, tt.message)
			b.wantTold(tt.code, tt.message, tt.context)
		}

		// net/http itself refuses such a header. Where it comes through, the core does.
		_, r := b.raw("GET /engine.io/?" + poll4 + "&id=c HTTP/1.1\r\nHost: x\r\nOrigin: a\x01b\r\nConnection: close\r\n\r\n")
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != bad {
			t.Errorf("a broken Origin: %d %s", res.StatusCode, body)
		}
		if strings.HasPrefix(string(body), "{") {
			b.wantTold(core.BadRequest, "Bad request", "INVALID_ORIGIN")
		}

		for _, c := range []*session{polling, ws} { // none of this has hurt them
			c.send("4x")
			c.wantPackets("4x")
		}
	})
}

func TestLookupAndIteration(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{})
		var want []string
		for i := range 10 {
			query := poll4
			if i%2 == 1 {
				query = ws4
			}
			c := b.connect(query)
			want = append(want, c.open.SID)
			if s, ok := b.engine.Get(c.open.SID); !ok || s != c.socket {
				t.Errorf("Get: %v %v", s, ok)
			}
		}
		var got []string
		for s := range b.engine.All() {
			got = append(got, s.ID())
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) || b.engine.Len() != 10 {
			t.Errorf("got %q and %d, want %q", got, b.engine.Len(), want)
		}
		for s := range b.engine.All() {
			s.CloseNow()
			break // the loop may be left
		}
		b.wantEnd(core.ForcedClose)
		if _, ok := b.engine.Get("nobody"); ok || b.engine.Len() != 9 {
			t.Errorf("%v, %d sessions", ok, b.engine.Len())
		}
	})
}

func TestServerClose(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{})
		polling, ws := b.connect(poll4), b.connect(ws4)
		poll := b.goGet(polling.query)
		b.engine.Close()
		b.wantEnd(core.ForcedClose)
		b.wantEnd(core.ForcedClose)
		// The poll was told, or came too late.
		if a := await(t, poll, "answer"); a.body != "1" && a.status != http.StatusBadRequest {
			t.Errorf("the poll got %d %q", a.status, a.body)
		}
		if _, _, err := ws.ws.ReadMessage(); err == nil {
			t.Error("the WebSocket lives on")
		}
		if n := b.engine.Len(); n != 0 {
			t.Errorf("%d sessions left", n)
		}
		if a := b.get(poll4); a.status != http.StatusServiceUnavailable {
			t.Errorf("a new session: %d %s", a.status, a.body)
		}
	})
}

func TestServerShutdown(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{})
		polling, ws := b.connect(poll4), b.connect(ws4)
		polling.socket.Send(core.Text("last words"))
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- b.engine.Shutdown(ctx) }()
		polling.wantPackets("4last words", "1")
		if _, _, err := ws.ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
			t.Errorf("the WebSocket got %v", err)
		}
		_ = ws.ws.Close()
		if err := await(t, done, "end of Shutdown"); err != nil {
			t.Error(err)
		}

		b = start(core.Config{})
		b.connect(poll4) // does not come back
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := b.engine.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		b.wantEnd(core.ForcedClose)
	})
}

// TestConstants: what the reference exports as values.
func TestConstants(t *testing.T) {
	srv, err := core.NewServer(core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if got := srv.Config().Transports; !slices.Equal(got, []core.Transport{core.Polling, core.WebSocket}) {
		t.Errorf("transports %q", got)
	}
	for code, message := range map[core.ErrorCode]string{
		0: "Transport unknown", 1: "Session ID unknown", 2: "Bad handshake method", 3: "Bad request",
		4: "Forbidden", 5: "Unsupported protocol version",
	} {
		if code.String() != message {
			t.Errorf("%d: %s", code, code)
		}
	}
}

func TestDefaults(t *testing.T) {
	srv, err := core.NewServer(core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := srv.Config()
	if cfg.PingInterval != 25*time.Second || cfg.PingTimeout != 20*time.Second || cfg.UpgradeTimeout != 10*time.Second ||
		cfg.MaxPayload != 1_000_000 || cfg.HTTPCompressionThreshold != 1024 || cfg.DisableUpgrades || cfg.AllowEIO3 ||
		cfg.DisableHTTPCompression || cfg.PerMessageDeflate != nil || cfg.CORS != nil || cfg.Cookie != nil || cfg.InitialPacket != nil {
		t.Errorf("%+v", cfg)
	}
	_, err = core.NewServer(core.Config{PingInterval: -1, MaxPayload: -1, Transports: []core.Transport{"flashsocket"}, Cookie: &core.CookieOptions{Name: "a b"}})
	for _, field := range []string{"PingInterval", "MaxPayload", "Transports", "Cookie"} {
		if err == nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
}
