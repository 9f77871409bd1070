package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/goengineio/engineio/core"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Fiber and fasthttp keep the time on goroutines that live as long as the process.
		goleak.IgnoreAnyFunction("github.com/gofiber/fiber/v2/utils.StartTimeStampUpdater.func1.1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// And a stopped server's worker pool notices with its next tick, after 10 s.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

func TestExitStatus(t *testing.T) {
	for _, test := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"help", []string{"-help"}, 0, "-framework"},
		{"unknown flag", []string{"-nonsense"}, 2, "-nonsense"},
		{"unknown framework", []string{"-framework", "rails"}, 2, "nethttp"},
		{"stray argument", []string{"8080"}, 2, "argument"},
		{"bad heartbeat", []string{"-ping-interval", "-1s"}, 2, "PingInterval"},
		{"client not installed", []string{"-client", "nowhere"}, 1, "npm ci --prefix examples/chat"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stderr strings.Builder
			if status := run(t.Context(), test.args, io.Discard, &stderr); status != test.status {
				t.Errorf("exit status %d, want %d", status, test.status)
			}
			if !strings.Contains(stderr.String(), test.says) {
				t.Errorf("said %q, want %q in it", stderr.String(), test.says)
			}
		})
	}
}

// TestRunUntilStopped starts the program under every framework and stops it again, while there is a session
// whose client has disappeared.
func TestRunUntilStopped(t *testing.T) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for framework := range frameworks {
		t.Run(framework, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			printed, stdout := io.Pipe()
			status := make(chan int)
			go func() {
				status <- run(ctx, []string{"-addr", "127.0.0.1:0", "-framework", framework, "-client", fakeBundle(t)}, stdout, os.Stderr)
			}()
			line := make([]byte, 200)
			n, err := printed.Read(line)
			address := regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(string(line[:n]))
			if err != nil || address == "" {
				t.Fatalf("printed %q, %v; want the address", line[:n], err)
			}
			opened, err := client.Get(address + "engine.io/?EIO=4&transport=polling")
			if err != nil || opened.StatusCode != http.StatusOK {
				t.Fatalf("opening a session: %v, %v", opened, err)
			}
			_ = opened.Body.Close()
			stop()
			if got := <-status; got != 0 {
				t.Errorf("exit status %d, want 0", got)
			}
		})
	}
}

func TestPage(t *testing.T) {
	engine, err := core.NewServer(core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	page, err := newPage(engine, fakeBundle(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path, contentType, content string
		status                     int
	}{
		{"/", "text/html", "<title>Chat", 200},
		{"/app.js", "text/javascript", "new Socket", 200},
		{"/style.css", "text/css", "#wire", 200},
		{"/engine.io-client.js", "text/javascript", "export", 200},
		{"/stats", "text/html", "<title>Figures", 200},
		{"/stats.js", "text/javascript", `fetch("metrics"`, 200},
		{"/stats.css", "text/css", "polyline", 200},
		{"/metrics", "text/plain", `engineio_sessions{revision="4",transport="polling"} 0`, 200},
		{"/room.go", "text/plain", "not found", 404},
	} {
		answer := httptest.NewRecorder()
		page.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, test.path, nil))
		if answer.Code != test.status ||
			!strings.HasPrefix(answer.Header().Get("Content-Type"), test.contentType) ||
			!strings.Contains(answer.Body.String(), test.content) {
			t.Errorf("GET %s: %d %s\n%s", test.path, answer.Code, answer.Header(), answer.Body)
		}
	}
}

func fakeBundle(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "engine.io.esm.min.js")
	if err := os.WriteFile(path, []byte("export class Socket {}"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
