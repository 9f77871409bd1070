package eiofiber_test

import (
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v2"

	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/adaptertest"
)

func TestSuite(t *testing.T) {
	mount := func(app *fiber.App, srv *core.Server) { eiofiber.Mount(app, "/engine.io", srv) }
	for _, tt := range []struct {
		name  string
		cfg   fiber.Config
		tune  bool
		mount func(app *fiber.App, srv *core.Server)
	}{
		{name: "Mount", mount: mount},
		{name: "Tune", mount: mount, tune: true},
		{name: "All", mount: func(app *fiber.App, srv *core.Server) { app.All("/engine.io/*", eiofiber.Handler(srv)) }},
		{name: "Use", mount: func(app *fiber.App, srv *core.Server) { app.Use("/engine.io", eiofiber.Handler(srv)) }},
		{name: "Middleware", mount: func(app *fiber.App, srv *core.Server) { app.Use(eiofiber.Middleware(srv)) }},
		{name: "StreamRequestBody", mount: mount, cfg: fiber.Config{StreamRequestBody: true}},
		{name: "StreamRequestBody, tuned", mount: mount, cfg: fiber.Config{StreamRequestBody: true}, tune: true},
		{name: "ReduceMemoryUsage", mount: mount, cfg: fiber.Config{ReduceMemoryUsage: true}, tune: true},
		{name: "DisableHeaderNormalizing", mount: mount, cfg: fiber.Config{DisableHeaderNormalizing: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			adaptertest.Run(t, adaptertest.Framework{Name: tt.name, BuffersBodies: !tt.cfg.StreamRequestBody || !tt.tune, Serve: func(t *testing.T, srv *core.Server) string {
				app := newApp(tt.cfg)
				tt.mount(app, srv)
				if tt.tune {
					if err := eiofiber.Tune(app, srv); err != nil {
						t.Fatal(err)
					}
				}
				app.Use(func(c *fiber.Ctx) error { return c.SendStatus(http.StatusNotFound) })
				return "http://" + listen(t, app, tt.tune, nil)
			}})
		})
	}
}
