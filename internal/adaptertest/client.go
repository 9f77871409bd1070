// Package adaptertest is the test suite that every adapter passes: what a client sees over the network
// must not depend on the framework. It also has code that the adapters' own tests share.
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

// Patience limits every wait; nothing takes nearly that long unless it is broken.
const Patience = 30 * time.Second

// SendBack makes the sessions of cfg's server send every message back. Each session is sent to sockets
// once OnConnection has run, and the reason for its end to closed.
func SendBack(cfg *core.Config) (sockets <-chan *core.Socket, closed <-chan core.CloseReason) {
	opens, ends := make(chan *core.Socket, 1000), make(chan core.CloseReason, 1000)
	own := cfg.OnConnection
	cfg.OnConnection = func(s *core.Socket) {
		s.OnMessage(func(m core.Message) { _ = s.Send(m) })
		s.OnClose(func(reason core.CloseReason, _ error) { ends <- reason })
		if own != nil {
			own(s)
		}
		opens <- s
	}
	return opens, ends
}

// Answer is the answer to a request.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	Err    error
}

// Want checks the status and the body; "*" stands for any body.
func (a Answer) Want(t testing.TB, status int, body string) {
	t.Helper()
	if a.Err != nil || a.Status != status || body != "*" && a.Body != body {
		t.Errorf("got %d %.200q %v, want %d %.200q", a.Status, a.Body, a.Err, status, body)
	}
}

// Request sends a request, with the names of header fields spelled as they are in header.
func Request(ctx context.Context, client *http.Client, method, target string, body io.Reader, header http.Header) Answer {
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return Answer{Err: err}
	}
	for name, values := range header {
		r.Header[name] = values
	}
	res, err := client.Do(r)
	if err != nil {
		return Answer{Err: err}
	}
	return read(res)
}

func read(res *http.Response) Answer {
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	return Answer{res.StatusCode, res.Header, string(data), err}
}

// SID returns the session ID in an open packet.
func SID(t testing.TB, packet string) string {
	t.Helper()
	var open struct{ SID string }
	data, ok := strings.CutPrefix(packet, "0")
	if err := json.Unmarshal([]byte(data), &open); !ok || err != nil || open.SID == "" {
		t.Fatalf("open packet %.200q: %v", packet, err)
	}
	return open.SID
}

// WebSocket is the client's end of a WebSocket.
type WebSocket struct {
	Conn *websocket.Conn
	t    testing.TB
}

// Dial opens a WebSocket. It is nil if it was refused; then the answer tells how.
func Dial(t testing.TB, dialer *websocket.Dialer, target string, header http.Header) (*WebSocket, Answer) {
	t.Helper()
	conn, res, err := dialer.DialContext(t.Context(), target, header)
	var a Answer
	if res != nil {
		a = read(res) // reads nothing that belongs to the WebSocket
	}
	a.Err = err
	if err != nil {
		return nil, a
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &WebSocket{conn, t}, a
}

// Send sends a text frame.
func (ws *WebSocket) Send(text string) {
	ws.t.Helper()
	if err := ws.Conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		ws.t.Fatalf("send %.100q: %v", text, err)
	}
}

// Next returns the next message, or the error with which the WebSocket ended.
func (ws *WebSocket) Next() (string, error) {
	_ = ws.Conn.SetReadDeadline(time.Now().Add(Patience))
	_, data, err := ws.Conn.ReadMessage()
	return string(data), err
}

// Want checks that the next message is text.
func (ws *WebSocket) Want(text string) {
	ws.t.Helper()
	if got, err := ws.Next(); err != nil || got != text {
		ws.t.Fatalf("got %.100q %v, want %.100q", got, err, text)
	}
}

// WantClosed checks that the WebSocket is closed with one of the codes, whatever arrives before.
func (ws *WebSocket) WantClosed(codes ...int) {
	ws.t.Helper()
	for {
		if _, err := ws.Next(); err != nil {
			if !websocket.IsCloseError(err, codes...) {
				ws.t.Errorf("got %v, want close codes %v", err, codes)
			}
			return
		}
	}
}

// Await receives from c within Patience.
func Await[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(Patience):
		t.Fatalf("nothing within %v", Patience)
		panic("unreachable")
	}
}

// Connect opens a connection to host:port, sends text on it, and returns it with a reader. All of its
// operations end within Patience, and it is closed at the end of the test.
func Connect(t testing.TB, addr, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(Patience))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// bench is an echo application that is being served, and a client of it.
type bench struct {
	t       *testing.T
	srv     *core.Server
	url     string // of the endpoint, without query
	client  *http.Client
	sockets <-chan *core.Socket
	closed  <-chan core.CloseReason
}

func newBench(t *testing.T, f Framework, cfg core.Config) *bench {
	t.Helper()
	b := &bench{t: t}
	b.sockets, b.closed = SendBack(&cfg)
	srv, err := core.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.srv = srv
	b.url = f.Serve(t, srv) + "/engine.io/"
	transport := &http.Transport{MaxIdleConnsPerHost: 10}
	b.client = &http.Client{Transport: transport, Timeout: Patience, CheckRedirect: noRedirect}
	t.Cleanup(transport.CloseIdleConnections)
	t.Cleanup(srv.Close)
	return b
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (b *bench) do(method, query, body string, header http.Header) Answer {
	return b.doContext(b.t.Context(), method, b.url+"?"+query, body, header)
}

func (b *bench) doContext(ctx context.Context, method, target, body string, header http.Header) Answer {
	return Request(ctx, b.client, method, target, strings.NewReader(body), header)
}

func (b *bench) get(query string) Answer { return b.do(http.MethodGet, query, "", nil) }

func (b *bench) post(query, body string) Answer {
	return b.do(http.MethodPost, query, body, http.Header{"Content-Type": {"text/plain;charset=UTF-8"}})
}

// goGet polls on a goroutine of its own.
func (b *bench) goGet(query string) <-chan Answer {
	c := make(chan Answer, 1)
	go func() { c <- b.get(query) }()
	return c
}

func (b *bench) want(a Answer, status int, body string) {
	b.t.Helper()
	a.Want(b.t, status, body)
}

const poll4 = "EIO=4&transport=polling"

// open opens a polling session and returns the query of its requests.
func (b *bench) open() (query string, s *core.Socket) {
	b.t.Helper()
	sid := SID(b.t, b.get(poll4).Body)
	return poll4 + "&sid=" + sid, Await(b.t, b.sockets)
}

// dial opens a WebSocket; if it is refused, the answer tells how.
func (b *bench) dial(query string, header http.Header) (*WebSocket, Answer) {
	b.t.Helper()
	dialer := &websocket.Dialer{HandshakeTimeout: Patience, EnableCompression: true}
	return Dial(b.t, dialer, strings.Replace(b.url, "http", "ws", 1)+"?"+query, header)
}

// raw opens a connection, sends text on it, and returns it with a reader.
func (b *bench) raw(text string) (net.Conn, *bufio.Reader) {
	b.t.Helper()
	u, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	return Connect(b.t, u.Host, text)
}
