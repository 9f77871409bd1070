package eiogin_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"

	eiogin "github.com/goengineio/engineio/adapters/gin"
	"github.com/goengineio/engineio/core"
)

type contextKey struct{}

// What middleware knows reaches AllowRequest and the session.
func TestOptions(t *testing.T) {
	allowed := make(chan *http.Request, 2)
	cfg := core.Config{AllowRequest: func(r *http.Request) error { allowed <- r; return nil }}
	a := start(t, cfg, func(srv *core.Server) http.Handler {
		router := gin.New()
		if err := router.SetTrustedProxies([]string{"127.0.0.1"}); err != nil {
			t.Fatal(err)
		}
		router.Use(func(c *gin.Context) {
			c.Set("user", "ann")
			c.Set(contextKey{}, 7)
			c.Set("secret", "not asked for")
			c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), contextKey{}, "hidden by the key"))
			c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), "trace", "abc")) //nolint:staticcheck // as in the wild
		})
		eiogin.Mount(router, "/:tenant/rooms/:room/engine.io", srv, eiogin.Options{
			Keys:     []any{"user", contextKey{}, "missing"},
			ClientIP: true,
		})
		return router
	})
	target := "/acme/rooms/caf%C3%A9/engine.io/"
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
			for key, want := range map[any]any{"user": "ann", contextKey{}: 7, "trace": "abc", "missing": nil, "secret": nil} {
				if got := r.Context().Value(key); got != want {
					t.Errorf("%v: got %v, want %v", key, got, want)
				}
			}
			if r.Context().Done() != nil || r.Context().Err() != nil {
				t.Error("the context can end")
			}
			for name, want := range map[string]string{"tenant": "acme", "room": "café", "any": ""} {
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
}

// Without options, forwarded addresses are not believed, and context values are there all the same.
func TestNoOptions(t *testing.T) {
	peer := make(chan string, 1)
	a := start(t, core.Config{}, func(srv *core.Server) http.Handler {
		router := gin.New()
		router.Use(func(c *gin.Context) {
			c.Set("user", "ann")
			c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), contextKey{}, 7))
			peer <- c.Request.RemoteAddr
		})
		eiogin.Mount(router, "/engine.io", srv)
		return router
	})
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
		router := gin.New()
		if err := router.SetTrustedProxies(nil); err != nil {
			t.Fatal(err)
		}
		eiogin.Mount(router, "/engine.io", srv, eiogin.Options{ClientIP: true})
		return router
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
		router := gin.New()
		router.Use(func(c *gin.Context) { c.Set("user", c.GetHeader("X-User")) })
		eiogin.Mount(router, "/engine.io", srv, eiogin.Options{Keys: []any{"user"}})
		return router
	})
	a.want(a.do("GET", "/engine.io/"+handshake, ""), 403, `{"code":4,"message":"Ann only"}`)
	_, refused := a.websocket("/engine.io/" + handshake)
	a.want(refused, 400, "Ann only")
	a.open("/engine.io/", "X-User", "ann").echo("4hello")
}
