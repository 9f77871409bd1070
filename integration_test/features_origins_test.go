package integration_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rs/cors"

	"github.com/goengineio/engineio/core"
)

func TestCORSAndPreflight(t *testing.T) {
	const origin = "https://app.example.com"
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		preflight := http.Header{
			"Origin": {origin}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"x-token"},
		}
		b := start(core.Config{})
		if a := b.do(http.MethodGet, poll4, "", http.Header{"Origin": {origin}}); a.status != http.StatusOK || a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("without CORS: %d %v", a.status, a.header)
		}
		if a := b.do(http.MethodOptions, poll4, "", preflight); a.status != http.StatusBadRequest {
			t.Errorf("preflight without CORS: %d", a.status)
		}
		await(t, b.sockets, "socket")
		b.wantTold(core.BadHandshakeMethod, "Bad handshake method", "")

		b = start(core.Config{CORS: &cors.Options{AllowedOrigins: []string{origin}, AllowCredentials: true, AllowedMethods: []string{"GET", "POST"}}})
		a := b.do(http.MethodOptions, poll4, "", preflight)
		if a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Origin") != origin ||
			a.header.Get("Access-Control-Allow-Credentials") != "true" || a.header.Get("Access-Control-Allow-Headers") != "x-token" ||
			a.header.Get("Access-Control-Allow-Methods") != "POST" {
			t.Errorf("preflight: %d %v", a.status, a.header)
		}
		for query, status := range map[string]int{poll4: http.StatusOK, "transport=none": http.StatusBadRequest} { // errors too
			a = b.do(http.MethodGet, query, "", http.Header{"Origin": {origin}})
			if a.status != status || a.header.Get("Access-Control-Allow-Origin") != origin || a.header.Get("Access-Control-Allow-Credentials") != "true" {
				t.Errorf("%s: %d %v", query, a.status, a.header)
			}
		}
		if a = b.do(http.MethodGet, poll4, "", http.Header{"Origin": {"https://other.example.com"}}); a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("another origin: %v", a.header)
		}

		b = start(core.Config{CORS: &cors.Options{AllowedOrigins: []string{origin}, OptionsPassthrough: true}})
		if a = b.do(http.MethodOptions, poll4, "", preflight); a.status != http.StatusBadRequest || a.header.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("handed on: %d %v", a.status, a.header)
		}
	})
}

// TestPreflightByHand: an application that answers preflight requests itself.
func TestPreflightByHand(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{})
		b.engine.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Access-Control-Allow-Origin", "https://app.example.com")
				if r.Method == http.MethodOptions {
					w.WriteHeader(http.StatusNoContent)
					return
				}
				next.ServeHTTP(w, r)
			})
		})
		for method, status := range map[string]int{http.MethodOptions: http.StatusNoContent, http.MethodGet: http.StatusOK} {
			a := b.do(method, poll4, "", http.Header{"Origin": {"https://app.example.com"}, "Access-Control-Request-Method": {"GET"}})
			if a.status != status || a.header.Get("Access-Control-Allow-Origin") != "https://app.example.com" {
				t.Errorf("%s: %d %v", method, a.status, a.header)
			}
		}
	})
}

func TestOriginOfWebSockets(t *testing.T) {
	foreign := http.Header{"Origin": {"https://app.example.com"}}
	allowed := &cors.Options{AllowedOrigins: foreign["Origin"]}
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		for _, tt := range []struct {
			name   string
			cfg    core.Config
			status int
		}{
			{"foreign", core.Config{}, http.StatusBadRequest},
			{"allowed by CORS", core.Config{CORS: allowed}, http.StatusSwitchingProtocols},
			{"any", core.Config{AllowAnyOrigin: true}, http.StatusSwitchingProtocols},
		} {
			b := start(tt.cfg)
			if _, a := b.dial(ws4, foreign); a.status != tt.status {
				t.Errorf("%s: %d %s", tt.name, a.status, a.body)
			}
			if _, a := b.dial(ws4, http.Header{"Origin": {strings.TrimSuffix(b.url, "/engine.io/")}}); a.status != http.StatusSwitchingProtocols {
				t.Errorf("%s, own origin: %d %s", tt.name, a.status, a.body)
			}
		}
	})
}
