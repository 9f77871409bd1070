//go:build fiberlimiter

// Fiber's limiter needs github.com/tinylib/msgp, which is not in go.mod.

package eiofiber_test

import (
	"io"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/limiter"

	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	"github.com/goengineio/engineio/core"
)

func init() {
	middlewares = append(middlewares, middleware{name: "limiter", make: func(io.Writer) fiber.Handler { return limiter.New(limiter.Config{Max: 1000}) },
		check: func(t *testing.T, a answer) {
			if a.header.Get("X-Ratelimit-Remaining") == "" {
				t.Errorf("no rate limit in %v", a.header)
			}
		}})
}

func TestTheLimiterLimits(t *testing.T) {
	b := newBench(t, setup{build: func(app *fiber.App, srv *core.Server) {
		app.Use("/engine.io", limiter.New(limiter.Config{Max: 2, Expiration: time.Hour}))
		eiofiber.Mount(app, "", srv)
	}})
	b.open("/engine.io/")
	if ws, _ := b.dial("/engine.io/?EIO=4&transport=websocket", nil); ws == nil {
		t.Error("the second request was refused")
	}
	if _, a := b.dial("/engine.io/?EIO=4&transport=websocket", nil); a.status != 429 {
		t.Errorf("a third WebSocket: %d", a.status)
	}
	b.want(b.get("/engine.io/"+poll4), 429, "*")
}
