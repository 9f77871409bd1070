package eiogin

import (
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/goengineio/engineio/core"
)

// Without options there is no overhead: request and writer are passed on as they are, even if the wildcard
// has a value.
func TestNothingToAdd(t *testing.T) {
	router := gin.New()
	called := false
	router.GET("/engine.io/*any", func(c *gin.Context) {
		called = true
		var o Options
		if o.request(c) != c.Request {
			t.Error("the request was copied")
		}
		if writerFor(c) != c.Writer {
			t.Error("the writer was wrapped")
		}
		if n := testing.AllocsPerRun(100, func() {
			core.ServesRoute(c.FullPath(), core.SentPath(c.Request.URL))
			o.request(c)
			writerFor(c)
		}); n != 0 {
			t.Error(n, "allocations")
		}
	})
	router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/engine.io/", nil))
	if !called {
		t.Error("not routed")
	}
}
