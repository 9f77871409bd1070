package eioecho

import (
	"github.com/labstack/echo/v4"

	"github.com/goengineio/engineio/core"
)

// Config configures MiddlewareWithConfig.
type Config struct {
	// Skipper makes the middleware pass a request on, untouched, by returning true. Nil skips none.
	Skipper func(echo.Context) bool
	// Path of the endpoint, from the root. Default eiohttp.DefaultPath.
	Path string

	Options
}

// Middleware returns middleware that serves eiohttp.DefaultPath and everything below it and passes all
// other requests on. It works with Echo.Use and with Echo.Pre; middleware registered before it runs
// before it.
func Middleware(srv *core.Server) echo.MiddlewareFunc {
	return MiddlewareWithConfig(srv, Config{})
}

// MiddlewareWithConfig is Middleware with a configuration.
func MiddlewareWithConfig(srv *core.Server, config Config) echo.MiddlewareFunc {
	path := cleanPath(config.Path)
	serve := newEndpoint(srv, []Options{config.Options})
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if config.Skipper != nil && config.Skipper(c) || !core.ServesPath(path, core.SentPath(c.Request().URL)) {
				return next(c)
			}
			serve(c)
			return nil
		}
	}
}
