package integration_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goengineio/engineio/core"
)

// TestTLS has the official clients speak https and wss with examples/echo under every framework.
func TestTLS(t *testing.T) {
	clients := startNode(t)
	binary := buildEcho(t)
	for _, framework := range frameworks {
		addr := startEcho(t, binary, "-framework", framework.name, "-tls", "-allow-eio3")
		for _, version := range clientVersions {
			for _, mode := range modes {
				t.Run(fmt.Sprintf("%s/client %d/%s", framework.name, version, mode.name), func(t *testing.T) {
					client := clients.open(version, "https://"+addr, mode.transports)
					await(t, client.opened, "open")
					if mode.settled {
						wantUpgraded(t, client.peer)
					}
					large := core.Binary(everyByte(100_000))
					for _, m := range []core.Message{core.Text("hello"), large} {
						client.send(m)
						want(t, client.peer, m)
					}
					client.close()
					wantClosed(t, client.peer, "forced close")
				})
			}
		}
	}
}

// TestHTTP2 polls over HTTP/2, where there is no upgrade: it is refused, and polling goes on.
func TestHTTP2(t *testing.T) {
	binary := buildEcho(t)
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			addr := startEcho(t, binary, "-framework", framework.name, "-tls")
			transport := &http.Transport{
				ForceAttemptHTTP2: true,
				TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the test's own certificate
			}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: patience}
			major := 2
			if framework.name == "fiber" { // fasthttp speaks HTTP/1.1 only, and does not offer more
				major = 1
			}
			do := func(method, query, body string) (int, string) {
				t.Helper()
				r, err := http.NewRequestWithContext(t.Context(), method, "https://"+addr+"/engine.io/?EIO=4&"+query, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				res, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = res.Body.Close() }()
				data, _ := io.ReadAll(res.Body)
				if res.ProtoMajor != major {
					t.Errorf("the answer came over %s", res.Proto)
				}
				return res.StatusCode, string(data)
			}
			_, open := do(http.MethodGet, "transport=polling", "")
			_, rest, _ := strings.Cut(open, `"sid":"`)
			sid, _, _ := strings.Cut(rest, `"`)
			session := "transport=polling&sid=" + sid
			if status, body := do(http.MethodGet, "transport=websocket&sid="+sid, ""); status != 400 {
				t.Errorf("an upgrade: %d %s", status, body)
			}
			if status, body := do(http.MethodPost, session, "4hello"); status != 200 || body != "ok" {
				t.Errorf("POST: %d %s", status, body)
			}
			if status, body := do(http.MethodGet, session, ""); status != 200 || body != "4hello" {
				t.Errorf("poll: %d %s", status, body)
			}
		})
	}
}

// buildEcho builds examples/echo.
func buildEcho(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "echo")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../examples/echo").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// startEcho runs it until the test ends, and returns its address once it listens. What it writes
// on stderr fails the test, but for what clients bring about that break off a TLS handshake.
func startEcho(t *testing.T, binary string, flags ...string) (addr string) {
	t.Helper()
	addr = freeAddr(t)
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, append(flags, "-addr", addr)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait()
		for line := range strings.SplitSeq(complaints.String(), "\n") {
			if line != "" && !strings.Contains(line, "TLS handshake error") {
				t.Errorf("echo says: %s", line)
			}
		}
	})
	eventually(t, "echo listens", func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})
	return addr
}
