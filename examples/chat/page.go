package main

import (
	"bytes"
	"embed"
	"fmt"
	"net/http"
	"os"
	"path"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/goengineio/engineio/core"
	eioprom "github.com/goengineio/engineio/metrics/prometheus"
)

// clientBundle is where npm installs the official client, relative to the root of the repository.
const clientBundle = "examples/chat/node_modules/engine.io-client/dist/engine.io.esm.min.js"

//go:embed web
var web embed.FS

// newPage serves the chat's own files, the official client, which it reads from the file bundle, and the
// engine's figures: under /metrics for Prometheus, and plotted on the page /stats.
func newPage(engine *core.Server, bundle string) (http.Handler, error) {
	client, err := os.ReadFile(bundle)
	if err != nil {
		return nil, fmt.Errorf("the page needs engine.io-client: %w\n"+
			"install it with `npm ci --prefix examples/chat` and start from the root of the repository,\n"+
			"or name its engine.io.esm.min.js with -client", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", embedded("web/index.html"))
	mux.Handle("GET /app.js", embedded("web/app.js"))
	mux.Handle("GET /style.css", embedded("web/style.css"))
	mux.Handle("GET /engine.io-client.js", file("engine.io-client.js", client))
	mux.Handle("GET /stats", embedded("web/stats.html"))
	mux.Handle("GET /stats.js", embedded("web/stats.js"))
	mux.Handle("GET /stats.css", embedded("web/stats.css"))
	registry := prometheus.NewRegistry()
	if err := registry.Register(eioprom.NewCollector(engine, eioprom.Options{})); err != nil {
		return nil, err
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux, nil
}

func embedded(name string) http.Handler {
	content, err := web.ReadFile(name)
	if err != nil {
		panic(err) // the file is part of the binary
	}
	return file(path.Base(name), content)
}

// file serves content with headers that let the page run only its own scripts, even if others should be
// injected into it.
func file(name string, content []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src 'self' blob: data:")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	})
}
