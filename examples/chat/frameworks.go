package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/labstack/echo/v4"

	eioecho "github.com/goengineio/engineio/adapters/echo"
	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	eiogin "github.com/goengineio/engineio/adapters/gin"
	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

// endpoint is the path at which the engine is mounted, the client's default.
const endpoint = "/engine.io"

// An app serves the chat on a listener until Shutdown is called, which lets running requests finish.
type app interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

// frameworks has an entry for each value of -framework: a function that builds an app which passes
// requests for the endpoint to the engine and all others to the page.
var frameworks = map[string]func(engine *core.Server, page http.Handler) app{
	"nethttp": func(engine *core.Server, page http.Handler) app {
		mux := http.NewServeMux()
		eiohttp.Mount(mux, endpoint, engine)
		mux.Handle("/", page)
		return httpServer(mux)
	},
	"gin": func(engine *core.Server, page http.Handler) app {
		gin.SetMode(gin.ReleaseMode)
		router := gin.New()
		eiogin.Mount(router, endpoint, engine)
		router.NoRoute(func(c *gin.Context) {
			c.Status(http.StatusOK) // in NoRoute, Gin defaults to 404
			page.ServeHTTP(c.Writer, c.Request)
		})
		return httpServer(router)
	},
	"echo": func(engine *core.Server, page http.Handler) app {
		e := echo.New()
		eioecho.Mount(e, endpoint, engine)
		e.RouteNotFound("/*", echo.WrapHandler(page))
		return httpServer(e)
	},
	"fiber": func(engine *core.Server, page http.Handler) app {
		f := fiber.New(fiber.Config{DisableStartupMessage: true})
		eiofiber.Mount(f, endpoint, engine)
		f.Use(adaptor.HTTPHandler(page))
		return fiberApp{f, eiofiber.Tune(f, engine)}
	},
}

// protocols returns the application protocols that a framework speaks over TLS.
func protocols(framework string) []string {
	if framework == "fiber" {
		return []string{"http/1.1"}
	}
	return []string{"h2", "http/1.1"}
}

// httpServer serves the frameworks that use net/http.
func httpServer(handler http.Handler) app {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
}

type fiberApp struct {
	*fiber.App
	err error // if not nil, why it cannot serve
}

func (a fiberApp) Serve(listener net.Listener) error {
	if a.err != nil {
		return a.err
	}
	return a.Listener(listener)
}

func (a fiberApp) Shutdown(ctx context.Context) error { return a.ShutdownWithContext(ctx) }
