package eiofiber_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gofiber/fiber/v2"

	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	"github.com/goengineio/engineio/core"
)

type userKey struct{}

// know is middleware that sets values.
func know(c *fiber.Ctx) error {
	c.Locals("user", c.Query("user")) // a string in Fiber's own memory
	c.Locals("bytes", c.Request().URI().QueryArgs().Peek("user"))
	c.Locals(userKey{}, 7)
	c.Locals("secret", "not named")
	return c.Next()
}

func TestWhatMiddlewareKnowsReachesTheApplication(t *testing.T) {
	type contextKey struct{}
	b := newBench(t, setup{build: func(app *fiber.App, srv *core.Server) {
		app.Use(know, func(c *fiber.Ctx) error {
			ctx := core.WithValues(c.UserContext(), map[any]any{contextKey{}: "from the context"})
			c.SetUserContext(ctx)
			return c.Next()
		})
		app.All("/:room/engine.io/*", eiofiber.Handler(srv, eiofiber.Options{
			Locals: []any{"user", "bytes", userKey{}, "nobody"}, ClientIP: true,
		}))
	}})
	check := func(s *core.Socket) {
		t.Helper()
		r := s.Request()
		ctx := r.Context()
		got := fmt.Sprint(ctx.Value("user"), " ", fmt.Sprintf("%s", ctx.Value("bytes")), " ", ctx.Value(userKey{}), " ",
			ctx.Value("secret"), " ", ctx.Value("nobody"), " ", ctx.Value(contextKey{}), " ", r.PathValue("room"), " ", ctx.Err())
		if want := "ada ada 7 <nil> <nil> from the context the%20lobby <nil>"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if s.RemoteAddr() != "127.0.0.1" {
			t.Errorf("remote address %q", s.RemoteAddr())
		}
	}
	b.sid(b.get("/the%20lobby/engine.io/" + poll4 + "&user=ada"))
	check(await(t, b.sockets))
	if ws, a := b.dial("/the%20lobby/engine.io/?EIO=4&transport=websocket&user=ada", nil); ws == nil {
		t.Fatalf("%d %s %v", a.status, a.body, a.err)
	}
	check(await(t, b.sockets))
}

