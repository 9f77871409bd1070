package eioecho

import (
	"cmp"
	"strings"

	"github.com/labstack/echo/v4"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

// Handler returns the endpoint, for your own route:
//
//	e.Any("/engine.io/*", eioecho.Handler(srv))
//
// Such a route alone does not match "/engine.io", without the slash; Mount serves both.
//
// The mount path is the route's pattern without the wildcard. Route parameters before it, as in
// "/:tenant/engine.io/*", stand for any single segment. For requests that do not spell out the mount
// path, without percent-encoding, the handler returns echo.ErrNotFound; for all others it returns nil.
// Without a pattern it serves eiohttp.DefaultPath.
//
// If several options are given, only the first counts. The handler may be used concurrently and for
// several routes.
func Handler(srv *core.Server, options ...Options) echo.HandlerFunc {
	serve := newEndpoint(srv, options)
	return func(c echo.Context) error {
		if !core.ServesRoute(cmp.Or(c.Path(), eiohttp.DefaultPath), core.SentPath(c.Request().URL)) {
			return echo.ErrNotFound
		}
		serve(c)
		return nil
	}
}

// Router is what Mount needs of an *echo.Echo or *echo.Group.
type Router interface {
	Any(path string, handler echo.HandlerFunc, middleware ...echo.MiddlewareFunc) []*echo.Route
}

// Mount serves the path, with and without a trailing slash, and everything below it. In a group the
// path is relative to the group's. An empty path means eiohttp.DefaultPath.
func Mount(r Router, path string, srv *core.Server, options ...Options) {
	path = cleanPath(path)
	handler := Handler(srv, options...)
	r.Any(path, handler)
	r.Any(path+"/*", handler)
}

// cleanPath returns the path with a leading slash and without a trailing one, "" for the root.
func cleanPath(path string) string {
	path = strings.Trim(cmp.Or(path, eiohttp.DefaultPath), "/")
	if path != "" {
		path = "/" + path
	}
	return path
}

// newEndpoint returns the function that serves requests, whatever their path.
func newEndpoint(srv *core.Server, options []Options) func(echo.Context) {
	var o Options
	if len(options) > 0 {
		o = options[0]
	}
	handler := eiohttp.Handler(srv)
	return func(c echo.Context) { handler.ServeHTTP(response{c.Response()}, o.request(c)) }
}
