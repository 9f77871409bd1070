package eiofiber_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"go.uber.org/goleak"

	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/adaptertest"
)

const patience = adaptertest.Patience

func TestMain(m *testing.M) {
	// Each of these starts on first use and ends with the process.
	utils.StartTimeStampUpdater() // Fiber's clock
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),                // the Date header
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp/stackless.funcWorker"),                  // compression
		goleak.IgnoreAnyFunction("github.com/gofiber/fiber/v2/middleware/logger.New.func1"),           // the logger's clock
		goleak.IgnoreAnyFunction("github.com/gofiber/fiber/v2/internal/storage/memory.(*Storage).gc"), // sessions
		goleak.IgnoreAnyFunction("github.com/gofiber/fiber/v2/internal/memory.(*Storage).gc"),         // the limiter
	)
}

// bench is an application that is being served, and a client of it.
type bench struct {
	t       *testing.T
	app     *fiber.App
	srv     *core.Server
	addr    string
	url     string
	client  *http.Client
	dialer  websocket.Dialer
	sockets <-chan *core.Socket
	closed  <-chan core.CloseReason
	logged  *logBuffer
	// errors are those given to Fiber's ErrorHandler.
	errors chan error
}

// setup configures a bench; every field is optional.
type setup struct {
	core   core.Config
	fiber  fiber.Config
	secure *tls.Config
	build  func(app *fiber.App, srv *core.Server) // instead of Mount at the default path
	tune   bool                                   // call Tune, and listen with Listener
}

func newBench(t *testing.T, s setup) *bench {
	t.Helper()
	b := &bench{t: t, logged: new(logBuffer), errors: make(chan error, 1000)}
	b.sockets, b.closed = adaptertest.SendBack(&s.core)
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
	b.addr = listen(t, b.app, s.tune, s.secure)
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
// listen serves the app. If it is tuned, it gets our listener as well.
func listen(t *testing.T, app *fiber.App, tuned bool, secure *tls.Config) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if tuned {
		listener = eiofiber.Listener(listener)
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	// fasthttp's goroutine that cleans up workers sleeps that long before it notices that the server has
	// stopped.
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

// answer is the answer to a request.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

func answerOf(a adaptertest.Answer) answer { return answer{a.Status, a.Header, a.Body, a.Err} }

const poll4 = "?EIO=4&transport=polling"

// do sends a request; target begins with the path.
func (b *bench) do(method, target, body string, header http.Header) answer {
	return b.doContext(b.t.Context(), method, target, strings.NewReader(body), header)
}

func (b *bench) doContext(ctx context.Context, method, target string, body io.Reader, header http.Header) answer {
	return answerOf(adaptertest.Request(ctx, b.client, method, b.url+target, body, header))
}

func (b *bench) get(target string) answer { return b.do(http.MethodGet, target, "", nil) }

func (b *bench) post(target, body string) answer { return b.do(http.MethodPost, target, body, nil) }

// goGet polls on a goroutine of its own and returns when the poll waits on the server.
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

// open opens a polling session at a path and returns the target of its requests.
func (b *bench) open(path string) (target string, s *core.Socket) {
	b.t.Helper()
	id := b.sid(b.get(path + poll4))
	return path + poll4 + "&sid=" + id, await(b.t, b.sockets)
}

func (b *bench) sid(a answer) string {
	b.t.Helper()
	if a.err != nil {
		b.t.Fatal(a.err)
	}
	return adaptertest.SID(b.t, a.body)
}

// dial opens a WebSocket; if it is refused, the answer tells how.
func (b *bench) dial(target string, header http.Header) (*adaptertest.WebSocket, answer) {
	b.t.Helper()
	ws, a := adaptertest.Dial(b.t, &b.dialer, "ws"+strings.TrimPrefix(b.url, "http")+target, header)
	return ws, answerOf(a)
}

// upgrade opens a polling session at a path and moves it to a WebSocket, as clients do.
func (b *bench) upgrade(path string) (*adaptertest.WebSocket, *core.Socket) {
	b.t.Helper()
	target, s := b.open(path)
	poll := b.goGet(target)
	ws, a := b.dial(path+"?EIO=4&transport=websocket&sid="+s.ID(), nil)
	if ws == nil {
		b.t.Fatalf("upgrade: %d %q %v", a.status, a.body, a.err)
	}
	ws.Send("2probe")
	ws.Want("3probe")
	b.want(await(b.t, poll), 200, "6")
	ws.Send("5")
	return ws, s
}

// raw is a connection on which arbitrary bytes can be sent.
type raw struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func (b *bench) raw() *raw {
	b.t.Helper()
	conn, r := adaptertest.Connect(b.t, b.addr, "")
	return &raw{conn, b.t, r}
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
	return adaptertest.Await(t, c)
}

// logBuffer keeps what slog and fasthttp log.
type logBuffer struct{ adaptertest.LogBuffer }

func (l *logBuffer) Printf(format string, args ...any) {
	_, _ = fmt.Fprintf(l, "fasthttp: "+format+"\n", args...)
}
