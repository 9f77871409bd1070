package eiofiber_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"go.uber.org/goleak"

	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	"github.com/goengineio/engineio/core"
)

// patience bounds every wait; nothing takes nearly as long unless it is broken.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	// Each of these begins with its first use and ends with the process.
	utils.StartTimeStampUpdater() // Fiber's clock
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),                // the Date header
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp/stackless.funcWorker"),                  // compression
		goleak.IgnoreAnyFunction("github.com/gofiber/fiber/v2/middleware/logger.New.func1"),           // the logger's clock
		goleak.IgnoreAnyFunction("github.com/gofiber/fiber/v2/internal/storage/memory.(*Storage).gc"), // sessions
		goleak.IgnoreAnyFunction("github.com/gofiber/fiber/v2/internal/memory.(*Storage).gc"),         // the limiter
	)
}

// bench is a served application and a client of it.
type bench struct {
	t       *testing.T
	app     *fiber.App
	srv     *core.Server
	addr    string
	url     string
	client  *http.Client
	dialer  websocket.Dialer
	sockets chan *core.Socket
	closed  chan core.CloseReason
	logged  *logBuffer
	// errors are what Fiber's ErrorHandler was given.
	errors chan error
}

// setup is what a bench is made of; every field may be left out.
type setup struct {
	core   core.Config
	fiber  fiber.Config
	secure *tls.Config
	build  func(app *fiber.App, srv *core.Server) // instead of Mount at the default path
	tune   bool
}

func newBench(t *testing.T, s setup) *bench {
	t.Helper()
	b := &bench{
		t: t, logged: new(logBuffer), errors: make(chan error, 1000),
		sockets: make(chan *core.Socket, 10_000), closed: make(chan core.CloseReason, 10_000),
	}
	own := s.core.OnConnection
	s.core.OnConnection = func(socket *core.Socket) {
		socket.OnMessage(func(m core.Message) { _ = socket.Send(m) })
		socket.OnClose(func(reason core.CloseReason, _ error) { b.closed <- reason })
		if own != nil {
			own(socket)
		}
		b.sockets <- socket
	}
	s.core.Logger = slog.New(slog.NewTextHandler(b.logged, nil))
	var err error
	if b.srv, err = core.NewServer(s.core); err != nil {
		t.Fatal(err)
	}
	s.fiber.ErrorHandler = func(c *fiber.Ctx, err error) error {
		b.errors <- err
		return fiber.DefaultErrorHandler(c, err)
	}
	b.app = newApp(s.fiber)
	b.app.Server().Logger = b.logged
	if s.build == nil {
		eiofiber.Mount(b.app, "", b.srv)
	} else {
		s.build(b.app, b.srv)
	}
	if s.tune {
		if err := eiofiber.Tune(b.app, b.srv); err != nil {
			t.Fatal(err)
		}
	}
	b.addr = listen(t, b.app, s.secure)
	t.Cleanup(b.srv.Close)

	trust := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // its certificate was made for this test
	transport := &http.Transport{TLSClientConfig: trust, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	b.client = &http.Client{Transport: transport, Timeout: patience}
	b.dialer = websocket.Dialer{TLSClientConfig: trust, HandshakeTimeout: patience}
	b.url = "http://" + b.addr
	if s.secure != nil {
		b.url = "https://" + b.addr
	}
	return b
}

func newApp(cfg fiber.Config) *fiber.App {
	cfg.DisableStartupMessage = true
	return fiber.New(cfg)
}

// listen serves the app on a free loopback port until the test ends and returns host:port.
func listen(t *testing.T, app *fiber.App, secure *tls.Config) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	// fasthttp's cleaner of workers sleeps that long before it sees that the server has stopped.
	app.Server().MaxIdleWorkerDuration = 20 * time.Millisecond
	done := make(chan error, 1)
	go func() { done <- app.Listener(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := app.ShutdownWithContext(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		_ = listener.Close()
		if err := <-done; err != nil {
			t.Errorf("listen: %v", err)
		}
	})
	return listener.Addr().String()
}

// answer is what a request brought.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

const poll4 = "?EIO=4&transport=polling"

// do sends a request; target begins with the path.
func (b *bench) do(method, target, body string, header http.Header) answer {
	return b.doContext(b.t.Context(), method, target, strings.NewReader(body), header)
}

func (b *bench) doContext(ctx context.Context, method, target string, body io.Reader, header http.Header) answer {
	r, err := http.NewRequestWithContext(ctx, method, b.url+target, body)
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

func (b *bench) get(target string) answer { return b.do(http.MethodGet, target, "", nil) }

func (b *bench) post(target, body string) answer { return b.do(http.MethodPost, target, body, nil) }

// goGet polls on a goroutine and returns when the poll waits on the server.
func (b *bench) goGet(target string) <-chan answer {
	b.t.Helper()
	c := make(chan answer, 1)
	before := waiting()
	go func() { c <- b.get(target) }()
	b.eventually(func() bool { return waiting() > before })
	return c
}

// waiting counts the polls that wait on the server.
func waiting() int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "/adapters/fiber.(*exchange).Wait(")
}