func TestRequest(t *testing.T) {
	b := newBench(t, setup{})
	c := b.raw()
	c.sendf("GET http://example.org/engine.io/a%%2Fb?EIO=4&transport=polling&x=%%41 HTTP/1.1\r\nHost: example.org\r\n" +
		"x-one: 1\r\nX-ONE: 2\r\nCookie: a=1; b=2\r\nUser-Agent: test\r\nContent-Type: x/y\r\n\r\n")
	b.sid(c.answer())
	s := await(t, b.sockets)
	r := s.Request()
	if r.URL.EscapedPath() != "/engine.io/a%2Fb" || r.URL.RawQuery != "EIO=4&transport=polling&x=%41" || r.URL.Query().Get("x") != "A" {
		t.Errorf("URL %v", r.URL)
	}
	if r.Method != "GET" || r.Host != "example.org" || r.Proto != "HTTP/1.1" || !r.ProtoAtLeast(1, 1) || r.TLS != nil ||
		r.RemoteAddr != c.LocalAddr().String() || s.RemoteAddr() != r.RemoteAddr || r.Body != http.NoBody {
		t.Errorf("request %+v", r)
	}
	for name, want := range map[string]string{"X-One": "1 2", "Cookie": "a=1; b=2", "User-Agent": "test", "Content-Type": "x/y", "Host": ""} {
		if got := strings.Join(r.Header.Values(name), " "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	c.sendf("GET /engine.io/%%zz" + poll4 + "&y=1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n") // net/http would refuse it
	b.sid(c.answer())
	if r := await(t, b.sockets).Request(); r.URL.Path != "/engine.io/%zz" || r.URL.Query().Get("y") != "1" || r.Proto != "HTTP/1.0" {
		t.Errorf("request %+v", r)
	}
}

// TestHeadersThatMiddlewareChanges: what middleware has removed, such as a header that clients must not set,
// reaches neither AllowRequest nor the application later.
func TestHeadersThatMiddlewareChanges(t *testing.T) {
	for _, anyCase := range []bool{false, true} {
		allowed := make(chan *http.Request, 1)
		b := newBench(t, setup{
			fiber: fiber.Config{DisableHeaderNormalizing: anyCase},
			core:  core.Config{AllowRequest: func(r *http.Request) error { allowed <- r; return nil }},
			build: func(app *fiber.App, srv *core.Server) {
				app.Use(func(c *fiber.Ctx) error {
					h := &c.Request().Header
					h.Del("X-User")
					h.Set("X-Role", "guest")
					h.Set("X-New", "new\r\nX-User: admin")
					h.SetUserAgent("hidden")
					h.DelCookie("secret")
					h.SetHost("inside")
					return c.Next()
				})
				eiofiber.Mount(app, "", srv)
			},
		})
		c := b.raw()
		c.sendf("GET /engine.io/%s HTTP/1.1\r\nHost: x\r\nX-User: admin\r\nX-Role: root\r\nUser-Agent: a\r\n"+
			"Cookie: secret=1; open=2\r\nX-Kept: 1\r\nX-Kept: 2\r\nContent-Type: x/y\r\n\r\n", poll4)
		b.sid(c.answer())
		r := await(t, b.sockets).Request()
		want := http.Header{
			"X-Role": {"guest"}, "X-New": {"new  X-User: admin"}, "User-Agent": {"hidden"}, "Cookie": {"open=2"},
			"X-Kept": {"1", "2"}, "Content-Type": {"x/y"},
		}
		for name, r := range map[string]*http.Request{"AllowRequest": await(t, allowed), "Socket.Request": r} {
			slices.Sort(r.Header["X-Kept"]) // Del changes the order
			if !maps.EqualFunc(r.Header, want, slices.Equal) || r.Host != "inside" {
				t.Errorf("%s has %v of %s", name, r.Header, r.Host)
			}
		}
	}
}

func TestClientIP(t *testing.T) {
	proxied := http.Header{"X-Forwarded-For": {"203.0.113.9"}}
	for _, tt := range []struct {
		name     string
		clientIP bool
		trusted  string
		want     string
	}{
		{"not asked for", false, "127.0.0.1", "127.0.0.1:"},
		{"from a trusted proxy", true, "127.0.0.1", "203.0.113.9"},
		{"from anybody", true, "192.0.2.1", "127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := fiber.Config{ProxyHeader: fiber.HeaderXForwardedFor, EnableTrustedProxyCheck: true, TrustedProxies: []string{tt.trusted}}
			b := newBench(t, setup{fiber: cfg, build: func(app *fiber.App, srv *core.Server) {
				app.Use(eiofiber.Middleware(srv, eiofiber.Config{Options: eiofiber.Options{ClientIP: tt.clientIP}}))
			}})
			b.sid(b.do("GET", "/engine.io/"+poll4, "", proxied))
			s := await(t, b.sockets)
			got := s.RemoteAddr()
			if s.Request().RemoteAddr != got || got != tt.want && (!strings.HasSuffix(tt.want, ":") || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("got %q and %q, want %q", got, s.Request().RemoteAddr, tt.want)
			}
		})
	}
}

// TestNothingOfARequestIsKept has connections, requests and contexts reused again and again, and afterwards
// checks what was kept of the handshakes.
func TestNothingOfARequestIsKept(t *testing.T) {
	const clients, rounds = 16, 25
	b := newBench(t, setup{build: func(app *fiber.App, srv *core.Server) {
		app.Use(know)
		app.All("/:room/engine.io/*", eiofiber.Handler(srv, eiofiber.Options{Locals: []any{"user", "bytes"}}))
	}})
	b.client.Transport.(*http.Transport).MaxIdleConnsPerHost = clients
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for j := range rounds {
				name := fmt.Sprintf("user-%02d-%03d", i, j)
				path := "/" + name + "/engine.io/"
				header := http.Header{"X-User": {name}, "User-Agent": {name}}
				target := path + poll4 + "&user=" + name
				a := b.do("GET", target, "", header)
				target += "&sid=" + b.sid(a)
				b.want(b.do("POST", target, "4"+strings.Repeat(name, 20), header), 200, "ok")
				b.want(b.do("GET", target, "", header), 200, "4"+strings.Repeat(name, 20))
				if j%5 == 0 {
					ws, _ := b.dial(path+"?EIO=4&transport=websocket&user="+name, header)
					_, _ = ws.Next()
					ws.Send("4" + name)
					ws.Want("4" + name)
				}
			}
		})
	}
	wg.Wait()
	seen := make(map[string]int)
	for s := range b.srv.All() {
		r := s.Request()
		name := r.PathValue("room")
		seen[name]++
		for what, got := range map[string]string{
			"header": r.Header.Get("X-User"), "user agent": r.UserAgent(), "query": r.URL.Query().Get("user"),
			"path": strings.Split(r.URL.Path, "/")[1], "local": fmt.Sprint(r.Context().Value("user")),
			"bytes": fmt.Sprintf("%s", r.Context().Value("bytes")), "method": strings.Replace(r.Method, "GET", name, 1),
		} {
			if got != name {
				t.Errorf("%s: %s is %q", name, what, got)
			}
		}
	}
	if len(seen) != clients*rounds {
		t.Errorf("%d names", len(seen))
	}
}

// TestJSONP: the core keeps the index from the handshake's query.
func TestJSONP(t *testing.T) {
	const sessions = 50
	b := newBench(t, setup{})
	var targets []string
	for i := range sessions {
		target := fmt.Sprintf("/engine.io/%s&j=%03d", poll4, i)
		_, packet, _ := strings.Cut(b.get(target).body, `sid\":\"`)
		id, _, _ := strings.Cut(packet, `\"`)
		targets = append(targets, target+"&sid="+id)
	}
	for i, target := range targets {
		b.want(b.post(target, "d=4x"), 200, "ok")
		b.want(b.get(target), 200, fmt.Sprintf(`___eio[%03d]("4x");`, i))
	}
}

func TestHeaderNamesAsClientsSpellThem(t *testing.T) {
	b := newBench(t, setup{fiber: fiber.Config{DisableHeaderNormalizing: true}})
	c := b.raw()
	c.sendf("GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
		"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nx-one: 1\r\n\r\n")
	if line, err := c.r.ReadString('\n'); err != nil || line != "HTTP/1.1 101 Switching Protocols\r\n" {
		t.Errorf("%q %v", line, err)
	}
	if r := await(t, b.sockets).Request(); r.Header.Get("X-One") != "1" || r.Host != "x" {
		t.Errorf("request %+v", r)
	}
}

func TestOtherMethods(t *testing.T) {
	b := newBench(t, setup{})
	for _, method := range []string{"HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
		a := b.do(method, "/engine.io/"+poll4, "", nil)
		body := `{"code":2,"message":"Bad handshake method"}`
		if method == "HEAD" {
			if a.header.Get("Content-Length") != fmt.Sprint(len(body)) {
				t.Errorf("HEAD: %v", a.header)
			}
			body = ""
		}
		b.want(a, 400, body)
	}
	if len(b.errors) != 0 {
		t.Errorf("Fiber's ErrorHandler got %v", <-b.errors)
	}
}
