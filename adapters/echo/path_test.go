package eioecho_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	eioecho "github.com/goengineio/engineio/adapters/echo"
	"github.com/goengineio/engineio/core"
)

// The path forms of issue 3, for an endpoint at /engine.io.
var (
	served = []string{"/engine.io", "/engine.io/", "/engine.io/x", "/engine.io/x/y", "/engine.io//"}

	notServed = []string{
		"/engine.iox", "/ENGINE.IO/", "/engine.i", "/other", "/",
		"/%65ngine.io/", "/engine%2Eio/", "/engine.io%2F", "/engine.io%2Fx", "/%2Fengine.io/",
		`/%65ngine.io/"`, "/engine%2eio/|", "/engine.io%2Fx/^", // what EscapedPath re-encodes
		"//engine.io/", "///engine.io/", "/./engine.io/", "/x/../engine.io/", "/x/%2e%2e/engine.io/",
		"/engine.io/..", "/engine.io/../", "/engine.io/.", "/engine.io/x/../../", "/engine.io/%2e%2E/", "/engine.io/.%2e",
	}
)

// application answers what does not belong to the endpoint.
func application(c echo.Context) error { return c.String(http.StatusTeapot, "application") }

func TestPaths(t *testing.T) {
	mounts := map[string]struct {
		mount  func(*echo.Echo, *core.Server)
		prefix string
		own    bool // a route of one's own, to which the path without a slash does not belong
		closed bool // foreign paths below the prefix get Echo's own 404
	}{
		"Mount":   {func(e *echo.Echo, srv *core.Server) { eioecho.Mount(e, "/engine.io", srv) }, "", false, false},
		"Handler": {func(e *echo.Echo, srv *core.Server) { e.Any("/engine.io/*", eioecho.Handler(srv)) }, "", true, false},
		"Handler, no slash": {func(e *echo.Echo, srv *core.Server) {
			e.Any("/engine.io*", eioecho.Handler(srv))
		}, "", false, false},
		"group": {func(e *echo.Echo, srv *core.Server) {
			eioecho.Mount(e.Group("/api/v1", nothing), "/engine.io/", srv)
		}, "/api/v1", false, true},
		"group at the path": {func(e *echo.Echo, srv *core.Server) { eioecho.Mount(e.Group("/engine.io"), "/", srv) }, "", false, false},
		"default path":      {func(e *echo.Echo, srv *core.Server) { eioecho.Mount(e, "", srv) }, "", false, false},
		"parameter":         {func(e *echo.Echo, srv *core.Server) { eioecho.Mount(e, "/:tenant/engine.io", srv) }, "/acme", false, false},
		"Handler, parameters": {func(e *echo.Echo, srv *core.Server) {
			e.Any("/:tenant/v:version/engine.io/*", eioecho.Handler(srv))
		}, "/acme/v2", true, false},
		"Use": {func(e *echo.Echo, srv *core.Server) { e.Use(eioecho.Middleware(srv)) }, "", false, false},
		"Pre": {func(e *echo.Echo, srv *core.Server) { e.Pre(eioecho.Middleware(srv)) }, "", false, false},
		"Use, path": {func(e *echo.Echo, srv *core.Server) {
			e.Use(eioecho.MiddlewareWithConfig(srv, eioecho.Config{Path: "api/v1/engine.io/"}))
		}, "/api/v1", false, false},
		"group's Use": {func(e *echo.Echo, srv *core.Server) {
			e.Group("/api/v1").Use(eioecho.MiddlewareWithConfig(srv, eioecho.Config{Path: "/api/v1/engine.io"}))
		}, "/api/v1", false, true},
	}
	fronts := map[string]echo.MiddlewareFunc{
		"nothing in front":    nothing,
		"RemoveTrailingSlash": middleware.RemoveTrailingSlash(),
		"AddTrailingSlash":    middleware.AddTrailingSlash(),
	}
	for name, m := range mounts {
		for front, pre := range fronts {
			t.Run(name+"/"+front, func(t *testing.T) {
				t.Parallel()
				a := start(t, core.Config{}, func(srv *core.Server) http.Handler {
					e := newEcho(t)
					e.Pre(pre)
					m.mount(e, srv)
					e.RouteNotFound("/*", application)
					return e
				})
				for _, path := range served {
					got := a.raw(m.prefix + path + handshake)
					if m.own && got.Status != 200 && strings.TrimSuffix(path, "/") == "/engine.io" {
						continue
					}
					a.sid(got)
					<-a.sockets
				}
				opened := a.srv.Len()
				for _, path := range notServed {
					got := a.raw(m.prefix + path + handshake)
					if s := got.Status; s != http.StatusNotFound && s != http.StatusTeapot || a.srv.Len() != opened {
						t.Errorf("%s: %d %s", path, got.Status, got.Body)
					}
				}
				if got := a.raw(m.prefix + "/foreign"); (got.Status == http.StatusTeapot) == m.closed {
					t.Errorf("foreign path: %d %s", got.Status, got.Body)
				}
			})
		}
	}
}

func nothing(next echo.HandlerFunc) echo.HandlerFunc { return next }

// What a parameter stands for is one segment that is what it seems to be.
func TestParameterSegments(t *testing.T) {
	a := start(t, core.Config{}, func(srv *core.Server) http.Handler {
		e := newEcho(t)
		eioecho.Mount(e, "/:a/:b/engine.io", srv)
		return e
	})
	for path, want := range map[string]bool{
		"/x/y/engine.io/":          true,
		"/x/y/engine.io":           true,
		"/caf%C3%A9/y/engine.io/z": true,
		"/x/y/engine.iox/":         false,
		"/x/../engine.io/":         false,
		"/./y/engine.io/":          false,
		"/x/%2e%2E/engine.io/":     false,
		"/x%2Fy/z/engine.io/":      false,
		"/x/y/engine%2Eio/":        false,
		"//y/engine.io/":           false,
		"/x//engine.io/":           false,
		"/x/engine.io/":            false,
		"/y/engine.io/../":         false,
		"/x/y/engine.io/..":        false,
	} {
		if got := a.raw(path + handshake); (got.Status == 200) != want {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
}

func TestSkipper(t *testing.T) {
	a := start(t, core.Config{}, func(srv *core.Server) http.Handler {
		e := newEcho(t)
		var skipper middleware.Skipper = func(c echo.Context) bool { return c.QueryParam("skip") != "" }
		e.Use(eioecho.MiddlewareWithConfig(srv, eioecho.Config{Skipper: skipper}))
		e.GET("/engine.io/", application)
		return e
	})
	a.open("/engine.io/").echo("4hello")
	a.want(a.raw("/engine.io/"+handshake+"&skip=1"), http.StatusTeapot, "application")
	a.want(a.raw("/other"), http.StatusNotFound, `{"message":"Not Found"}`+"\n")
}

func TestEveryMethodReachesTheEndpoint(t *testing.T) {
	a := start(t, core.Config{}, func(srv *core.Server) http.Handler {
		e := newEcho(t)
		eioecho.Mount(e, "/engine.io", srv)
		return e
	})
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "REPORT"} {
		for _, path := range []string{"/engine.io", "/engine.io/"} {
			a.want(a.do(method, path+handshake, ""), 400, `{"code":2,"message":"Bad handshake method"}`)
		}
	}
}
