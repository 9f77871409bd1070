package eiogin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	eiogin "github.com/goengineio/engineio/adapters/gin"
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
		own    bool // a route of one's own: Gin redirects where the slash is missing
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
					a := start(t, core.Config{}, func(srv *core.Server) http.Handler {
						m.mount(router, srv)
						return router
					})
					for _, path := range served {
						got := a.raw(m.prefix + path + handshake)
						if m.own && path == "/engine.io" {
							if got.Status == 200 {
								t.Errorf("%s: %d %s", path, got.Status, got.Body)
							}
							continue
						}
						a.sid(got)
						<-a.sockets
					}
					opened := a.srv.Len()
					for _, path := range notServed {
						got := a.raw(m.prefix + path + handshake)
						if s := got.Status; s != 404 && s != http.StatusTeapot && s != 301 || a.srv.Len() != opened {
							t.Errorf("%s: %d %s", path, got.Status, got.Body)
						}
					}
					for _, path := range []string{"/engine.iox", "/other"} {
						a.want(a.raw(m.prefix+path), http.StatusTeapot, "application")
					}
				})
			}
		})
	}
}

// What a parameter stands for is one segment that is what it seems to be.
func TestParameterSegments(t *testing.T) {
	a := start(t, core.Config{}, func(srv *core.Server) http.Handler {
		router := gin.New()
		router.UseRawPath = true
		eiogin.Mount(router, "/:a/:b/engine.io", srv)
		return router
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

func TestNoRoute(t *testing.T) {
	a := start(t, core.Config{}, func(srv *core.Server) http.Handler {
		router := gin.New()
		router.GET("/known", application)
		router.NoRoute(eiogin.Handler(srv))
		return router
	})
	s := a.open("/engine.io/")
	s.echo("4hello")
	a.want(s.do("POST", s.target, strings.Repeat("x", 2_000_000)), 413, "")
	a.want(a.raw("/known"), http.StatusTeapot, "application")
	a.want(a.raw("/unknown"), http.StatusNotFound, "404 page not found")
}

func TestEveryMethodReachesTheEndpoint(t *testing.T) {
	a := start(t, core.Config{}, func(srv *core.Server) http.Handler {
		router := gin.New()
		router.HandleMethodNotAllowed = true
		eiogin.Mount(router, "/engine.io", srv)
		return router
	})
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
		for _, path := range []string{"/engine.io", "/engine.io/"} {
			a.want(a.do(method, path+handshake, ""), 400, `{"code":2,"message":"Bad handshake method"}`)
		}
	}
}

// The wildcard's name is not optional: the doc comment says what happens otherwise.
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
