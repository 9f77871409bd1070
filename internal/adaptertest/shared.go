package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/goengineio/engineio/core"
)

// The tests below are shared by the frameworks on net/http. Only the application differs, which build
// makes with the framework's own means. Like those of the suite they do not call t.Helper: a failure
// names a line in this file.

// Paths as clients may send them to an endpoint at /engine.io.
var (
	served = []string{"/engine.io", "/engine.io/", "/engine.io/x", "/engine.io/x/y", "/engine.io//"}

	notServed = []string{
		"/engine.iox", "/ENGINE.IO/", "/engine.i", "/other", "/",
		"/%65ngine.io/", "/engine%2Eio/", "/engine.io%2F", "/engine.io%2Fx", "/%2Fengine.io/",
		`/%65ngine.io/"`, "/engine%2eio/|", "/engine.io%2Fx/^", // what EscapedPath re-encodes
		"//engine.io/", "///engine.io/", "/./engine.io/", "/x/../engine.io/", "/x/%2e%2e/engine.io/",
		"/engine.io/..", "/engine.io/../", "/engine.io/.", "/engine.io/x/../../", "/engine.io/%2e%2E/", "/engine.io/.%2e",
	}
)

// WantPaths checks that an endpoint at prefix+"/engine.io" serves the forms of its path, except those for
// which exempt returns true, and that all other paths are answered with one of the statuses.
func (a *App) WantPaths(prefix string, exempt func(path string, got Answer) bool, statuses ...int) {
	a.t.Helper()
	for _, path := range served {
		got := a.Raw(prefix + path + Handshake)
		if exempt(path, got) {
			continue
		}
		if got.Status != 200 {
			a.t.Fatalf("%s: %d %s", path, got.Status, got.Body)
		}
		a.opened(path, got)
	}
	opened := a.Server.Len()
	for _, path := range notServed {
		got := a.Raw(prefix + path + Handshake)
		if !slices.Contains(statuses, got.Status) || a.Server.Len() != opened {
			a.t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
}

// TestParameters expects the endpoint at /:a/:b/engine.io. It checks that a parameter stands for exactly
// one segment, which is not empty, not a dot segment and hides no slash.
func TestParameters(t testing.TB, build Build) {
	a := Start(t, core.Config{}, build)
	for path, want := range map[string]bool{
		"/x/y/engine.io/":          true,
		"/x/y/engine.io":           true,
		"/caf%C3%A9/y/engine.io/z": true,
		"/x/y/engine.iox/":         false,
		"/x/../engine.io/":         false,
		"/./y/engine.io/":          false,
		"/x/%2e%2E/engine.io/":     false,
		"/x%2Fy/z/engine.io/":      false,
		"/x/y/engine%2Eio/":        false,
		"//y/engine.io/":           false,
		"/x//engine.io/":           false,
		"/x/engine.io/":            false,
		"/y/engine.io/../":         false,
		"/x/y/engine.io/..":        false,
	} {
		if got := a.Raw(path + Handshake); (got.Status == 200) != want {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
}

// TestMethods checks that requests reach the endpoint whatever their method, including the others given.
func TestMethods(t testing.TB, build Build, others ...string) {
	a := Start(t, core.Config{}, build)
	for _, method := range append([]string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}, others...) {
		for _, path := range []string{"/engine.io", "/engine.io/"} {
			a.Want(a.Do(method, path+Handshake, ""), 400, `{"code":2,"message":"Bad handshake method"}`)
		}
	}
}

// Origin is the origin that CORS middleware in tests allows.
const Origin = "https://app.example"

// UnwrapOnly is net/http middleware whose writer adds only an Unwrap method.
func UnwrapOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(unwrapWriter{w}, r)
	})
}

type unwrapWriter struct{ http.ResponseWriter }

