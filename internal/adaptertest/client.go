// Package adaptertest is the suite that every adapter passes: what a client sees over the network
// must not depend on the framework.
package adaptertest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/goengineio/engineio/core"
)

// patience bounds every wait; nothing takes nearly as long unless it is broken.
const patience = 30 * time.Second

// bench is a served echo application and a client of it.
type bench struct {
	t       *testing.T
	srv     *core.Server
	url     string // of the endpoint, without query
	client  *http.Client
	sockets chan *core.Socket
	closed  chan core.CloseReason
}

func newBench(t *testing.T, f Framework, cfg core.Config) *bench {
	t.Helper()
	b := &bench{t: t, sockets: make(chan *core.Socket, 1000), closed: make(chan core.CloseReason, 1000)}
	own := cfg.OnConnection
	cfg.OnConnection = func(s *core.Socket) {
		s.OnMessage(func(m core.Message) { _ = s.Send(m) })
		s.OnClose(func(reason core.CloseReason, _ error) { b.closed <- reason })
		if own != nil {
			own(s)
		}
		b.sockets <- s
	}
	srv, err := core.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.srv = srv
	b.url = f.Serve(t, srv) + "/engine.io/"
	transport := &http.Transport{MaxIdleConnsPerHost: 10}
	b.client = &http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	t.Cleanup(transport.CloseIdleConnections)
	t.Cleanup(srv.Close)
	return b
}

// answer is what a request brought.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

func (b *bench) do(method, query, body string, header http.Header) answer {
	return b.doContext(b.t.Context(), method, b.url+"?"+query, body, header)
}

func (b *bench) doContext(ctx context.Context, method, target, body string, header http.Header) answer {
	r, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	for name, values := range header {
		r.Header[name] = values
	}
	res, err := b.client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(data), err}
}

func (b *bench) get(query string) answer { return b.do(http.MethodGet, query, "", nil) }

func (b *bench) post(query, body string) answer {
	return b.do(http.MethodPost, query, body, http.Header{"Content-Type": {"text/plain;charset=UTF-8"}})
}

// goGet polls on a goroutine.
func (b *bench) goGet(query string) <-chan answer {
	c := make(chan answer, 1)
	go func() { c <- b.get(query) }()
	return c
}

func (b *bench) want(a answer, status int, body string) {
	b.t.Helper()
	if a.err != nil || a.status != status || body != "*" && a.body != body {
		b.t.Errorf("got %d %q %v, want %d %q", a.status, a.body, a.err, status, body)
	}
}

const poll4 = "EIO=4&transport=polling"

// open makes a polling session and returns the query of its requests.
func (b *bench) open() (query string, s *core.Socket) {
	b.t.Helper()
	a := b.get(poll4)
	sid := b.sid(a.body)
	return poll4 + "&sid=" + sid, await(b.t, b.sockets)
}

func (b *bench) sid(packet string) string {
	b.t.Helper()
	var open struct{ SID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(packet, "0")), &open); err != nil || open.SID == "" {
		b.t.Fatalf("open packet %q: %v", packet, err)
	}
	return open.SID
}

// dial opens a WebSocket; the answer tells how a refused one was refused.
func (b *bench) dial(query string, header http.Header) (*socket, answer) {
	b.t.Helper()
	target := strings.Replace(b.url, "http", "ws", 1) + "?" + query
	dialer := websocket.Dialer{HandshakeTimeout: patience, EnableCompression: true}
	conn, res, err := dialer.DialContext(b.t.Context(), target, header)
	a := answer{err: err}
	if res != nil {
		a.status, a.header = res.StatusCode, res.Header
		if err != nil {
			data, _ := io.ReadAll(res.Body)
			a.body = string(data)
		}
		_ = res.Body.Close()
	}
	if err != nil {
		return nil, a
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	return &socket{b.t, conn}, a
}

// socket is the client's end of a WebSocket.
type socket struct {
	t    *testing.T
	conn *websocket.Conn
}

func (s *socket) send(text string) {
	s.t.Helper()
	if err := s.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		s.t.Fatalf("send %q: %v", text, err)
	}
}

func (s *socket) next() (string, error) {
	_ = s.conn.SetReadDeadline(time.Now().Add(patience))
	_, data, err := s.conn.ReadMessage()
	return string(data), err
}

func (s *socket) want(text string) {
	s.t.Helper()
	if got, err := s.next(); err != nil || got != text {
		s.t.Fatalf("got %q %v, want %q", got, err, text)
	}
}

func (s *socket) wantClosed(codes ...int) {
	s.t.Helper()
	for {
		if _, err := s.next(); err != nil {
			if !websocket.IsCloseError(err, codes...) {
				s.t.Errorf("got %v, want close codes %v", err, codes)
			}
			return
		}
	}
}

func await[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("nothing within %v", patience)
		panic("unreachable")
	}
}

// raw sends bytes on a connection of its own and returns it with a reader.
func (b *bench) raw(text string) (net.Conn, *bufio.Reader) {
	b.t.Helper()
	u, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(b.t.Context(), "tcp", u.Host)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, text); err != nil {
		b.t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}
