package eiogin_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gin-gonic/gin"
	"go.uber.org/goleak"

	"github.com/goengineio/engineio/core"
)

// output is where Gin logs to.
var output = new(syncBuffer)

func TestMain(m *testing.M) {
	gin.DefaultWriter, gin.DefaultErrorWriter = output, output
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if line := complaint.FindString(output.String()); line != "" {
			fmt.Fprintln(os.Stderr, "Gin logged:", line)
			code = 1
		}
		os.Exit(code)
	}))
}

// complaint is what frameworks and servers log when something is written that must not be.
var complaint = regexp.MustCompile(`(?i).*(already written|superfluous|hijacked|panic).*`)

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// app is an echo server behind the adapter, and its only client.
type app struct {
	t       *testing.T
	srv     *core.Server
	hs      *http.Server
	addr    string
	client  *http.Client
	sockets chan *core.Socket
	closes  chan core.CloseReason
}

// start serves what build makes, and checks in the end that nothing was left and nothing logged.
func start(t *testing.T, cfg core.Config, build func(*core.Server) http.Handler, tune ...func(*http.Server)) *app {
	t.Helper()
	a := &app{
		t:       t,
		client:  &http.Client{Transport: &http.Transport{DisableCompression: true}, CheckRedirect: noRedirect},
		sockets: make(chan *core.Socket, 100),
		closes:  make(chan core.CloseReason, 100),
	}
	cfg.OnConnection = func(s *core.Socket) {
		s.OnMessage(func(m core.Message) { s.Send(m) })
		s.OnClose(func(reason core.CloseReason, _ error) { a.closes <- reason })
		a.sockets <- s
	}
	var err error
	if a.srv, err = core.NewServer(cfg); err != nil {
		t.Fatal(err)
	}
	errorLog := new(syncBuffer)
	a.hs = &http.Server{Handler: build(a.srv), ErrorLog: log.New(errorLog, "", 0)}
	for _, f := range tune {
		f(a.hs)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.addr = listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- a.hs.Serve(listener) }()
	t.Cleanup(func() {
		a.srv.Close()
		a.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := a.hs.Shutdown(ctx); err != nil {
			t.Error("HTTP server:", err)
		}
		if err := a.srv.Shutdown(ctx); err != nil {
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

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// answer is a response, its body decompressed (once).
type answer struct {
	Status int
	Header http.Header
	Body   string
}

func (a *app) do(method, target, body string, header ...string) answer {
	a.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, "http://"+a.addr+target, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := a.client.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.read(resp)
}

func (a *app) read(resp *http.Response) answer {
	a.t.Helper()
	defer resp.Body.Close()
	var reader io.Reader = resp.Body
	if resp.Header.Get("Content-Encoding") == "gzip" && resp.ContentLength != 0 && resp.Request.Method != http.MethodHead {
		zr, err := gzip.NewReader(resp.Body)
		if err != nil {
			a.t.Fatal(err)
		}
		reader = zr
	}
	b, err := io.ReadAll(reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// raw sends a GET whose target net/http's client would not leave as it is.
func (a *app) raw(target string) answer {
	a.t.Helper()
	conn := a.dial()
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", target, a.addr)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodGet})
	if err != nil {
		a.t.Fatalf("%s: %v", target, err)
	}
	return a.read(resp)
}

func (a *app) dial() net.Conn {
	a.t.Helper()
	conn, err := net.Dial("tcp", a.addr)
	if err != nil {
		a.t.Fatal(err)
	}
	return conn
}

// session is a polling session as its client sees it.
type session struct {
	*app
	target string // with sid
	socket *core.Socket
}

const handshake = "?EIO=4&transport=polling"

func (a *app) open(path string, header ...string) session {
	a.t.Helper()
	got := a.do("GET", path+handshake, "", header...)
	return session{a, path + handshake + "&sid=" + a.sid(got), <-a.sockets}
}

func (a *app) sid(got answer) string {
	a.t.Helper()
	var open struct{ SID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(got.Body, "0")), &open); err != nil || got.Status != 200 || open.SID == "" {
		a.t.Fatalf("handshake: %d %q", got.Status, got.Body)
	}
	return open.SID
}

func (s session) poll(header ...string) answer {
	s.t.Helper()
	return s.do("GET", s.target, "", header...)
}

func (s session) post(body string, header ...string) answer {
	s.t.Helper()
	return s.do("POST", s.target, body, header...)
}

func (s session) echo(packet string, header ...string) {
	s.t.Helper()
	s.t.Logf("echo of %.20s", packet)
	s.want(s.post(packet, header...), 200, "ok")
	s.want(s.poll(header...), 200, packet)
}

func (a *app) want(got answer, status int, body string) {
	a.t.Helper()
	if got.Status != status || got.Body != body {
		a.t.Errorf("got %d %.200q, want %d %.200q", got.Status, got.Body, status, body)
	}
}

// websocket opens a WebSocket; it is nil, and the status is not 101, when that was refused.
func (a *app) websocket(target string, header ...string) (*websocket.Conn, answer) {
	a.t.Helper()
	h := make(http.Header)
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	target = "ws://" + a.addr + strings.Replace(target, "transport=polling", "transport=websocket", 1)
	ws, resp, err := websocket.DefaultDialer.Dial(target, h)
	if resp == nil {
		a.t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	if err != nil {
		return nil, answer{resp.StatusCode, resp.Header, string(body)}
	}
	a.t.Cleanup(func() { ws.Close() })
	return ws, answer{resp.StatusCode, resp.Header, ""}
}

func (a *app) send(ws *websocket.Conn, text string) {
	a.t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		a.t.Error(err)
	}
}

func (a *app) receive(ws *websocket.Conn, want string) {
	a.t.Helper()
	if _, data, err := ws.ReadMessage(); err != nil || string(data) != want {
		a.t.Errorf("got %q (%v), want %q", data, err, want)
	}
}

// upgrade moves the session to a WebSocket.
func (s session) upgrade(header ...string) *websocket.Conn {
	s.t.Helper()
	ws, refused := s.websocket(s.target, header...)
	if ws == nil {
		s.t.Fatalf("upgrade: %+v", refused)
	}
	s.send(ws, "2probe")
	s.receive(ws, "3probe")
	s.want(s.poll(header...), 200, "6")
	s.send(ws, "5")
	return ws
}
