package eiogin_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"

	eiogin "github.com/goengineio/engineio/adapters/gin"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/adaptertest"
)

type contextKey struct{}

// Values from middleware reach AllowRequest and the session.
func TestOptions(t *testing.T) {
	adaptertest.TestOptions(t, func(srv *core.Server) http.Handler {
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
	}, "/acme/rooms/caf%C3%A9/engine.io/",
		map[any]any{"user": "ann", contextKey{}: 7, "trace": "abc", "missing": nil, "secret": nil},
		map[string]string{"tenant": "acme", "room": "café", "any": ""})
}

// Without options, forwarded addresses are not trusted, but context values are still available.
func TestNoOptions(t *testing.T) {
	peer := make(chan string, 1)
	adaptertest.TestNoOptions(t, func(srv *core.Server) http.Handler {
		router := gin.New()
		router.Use(func(c *gin.Context) {
			c.Set("user", "ann")
			c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), contextKey{}, 7))
			peer <- c.Request.RemoteAddr
		})
		eiogin.Mount(router, "/engine.io", srv)
		return router
	}, peer, contextKey{})
}

func TestUntrustedProxy(t *testing.T) {
	adaptertest.TestUntrustedProxy(t, func(srv *core.Server) http.Handler {
		router := gin.New()
		if err := router.SetTrustedProxies(nil); err != nil {
			t.Fatal(err)
		}
		eiogin.Mount(router, "/engine.io", srv, eiogin.Options{ClientIP: true})
		return router
	})
}

func TestRefusedByAllowRequest(t *testing.T) {
	adaptertest.TestAllowRequest(t, func(srv *core.Server) http.Handler {
		router := gin.New()
		router.Use(func(c *gin.Context) { c.Set("user", c.GetHeader("X-User")) })
		eiogin.Mount(router, "/engine.io", srv, eiogin.Options{Keys: []any{"user"}})
		return router
	})
}
