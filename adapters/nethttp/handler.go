package eiohttp

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/fastws"
)

// DefaultPath is the path that clients use by default.
const DefaultPath = "/engine.io"

// Handler returns a handler that treats every request as one for Engine.IO. It is for routers that
// have already matched the path. It may be used concurrently and for several routes. An http.ServeMux
// matches decoded paths; of the requests it passes on, those whose path as sent does not spell out the
// route are answered with 404.
func Handler(srv *core.Server) http.Handler { return handler(srv) }

func handler(srv *core.Server) http.HandlerFunc {
	engine := fastws.New()
	limits := limitsOf(srv)
	return func(w http.ResponseWriter, r *http.Request) {
		if !spellsRoute(r) {
			http.NotFound(w, r)
			return
		}
		x := &exchange{w: w, r: r, limits: limits}
		srv.Serve(x, engine)
		h := x.hijacked
		if h == nil {
			return
		}
		// The stack frames of Serve are gone by now. On top of them, serve would make this goroutine's stack
		// grow. What lives as long as the connection gets a new goroutine, which starts with a small stack and
		// keeps nothing of the request alive.
		if rest := h.serve(h.conn, h.buffered); rest != nil {
			go rest()
		}
	}
}

// spellsRoute compares the path with the ServeMux pattern that matched, if there is one. The path is
// the one that was sent, or what http.StripPrefix has left of it.
func spellsRoute(r *http.Request) bool {
	if r.Pattern == "" {
		return true
	}
	_, route, _ := strings.Cut(r.Pattern, "/") // method and host come before
	route = "/" + route
	if strings.Contains(route, "{") {
		route = routeWithParameters(route)
	}
	if core.ServesRoute(route, core.SentPath(r.URL)) {
		return true
	}
	sent, _, _ := strings.Cut(r.RequestURI, "?")
	return core.ServesRoute(route, sent)
}

// routeWithParameters converts a ServeMux pattern to the form that core.ServesRoute expects.
func routeWithParameters(pattern string) string {
	segments := strings.Split(pattern, "/")
	for i, segment := range segments {
		name, isWildcard := strings.CutPrefix(segment, "{")
		switch {
		case segment == "{$}":
			segments[i] = ""
		case strings.HasSuffix(segment, "...}"):
			segments[i] = "*"
		case isWildcard:
			segments[i] = ":" + strings.TrimSuffix(name, "}")
		}
	}
	return strings.Join(segments, "/")
}

// Mount serves the path, with and without a trailing slash (neither redirects), and everything below
// it. An empty path means DefaultPath. The ServeMux itself redirects paths with double slashes or dot
// segments to clean ones before any handler sees them; Middleware does not. Mount panics if the path has
// wildcards: for patterns use mux.Handle with Handler.
func Mount(mux *http.ServeMux, path string, srv *core.Server) {
	if strings.Contains(path, "{") {
		panic(fmt.Sprintf("eiohttp: Mount takes a path, not the pattern %q; use Handler", path))
	}
	path = cleanPath(path)
	endpoint := only(path, handler(srv), http.NotFoundHandler())
	if path != "" {
		mux.Handle(path, endpoint)
	}
	mux.Handle(path+"/", endpoint)
}

// Middleware returns middleware that serves the path and everything below it and passes all other
// requests on. An empty path means DefaultPath.
func Middleware(srv *core.Server, path string) func(http.Handler) http.Handler {
	path = cleanPath(path)
	serve := handler(srv)
	return func(next http.Handler) http.Handler { return only(path, serve, next) }
}

// only passes requests that belong to path to serve, and all others to next.
func only(path string, serve http.HandlerFunc, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if belongs(path, r) {
			serve(w, r)
		} else {
			next.ServeHTTP(w, r)
		}
	})
}

// belongs reports whether a request is for path or something below it. It is not inlined, so that only has
// a small stack frame, see core.Keep.
//
//go:noinline
func belongs(path string, r *http.Request) bool { return core.ServesPath(path, core.SentPath(r.URL)) }

// cleanPath returns the path with a leading and without a trailing slash.
func cleanPath(path string) string {
	if path == "" {
		path = DefaultPath
	}
	return strings.TrimRight("/"+strings.TrimLeft(path, "/"), "/")
}
