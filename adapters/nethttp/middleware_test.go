package eiohttp_test

import (
	"compress/gzip"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/klauspost/compress/gzhttp"
	"github.com/rs/cors"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

// statusWriter is a writer such as most loggers put in front of a handler.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// TestMiddleware runs a client through middleware that users may have in front.
func TestMiddleware(t *testing.T) {
	const origin = "http://a.example"
	for _, m := range []struct {
		name string
		wrap func(http.Handler) http.Handler
		// What the client notices of the middleware:
		allowOrigin, encoding string
		noUpgrade             string // the type in the way
	}{
		{name: "none", wrap: func(next http.Handler) http.Handler { return next }, encoding: "gzip"},
		{name: "logger", wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(&statusWriter{ResponseWriter: w}, r)
			})
		}, encoding: "gzip"},
		{name: "recovery", wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() {
					if recover() != nil {
						w.WriteHeader(http.StatusInternalServerError)
					}
				}()
				next.ServeHTTP(w, r)
			})
		}, encoding: "gzip"},
		{name: "request id", wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Request-Id", "7")
				next.ServeHTTP(w, r)
			})
		}, encoding: "gzip"},
		{name: "gzip", wrap: func(next http.Handler) http.Handler { return gzhttp.GzipHandler(next) }, encoding: "gzip"},
		{name: "rs/cors", wrap: cors.New(cors.Options{AllowedOrigins: []string{origin}}).Handler, allowOrigin: origin, encoding: "gzip"},
		{name: "http.TimeoutHandler", wrap: func(next http.Handler) http.Handler {
			return http.TimeoutHandler(next, time.Second, "too late")
		}, encoding: "gzip", noUpgrade: "*http.timeoutWriter"},
	} {
		t.Run(m.name, func(t *testing.T) {
			var complaints, logged safeBuffer
			srv := newServer(t, core.Config{
				AllowAnyOrigin: true,
				Logger:         slog.New(slog.NewTextHandler(&logged, nil)),
				OnConnection:   func(s *core.Socket) { s.OnMessage(func(m core.Message) { _ = s.Send(m) }) },
			})
			server := httptest.NewUnstartedServer(m.wrap(eiohttp.Handler(srv)))
			server.Config.ErrorLog = log.New(&complaints, "", 0)
			server.Start()
			defer server.Close()

			do := func(method, query, body string) (*http.Response, string) {
				t.Helper()
				r, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/engine.io/?EIO=4&"+query, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Origin", origin)
				r.Header.Set("Accept-Encoding", "gzip")
				res, err := (&http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = res.Body.Close() }()
				var reader io.Reader = res.Body
				if res.Header.Get("Content-Encoding") == "gzip" {
					if reader, err = gzip.NewReader(res.Body); err != nil {
						t.Fatal(err)
					}
				}
				data, err := io.ReadAll(reader)
				if err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(res.Header.Values("Access-Control-Allow-Origin"), ","); got != m.allowOrigin {
					t.Errorf("%s: Access-Control-Allow-Origin %q, want %q", method, got, m.allowOrigin)
				}
				return res, string(data)
			}
			_, open := do("GET", "transport=polling", "")
			session := "transport=polling&sid=" + sid(t, open)
			large := "4" + strings.Repeat("x", 5000)
			if res, body := do("POST", session, large); res.StatusCode != 200 || body != "ok" {
				t.Errorf("POST: %d %q", res.StatusCode, body)
			}
			if res, body := do("GET", session, ""); res.StatusCode != 200 || body != large || res.Header.Get("Content-Encoding") != m.encoding {
				t.Errorf("poll: %d %.20q %v", res.StatusCode, body, res.Header)
			}
			if res, body := do("GET", "transport=x", ""); res.StatusCode != 400 || body != `{"code":0,"message":"Transport unknown"}` {
				t.Errorf("error: %d %q", res.StatusCode, body)
			}
			if res, _ := do("OPTIONS", "transport=polling", ""); res.StatusCode >= 500 {
				t.Errorf("OPTIONS: %d", res.StatusCode)
			}
			if m.noUpgrade != "" { // a poll is answered before the time limit of the middleware
				if res, body := do("GET", session, ""); res.StatusCode != 200 || body != "6" {
					t.Errorf("waiting poll: %d %q", res.StatusCode, body)
				}
			}

			ws, res, err := websocket.DefaultDialer.DialContext(t.Context(),
				strings.Replace(server.URL, "http", "ws", 1)+"/engine.io/?EIO=4&transport=websocket&sid="+sid(t, open), http.Header{"Origin": {origin}})
			if res != nil {
				_ = res.Body.Close()
			}
			if m.noUpgrade != "" {
				if err == nil || res.StatusCode != 500 || !strings.Contains(logged.String(), m.noUpgrade) {
					t.Errorf("upgrade: %v %v, log %s", err, res, logged.String())
				}
				if res, body := do("POST", session, "4x"); res.StatusCode != 200 || body != "ok" {
					t.Errorf("POST after the upgrade: %d %q", res.StatusCode, body)
				}
			} else {
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = ws.Close() }()
				if m.name == "request id" && res.Header.Get("X-Request-Id") != "7" {
					t.Errorf("headers of the 101: %v", res.Header)
				}
				for _, exchange := range [][2]string{{"2probe", "3probe"}, {"5", ""}, {"4hello", "4hello"}} {
					_ = ws.WriteMessage(websocket.TextMessage, []byte(exchange[0]))
					if exchange[1] == "" {
						continue
					}
					if _, got, err := ws.ReadMessage(); err != nil || string(got) != exchange[1] {
						t.Fatalf("%q %v", got, err)
					}
				}
			}
			if text := complaints.String(); text != "" {
				t.Errorf("net/http complains: %s", text)
			}
		})
	}
}