func (b *bench) eventually(condition func() bool) {
	b.t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(patience); !condition(); <-ticker.C {
		if time.Now().After(end) {
			b.t.Fatalf("not within %v", patience)
		}
	}
}

func (b *bench) want(a answer, status int, body string) {
	b.t.Helper()
	if a.err != nil || a.status != status || body != "*" && a.body != body {
		b.t.Errorf("got %d %.200q %v, want %d %.200q", a.status, a.body, a.err, status, body)
	}
}

// open makes a polling session at a path and returns the target of its requests.
func (b *bench) open(path string) (target string, s *core.Socket) {
	b.t.Helper()
	id := b.sid(b.get(path + poll4))
	return path + poll4 + "&sid=" + id, await(b.t, b.sockets)
}

func (b *bench) sid(a answer) string {
	b.t.Helper()
	var open struct{ SID string }
	packet, ok := strings.CutPrefix(a.body, "0")
	if err := json.Unmarshal([]byte(packet), &open); !ok || err != nil || open.SID == "" {
		b.t.Fatalf("open packet %d %q: %v %v", a.status, a.body, a.err, err)
	}
	return open.SID
}

// dial opens a WebSocket; the answer tells how a refused one was refused.
func (b *bench) dial(target string, header http.Header) (*socket, answer) {
	b.t.Helper()
	conn, res, err := b.dialer.DialContext(b.t.Context(), "ws"+strings.TrimPrefix(b.url, "http")+target, header)
	a := answer{err: err}
	if res != nil {
		a.status, a.header = res.StatusCode, res.Header
		data, _ := io.ReadAll(res.Body)
		a.body = string(data)
		_ = res.Body.Close()
	}
	if err != nil {
		return nil, a
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	return &socket{b.t, conn}, a
}

// upgrade makes a polling session at a path and moves it to a WebSocket, as clients do.
func (b *bench) upgrade(path string) (*socket, *core.Socket) {
	b.t.Helper()
	target, s := b.open(path)
	poll := b.goGet(target)
	ws, a := b.dial(path+"?EIO=4&transport=websocket&sid="+s.ID(), nil)
	if ws == nil {
		b.t.Fatalf("upgrade: %d %q %v", a.status, a.body, a.err)
	}
	ws.send("2probe")
	ws.want("3probe")
	b.want(await(b.t, poll), 200, "6")
	ws.send("5")
	return ws, s
}

// socket is the client's end of a WebSocket.
type socket struct {
	t    *testing.T
	conn *websocket.Conn
}

func (s *socket) send(text string) {
	s.t.Helper()
	if err := s.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		s.t.Fatalf("send %.100q: %v", text, err)
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
		s.t.Fatalf("got %.100q %v, want %.100q", got, err, text)
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

// raw is a connection on which anything can be sent.
type raw struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func (b *bench) raw() *raw {
	b.t.Helper()
	conn, err := new(net.Dialer).DialContext(b.t.Context(), "tcp", b.addr)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return &raw{conn, b.t, bufio.NewReader(conn)}
}

func (c *raw) sendf(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads one response.
func (c *raw) answer() answer {
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(data), err}
}

// closed reads until the server closes the connection.
func (c *raw) closed() {
	c.t.Helper()
	if _, err := io.Copy(io.Discard, c.r); errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Error("the connection was not closed")
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

// logBuffer is for slog and for fasthttp's log.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) Printf(format string, args ...any) {
	_, _ = fmt.Fprintf(l, "fasthttp: "+format+"\n", args...)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
