package eiogin

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

// Handler returns the endpoint, for your own route:
//
//	router.Any("/engine.io/*any", eiogin.Handler(srv))
//
// The wildcard must have a name: Gin itself panics on "/engine.io/*". With such a route alone, Gin
// redirects "/engine.io" to the path with the slash; Mount serves both.
//
// The mount path is the route's pattern without the wildcard. Route parameters before it, as in
// "/:tenant/engine.io/*any", stand for any single segment. Whatever Gin's routing options let through,
// requests are answered with 404 unless they spell out the mount path, without percent-encoding.
// Without a pattern, as a NoRoute handler, the endpoint serves eiohttp.DefaultPath and leaves all other
// requests alone.
//
// If several options are given, only the first counts. The handler may be used concurrently and for
// several routes.
func Handler(srv *core.Server, options ...Options) gin.HandlerFunc {
	var o Options
	if len(options) > 0 {
		o = options[0]
	}
	handler := eiohttp.Handler(srv)
	return func(c *gin.Context) {
		pattern := c.FullPath()
		switch {
		case core.ServesRoute(cmp.Or(pattern, eiohttp.DefaultPath), core.SentPath(c.Request.URL)):
			c.Abort()
			handler.ServeHTTP(writerFor(c), o.request(c))
		case pattern != "":
			c.Abort()
			c.String(http.StatusNotFound, "404 page not found") // as Gin itself answers
		}
	}
}

// Mount serves the path, with and without a trailing slash (neither redirects), and everything below
// it. In a group the path is relative to the group's. An empty path means eiohttp.DefaultPath.
func Mount(r gin.IRoutes, path string, srv *core.Server, options ...Options) {
	path = strings.Trim(cmp.Or(path, eiohttp.DefaultPath), "/")
	handler := Handler(srv, options...)
	group, _ := r.(interface{ BasePath() string })
	if path != "" {
		path = "/" + path
		r.Any(path, handler)
	} else if group != nil && group.BasePath() != "/" {
		r.Any("", handler)
	}
	r.Any(path+"/*any", handler)
}
