package eiofiber_test

import (
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	"github.com/goengineio/engineio/core"
)

// paths are what may follow the prefix, and whether the endpoint serves it.
var paths = map[string]bool{
	"/engine.io": true, "/engine.io/": true, "/engine.io/x": true, "/engine.io/x/y": true, "/engine.io//": true,
	"/engine.io/%2F": true, "/engine.io/a%20b": true,
	"/engine.iox": false, "/engine.iox/": false, "/ENGINE.IO/": false, "/Engine.io": false,
	"/%65ngine.io/": false, "/engine%2Eio/": false, "/engine.io%2F": false, "/engine.io%2f/": false,
	"//engine.io/": false, "/x/../engine.io/": false, "/./engine.io/": false,
	"/engine.io/../": false, "/engine.io/..": false, "/engine.io/./": false, "/engine.io/%2e%2E/": false,
	"/engine.i": false, "/": false, "/x": false,
}

func TestPaths(t *testing.T) {
	type build = func(app *fiber.App, srv *core.Server)
	subApp := func(path string, mount func(sub *fiber.App, srv *core.Server)) build {
		return func(app *fiber.App, srv *core.Server) {
			sub := fiber.New()
			mount(sub, srv)
			app.Mount(path, sub)
		}
	}
	for _, tt := range []struct {
		name, prefix string
		build        build
	}{
		{"Mount", "", func(app *fiber.App, srv *core.Server) { eiofiber.Mount(app, "/engine.io", srv) }},
		{"Mount with slash", "", func(app *fiber.App, srv *core.Server) { eiofiber.Mount(app, "engine.io/", srv) }},
		{"All", "", func(app *fiber.App, srv *core.Server) { app.All("/engine.io/*", eiofiber.Handler(srv)) }},
		{"All, without slash", "", func(app *fiber.App, srv *core.Server) { app.All("/engine.io*", eiofiber.Handler(srv)) }},
		{"Use", "", func(app *fiber.App, srv *core.Server) { app.Use("/engine.io", eiofiber.Handler(srv)) }},
		{"Use with slash", "", func(app *fiber.App, srv *core.Server) { app.Use("/engine.io/", eiofiber.Handler(srv)) }},
		{"Get and Post", "", func(app *fiber.App, srv *core.Server) {
			h := eiofiber.Handler(srv)
			app.Get("/engine.io/*", h)
			app.Post("/engine.io/*", h)
		}},
		{"Middleware", "", func(app *fiber.App, srv *core.Server) { app.Use(eiofiber.Middleware(srv)) }},
		{"Middleware under a path", "", func(app *fiber.App, srv *core.Server) { app.Use("/engine.io", eiofiber.Middleware(srv)) }},
		{"Middleware with Path", "/api", func(app *fiber.App, srv *core.Server) {
			app.Use(eiofiber.Middleware(srv, eiofiber.Config{Path: "/api/engine.io/"}))
		}},
		{"Middleware of a group", "/api", func(app *fiber.App, srv *core.Server) {
			app.Group("/api", eiofiber.Middleware(srv, eiofiber.Config{Path: "/api/engine.io"}))
		}},
		{"Mount on a group", "/api/v1", func(app *fiber.App, srv *core.Server) {
			eiofiber.Mount(app.Group("/api").Group("/v1"), "/engine.io", srv)
		}},
		{"All of a group", "/api", func(app *fiber.App, srv *core.Server) {
			app.Group("/api").All("/engine.io/*", eiofiber.Handler(srv))
		}},
		{"Route", "/api", func(app *fiber.App, srv *core.Server) {
			app.Route("/api", func(r fiber.Router) { eiofiber.Mount(r, "/engine.io", srv) })
		}},
		{"Mount on a sub-app", "/api", subApp("/api", func(sub *fiber.App, srv *core.Server) { eiofiber.Mount(sub, "/engine.io", srv) })},
		{"All of a sub-app", "/api", subApp("/api", func(sub *fiber.App, srv *core.Server) { sub.All("/engine.io/*", eiofiber.Handler(srv)) })},
		{"Sub-app that is the endpoint", "", subApp("/engine.io", func(sub *fiber.App, srv *core.Server) { sub.Use(eiofiber.Handler(srv)) })},
		{"Sub-app in a sub-app", "/a/b", subApp("/a", func(sub *fiber.App, srv *core.Server) {
			inner := fiber.New()
			eiofiber.Mount(inner, "/engine.io", srv)
			sub.Mount("/b", inner)
		})},
		{"Parameter", "/some%20Room", func(app *fiber.App, srv *core.Server) { eiofiber.Mount(app, "/:room/engine.io", srv) }},
		{"Parameters", "/v1/r", func(app *fiber.App, srv *core.Server) {
			app.All("/v:version<int>/:room/engine.io/*", eiofiber.Handler(srv))
		}},
		{"Middleware with a parameter", "/r", func(app *fiber.App, srv *core.Server) {
			app.Use(eiofiber.Middleware(srv, eiofiber.Config{Path: "/:room/engine.io"}))
		}},
		{"Escaped colon", "/a:b", func(app *fiber.App, srv *core.Server) { eiofiber.Mount(app, `/a\:b/engine.io`, srv) }},
	} {
		for name, cfg := range map[string]fiber.Config{
			"": {}, ", strict": {StrictRouting: true, CaseSensitive: true}, ", unescaped": {UnescapePath: true},
		} {
			if cfg.StrictRouting && (tt.name == "Use with slash" || tt.name == "Sub-app that is the endpoint") {
				continue // Fiber does not route /engine.io there
			}
			t.Run(tt.name+name, func(t *testing.T) { testPaths(t, cfg, tt.prefix, tt.build) })
		}
	}
}

