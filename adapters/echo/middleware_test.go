package eioecho_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	rscors "github.com/rs/cors"

	eioecho "github.com/goengineio/engineio/adapters/echo"
	"github.com/goengineio/engineio/core"
)

const origin = "https://app.example"

// lateError is a middleware that finds fault when everything is over.
func lateError(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := next(c); err != nil {
			return err
		}
		return errors.New("too late")
	}
}

// unwrapOnly is a net/http middleware whose writer has nothing but an Unwrap method.
func unwrapOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(unwrapWriter{w}, r)
	})
}

type unwrapWriter struct{ http.ResponseWriter }

func (w unwrapWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// stack is an application's middleware.
type stack struct {
	use       []echo.MiddlewareFunc
	around    func(http.Handler) http.Handler
	cors      bool // allows origin
	noUpgrade bool
}

func stacks() map[string]stack {
	echoCORS := middleware.CORSWithConfig(middleware.CORSConfig{AllowOrigins: []string{origin}})
	rsCORS := rscors.New(rscors.Options{AllowedOrigins: []string{origin}}).Handler
	timeout := func(next http.Handler) http.Handler { return http.TimeoutHandler(next, time.Minute, "late") }
	echoTimeout := middleware.TimeoutWithConfig(middleware.TimeoutConfig{Timeout: time.Minute}) //nolint:staticcheck // deprecated, but there
	logger := middleware.LoggerWithConfig(middleware.LoggerConfig{Output: io.Discard})          //nolint:staticcheck // deprecated, but there
	requestLogger := middleware.RequestLoggerWithConfig(middleware.RequestLoggerConfig{
		LogStatus: true, LogValuesFunc: func(echo.Context, middleware.RequestLoggerValues) error { return nil },
	})
	recovery, id, compress := middleware.Recover(), middleware.RequestID(), middleware.Gzip()
	threshold := middleware.GzipWithConfig(middleware.GzipConfig{MinLength: 512})
	limit, ctxTimeout := middleware.BodyLimit("1M"), middleware.ContextTimeout(time.Minute)
	dump := middleware.BodyDump(func(echo.Context, []byte, []byte) {})
	secure, decompress := middleware.Secure(), middleware.Decompress()

	list := func(m ...echo.MiddlewareFunc) []echo.MiddlewareFunc { return m }
	return map[string]stack{
		"nothing":              {},
		"logger":               {use: list(logger, requestLogger)},
		"recovery":             {use: list(recovery)},
		"request id":           {use: list(id)},
		"gzip":                 {use: list(compress)},
		"gzip, minimum":        {use: list(threshold)},
		"body limit":           {use: list(limit)},
		"body dump":            {use: list(dump)},
		"context timeout":      {use: list(ctxTimeout)},
		"echo cors":            {use: list(echoCORS), cors: true},
		"rs/cors":              {around: rsCORS, cors: true},
		"rs/cors, wrapped":     {use: list(echo.WrapMiddleware(rsCORS)), cors: true},
		"unwrap only":          {around: unwrapOnly},
		"late error":           {use: list(lateError)},
		"timeout":              {around: timeout, noUpgrade: true},
		"echo timeout":         {use: list(echoTimeout), noUpgrade: true},
		"echo timeout, gzip":   {use: list(echoTimeout, logger, compress), noUpgrade: true},
		"timeout, unwrap only": {around: func(h http.Handler) http.Handler { return timeout(unwrapOnly(h)) }, noUpgrade: true},
		"all, rs/cors":         {around: rsCORS, use: list(logger, recovery, id, compress, limit, ctxTimeout, dump, secure, decompress), cors: true},
		"all, echo cors, other ways": {
			use: list(lateError, decompress, secure, dump, ctxTimeout, limit, echoCORS, threshold, id, recovery, requestLogger), cors: true,
		},
	}
}

// TestMiddleware: the client works behind all of them, whichever way the endpoint is mounted, and
// nobody logs a complaint.
func TestMiddleware(t *testing.T) {
	mounts := map[string]func(*echo.Echo, []echo.MiddlewareFunc, *core.Server){
		"Mount": func(e *echo.Echo, use []echo.MiddlewareFunc, srv *core.Server) {
			e.Use(use...)
			eioecho.Mount(e, "/engine.io", srv)
		},
		"Use": func(e *echo.Echo, use []echo.MiddlewareFunc, srv *core.Server) {
			e.Use(use...)
			e.Use(eioecho.Middleware(srv))
		},
		"Pre": func(e *echo.Echo, use []echo.MiddlewareFunc, srv *core.Server) {
			e.Pre(use...)
			e.Pre(eioecho.Middleware(srv))
		},
	}
	for mounted, mount := range mounts {
		for name, m := range stacks() {
			t.Run(mounted+"/"+name, func(t *testing.T) {
				t.Parallel()
				m.test(t, start(t, core.Config{}, func(srv *core.Server) http.Handler {
					e := newEcho(t)
					mount(e, m.use, srv)
					if m.around == nil {
						return e
					}
					return m.around(e)
				}))
			})
		}
	}
}

func (m stack) test(t *testing.T, a *app) {
	header := []string{"Origin", origin, "Accept-Encoding", "gzip"}
	oneOrigin := func(got answer) answer {
		t.Helper()
		allowed := got.Header.Values("Access-Control-Allow-Origin")
		if m.cors && (len(allowed) != 1 || allowed[0] != origin) || !m.cors && len(allowed) != 0 {
			t.Errorf("Access-Control-Allow-Origin: %q", allowed)
		}
		return got
	}

	got := oneOrigin(a.do("GET", "/engine.io/"+handshake, "", header...))
	s := session{a, "/engine.io/" + handshake + "&sid=" + a.sid(got), <-a.sockets}
	for _, packet := range []string{"4hello", "4" + strings.Repeat("long ", 1000)} {
		a.want(oneOrigin(s.post(packet, header...)), 200, "ok")
		a.want(oneOrigin(s.poll(header...)), 200, packet)
	}

	got = oneOrigin(a.do("GET", s.target+"x", "", header...))
	a.want(got, 400, `{"code":1,"message":"Session ID unknown"}`)
	got = oneOrigin(a.do("OPTIONS", s.target, "", append(header, "Access-Control-Request-Method", "POST")...))
	if m.cors && got.Status/100 != 2 || !m.cors && got.Status != 400 {
		t.Errorf("preflight: %d %s", got.Status, got.Body)
	}

	if m.noUpgrade {
		ws, got := a.websocket(s.target)
		if ws != nil {
			t.Fatal("upgraded")
		}
		a.want(got, 500, "Internal Server Error")
		s.echo("4polling goes on", header...)
		return
	}
	ws := s.upgrade("Accept-Encoding", "gzip")
	a.send(ws, "4ping")
	a.receive(ws, "4ping")
	ws, _ = a.websocket("/engine.io/"+handshake, "Accept-Encoding", "gzip")
	if _, open, err := ws.ReadMessage(); err != nil || open[0] != '0' {
		t.Errorf("%q, %v", open, err)
	}
	a.send(ws, "4pong")
	a.receive(ws, "4pong")
}

// What the middleware around the endpoint sees.
func TestReturnsNilAndStatus(t *testing.T) {
	type outcome struct {
		status    int
		committed bool
		err       error
	}
	outcomes := make(chan outcome, 1)
	a := start(t, core.Config{}, func(srv *core.Server) http.Handler {
		e := newEcho(t)
		e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				err := next(c)
				outcomes <- outcome{c.Response().Status, c.Response().Committed, err}
				return err
			}
		})
		eioecho.Mount(e, "/engine.io", srv)
		return e
	})
	want := func(status int, err error) {
		t.Helper()
		if got := <-outcomes; got != (outcome{status, err == nil, err}) {
			t.Errorf("%+v", got)
		}
	}
	a.websocket("/engine.io/?EIO=4&transport=websocket")
	want(101, nil)
	s := a.open("/engine.io/")
	want(200, nil)
	s.post("4hello")
	want(200, nil)
	a.do("POST", "/engine.io/"+handshake, "")
	want(400, nil)
	a.raw("/engine.io/..")
	want(200, echo.ErrNotFound) // Echo has yet to answer
}

// The log names what is in the way of a WebSocket.
func TestLogNamesTheMiddleware(t *testing.T) {
	log := new(syncBuffer)
	cfg := core.Config{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	a := start(t, cfg, func(srv *core.Server) http.Handler {
		e := newEcho(t)
		eioecho.Mount(e, "/engine.io", srv)
		return http.TimeoutHandler(e, time.Minute, "late")
	})
	_, got := a.websocket("/engine.io/" + handshake)
	a.want(got, 500, "Internal Server Error")
	if text := log.String(); strings.Count(text, "*http.timeoutWriter") != 1 {
		t.Error(text)
	}
}
