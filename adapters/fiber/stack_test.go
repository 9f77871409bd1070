//go:build linux && amd64 && !race

package eiofiber_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	"github.com/goengineio/engineio/core"
)

// TestStackOfWaitingPolls: a connection keeps the stack that its deepest call has needed, and 4 KiB are enough
// for a handshake and a poll. It is a tight fit: functions on this path that have large frames or are called
// far down make it 8 KiB.
func TestStackOfWaitingPolls(t *testing.T) {
	const sessions, query = 300, "/engine.io/?EIO=4&transport=polling"
	srv, err := core.NewServer(core.Config{OnConnection: func(s *core.Socket) { s.OnMessage(func(core.Message) {}) }})
	if err != nil {
		t.Fatal(err)
	}
	app := fiber.New(fiber.Config{DisableStartupMessage: true, StreamRequestBody: true})
	if err := eiofiber.Tune(app, srv); err != nil {
		t.Fatal(err)
	}
	eiofiber.Mount(app, "", srv)
	addr := listen(t, app, true, nil)

	before := stacks()
	for range sessions {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", query)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		_, sid, _ := strings.Cut(string(body), `"sid":"`)
		sid, _, _ = strings.Cut(sid, `"`)
		_, _ = fmt.Fprintf(conn, "GET %s&sid=%s HTTP/1.1\r\nHost: x\r\n\r\n", query, sid)
	}
	if each := int64(stacks()-before) / sessions; each > 6000 {
		t.Errorf("%d bytes of stack for each session", each)
	}

	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// stacks returns how many bytes goroutines have as stacks.
func stacks() uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
