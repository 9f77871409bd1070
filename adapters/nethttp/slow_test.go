package eiohttp_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

// TestStalledAnswerIsCut: a client that does not read a large answer harms only itself.
func TestStalledAnswerIsCut(t *testing.T) {
	closed := make(chan error, 1)
	srv := newServer(t, core.Config{WriteTimeout: 200 * time.Millisecond, OnConnection: func(s *core.Socket) {
		s.OnClose(func(_ core.CloseReason, err error) { closed <- fmt.Errorf("%w, %d unsent", err, s.Unsent()) })
		for range 15 {
			_ = s.Send(core.Text(strings.Repeat("x", 1_000_000)))
		}
	}})
	url := serve(t, eiohttp.Middleware(srv, "")(http.HandlerFunc(app)))
	_, open := get(t, url+"/engine.io/?EIO=4&transport=polling")
	waitFor(t, func() bool { return buffered(srv) > 14_000_000 })
	conn := request(t, url, "/engine.io/?EIO=4&transport=polling&sid="+sid(t, open))
	defer func() { _ = conn.Close() }()
	select {
	case err := <-closed:
		if !strings.Contains(err.Error(), "15 unsent") {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the session goes on")
	}
}

// TestLargeAnswerLeavesNoDeadline: the connection can still be used after the write timeout has passed.
func TestLargeAnswerLeavesNoDeadline(t *testing.T) {
	srv := newServer(t, core.Config{WriteTimeout: 50 * time.Millisecond, OnConnection: func(s *core.Socket) {
		_ = s.Send(core.Text(strings.Repeat("x", 1_000_000)))
	}})
	url := serve(t, eiohttp.Middleware(srv, "")(http.HandlerFunc(app)))
	_, open := get(t, url+"/engine.io/?EIO=4&transport=polling")
	waitFor(t, func() bool { return buffered(srv) > 0 })
	conn := request(t, url, "/engine.io/?EIO=4&transport=polling&sid="+sid(t, open))
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	for range 2 {
		res, err := http.ReadResponse(reader, nil)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%v %v", res, err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		timer := time.NewTimer(100 * time.Millisecond)
		<-timer.C
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	}
}

func request(t *testing.T, url, target string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	_, _ = io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: x\r\n\r\n")
	return conn
}

func buffered(srv *core.Server) int64 { return srv.Stats().Buffered }

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it takes too long")
		}
	}
}

// TestARefusedBodyIsNotAskedFor: reading any of it would send 100 Continue.
func TestARefusedBodyIsNotAskedFor(t *testing.T) {
	srv := newServer(t, core.Config{MaxPayload: 1000})
	url := serve(t, eiohttp.Middleware(srv, "")(http.HandlerFunc(app)))
	_, open := get(t, url+"/engine.io/?EIO=4&transport=polling")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(conn, "POST /engine.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\nExpect: 100-continue\r\n\r\n", sid(t, open))
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "HTTP/1.1 413 Request Entity Too Large\r\n" {
		t.Errorf("%q %v", line, err)
	}
}
