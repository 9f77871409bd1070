package eioecho_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	eioecho "github.com/goengineio/engineio/adapters/echo"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/adaptertest"
)

// application answers requests that are not for the endpoint.
func application(c echo.Context) error { return c.String(http.StatusTeapot, "application") }

func TestPaths(t *testing.T) {
	mounts := map[string]struct {
		mount  func(*echo.Echo, *core.Server)
		prefix string
		own    bool // the application's own route, which does not match the path without a slash
		closed bool // other paths below the prefix get Echo's own 404
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
				a := adaptertest.Start(t, core.Config{}, func(srv *core.Server) http.Handler {
					e := newEcho(t)
					e.Pre(pre)
					m.mount(e, srv)
					e.RouteNotFound("/*", application)
					return e
				})
				a.WantPaths(m.prefix, func(path string, got adaptertest.Answer) bool {
					return m.own && got.Status != 200 && strings.TrimSuffix(path, "/") == "/engine.io"
				}, http.StatusNotFound, http.StatusTeapot)
				if got := a.Raw(m.prefix + "/foreign"); (got.Status == http.StatusTeapot) == m.closed {
					t.Errorf("foreign path: %d %s", got.Status, got.Body)
				}
			})
		}
	}
}

func nothing(next echo.HandlerFunc) echo.HandlerFunc { return next }

func TestParameterSegments(t *testing.T) {
	adaptertest.TestParameters(t, func(srv *core.Server) http.Handler {
		e := newEcho(t)
		eioecho.Mount(e, "/:a/:b/engine.io", srv)
		return e
	})
}

func TestSkipper(t *testing.T) {
	a := adaptertest.Start(t, core.Config{}, func(srv *core.Server) http.Handler {
		e := newEcho(t)
		var skipper middleware.Skipper = func(c echo.Context) bool { return c.QueryParam("skip") != "" }
		e.Use(eioecho.MiddlewareWithConfig(srv, eioecho.Config{Skipper: skipper}))
		e.GET("/engine.io/", application)
		return e
	})
	a.Open("/engine.io/").Echo("4hello")
	a.Want(a.Raw("/engine.io/"+adaptertest.Handshake+"&skip=1"), http.StatusTeapot, "application")
	a.Want(a.Raw("/other"), http.StatusNotFound, `{"message":"Not Found"}`+"\n")
}

func TestEveryMethodReachesTheEndpoint(t *testing.T) {
	adaptertest.TestMethods(t, func(srv *core.Server) http.Handler {
		e := newEcho(t)
		eioecho.Mount(e, "/engine.io", srv)
		return e
	}, "REPORT")
}
