package eioecho_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	eioecho "github.com/goengineio/engineio/adapters/echo"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/adaptertest"
)

func TestSuite(t *testing.T) {
	for name, mount := range map[string]func(*echo.Echo, *core.Server){
		"Mount":      func(e *echo.Echo, srv *core.Server) { eioecho.Mount(e, "/engine.io", srv) },
		"Middleware": func(e *echo.Echo, srv *core.Server) { e.Use(eioecho.Middleware(srv)) },
	} {
		t.Run(name, func(t *testing.T) {
			adaptertest.Run(t, adaptertest.Framework{Name: "echo", Serve: func(t *testing.T, srv *core.Server) string {
				e := newEcho(t)
				mount(e, srv)
				e.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, "application") })
				server := httptest.NewServer(e)
				t.Cleanup(server.Close)
				return server.URL
			}})
		})
	}
}
