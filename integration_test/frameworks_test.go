package integration_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

// frameworks are the web frameworks every test of this package runs under. Each serves the engine at
// /engine.io/ on a free loopback port, the way its users would, until the test ends, and returns
// the address as http://host:port.
var frameworks = []struct {
	name  string
	serve func(t *testing.T, engine *core.Server) (url string)
}{
	{"nethttp", func(t *testing.T, engine *core.Server) string {
		mux := http.NewServeMux()
		eiohttp.Mount(mux, "/engine.io", engine)
		return serveHandler(t, mux)
	}},
}

// serveHandler is for all frameworks that are an http.Handler.
func serveHandler(t *testing.T, handler http.Handler) (url string) {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// newServer starts an engine under a framework. When the test ends its sessions are closed.
func newServer(t *testing.T, serve func(*testing.T, *core.Server) string, cfg core.Config) (*core.Server, string) {
	t.Helper()
	engine, err := core.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	url := serve(t, engine)
	t.Cleanup(engine.Close)
	return engine, url
}

func closeAll(engine *core.Server) {
	for s := range engine.All() {
		s.CloseNow()
	}
}
