package eioecho_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	rscors "github.com/rs/cors"

	eioecho "github.com/goengineio/engineio/adapters/echo"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/adaptertest"
)

// lateError is middleware that returns an error after the request was handled.
func lateError(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := next(c); err != nil {
			return err
		}
		return errors.New("too late")
	}
}

// stack is a set of middleware that an application may use.
type stack struct {
	use       []echo.MiddlewareFunc
	around    func(http.Handler) http.Handler
	cors      bool // allows adaptertest.Origin
	noUpgrade bool
}

func stacks() map[string]stack {
	echoCORS := middleware.CORSWithConfig(middleware.CORSConfig{AllowOrigins: []string{adaptertest.Origin}})
	rsCORS := rscors.New(rscors.Options{AllowedOrigins: []string{adaptertest.Origin}}).Handler
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
		"unwrap only":          {around: adaptertest.UnwrapOnly},
		"late error":           {use: list(lateError)},
		"timeout":              {around: timeout, noUpgrade: true},
		"echo timeout":         {use: list(echoTimeout), noUpgrade: true},
		"echo timeout, gzip":   {use: list(echoTimeout, logger, compress), noUpgrade: true},
		"timeout, unwrap only": {around: func(h http.Handler) http.Handler { return timeout(adaptertest.UnwrapOnly(h)) }, noUpgrade: true},
		"all, rs/cors":         {around: rsCORS, use: list(logger, recovery, id, compress, limit, ctxTimeout, dump, secure, decompress), cors: true},
		"all, echo cors, other ways": {
			use: list(lateError, decompress, secure, dump, ctxTimeout, limit, echoCORS, threshold, id, recovery, requestLogger), cors: true,
		},
	}
}

// TestMiddleware: clients work behind all of them, however the endpoint is mounted, and no complaint is
// logged.
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
				adaptertest.TestMiddleware(t, func(srv *core.Server) http.Handler {
					e := newEcho(t)
					mount(e, m.use, srv)
					if m.around == nil {
						return e
					}
					return m.around(e)
				}, adaptertest.Middleware{CORS: m.cors, NoUpgrade: m.noUpgrade})
			})
		}
	}
}

// What middleware around the endpoint sees.
func TestReturnsNilAndStatus(t *testing.T) {
	type outcome struct {
		status    int
		committed bool
		err       error
	}
	outcomes := make(chan outcome, 1)
	a := adaptertest.Start(t, core.Config{}, func(srv *core.Server) http.Handler {
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
	a.Dial("/engine.io/?EIO=4&transport=websocket")
	want(101, nil)
	s := a.Open("/engine.io/")
	want(200, nil)
	s.Post("4hello")
	want(200, nil)
	a.Do("POST", "/engine.io/"+adaptertest.Handshake, "")
	want(400, nil)
	a.Raw("/engine.io/..")
	want(200, echo.ErrNotFound) // Echo answers only later
}

func TestLogNamesTheMiddleware(t *testing.T) {
	adaptertest.TestLogNames(t, func(srv *core.Server) http.Handler {
		e := newEcho(t)
		eioecho.Mount(e, "/engine.io", srv)
		return http.TimeoutHandler(e, time.Minute, "late")
	})
}
