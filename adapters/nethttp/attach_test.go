package eiohttp_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

const (
	poll4 = "/engine.io/?EIO=4&transport=polling"
	// An opening handshake, except the path and the empty line.
	upgradeHeaders = " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	patience = 30 * time.Second
)

func newServer(t *testing.T, cfg core.Config) *core.Server {
	t.Helper()
	srv, err := core.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return srv
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}

func sid(t *testing.T, packet string) string {
	t.Helper()
	_, rest, ok := strings.Cut(packet, `0{"sid":"`)
	if !ok {
		t.Fatalf("open packet %q", packet)
	}
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

func dial(t *testing.T, addr, request string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, request)
	return conn, bufio.NewReader(conn)
}

func listen(t *testing.T, hs *http.Server) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = hs.Serve(listener) }()
	t.Cleanup(func() { _ = hs.Close() })
	return listener.Addr().String()
}

func TestAttach(t *testing.T) {
	srv := newServer(t, core.Config{})
	release := make(chan struct{})
	defer close(release)
	hs := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			<-release
			return
		}
		if r.URL.Path == "/slow" {
			time.Sleep(200 * time.Millisecond) // longer than ForeignUpgradeTimeout
		}
		_, _ = io.WriteString(w, "app")
	})}
	eiohttp.Attach(hs, srv, eiohttp.AttachOptions{Path: "/rt/", ForeignUpgradeTimeout: 50 * time.Millisecond})
	addr := listen(t, hs)

	for path, want := range map[string]string{"/rt/?EIO=4&transport=polling": "0{", "/rt?EIO=4&transport=polling": "0{", poll4: "app", "/rtx": "app"} {
		if status, body := get(t, "http://"+addr+path); status != 200 || !strings.HasPrefix(body, want) {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
	// Foreign upgrades: the connection is closed if no handler answers, and only then.
	_, r := dial(t, addr, "GET /hang"+upgradeHeaders+"\r\n")
	if data, err := io.ReadAll(r); err != nil || len(data) != 0 {
		t.Errorf("a foreign upgrade got %q %v", data, err)
	}
	_, r = dial(t, addr, "GET /x"+upgradeHeaders+"\r\n")
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 200 {
		t.Errorf("an answered foreign upgrade: %v %v", res, err)
	}

	// An upgrade to a protocol that the server does not know may be ignored.
	_, r = dial(t, addr, "GET /slow HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n")
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 200 {
		t.Errorf("a slow page for a client that offers h2c: %v %v", res, err)
	}

	// Shutdown of the HTTP server ends the sessions.
	_, body := get(t, "http://"+addr+"/rt/?EIO=4&transport=polling")
	polled := make(chan string, 1)
	go func() {
		_, r := dial(t, addr, "GET /rt/?EIO=4&transport=polling&sid="+sid(t, body)+" HTTP/1.1\r\nHost: x\r\n\r\n")
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			polled <- err.Error()
			return
		}
		data, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		polled <- string(data)
	}()
	time.Sleep(50 * time.Millisecond) // it cannot be seen from here when the poll waits
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() { _ = hs.Shutdown(ctx) }()
	if got := <-polled; got != "1" {
		t.Errorf("the waiting poll got %q", got)
	}
}

func TestMountTakesNoPatterns(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	eiohttp.Mount(http.NewServeMux(), "/t/{tenant}/rt", newServer(t, core.Config{}))
}

func TestListenAndServe(t *testing.T) {
	srv := newServer(t, core.Config{})
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	_ = listener.Close() // free now, and nobody else is likely to take it
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- eiohttp.ListenAndServe(ctx, addr, srv) }()
	for {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			_ = conn.Close()
			break
		}
	}
	if status, _ := get(t, "http://"+addr+"/engine.io/"); status != http.StatusBadRequest {
		t.Errorf("the endpoint: %d", status)
	}
	if status, _ := get(t, "http://"+addr+"/"); status != http.StatusNotImplemented {
		t.Errorf("another path: %d", status)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestLongPollsSurviveTheServersTimeouts(t *testing.T) {
	closed := make(chan core.CloseReason, 1)
	srv := newServer(t, core.Config{
		PingInterval: 600 * time.Millisecond,
		OnConnection: func(s *core.Socket) {
			s.OnClose(func(reason core.CloseReason, _ error) { closed <- reason })
		},
	})
	hidden := newServer(t, core.Config{})
	behind := eiohttp.Handler(hidden)
	mux := http.NewServeMux()
	mux.HandleFunc("/hidden/", func(w http.ResponseWriter, r *http.Request) { behind.ServeHTTP(bare{w}, r) })
	mux.Handle("/", eiohttp.Handler(srv))
	hs := &http.Server{
		Handler:      mux,
		ReadTimeout:  200 * time.Millisecond,
		WriteTimeout: 200 * time.Millisecond,
	}
	addr := listen(t, hs)
	_, body := get(t, "http://"+addr+poll4)
	if status, body := get(t, "http://"+addr+poll4+"&sid="+sid(t, body)); status != 200 || body != "2" {
		t.Errorf("%d %q", status, body)
	}
	select {
	case reason := <-closed:
		t.Errorf("closed: %s", reason)
	default:
	}

	// If the deadlines are out of reach, the poll is answered in time and the client polls again.
	const path = "/hidden/?EIO=4&transport=polling"
	_, body = get(t, "http://"+addr+path)
	for range 3 {
		if status, body := get(t, "http://"+addr+path+"&sid="+sid(t, body)); status != 200 || body != "6" {
			t.Errorf("hidden: %d %q", status, body)
		}
	}
}

// bare is a ResponseWriter without any other methods, as some middleware makes it.
type bare struct{ http.ResponseWriter }

func TestNotHijackable(t *testing.T) {
	var logged safeBuffer
	srv := newServer(t, core.Config{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	handler := eiohttp.Handler(srv)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(bare{w}, r)
	}))
	defer server.Close()
	addr := server.Listener.Addr().String()
	_, body := get(t, server.URL+poll4)
	query := "/engine.io/?EIO=4&transport=websocket&sid=" + sid(t, body)
	_, r := dial(t, addr, "GET "+query+upgradeHeaders+"\r\n")
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != 500 {
		t.Fatalf("%v %v", res, err)
	}
	_ = res.Body.Close()
	if !strings.Contains(logged.String(), "eiohttp_test.bare") {
		t.Errorf("the log does not name the type: %s", logged.String())
	}
	// The session goes on over polling.
	res2, err := http.Post(server.URL+poll4+"&sid="+sid(t, body), "text/plain", strings.NewReader("4x")) //nolint:noctx // a test
	if err != nil || res2.StatusCode != 200 {
		t.Errorf("%v %v", res2, err)
	}
	_ = res2.Body.Close()
}

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestContextValuesAndPathValuesReachTheApplication(t *testing.T) {
	type key struct{}
	got := make(chan string, 1)
	srv := newServer(t, core.Config{OnConnection: func(s *core.Socket) {
		r := s.Request()
		got <- fmt.Sprint(r.Context().Value(key{}), " ", r.PathValue("room"), " ", r.Context().Err())
	}})
	mux := http.NewServeMux()
	handler := eiohttp.Handler(srv)
	mux.HandleFunc("/{room}/engine.io/", func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "user 7")))
	})
	url := serve(t, mux)
	get(t, url+"/lobby"+poll4)
	if text := <-got; text != "user 7 lobby <nil>" {
		t.Errorf("got %q", text)
	}
}
