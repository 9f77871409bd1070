package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"

	eioecho "github.com/goengineio/engineio/adapters/echo"
	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	eiogin "github.com/goengineio/engineio/adapters/gin"
	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

// served is a framework's server with the endpoint mounted in it.
type served struct {
	serve    func(net.Listener) error
	shutdown func(context.Context) error
	// protocols are the application protocols offered over TLS.
	protocols []string
}

// frameworks has an entry for each value of -framework.
var frameworks = map[string]func(path string, srv *core.Server, app *app) served{
	"nethttp": serveNetHTTP,
	"gin":     serveGin,
	"echo":    serveEcho,
	"fiber":   serveFiber,
}

func serveNetHTTP(path string, srv *core.Server, app *app) served {
	return httpServer(eiohttp.Middleware(srv, path)(app))
}

func serveGin(path string, srv *core.Server, app *app) served {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	eiogin.Mount(router, path, srv)
	router.NoRoute(gin.WrapH(app))
	return httpServer(router)
}

func serveEcho(path string, srv *core.Server, app *app) served {
	e := echo.New()
	eioecho.Mount(e, path, srv)
	e.RouteNotFound("/*", echo.WrapHandler(app))
	return httpServer(e)
}

func serveFiber(path string, srv *core.Server, app *app) served {
	f := fiber.New(fiber.Config{
		DisableStartupMessage: true,
		StreamRequestBody:     true, // see package eiofiber; nothing else here reads bodies
	})
	eiofiber.Mount(f, path, srv)
	f.Use(func(c *fiber.Ctx) error {
		status, contentType, body := app.page(c.Path())
		c.Set(fiber.HeaderContentType, contentType)
		return c.Status(status).SendString(body)
	})
	if err := eiofiber.Tune(f, srv, path); err != nil {
		return served{serve: func(net.Listener) error { return err }}
	}
	return served{serve: f.Listener, shutdown: f.ShutdownWithContext, protocols: []string{"http/1.1"}}
}

// httpServer is shared by the frameworks that use net/http.
func httpServer(handler http.Handler) served {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return served{serve: server.Serve, shutdown: server.Shutdown, protocols: []string{"h2", "http/1.1"}}
}