func testPaths(t *testing.T, cfg fiber.Config, prefix string, build func(app *fiber.App, srv *core.Server)) {
	b := newBench(t, setup{fiber: cfg, build: func(app *fiber.App, srv *core.Server) {
		build(app, srv)
		app.Use(func(c *fiber.Ctx) error { return c.SendString("app") })
	}})
	c := b.raw()
	for path, served := range paths {
		for _, host := range []string{"", "http://x"} { // the second as in requests to a proxy
			if host != "" && !served {
				continue
			}
			before := b.srv.Len()
			c.sendf("GET %s%s%s%s HTTP/1.1\r\nHost: x\r\n\r\n", host, prefix, path, poll4)
			a := c.answer()
			if ok := a.status == 200 && strings.HasPrefix(a.body, "0{"); ok != served || !served && a.body != "app" {
				t.Errorf("%s%s%s: %d %q %v", host, prefix, path, a.status, a.body, a.err)
			}
			if opened := b.srv.Len() - before; (opened == 1) != served {
				t.Errorf("%s%s: %d sessions", prefix, path, opened)
			}
		}
	}
}

func TestForeignPathsGetTheFrameworksAnswer(t *testing.T) {
	b := newBench(t, setup{build: func(app *fiber.App, srv *core.Server) {
		app.Use("/engine.io", eiofiber.Handler(srv))
	}})
	b.want(b.get("/engine.iox/"+poll4), 404, "Cannot GET /engine.iox/")
	b.want(b.get("/ENGINE.IO/"+poll4), 404, "Cannot GET /ENGINE.IO/")
}

func TestHandlerWithoutPathTakesEverything(t *testing.T) {
	b := newBench(t, setup{build: func(app *fiber.App, srv *core.Server) { app.Use(eiofiber.Handler(srv)) }})
	for _, path := range []string{"/", "/x", "/engine.io/", "/x/y"} {
		b.open(path)
	}
}

func TestMiddlewareNext(t *testing.T) {
	b := newBench(t, setup{build: func(app *fiber.App, srv *core.Server) {
		app.Use(eiofiber.Middleware(srv, eiofiber.Config{Next: func(c *fiber.Ctx) bool { return c.Query("skip") != "" }}))
		app.Use(func(c *fiber.Ctx) error { return c.SendString("app") })
	}})
	b.want(b.get("/engine.io/"+poll4+"&skip=1"), 200, "app")
	b.open("/engine.io/")
	if n := b.srv.Len(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

// TestTwoEndpoints serves two servers in one application, and one server at two paths.
func TestTwoEndpoints(t *testing.T) {
	other, err := core.NewServer(core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	b := newBench(t, setup{build: func(app *fiber.App, srv *core.Server) {
		h := eiofiber.Handler(srv)
		app.All("/one/*", h)
		app.All("/two/*", h)
		eiofiber.Mount(app, "/three", other)
		if err := eiofiber.Tune(app, srv, "/one", "/two"); err != nil {
			t.Error(err)
		}
		if err := eiofiber.Tune(app, other, "/three"); err != nil {
			t.Error(err)
		}
	}})
	target, s := b.open("/one/")
	b.want(b.post(strings.Replace(target, "/one/", "/two/", 1), "4x"), 200, "ok")
	b.want(b.get(target), 200, "4x")
	b.want(b.get(strings.Replace(target, "/one/", "/three/", 1)), 400, `{"code":1,"message":"Session ID unknown"}`)
	b.sid(b.get("/three" + poll4))
	if _, ok := other.Get(s.ID()); ok || other.Len() != 1 || b.srv.Len() != 1 {
		t.Errorf("%d and %d sessions", b.srv.Len(), other.Len())
	}
}

// TestFragments: clients do not send fragments; one that is sent counts as part of the path.
func TestFragments(t *testing.T) {
	b := newBench(t, setup{})
	c := b.raw()
	for path, status := range map[string]int{"/engine.io#x": 404, "/engine.io/#x": 200} {
		c.sendf("GET %s%s HTTP/1.1\r\nHost: x\r\n\r\n", path, poll4)
		if a := c.answer(); a.status != status {
			t.Errorf("%s: %d %q", path, a.status, a.body)
		}
	}
}
