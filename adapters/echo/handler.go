package eioecho

import (
	"cmp"
	"strings"

	"github.com/labstack/echo/v4"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

// Handler returns the endpoint, for a route of one's own:
//
//	e.Any("/engine.io/*", eioecho.Handler(srv))
//
// To such a route alone "/engine.io", without the slash, does not belong; Mount serves both.
//
// The mount path is the route's pattern without the wildcard. Route parameters before it, as in
// "/:tenant/engine.io/*", stand for any one segment. Requests that are not for the mount path (it
// counts as it is spelled, with nothing percent-encoded) are left to Echo with echo.ErrNotFound;
// for all others the handler returns nil. Without a pattern it serves eiohttp.DefaultPath.
//
// Of several options the first counts. The handler may be used concurrently and for several routes.
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

// Router is what Mount needs of a *echo.Echo or *echo.Group.
type Router interface {
	Any(path string, handler echo.HandlerFunc, middleware ...echo.MiddlewareFunc) []*echo.Route
}

// Mount serves the path, with and without trailing slash, and everything below it. In a group the
// path is relative to the group's. An empty path means eiohttp.DefaultPath.
func Mount(r Router, path string, srv *core.Server, options ...Options) {
	path = cleanPath(path)
	handler := Handler(srv, options...)
	r.Any(path, handler)
	r.Any(path+"/*", handler)
}

// cleanPath returns the path with a leading and without a trailing slash, "" for the root.
func cleanPath(path string) string {
	path = strings.Trim(cmp.Or(path, eiohttp.DefaultPath), "/")
	if path != "" {
		path = "/" + path
	}
	return path
}

// newEndpoint returns what serves every request it is given.
func newEndpoint(srv *core.Server, options []Options) func(echo.Context) {
	var o Options
	if len(options) > 0 {
		o = options[0]
	}
	handler := eiohttp.Handler(srv)
	return func(c echo.Context) { handler.ServeHTTP(response{c.Response()}, o.request(c)) }
}
