package eioecho

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/goengineio/engineio/core"
)

// Without options there is no overhead: the request is passed on as it is, even if the wildcard has a
// value, and wrapping the response allocates nothing.
func TestNothingToAdd(t *testing.T) {
	e := echo.New()
	called := false
	e.GET("/engine.io/*", func(c echo.Context) error {
		called = true
		var o Options
		if o.request(c) != c.Request() {
			t.Error("the request was copied")
		}
		var w http.ResponseWriter
		if n := testing.AllocsPerRun(100, func() {
			core.ServesRoute(c.Path(), core.SentPath(c.Request().URL))
			o.request(c)
			w = response{c.Response()}
		}); n != 0 {
			t.Error(n, "allocations")
		}
		return c.String(http.StatusOK, w.Header().Get("Vary"))
	})
	r := httptest.NewRequest("GET", "/engine.io/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	e.ServeHTTP(httptest.NewRecorder(), r)
	if !called {
		t.Error("not routed")
	}
}
