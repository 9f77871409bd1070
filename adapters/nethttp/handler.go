package eiohttp

import (
	"net/http"
	"strings"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/fastws"
)

// DefaultPath is where clients look for the endpoint unless told otherwise.
const DefaultPath = "/engine.io"

// Handler returns a handler that takes every request it is given for Engine.IO. It is for routers
// that have decided about the path already; it may be used concurrently and for several routes.
func Handler(srv *core.Server) http.Handler {
	engine := fastws.New()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		srv.Serve(&exchange{w: w, r: r}, engine)
	})
}

// Mount serves the path, with and without trailing slash and without a redirect, and everything
// below it. An empty path means DefaultPath. The ServeMux itself redirects paths with double slashes
// or dot segments to clean ones before any handler sees them; Middleware does not.
func Mount(mux *http.ServeMux, path string, srv *core.Server) {
	path = cleanPath(path)
	handler := only(path, Handler(srv), http.NotFoundHandler())
	if path != "" {
		mux.Handle(path, handler)
	}
	mux.Handle(path+"/", handler)
}

// Middleware returns a middleware that serves the path and everything below it and hands all other
// requests on. An empty path means DefaultPath.
func Middleware(srv *core.Server, path string) func(http.Handler) http.Handler {
	path = cleanPath(path)
	handler := Handler(srv)
	return func(next http.Handler) http.Handler { return only(path, handler, next) }
}

// only sends what belongs to path to handler, and the rest to next.
func only(path string, handler, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if core.ServesPath(path, r.URL.EscapedPath()) {
			handler.ServeHTTP(w, r)
		} else {
			next.ServeHTTP(w, r)
		}
	})
}

// cleanPath returns the path with a leading and without a trailing slash.
func cleanPath(path string) string {
	if path == "" {
		path = DefaultPath
	}
	return strings.TrimRight("/"+strings.TrimLeft(path, "/"), "/")
}
