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

// serveQuick is serve with Listener.
func serveQuick(t *testing.T, handler http.Handler) string {
	server := httptest.NewUnstartedServer(handler)
	server.Listener = eiohttp.Listener(server.Listener)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

func TestMiddlewareSuite(t *testing.T) {
	adaptertest.Run(t, adaptertest.Framework{Name: "Middleware", Serve: func(t *testing.T, srv *core.Server) string {
		return serve(t, eiohttp.Middleware(srv, "")(http.HandlerFunc(app)))
	}})
}

func TestListenerSuite(t *testing.T) {
	adaptertest.Run(t, adaptertest.Framework{Name: "Listener", Serve: func(t *testing.T, srv *core.Server) string {
		return serveQuick(t, eiohttp.Middleware(srv, "")(http.HandlerFunc(app)))
	}})
}

func TestHandlerSuite(t *testing.T) {
	adaptertest.Run(t, adaptertest.Framework{Name: "Handler", RedirectsDoubleSlash: true, Serve: func(t *testing.T, srv *core.Server) string {
		mux := http.NewServeMux()
		mux.Handle("/engine.io", eiohttp.Handler(srv))
		mux.Handle("/engine.io/{rest...}", eiohttp.Handler(srv))
		mux.HandleFunc("/", app)
		return serve(t, mux)
	}})
}

func TestHandlerBelowPrefixes(t *testing.T) {
	srv := newServer(t, core.Config{})
	inner := http.NewServeMux()
	inner.Handle("GET /engine.io/", eiohttp.Handler(srv))
	mux := http.NewServeMux()
	mux.Handle("/a/", http.StripPrefix("/a", inner))
	mux.Handle("/b/", http.StripPrefix("/b", eiohttp.Handler(srv)))
	mux.Handle("/c/{tenant}/rt/{$}", eiohttp.Handler(srv))
	url := serve(t, mux)
	for path, status := range map[string]int{
		"/a/engine.io/": 200, "/b/engine.io/": 200, "/c/x/rt/": 200, "/a/%65ngine.io/": 404, "/%62/engine.io/": 404, "/c/x/r%74/": 404, "/c/%2f/rt/": 404,
	} {
		if got, _ := get(t, url+path+"?EIO=4&transport=polling"); got != status {
			t.Errorf("%s: %d", path, got)
		}
	}
}

func TestMountSuite(t *testing.T) {
	adaptertest.Run(t, adaptertest.Framework{Name: "Mount", RedirectsDoubleSlash: true, Serve: func(t *testing.T, srv *core.Server) string {
		mux := http.NewServeMux()
		eiohttp.Mount(mux, "/engine.io", srv)
		mux.HandleFunc("/", app)
		return serve(t, mux)
	}})
}
