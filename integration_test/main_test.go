// Package integration_test runs the library as its users do: every adapter against the official
// JavaScript clients in Node.js, and the chat in a real browser.
//
// What is not installed is skipped, and the skip says so; with EIO_REQUIRE_ALL=1 it fails instead.
package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/goleak"
)

// patience bounds every wait for something that should happen soon. It is long, because a busy
// machine is no defect; no test takes that long unless it fails.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	goleak.VerifyTestMain(m,
		// Fiber and fasthttp keep the time of day on goroutines that live as long as the process.
		goleak.IgnoreAnyFunction("github.com/gofiber/fiber/v2/utils.StartTimeStampUpdater.func1.1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// And a stopped server's worker pool notices with its next tick, after 10 s.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

// requireNode returns the path of Node.js once the packages of js/ are installed.
func requireNode(t *testing.T) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "Node.js", "install it")
	}
	requireFile(t, "js/node_modules/eioc6/package.json", "npm ci --prefix integration_test/js")
	return node
}

// requireBrowser returns the path of a Chromium or Chrome: CHROME_BIN, or the first one in PATH.
func requireBrowser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROME_BIN"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, "a browser", "install Chromium, or set CHROME_BIN")
	return ""
}

func requireFile(t *testing.T, path, remedy string) {
	t.Helper()
	if _, err := os.Stat(filepath.FromSlash(path)); err != nil {
		missing(t, path, remedy)
	}
}

func missing(t *testing.T, what, remedy string) {
	t.Helper()
	if os.Getenv("EIO_REQUIRE_ALL") == "1" {
		t.Fatalf("%s is missing: %s", what, remedy)
	}
	t.Skipf("skipped: %s is missing: %s", what, remedy)
}

// await returns the next value of c.
func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v, open := <-c:
		if !open {
			t.Fatalf("no %s: the other side is gone", what)
		}
		return v
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
	}
	panic("unreachable")
}

// eventually returns as soon as the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(patience); !condition(); <-look.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
