package integration_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fasthttp/websocket"
)

// TestQuickstarts builds and runs the smallest servers and has each echo a message.
func TestQuickstarts(t *testing.T) {
	for _, fw := range frameworks {
		t.Run(fw.name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "quickstart")
			output, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../examples/quickstart/"+fw.name).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			addr := freeAddr(t)
			ctx, stop := context.WithCancel(t.Context())
			cmd := exec.CommandContext(ctx, program, "-addr", addr)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				stop()
				_ = cmd.Wait()
			})
			eventually(t, "the server listens", func() bool {
				conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
				if err != nil {
					return false
				}
				_ = conn.Close()
				return true
			})
			if body := fetch(t, "http://"+addr+"/engine.io/?EIO=4&transport=polling"); !strings.HasPrefix(body, `0{"sid"`) {
				t.Errorf("polling: %s", body)
			}
			ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+addr+"/engine.io/?EIO=4&transport=websocket", nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			defer func() { _ = ws.Close() }()
			if err := ws.WriteMessage(websocket.TextMessage, []byte("4hello")); err != nil {
				t.Fatal(err)
			}
			var got []byte
			for string(got) != "4hello" {
				if _, got, err = ws.ReadMessage(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// freeAddr returns an address nobody listens on; nobody else is likely to take it meanwhile.
func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
