package eioecho_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"

	eioecho "github.com/goengineio/engineio/adapters/echo"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/adaptertest"
)

type contextKey struct{}

// before makes middleware of a function that is to run before the handler.
func before(f func(echo.Context)) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			f(c)
			return next(c)
		}
	}
}

func setContextValue(c echo.Context, key, value any) {
	c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), key, value)))
}

// Values from middleware reach AllowRequest and the session.
func TestOptions(t *testing.T) {
	options := eioecho.Options{Keys: []string{"user", "trace", "missing"}, ClientIP: true}
	for name, mount := range map[string]func(*echo.Echo, *core.Server){
		"Mount": func(e *echo.Echo, srv *core.Server) {
			eioecho.Mount(e, "/:tenant/rooms/:room/engine.io", srv, options)
		},
		"Middleware": func(e *echo.Echo, srv *core.Server) {
			e.Any("/:tenant/rooms/:room/engine.io/*", application)
			e.Use(eioecho.MiddlewareWithConfig(srv, eioecho.Config{Path: "/acme/rooms/7/engine.io", Options: options}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			adaptertest.TestOptions(t, func(srv *core.Server) http.Handler {
				e := newEcho(t)
				e.IPExtractor = echo.ExtractIPFromXFFHeader() // loopback is trusted
				e.Use(before(func(c echo.Context) {
					c.Set("user", "ann")
					c.Set("trace", "of the store")
					c.Set("secret", "not asked for")
					setContextValue(c, "trace", "hidden by the store")
					setContextValue(c, contextKey{}, 7)
				}))
				mount(e, srv)
				return e
			}, "/acme/rooms/7/engine.io/x",
				map[any]any{"user": "ann", "trace": "of the store", contextKey{}: 7, "missing": nil, "secret": nil},
				map[string]string{"tenant": "acme", "room": "7", "*": ""})
		})
	}
}

// Without options, forwarded addresses are not trusted, but context values are still available.
func TestNoOptions(t *testing.T) {
	peer := make(chan string, 1)
	adaptertest.TestNoOptions(t, mounted(t, before(func(c echo.Context) {
		c.Set("user", "ann")
		setContextValue(c, contextKey{}, 7)
		peer <- c.Request().RemoteAddr
	})), peer, contextKey{})
}

func TestUntrustedProxy(t *testing.T) {
	adaptertest.TestUntrustedProxy(t, func(srv *core.Server) http.Handler {
		e := newEcho(t)
		e.IPExtractor = echo.ExtractIPDirect()
		eioecho.Mount(e, "/engine.io", srv, eioecho.Options{ClientIP: true})
		return e
	})
}

func TestRefusedByAllowRequest(t *testing.T) {
	adaptertest.TestAllowRequest(t, func(srv *core.Server) http.Handler {
		e := newEcho(t)
		e.Use(before(func(c echo.Context) { c.Set("user", c.Request().Header.Get("X-User")) }))
		eioecho.Mount(e, "/engine.io", srv, eioecho.Options{Keys: []string{"user"}})
		return e
	})
}
