package eiohttp_test

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

// TestTrickledAnswerIsCut: a client that reads a large answer a little at a time makes progress, but does not
// keep the answer, and its session's OnClose, for as long as it likes.
func TestTrickledAnswerIsCut(t *testing.T) {
	closed := make(chan struct{})
	srv := newServer(t, core.Config{
		PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond, WriteTimeout: 2 * time.Second, MaxBuffered: 80 << 20,
		OnConnection: func(s *core.Socket) {
			s.OnClose(func(core.CloseReason, error) { close(closed) })
			for range 70 {
				_ = s.Send(core.Text(strings.Repeat("x", 1_000_000)))
			}
		},
	})
	url := serve(t, eiohttp.Middleware(srv, "")(http.HandlerFunc(app)))
	_, open := get(t, url+"/engine.io/?EIO=4&transport=polling")
	waitFor(t, func() bool { return buffered(srv) > 69_000_000 })
	conn := request(t, url, "/engine.io/?EIO=4&transport=polling&sid="+sid(t, open))
	defer func() { _ = conn.Close() }()
	trickle := time.NewTicker(50 * time.Millisecond)
	defer trickle.Stop()
	end := time.After(20 * time.Second) // all of it would take 35 s
	for {
		select {
		case <-trickle.C:
			_, _ = io.CopyN(io.Discard, conn, 100_000)
		case <-closed:
			return
		case <-end:
			t.Fatal("OnClose waits for the client")
		}
	}
}

// TestZeroWindow: with HTTP/2 even a small answer has to wait for a client that allows none. The stream is
// reset in time.
func TestZeroWindow(t *testing.T) {
	srv := newServer(t, core.Config{WriteTimeout: 200 * time.Millisecond})
	s := httptest.NewUnstartedServer(eiohttp.Middleware(srv, "")(http.HandlerFunc(app)))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	conn, err := (&tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, NextProtos: []string{"h2"}, //nolint:gosec // a certificate for tests
	}}).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))

	const settings, headers, reset = 4, 1, 3
	field := func(indexed byte, value string) string { return string([]byte{indexed, byte(len(value))}) + value }
	_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+
		h2Frame(settings, 0, 0, "\x00\x04\x00\x00\x00\x00")+ // INITIAL_WINDOW_SIZE 0
		h2Frame(headers, 5, 1, "\x82\x87"+field(4, "/engine.io/?EIO=4&transport=polling")+field(1, "localhost")))
	for {
		var head [9]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			t.Fatal(err)
		}
		size := int64(head[0])<<16 | int64(binary.BigEndian.Uint16(head[1:3]))
		if _, err := io.CopyN(io.Discard, conn, size); err != nil {
			t.Fatal(err)
		}
		if head[3] == reset {
			return
		}
	}
}

// h2Frame encodes a frame of HTTP/2.
func h2Frame(kind, flags byte, stream uint32, payload string) string {
	head := []byte{0, byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return string(binary.BigEndian.AppendUint32(head, stream)) + payload
}