func (w unwrapWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Middleware says what a client notices of the middleware around the endpoint.
type Middleware struct {
	CORS      bool // allows Origin
	NoUpgrade bool
}

// TestMiddleware has a client use every feature behind the middleware of the application.
func TestMiddleware(t testing.TB, build Build, m Middleware) {
	a := Start(t, core.Config{}, build)
	header := []string{"Origin", Origin, "Accept-Encoding", "gzip"}
	oneOrigin := func(got Answer) Answer {
		t.Helper()
		allowed := got.Header.Values("Access-Control-Allow-Origin")
		if m.CORS && (len(allowed) != 1 || allowed[0] != Origin) || !m.CORS && len(allowed) != 0 {
			t.Errorf("Access-Control-Allow-Origin: %q", allowed)
		}
		return got
	}

	s := a.opened("/engine.io/", oneOrigin(a.Do("GET", "/engine.io/"+Handshake, "", header...)))
	for _, packet := range []string{"4hello", "4" + strings.Repeat("long ", 1000)} {
		a.Want(oneOrigin(s.Post(packet, header...)), 200, "ok")
		a.Want(oneOrigin(s.Poll(header...)), 200, packet)
	}

	got := oneOrigin(a.Do("GET", s.Target+"x", "", header...))
	a.Want(got, 400, `{"code":1,"message":"Session ID unknown"}`)
	got = oneOrigin(a.Do("OPTIONS", s.Target, "", append(header, "Access-Control-Request-Method", "POST")...))
	if m.CORS && got.Status/100 != 2 || !m.CORS && got.Status != 400 {
		t.Errorf("preflight: %d %s", got.Status, got.Body)
	}

	if m.NoUpgrade {
		ws, got := a.Dial(s.Target)
		if ws != nil {
			t.Fatal("upgraded")
		}
		a.Want(got, 500, "Internal Server Error")
		s.Echo("4polling goes on", header...)
		return
	}
	ws := s.Upgrade("Accept-Encoding", "gzip")
	ws.Send("4ping")
	ws.Want("4ping")
	ws, got = a.Dial("/engine.io/"+Handshake, "Accept-Encoding", "gzip")
	if ws == nil {
		t.Fatalf("WebSocket: %+v", got)
	}
	if open, err := ws.Next(); err != nil || !strings.HasPrefix(open, "0") {
		t.Errorf("%q, %v", open, err)
	}
	ws.Send("4pong")
	ws.Want("4pong")
}

// TestLogNames checks that the log names the type that is in the way of a WebSocket, that of
// http.TimeoutHandler.
func TestLogNames(t testing.TB, build Build) {
	log := new(LogBuffer)
	cfg := core.Config{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	a := Start(t, cfg, build)
	_, got := a.Dial("/engine.io/" + Handshake)
	a.Want(got, 500, "Internal Server Error")
	if text := log.String(); strings.Count(text, "*http.timeoutWriter") != 1 {
		t.Error(text)
	}
}

const clientIP = "203.0.113.9"

// forwarded is the header that a proxy adds.
var forwarded = []string{"X-Forwarded-For", clientIP}

// TestOptions checks that values from middleware reach AllowRequest and the sessions at target: the
// forwarded address, the values of the context and those of the path.
func TestOptions(t testing.TB, build Build, target string, values map[any]any, path map[string]string) {
	allowed := make(chan *http.Request, 2)
	cfg := core.Config{AllowRequest: func(r *http.Request) error { allowed <- r; return nil }}
	a := Start(t, cfg, build)
	polling := a.Open(target, forwarded...)
	if ws, refused := a.Dial(target+Handshake, forwarded...); ws == nil {
		t.Fatal(refused)
	}
	for _, s := range []*core.Socket{polling.Socket, Await(t, a.Sockets)} {
		if s.RemoteAddr() != clientIP {
			t.Error("remote address", s.RemoteAddr())
		}
		for _, r := range []*http.Request{s.Request(), Await(t, allowed)} {
			for key, want := range values {
				if got := r.Context().Value(key); got != want {
					t.Errorf("%v: got %v, want %v", key, got, want)
				}
			}
			if r.Context().Done() != nil || r.Context().Err() != nil {
				t.Error("the context can end")
			}
			for name, want := range path {
				if got := r.PathValue(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			if r.RemoteAddr != clientIP {
				t.Error("remote address", r.RemoteAddr)
			}
		}
	}
	polling.Echo("4hello")
}

// TestNoOptions checks that forwarded addresses are not trusted, and that the values of the request's
// context are available nevertheless: key is 7. The application sends the remote address of a request to
// peer, and sets a "user" that no option asks for.
func TestNoOptions(t testing.TB, build Build, peer <-chan string, key any) {
	s := Start(t, core.Config{}, build).Open("/engine.io/", forwarded...).Socket
	if want := Await(t, peer); s.RemoteAddr() != want {
		t.Errorf("remote address %s, want %s", s.RemoteAddr(), want)
	}
	if got := s.Request().Context().Value(key); got != 7 {
		t.Error(got)
	}
	if got := s.Request().Context().Value("user"); got != nil {
		t.Error(got)
	}
}

// TestUntrustedProxy checks that RemoteAddr is the peer's address if the application asks for the
// client's but trusts no proxy.
func TestUntrustedProxy(t testing.TB, build Build) {
	if s := Start(t, core.Config{}, build).Open("/engine.io/", forwarded...).Socket; s.RemoteAddr() != "127.0.0.1" {
		t.Error("remote address", s.RemoteAddr())
	}
}

// TestAllowRequest has an AllowRequest that admits only Ann; the application takes the "user" from X-User.
func TestAllowRequest(t testing.TB, build Build) {
	a := Start(t, core.Config{AllowRequest: func(r *http.Request) error {
		if r.Context().Value("user") != "ann" {
			return errors.New("only Ann")
		}
		return nil
	}}, build)
	a.Want(a.Do("GET", "/engine.io/"+Handshake, ""), 403, `{"code":4,"message":"only Ann"}`)
	_, refused := a.Dial("/engine.io/" + Handshake)
	a.Want(refused, 400, "only Ann")
	a.Open("/engine.io/", "X-User", "ann").Echo("4hello")
}

// TestLongPolls checks that polls can last longer than the server's timeouts.
func TestLongPolls(t testing.TB, build Build) {
	a := Start(t, core.Config{PingInterval: 600 * time.Millisecond}, build, func(hs *http.Server) {
		hs.ReadTimeout, hs.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	})
	s := a.Open("/engine.io/", "Accept-Encoding", "gzip")
	for range 2 {
		a.Want(s.Poll("Accept-Encoding", "gzip"), 200, "2") // the ping
		a.Want(s.Post("3"), 200, "ok")
	}
	s.Echo("4hello", "Accept-Encoding", "gzip")
}

// TestLeaveDuringPoll checks that the session of a client that hangs up ends.
func TestLeaveDuringPoll(t testing.TB, build Build) {
	a := Start(t, core.Config{}, build)
	s := a.Open("/engine.io/")
	conn, _ := Connect(t, a.Addr, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: gzip\r\n\r\n", s.Target, a.Addr))
	_ = conn.Close()
	if reason := Await(t, a.Closed); reason != core.TransportError {
		t.Error("closed with", reason)
	}
}

// TestShutdown shuts down the sessions and then, with stop, the HTTP server at a.Addr.
func TestShutdown(t testing.TB, a *App, stop func(context.Context) error) {
	ws := a.Open("/engine.io/").Upgrade()
	s := a.Open("/engine.io/")
	polled := make(chan Answer, 1)
	go func() {
		polled <- Request(t.Context(), a.client, http.MethodGet, "http://"+a.Addr+s.Target, nil, nil)
	}()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	down := make(chan error, 1)
	go func() { down <- a.Server.Shutdown(ctx) }()
	a.Want(Await(t, polled), 200, "1")
	if _, err := ws.Next(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Error("WebSocket:", err)
	}
	_ = ws.Conn.Close()
	if err := Await(t, down); err != nil {
		t.Error(err)
	}
	if got := a.Do("GET", "/engine.io/"+Handshake, ""); got.Status != http.StatusServiceUnavailable {
		t.Errorf("handshake: %d %s", got.Status, got.Body)
	}
	if _, got := a.Dial("/engine.io/" + Handshake); got.Status != http.StatusServiceUnavailable {
		t.Errorf("WebSocket handshake: %+v", got)
	}
	if err := stop(ctx); err != nil {
		t.Error(err)
	}
	for range 2 {
		if reason := Await(t, a.Closed); reason != core.ForcedClose {
			t.Error("closed with", reason)
		}
	}
}
