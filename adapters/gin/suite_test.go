package eiogin_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	eiogin "github.com/goengineio/engineio/adapters/gin"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/adaptertest"
)

func TestSuite(t *testing.T) {
	adaptertest.Run(t, adaptertest.Framework{Name: "gin", Serve: func(t *testing.T, srv *core.Server) string {
		router := gin.New()
		router.Use(gin.Logger(), gin.Recovery())
		eiogin.Mount(router, "/engine.io", srv)
		router.GET("/", func(c *gin.Context) { c.String(http.StatusOK, "application") })
		server := httptest.NewServer(router)
		t.Cleanup(server.Close)
		return server.URL
	}})
}
