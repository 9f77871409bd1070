package eioecho_test

import (
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	eioecho "github.com/goengineio/engineio/adapters/echo"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/adaptertest"
)

// mounted returns a Build that makes an Echo with middleware and the endpoint.
func mounted(t *testing.T, use ...echo.MiddlewareFunc) func(*core.Server) http.Handler {
	return func(srv *core.Server) http.Handler {
		e := newEcho(t)
		e.Use(use...)
		eioecho.Mount(e, "/engine.io", srv)
		return e
	}
}

// A poll may last longer than the server's timeouts, even behind middleware with its own writer.
func TestLongPollOutlivesServerTimeouts(t *testing.T) {
	for name, use := range map[string][]echo.MiddlewareFunc{
		"nothing": {},
		"gzip":    {middleware.Gzip(), middleware.BodyDump(func(echo.Context, []byte, []byte) {})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			adaptertest.TestLongPolls(t, mounted(t, use...))
		})
	}
}

// Behind middleware that limits a request's time, the poll is answered before the time is over.
func TestLongPollInsideTimeout(t *testing.T) {
	const limit = 500 * time.Millisecond
	for name, use := range map[string]echo.MiddlewareFunc{
		"ContextTimeout": middleware.ContextTimeout(limit),
		"Timeout":        middleware.TimeoutWithConfig(middleware.TimeoutConfig{Timeout: limit}), //nolint:staticcheck // deprecated, but there
		"TimeoutHandler": echo.WrapMiddleware(func(h http.Handler) http.Handler { return http.TimeoutHandler(h, limit, "late") }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := adaptertest.Start(t, core.Config{}, mounted(t, use))
			s := a.Open("/engine.io/")
			a.Want(s.Poll(), 200, "6")
			s.Echo("4hello")
		})
	}
}

func TestClientLeavesDuringPoll(t *testing.T) {
	adaptertest.TestLeaveDuringPoll(t, mounted(t, middleware.Recover(), middleware.Gzip(), middleware.ContextTimeout(time.Minute)))
}

// Echo's own Start and Shutdown, as most applications use them.
func TestShutdown(t *testing.T) {
	a := adaptertest.Start(t, core.Config{}, mounted(t))
	e := newEcho(t)
	e.HideBanner, e.HidePort = true, true
	eioecho.Mount(e, "/engine.io", a.Server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e.Listener, a.Addr = listener, listener.Addr().String()
	started := make(chan error, 1)
	go func() { started <- e.Start("") }()

	adaptertest.TestShutdown(t, a, e.Shutdown)
	if err := <-started; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}
