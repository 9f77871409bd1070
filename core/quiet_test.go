package core_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/coretest"
)

// Nothing in this file allocates while it is used, so the allocations that a test or benchmark counts are
// the core's.

// quietEngine is a WebSocket engine whose connections have no network.
type quietEngine struct{ accepted chan *quietConn }

func (e quietEngine) Accept(_ net.Conn, _ []byte, _ *http.Request, o core.WebSocketOptions) (core.WebSocketConn, error) {
	c := &quietConn{options: o, in: make(chan []byte), flushed: make(chan int, 100_000), closed: make(chan struct{})}
	e.accepted <- c
	return c, nil
}

// quietConn returns the input that receive is given, and counts what is written.
type quietConn struct {
	options core.WebSocketOptions
	in      chan []byte
	flushed chan int // messages of each write
	pending int      // messages that were appended; owned by the holder of the write token
	once    sync.Once
	closed  chan struct{}
	wasPing bool
}

func (c *quietConn) ReadMessage() ([]byte, bool, error) {
	c.options.Events.BeforeRead()
	select {
	case data := <-c.in:
		return data, false, nil
	case <-c.closed:
		return nil, false, io.EOF
	}
}

func (c *quietConn) Buffered() bool { return false }

func (c *quietConn) AppendMessage(data []byte, _, _ bool) error {
	c.pending++
	c.wasPing = len(data) == 1 && data[0] == '2'
	return nil
}

func (c *quietConn) AppendFrame([]byte) error {
	c.pending++
	return nil
}

func (c *quietConn) AppendPong([]byte) error { return nil }

func (c *quietConn) AppendClose(int, string) error { return nil }

func (c *quietConn) Flush(bool) (bool, error) {
	if c.pending > 0 {
		select {
		case c.flushed <- c.pending:
		default: // nobody counts
		}
		c.pending = 0
	}
	return true, nil
}

func (c *quietConn) Unflushed() int { return c.pending }

func (c *quietConn) SetDeadline(time.Time) error { return nil }

func (c *quietConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// quiet is a server with sessions on quiet connections.
type quiet struct {
	server  *core.Server
	engine  quietEngine
	sockets chan *core.Socket
}

// newQuiet makes a server whose sessions have the given callback for messages.
func newQuiet(t testing.TB, cfg core.Config, message func(*core.Socket, core.Message)) *quiet {
	t.Helper()
	q := &quiet{engine: quietEngine{make(chan *quietConn, 1)}, sockets: make(chan *core.Socket, 1)}
	cfg.OnConnection = func(s *core.Socket) {
		if message != nil {
			s.OnMessage(func(m core.Message) { message(s, m) })
		}
		select {
		case q.sockets <- s:
		default: // nobody asks
		}
	}
	var err error
	if q.server, err = core.NewServer(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.server.Close)
	if _, test := t.(*testing.T); test { // a deadline for each wait would be an allocation
		patience := time.AfterFunc(30*time.Second, func() { panic(t.Name() + " waits for something that does not come") })
		t.Cleanup(func() { patience.Stop() })
	}
	return q
}

// open opens a session on a WebSocket and waits until its open packet is written.
func (q *quiet) open(t testing.TB) (*quietConn, *core.Socket) {
	t.Helper()
	client := coretest.Client{Server: q.server, Engine: q.engine}
	_, answer := client.WebSocket(ws4)
	answer.Wait()
	conn := <-q.engine.accepted
	<-conn.flushed
	return conn, <-q.sockets
}

// quietExchange is a reusable request in memory.
type quietExchange struct {
	method, query string
	body          []byte
	request       *http.Request
	status        int
	answer        []byte
}

func newQuietExchange(method, query, body string) *quietExchange {
	return &quietExchange{
		method: method, query: query, body: []byte(body), answer: make([]byte, 0, 4096),
		request: &http.Request{Method: method, URL: &url.URL{Path: "/engine.io/", RawQuery: query}, Host: "example.com"},
	}
}

func (x *quietExchange) Method() string { return x.method }

func (x *quietExchange) Query() string { return x.query }

func (x *quietExchange) Header(name string) string {
	if name == "Content-Type" && x.method == http.MethodPost {
		return "text/plain;charset=UTF-8"
	}
	return ""
}

func (x *quietExchange) RemoteAddr() string { return "192.0.2.1:1234" }

func (x *quietExchange) Request() *http.Request { return x.request }

func (x *quietExchange) Keep(dst []byte) ([]byte, core.Kept) { return dst, core.Kept{} }

func (x *quietExchange) Body(int64, time.Time) ([]byte, error) { return x.body, nil }

func (x *quietExchange) ResponseHeader(string) string { return "" }

func (x *quietExchange) ResponseHeaders() http.Header { return http.Header{} }

func (x *quietExchange) SetHeader(string, string) {}

func (x *quietExchange) AddHeader(string, string) {}

func (x *quietExchange) WhenSent(func(error)) bool { return false }

func (x *quietExchange) Respond(status int, body []byte) error {
	x.status, x.answer = status, append(x.answer[:0], body...)
	return nil
}

func (x *quietExchange) Wait(w *core.Waiter) core.WaitResult {
	<-w.C()
	return core.Woken
}

func (x *quietExchange) Hijack(func(net.Conn, []byte) func()) error { return net.ErrClosed }

// sid extracts the session id from an open packet.
func (x *quietExchange) sid(t testing.TB) string {
	t.Helper()
	_, rest, found := bytes.Cut(x.answer, []byte(`"sid":"`))
	id, _, ended := bytes.Cut(rest, []byte(`"`))
	if x.status != http.StatusOK || !found || !ended {
		t.Fatalf("handshake: %d %s", x.status, x.answer)
	}
	return string(id)
}

// polls sends one GET after another for a session, as a client does, until the session ends.
type polls struct {
	answered chan struct{}
	ended    chan struct{}
}

func startPolls(server *core.Server, query string) polls {
	p := polls{answered: make(chan struct{}, 1), ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		x := newQuietExchange(http.MethodGet, query, "")
		for {
			server.Serve(x, nil)
			if x.status != http.StatusOK || bytes.Equal(x.answer, []byte("1")) {
				return
			}
			p.answered <- struct{}{}
		}
	}()
	return p
}

// poolsDrop reports whether the race detector is on: a sync.Pool then drops a quarter of what it is given,
// so counts of allocations are higher than usual.
func poolsDrop() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
