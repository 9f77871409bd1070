package eiohttp_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/engines/lean"
	"github.com/goengineio/engineio/internal/fastws"
)

// acceptHook is an engine that calls a hook between verification and registration.
type acceptHook struct {
	core.WebSocketEngine
	hook func()
}

func (e *acceptHook) Accept(conn net.Conn, buffered []byte, r *http.Request, o core.WebSocketOptions) (core.WebSocketConn, error) {
	c, err := e.WebSocketEngine.Accept(conn, buffered, r, o)
	e.hook()
	return c, err
}

// The last session that MaxSessions allows is taken while the connection becomes a WebSocket, and a callback
// panics to end the request.
func TestAbortBehindHijack(t *testing.T) {
	engine := &acceptHook{WebSocketEngine: fastws.New()}
	srv := newServer(t, core.Config{
		WebSocketEngine: engine, MaxSessions: 1,
		OnConnectionError: func(*core.RequestError, *http.Request) { panic(http.ErrAbortHandler) },
	})
	hs := httptest.NewServer(eiohttp.Handler(srv))
	defer hs.Close()
	engine.hook = func() { get(t, hs.URL+poll4) }
	conn, r := dial(t, hs.Listener.Addr().String(), "GET /engine.io/?EIO=4&transport=websocket"+upgradeHeaders+"\r\n")
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(res, err)
	}
	var frame [4]byte
	if _, err := io.ReadFull(r, frame[:]); err != nil || string(frame[:]) != "\x88\x02\x03\xf5" { // 1013
		t.Errorf("%x %v", frame, err)
	}
	_ = conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	srv.Close()
	if err := srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// However a connection ends, it gets its close frame, also over TLS, where every write may wait.
func TestCloseFrames(t *testing.T) {
	for name, engine := range map[string]core.WebSocketEngine{"default": nil, "lean": lean.New()} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", name, secure), func(t *testing.T) {
				srv := newServer(t, core.Config{WebSocketEngine: engine})
				hs := httptest.NewUnstartedServer(eiohttp.Handler(srv))
				if secure {
					hs.StartTLS()
				} else {
					hs.Start()
				}
				defer hs.Close()
				ended := func(code int, end func(*websocket.Conn)) {
					t.Helper()
					c := dialWebSocket(t, hs)
					_, _, _ = c.ReadMessage() // the open packet
					end(c)
					if _, _, err := c.ReadMessage(); !websocket.IsCloseError(err, code) {
						t.Errorf("want close code %d, got %v", code, err)
					}
					_ = c.Close()
				}
				ended(websocket.CloseNormalClosure, func(c *websocket.Conn) { // by the client
					_ = c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
				})
				ended(websocket.CloseInvalidFramePayloadData, func(c *websocket.Conn) {
					_ = c.WriteMessage(websocket.TextMessage, []byte("4\xff"))
				})
				ended(websocket.CloseNoStatusReceived, func(*websocket.Conn) {
					for s := range srv.All() {
						s.CloseNow()
					}
				})
			})
		}
	}
}

func dialWebSocket(t *testing.T, hs *httptest.Server) *websocket.Conn {
	t.Helper()
	d := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // made up for the test
	c, res, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(hs.URL, "http")+"/engine.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err, res)
	}
	return c
}

// Answers that a client requests but does not read do not delay the end of its session.
func TestAnswersToAClientThatDoesNotRead(t *testing.T) {
	closed := make(chan core.CloseReason, 1)
	srv := newServer(t, core.Config{
		PingInterval: 300 * time.Millisecond, PingTimeout: 300 * time.Millisecond, WriteTimeout: 500 * time.Millisecond,
		DisableHTTPCompression: true,
		OnConnection: func(s *core.Socket) {
			s.OnClose(func(reason core.CloseReason, _ error) { closed <- reason })
			message, sent := core.Binary(make([]byte, 10_000)), make(chan struct{}, 1)
			go func() {
				for s.SendFunc(message, func() { sent <- struct{}{} }) == nil {
					select {
					case <-sent:
					case <-s.Context().Done():
					}
				}
			}()
		},
	})
	hs := httptest.NewServer(eiohttp.Handler(srv))
	defer hs.Close()
	conn, r := dial(t, hs.Listener.Addr().String(), "GET "+poll4+" HTTP/1.1\r\nHost: x\r\n\r\n")
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	poll := "GET " + poll4 + "&sid=" + sid(t, string(body)) + " HTTP/1.1\r\nHost: x\r\n\r\n"
	go func() { _, _ = io.WriteString(conn, strings.Repeat(poll, 5000)) }()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("OnClose was not called")
	}
	_ = conn.Close()
}

// A request to a foreign path may be finished just when its time is over.
func TestForeignUpgradeThatIsJustDone(t *testing.T) {
	hs := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		time.Sleep(time.Millisecond)
	})}
	eiohttp.Attach(hs, newServer(t, core.Config{}), eiohttp.AttachOptions{ForeignUpgradeTimeout: time.Millisecond})
	addr := listen(t, hs)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				conn, r := dial(t, addr, "GET /foreign"+upgradeHeaders+"\r\n")
				_, _ = r.ReadByte()
				_ = conn.Close()
			}
		})
	}
	wg.Wait()
}
