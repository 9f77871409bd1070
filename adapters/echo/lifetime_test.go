package eioecho_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	eioecho "github.com/goengineio/engineio/adapters/echo"
	"github.com/goengineio/engineio/core"
)

// mounted returns what makes an Echo with middleware and the endpoint.
func mounted(t *testing.T, use ...echo.MiddlewareFunc) func(*core.Server) http.Handler {
	return func(srv *core.Server) http.Handler {
		e := newEcho(t)
		e.Use(use...)
		eioecho.Mount(e, "/engine.io", srv)
		return e
	}
}

// A poll may last longer than the server's timeouts, also behind middleware with a writer.
func TestLongPollOutlivesServerTimeouts(t *testing.T) {
	for name, use := range map[string][]echo.MiddlewareFunc{
		"nothing": {},
		"gzip":    {middleware.Gzip(), middleware.BodyDump(func(echo.Context, []byte, []byte) {})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := core.Config{PingInterval: 600 * time.Millisecond}
			a := start(t, cfg, mounted(t, use...), func(hs *http.Server) {
				hs.ReadTimeout, hs.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
			})
			s := a.open("/engine.io/", "Accept-Encoding", "gzip")
			for range 2 {
				a.want(s.poll("Accept-Encoding", "gzip"), 200, "2") // the ping
				a.want(s.post("3"), 200, "ok")
			}
			s.echo("4hello", "Accept-Encoding", "gzip")
		})
	}
}

// Middleware that limits a request's time has its poll answered before.
func TestLongPollInsideTimeout(t *testing.T) {
	const limit = 500 * time.Millisecond
	for name, use := range map[string]echo.MiddlewareFunc{
		"ContextTimeout": middleware.ContextTimeout(limit),
		"Timeout":        middleware.TimeoutWithConfig(middleware.TimeoutConfig{Timeout: limit}), //nolint:staticcheck // deprecated, but there
		"TimeoutHandler": echo.WrapMiddleware(func(h http.Handler) http.Handler { return http.TimeoutHandler(h, limit, "late") }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, core.Config{}, mounted(t, use))
			s := a.open("/engine.io/")
			a.want(s.poll(), 200, "6")
			s.echo("4hello")
		})
	}
}

func TestClientLeavesDuringPoll(t *testing.T) {
	a := start(t, core.Config{}, mounted(t, middleware.Recover(), middleware.Gzip(), middleware.ContextTimeout(time.Minute)))
	s := a.open("/engine.io/")
	conn := a.dial()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: gzip\r\n\r\n", s.target, a.addr)
	conn.Close()
	if reason := <-a.closes; reason != core.TransportError {
		t.Error("closed with", reason)
	}
}

// Echo's own Start and Shutdown, as most applications use them.
func TestShutdown(t *testing.T) {
	a := start(t, core.Config{}, mounted(t))
	e := newEcho(t)
	e.HideBanner, e.HidePort = true, true
	eioecho.Mount(e, "/engine.io", a.srv)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e.Listener, a.addr = listener, listener.Addr().String()
	started := make(chan error, 1)
	go func() { started <- e.Start("") }()

	ws := a.open("/engine.io/").upgrade()
	s := a.open("/engine.io/")
	polled := make(chan answer)
	go func() { polled <- s.poll() }()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	down := make(chan error)
	go func() { down <- a.srv.Shutdown(ctx) }()
	a.want(<-polled, 200, "1")
	_, _, err = ws.ReadMessage()
	if !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Error("WebSocket:", err)
	}
	ws.Close()
	if err := <-down; err != nil {
		t.Error(err)
	}
	if got := a.do("GET", "/engine.io/"+handshake, ""); got.Status != http.StatusServiceUnavailable {
		t.Errorf("handshake: %d %s", got.Status, got.Body)
	}
	if _, got := a.websocket("/engine.io/" + handshake); got.Status != http.StatusServiceUnavailable {
		t.Errorf("WebSocket handshake: %+v", got)
	}
	if err := e.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-started; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	for range 2 {
		if reason := <-a.closes; reason != core.ForcedClose {
			t.Error("closed with", reason)
		}
	}
}
