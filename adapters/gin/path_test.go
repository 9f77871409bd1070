package eiogin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	eiogin "github.com/goengineio/engineio/adapters/gin"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/adaptertest"
)

// application answers requests that are not for the endpoint.
func application(c *gin.Context) { c.String(http.StatusTeapot, "application") }

// routers is every combination of Gin's routing options.
func routers() map[string]*gin.Engine {
	options := []struct {
		name string
		set  func(*gin.Engine)
	}{
		{"RedirectTrailingSlash", func(e *gin.Engine) { e.RedirectTrailingSlash = false }}, // on by default
		{"RedirectFixedPath", func(e *gin.Engine) { e.RedirectFixedPath = true }},
		{"UseRawPath", func(e *gin.Engine) { e.UseRawPath = true }},
		{"UseEscapedPath", func(e *gin.Engine) { e.UseEscapedPath = true }},
		{"UnescapePathValues", func(e *gin.Engine) { e.UnescapePathValues = false }}, // on by default
		{"RemoveExtraSlash", func(e *gin.Engine) { e.RemoveExtraSlash = true }},
	}
	all := make(map[string]*gin.Engine)
	for bits := range 1 << len(options) {
		router, names := gin.New(), []string{"not the default:"}
		for i, o := range options {
			if bits&(1<<i) != 0 {
				o.set(router)
				names = append(names, o.name)
			}
		}
		router.NoRoute(application)
		all[strings.Join(names, " ")] = router
	}
	return all
}

func TestPaths(t *testing.T) {
	mounts := map[string]struct {
		mount  func(*gin.Engine, *core.Server)
		prefix string
		own    bool // the application's own route: Gin redirects if the slash is missing
	}{
		"Mount":             {func(r *gin.Engine, srv *core.Server) { eiogin.Mount(r, "/engine.io", srv) }, "", false},
		"Handler":           {func(r *gin.Engine, srv *core.Server) { r.Any("/engine.io/*any", eiogin.Handler(srv)) }, "", true},
		"group":             {func(r *gin.Engine, srv *core.Server) { eiogin.Mount(r.Group("/api/v1"), "/engine.io/", srv) }, "/api/v1", false},
		"group at the path": {func(r *gin.Engine, srv *core.Server) { eiogin.Mount(r.Group("/engine.io"), "/", srv) }, "", false},
		"default path":      {func(r *gin.Engine, srv *core.Server) { eiogin.Mount(r, "", srv) }, "", false},
		"parameter":         {func(r *gin.Engine, srv *core.Server) { eiogin.Mount(r, "/:tenant/engine.io", srv) }, "/acme", false},
		"Handler, parameters": {func(r *gin.Engine, srv *core.Server) {
			r.Any("/:tenant/v:version/engine.io/*any", eiogin.Handler(srv))
		}, "/acme/v2", true},
	}
	for name, m := range mounts {
		t.Run(name, func(t *testing.T) {
			for options, router := range routers() {
				t.Run(options, func(t *testing.T) {
					t.Parallel()
					a := adaptertest.Start(t, core.Config{}, func(srv *core.Server) http.Handler {
						m.mount(router, srv)
						return router
					})
					a.WantPaths(m.prefix, func(path string, got adaptertest.Answer) bool {
						if !m.own || path != "/engine.io" {
							return false
						}
						if got.Status == 200 {
							t.Errorf("%s: %d %s", path, got.Status, got.Body)
						}
						return true
					}, http.StatusNotFound, http.StatusTeapot, http.StatusMovedPermanently)
					for _, path := range []string{"/engine.iox", "/other"} {
						a.Want(a.Raw(m.prefix+path), http.StatusTeapot, "application")
					}
				})
			}
		})
	}
}

func TestParameterSegments(t *testing.T) {
	adaptertest.TestParameters(t, func(srv *core.Server) http.Handler {
		router := gin.New()
		router.UseRawPath = true
		eiogin.Mount(router, "/:a/:b/engine.io", srv)
		return router
	})
}

func TestNoRoute(t *testing.T) {
	a := adaptertest.Start(t, core.Config{}, func(srv *core.Server) http.Handler {
		router := gin.New()
		router.GET("/known", application)
		router.NoRoute(eiogin.Handler(srv))
		return router
	})
	s := a.Open("/engine.io/")
	s.Echo("4hello")
	a.Want(s.Do("POST", s.Target, strings.Repeat("x", 2_000_000)), 413, "")
	a.Want(a.Raw("/known"), http.StatusTeapot, "application")
	a.Want(a.Raw("/unknown"), http.StatusNotFound, "404 page not found")
}

func TestEveryMethodReachesTheEndpoint(t *testing.T) {
	adaptertest.TestMethods(t, func(srv *core.Server) http.Handler {
		router := gin.New()
		router.HandleMethodNotAllowed = true
		eiogin.Mount(router, "/engine.io", srv)
		return router
	})
}

// The wildcard must have a name: the doc comment of Handler says what happens without one.
func TestUnnamedWildcard(t *testing.T) {
	srv, err := core.NewServer(core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	gin.New().Any("/engine.io/*", eiogin.Handler(srv))
}
