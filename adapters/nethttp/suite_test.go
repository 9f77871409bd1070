package eiohttp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/adaptertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func app(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("app")) }

func serve(t *testing.T, handler http.Handler) string {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func TestMiddlewareSuite(t *testing.T) {
	adaptertest.Run(t, adaptertest.Framework{Name: "Middleware", Serve: func(t *testing.T, srv *core.Server) string {
		return serve(t, eiohttp.Middleware(srv, "")(http.HandlerFunc(app)))
	}})
}

func TestMountSuite(t *testing.T) {
	adaptertest.Run(t, adaptertest.Framework{Name: "Mount", RedirectsDoubleSlash: true, Serve: func(t *testing.T, srv *core.Server) string {
		mux := http.NewServeMux()
		eiohttp.Mount(mux, "/engine.io", srv)
		mux.HandleFunc("/", app)
		return serve(t, mux)
	}})
}
