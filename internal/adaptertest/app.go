package adaptertest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/goengineio/engineio/core"
)

// LogBuffer keeps what is logged. It may be used from any goroutine.
type LogBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *LogBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *LogBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Build makes an application on net/http that serves srv, at /engine.io unless a test says otherwise.
type Build func(srv *core.Server) http.Handler

// App is an echo server behind an adapter, and its only client.
type App struct {
	Server  *core.Server
	HTTP    *http.Server
	Addr    string // host:port that the client connects to
	Sockets <-chan *core.Socket
	Closed  <-chan core.CloseReason

	t      testing.TB
	client *http.Client
}

// Start serves what build makes, and checks at the end of the test that everything shuts down and that
// nothing was logged.
func Start(t testing.TB, cfg core.Config, build Build, tune ...func(*http.Server)) *App {
	t.Helper()
	a := &App{t: t, client: &http.Client{
		Transport: unzip{&http.Transport{DisableCompression: true}}, Timeout: Patience, CheckRedirect: noRedirect,
	}}
	a.Sockets, a.Closed = SendBack(&cfg)
	var err error
	if a.Server, err = core.NewServer(cfg); err != nil {
		t.Fatal(err)
	}
	errorLog := new(LogBuffer)
	a.HTTP = &http.Server{Handler: build(a.Server), ErrorLog: log.New(errorLog, "", 0)}
	for _, f := range tune {
		f(a.HTTP)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.Addr = listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- a.HTTP.Serve(listener) }()
	t.Cleanup(func() {
		a.Server.Close()
		a.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := a.HTTP.Shutdown(ctx); err != nil {
			t.Error("HTTP server:", err)
		}
		if err := a.Server.Shutdown(ctx); err != nil {
			t.Error("Engine.IO server:", err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		if text := errorLog.String(); text != "" {
			t.Error("net/http logged:", text)
		}
	})
	return a
}

// unzip decompresses bodies, once, and leaves the header unchanged; net/http would remove
// Content-Encoding.
type unzip struct{ *http.Transport }

func (u unzip) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := u.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	return decompressed(res)
}

func decompressed(res *http.Response) (*http.Response, error) {
	if res.Header.Get("Content-Encoding") != "gzip" || res.ContentLength == 0 || res.Request.Method == http.MethodHead {
		return res, nil
	}
	zr, err := gzip.NewReader(res.Body)
	if err != nil {
		_ = res.Body.Close()
		return nil, err
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{zr, res.Body}
	return res, nil
}

// pairs makes a header from alternating names and values.
func pairs(header []string) http.Header {
	h := make(http.Header)
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return h
}

// Do sends a request and decompresses its answer; header has alternating names and values.
func (a *App) Do(method, target, body string, header ...string) Answer {
	a.t.Helper()
	got := Request(a.t.Context(), a.client, method, "http://"+a.Addr+target, strings.NewReader(body), pairs(header))
	if got.Err != nil {
		a.t.Fatal(got.Err)
	}
	return got
}

// Raw sends a GET with exactly this target, which net/http's client might change.
func (a *App) Raw(target string) Answer {
	a.t.Helper()
	conn, r := Connect(a.t, a.Addr, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", target, a.Addr))
	defer conn.Close()
	res, err := http.ReadResponse(r, &http.Request{Method: http.MethodGet})
	if err == nil {
		res, err = decompressed(res)
	}
	if err != nil {
		a.t.Fatalf("%s: %v", target, err)
	}
	got := read(res)
	if got.Err != nil {
		a.t.Fatalf("%s: %v", target, got.Err)
	}
	return got
}

// Want checks an answer's status and body.
func (a *App) Want(got Answer, status int, body string) {
	a.t.Helper()
	got.Want(a.t, status, body)
}

// SID returns the session ID in the answer to a handshake.
func (a *App) SID(got Answer) string {
	a.t.Helper()
	if got.Status != http.StatusOK {
		a.t.Fatalf("handshake: %d %q", got.Status, got.Body)
	}
	return SID(a.t, got.Body)
}

// Dial opens a WebSocket, even where target says polling. The WebSocket is nil if it was refused.
func (a *App) Dial(target string, header ...string) (*WebSocket, Answer) {
	a.t.Helper()
	target = "ws://" + a.Addr + strings.Replace(target, "transport=polling", "transport=websocket", 1)
	ws, got := Dial(a.t, &websocket.Dialer{HandshakeTimeout: Patience}, target, pairs(header))
	if got.Status == 0 {
		a.t.Fatal(got.Err)
	}
	got.Err = nil // a refusal is an answer like any other
	return ws, got
}

// Handshake is the query that opens a polling session.
const Handshake = "?" + poll4

// Session is a polling session as its client sees it.
type Session struct {
	*App
	Target string // with sid
	Socket *core.Socket
}

// Open opens a session at a path.
func (a *App) Open(path string, header ...string) Session {
	a.t.Helper()
	return a.opened(path, a.Do("GET", path+Handshake, "", header...))
}

func (a *App) opened(path string, got Answer) Session {
	a.t.Helper()
	return Session{a, path + Handshake + "&sid=" + a.SID(got), Await(a.t, a.Sockets)}
}

// Poll polls once.
func (s Session) Poll(header ...string) Answer {
	s.t.Helper()
	return s.Do("GET", s.Target, "", header...)
}

// Post sends a payload.
func (s Session) Post(body string, header ...string) Answer {
	s.t.Helper()
	return s.Do("POST", s.Target, body, header...)
}

// Echo sends a packet and checks that it comes back.
func (s Session) Echo(packet string, header ...string) {
	s.t.Helper()
	s.t.Logf("echo of %.20s", packet)
	s.Want(s.Post(packet, header...), 200, "ok")
	s.Want(s.Poll(header...), 200, packet)
}

// Upgrade moves the session to a WebSocket.
func (s Session) Upgrade(header ...string) *WebSocket {
	s.t.Helper()
	ws, refused := s.Dial(s.Target, header...)
	if ws == nil {
		s.t.Fatalf("upgrade: %+v", refused)
	}
	ws.Send("2probe")
	ws.Want("3probe")
	s.Want(s.Poll(header...), 200, "6")
	ws.Send("5")
	return ws
}
