package integration_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"

	eioecho "github.com/goengineio/engineio/adapters/echo"
	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	eiogin "github.com/goengineio/engineio/adapters/gin"
	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

// frameworks are the web frameworks every test of this package runs under. Each serves the engine at
// /engine.io/ on a free loopback port, the way its users would, until the test ends, and returns
// the address as http://host:port.
var frameworks = []struct {
	name  string
	serve func(t testing.TB, engine *core.Server) (url string)
}{
	{"nethttp", func(t testing.TB, engine *core.Server) string {
		mux := http.NewServeMux()
		eiohttp.Mount(mux, "/engine.io", engine)
		return serveQuick(t, mux)
	}},
	{"gin", func(t testing.TB, engine *core.Server) string {
		router := gin.New()
		eiogin.Mount(router, "/engine.io", engine)
		return serveHandler(t, router)
	}},
	{"echo", func(t testing.TB, engine *core.Server) string {
		e := echo.New()
		eioecho.Mount(e, "/engine.io", engine)
		return serveHandler(t, e)
	}},
	{"fiber", func(t testing.TB, engine *core.Server) string {
		app := fiber.New(fiber.Config{DisableStartupMessage: true})
		eiofiber.Mount(app, "/engine.io", engine)
		if err := eiofiber.Tune(app, engine); err != nil {
			t.Fatal(err)
		}
		return serveFiber(t, app)
	}},
}

// serveFiber is for Fiber, which does not stand on net/http.
func serveFiber(t testing.TB, app *fiber.App) (url string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Listener(eiofiber.Listener(listener)) }()
	t.Cleanup(func() {
		_ = app.ShutdownWithTimeout(patience)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

// serveHandler is for all frameworks that are an http.Handler.
func serveHandler(t testing.TB, handler http.Handler) (url string) {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// serveQuick is serveHandler with the listener of the adapter. Tests that run under all frameworks run with
// it under net/http, and without it under Gin and Echo, which are net/http in this respect.
func serveQuick(t testing.TB, handler http.Handler) (url string) {
	server := httptest.NewUnstartedServer(handler)
	server.Listener = eiohttp.Listener(server.Listener)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// newServer starts an engine under a framework. When the test ends its sessions are closed.
func newServer(t *testing.T, serve func(testing.TB, *core.Server) string, cfg core.Config) (*core.Server, string) {
	t.Helper()
	engine, err := core.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	url := serve(t, engine)
	t.Cleanup(engine.Close)
	return engine, url
}

func closeAll(engine *core.Server) {
	for s := range engine.All() {
		s.CloseNow()
	}
}
