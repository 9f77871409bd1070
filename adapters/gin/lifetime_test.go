package eiogin_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gin-contrib/gzip"
	"github.com/gin-gonic/gin"

	"github.com/goengineio/engineio/core"
)

// A poll may last longer than the server's timeouts, also behind writers that do not unwrap.
func TestLongPollOutlivesServerTimeouts(t *testing.T) {
	for name, use := range map[string][]gin.HandlerFunc{
		"nothing":        {},
		"gzip":           {gzip.Gzip(gzip.DefaultCompression)},
		"gzip, body log": {gzip.Gzip(gzip.DefaultCompression), bodyLog},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := core.Config{PingInterval: 600 * time.Millisecond}
			a := start(t, cfg, stack{use: use}.build, func(hs *http.Server) {
				hs.ReadTimeout, hs.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
			})
			s := a.open("/engine.io/", "Accept-Encoding", "gzip")
			for range 2 {
				a.want(s.poll("Accept-Encoding", "gzip"), 200, "2") // the ping
				a.want(s.post("3"), 200, "ok")
			}
			s.echo("4hello", "Accept-Encoding", "gzip")
		})
	}
}

// Middleware that limits a request's time has its poll answered before.
func TestLongPollInsideTimeoutHandler(t *testing.T) {
	a := start(t, core.Config{}, stack{around: func(next http.Handler) http.Handler {
		return http.TimeoutHandler(next, 500*time.Millisecond, "late")
	}}.build)
	s := a.open("/engine.io/")
	a.want(s.poll(), 200, "6")
	s.echo("4hello")
}

func TestClientLeavesDuringPoll(t *testing.T) {
	a := start(t, core.Config{}, stack{use: []gin.HandlerFunc{gin.Logger(), gin.Recovery(), gzip.Gzip(gzip.DefaultCompression)}}.build)
	s := a.open("/engine.io/")
	conn := a.dial()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: gzip\r\n\r\n", s.target, a.addr)
	conn.Close()
	if reason := <-a.closes; reason != core.TransportError {
		t.Error("closed with", reason)
	}
}

func TestShutdown(t *testing.T) {
	a := start(t, core.Config{}, stack{}.build)
	ws := a.open("/engine.io/").upgrade()
	s := a.open("/engine.io/")
	polled := make(chan answer)
	go func() { polled <- s.poll() }()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	down := make(chan error)
	go func() { down <- a.srv.Shutdown(ctx) }()
	a.want(<-polled, 200, "1")
	_, _, err := ws.ReadMessage()
	if !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Error("WebSocket:", err)
	}
	ws.Close()
	if err := <-down; err != nil {
		t.Error(err)
	}
	if got := a.do("GET", "/engine.io/"+handshake, ""); got.Status != http.StatusServiceUnavailable {
		t.Errorf("handshake: %d %s", got.Status, got.Body)
	}
	if _, got := a.websocket("/engine.io/" + handshake); got.Status != http.StatusServiceUnavailable {
		t.Errorf("WebSocket handshake: %+v", got)
	}
	if err := a.hs.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	for range 2 {
		if reason := <-a.closes; reason != core.ForcedClose {
			t.Error("closed with", reason)
		}
	}
}
