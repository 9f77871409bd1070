package eioecho_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"

	eioecho "github.com/goengineio/engineio/adapters/echo"
	"github.com/goengineio/engineio/core"
)

type contextKey struct{}

// before makes a middleware of what is to happen before the handler.
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

// What middleware knows reaches AllowRequest and the session.
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
			allowed := make(chan *http.Request, 2)
			cfg := core.Config{AllowRequest: func(r *http.Request) error { allowed <- r; return nil }}
			a := start(t, cfg, func(srv *core.Server) http.Handler {
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
			})
			const target = "/acme/rooms/7/engine.io/x"
			header := []string{"X-Forwarded-For", "203.0.113.9"}
			polling := a.open(target, header...)
			if ws, refused := a.websocket(target+handshake, header...); ws == nil {
				t.Fatal(refused)
			}
			for _, s := range []*core.Socket{polling.socket, <-a.sockets} {
				if s.RemoteAddr() != "203.0.113.9" {
					t.Error("remote address", s.RemoteAddr())
				}
				for _, r := range []*http.Request{s.Request(), <-allowed} {
					for key, want := range map[any]any{"user": "ann", "trace": "of the store", contextKey{}: 7, "missing": nil, "secret": nil} {
						if got := r.Context().Value(key); got != want {
							t.Errorf("%v: got %v, want %v", key, got, want)
						}
					}
					if r.Context().Done() != nil || r.Context().Err() != nil {
						t.Error("the context can end")
					}
					for name, want := range map[string]string{"tenant": "acme", "room": "7", "*": ""} {
						if got := r.PathValue(name); got != want {
							t.Errorf("%s: got %q, want %q", name, got, want)
						}
					}
					if r.RemoteAddr != "203.0.113.9" {
						t.Error("remote address", r.RemoteAddr)
					}
				}
			}
			polling.echo("4hello")
		})
	}
}

// Without options, forwarded addresses are not believed, and context values are there all the same.
func TestNoOptions(t *testing.T) {
	peer := make(chan string, 1)
	a := start(t, core.Config{}, mounted(t, before(func(c echo.Context) {
		c.Set("user", "ann")
		setContextValue(c, contextKey{}, 7)
		peer <- c.Request().RemoteAddr
	})))
	s := a.open("/engine.io/", "X-Forwarded-For", "203.0.113.9").socket
	if want := <-peer; s.RemoteAddr() != want {
		t.Errorf("remote address %s, want %s", s.RemoteAddr(), want)
	}
	if got := s.Request().Context().Value(contextKey{}); got != 7 {
		t.Error(got)
	}
	if got := s.Request().Context().Value("user"); got != nil {
		t.Error(got)
	}
}

func TestUntrustedProxy(t *testing.T) {
	a := start(t, core.Config{}, func(srv *core.Server) http.Handler {
		e := newEcho(t)
		e.IPExtractor = echo.ExtractIPDirect()
		eioecho.Mount(e, "/engine.io", srv, eioecho.Options{ClientIP: true})
		return e
	})
	if s := a.open("/engine.io/", "X-Forwarded-For", "203.0.113.9").socket; s.RemoteAddr() != "127.0.0.1" {
		t.Error("remote address", s.RemoteAddr())
	}
}

func TestRefusedByAllowRequest(t *testing.T) {
	cfg := core.Config{AllowRequest: func(r *http.Request) error {
		if r.Context().Value("user") != "ann" {
			return errors.New("Ann only")
		}
		return nil
	}}
	a := start(t, cfg, func(srv *core.Server) http.Handler {
		e := newEcho(t)
		e.Use(before(func(c echo.Context) { c.Set("user", c.Request().Header.Get("X-User")) }))
		eioecho.Mount(e, "/engine.io", srv, eioecho.Options{Keys: []string{"user"}})
		return e
	})
	a.want(a.do("GET", "/engine.io/"+handshake, ""), 403, `{"code":4,"message":"Ann only"}`)
	_, refused := a.websocket("/engine.io/" + handshake)
	a.want(refused, 400, "Ann only")
	a.open("/engine.io/", "X-User", "ann").echo("4hello")
}
