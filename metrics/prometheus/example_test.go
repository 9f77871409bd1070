package eioprom_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/goengineio/engineio/core"
	eioprom "github.com/goengineio/engineio/metrics/prometheus"
)

// Serves the figures of a server under /metrics, with a label that distinguishes it from other servers of
// the process.
func ExampleNewCollector() {
	srv, err := core.NewServer(core.Config{})
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	registry := prometheus.NewRegistry()
	registry.MustRegister(eioprom.NewCollector(srv, eioprom.Options{
		ConstLabels: prometheus.Labels{"server": "chat"},
	}))
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "engineio_sessions{") {
			fmt.Println(lines.Text())
		}
	}
	// Output:
	// engineio_sessions{revision="3",server="chat",transport="polling"} 0
	// engineio_sessions{revision="3",server="chat",transport="websocket"} 0
	// engineio_sessions{revision="4",server="chat",transport="polling"} 0
	// engineio_sessions{revision="4",server="chat",transport="websocket"} 0
}
