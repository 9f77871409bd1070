package eiohttp

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/goengineio/engineio/core"
)

// AttachOptions configures Attach.
type AttachOptions struct {
	// Path of the endpoint. Default DefaultPath.
	Path string
	// KeepForeignUpgrades leaves WebSocket requests to other paths alone (destroyUpgrade: false).
	// Otherwise their connection is closed if no handler answers within ForeignUpgradeTimeout.
	KeepForeignUpgrades bool
	// ForeignUpgradeTimeout is destroyUpgradeTimeout of the reference. Default 1 s.
	ForeignUpgradeTimeout time.Duration
	// ShutdownTimeout bounds srv.Shutdown when the HTTP server is shut down. Default 10 s.
	ShutdownTimeout time.Duration
}

// Attach puts the endpoint in front of the HTTP server's handler (http.DefaultServeMux if it is nil)
// and makes the HTTP server's Shutdown end the sessions too. Call it before the server listens. The
// HTTP server does not wait for WebSockets: to have their buffered messages sent before the process
// ends, call srv.Shutdown first, as with every other way of serving.
func Attach(hs *http.Server, srv *core.Server, o AttachOptions) {
	if o.ForeignUpgradeTimeout == 0 {
		o.ForeignUpgradeTimeout = time.Second
	}
	if o.ShutdownTimeout == 0 {
		o.ShutdownTimeout = 10 * time.Second
	}
	next := hs.Handler
	if next == nil {
		next = http.DefaultServeMux
	}
	if !o.KeepForeignUpgrades {
		next = closeIdleUpgrades(next, o.ForeignUpgradeTimeout)
	}
	hs.Handler = Middleware(srv, o.Path)(next)
	hs.RegisterOnShutdown(func() {
		ctx, cancel := context.WithTimeout(context.Background(), o.ShutdownTimeout)
		defer cancel()
		_ = srv.Shutdown(ctx)
	})
}

// ListenAndServe serves Engine.IO at DefaultPath on addr and answers all other requests with 501, as
// the reference's listen does. When the context ends it shuts down the sessions and then the HTTP
// server, with up to five seconds for each before the rest is cut off, and returns nil. It returns
// earlier only if it cannot serve, with the error.
func ListenAndServe(ctx context.Context, addr string, srv *core.Server) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return serve(ctx, Listener(listener), srv)
}

func serve(ctx context.Context, listener net.Listener, srv *core.Server) error {
	hs := &http.Server{
		Handler: Middleware(srv, DefaultPath)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotImplemented)
		})),
		ReadHeaderTimeout: 10 * time.Second,
	}
	down := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		within := func(shutdown func(context.Context) error) error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return shutdown(ctx)
		}
		_ = within(srv.Shutdown) // cuts off sessions that do not end in time
		if within(hs.Shutdown) != nil {
			_ = hs.Close()
		}
		close(down)
	})
	err := hs.Serve(listener)
	if stop() || !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-down
	return nil
}

// closeIdleUpgrades closes the connection of an upgrade request that next leaves unanswered.
func closeIdleUpgrades(next http.Handler, timeout time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") { // others, such as h2c, may be ignored
			next.ServeHTTP(w, r)
			return
		}
		touched := &touchWriter{ResponseWriter: w}
		timer := time.AfterFunc(timeout, touched.closeUntouched)
		defer touched.touch() // waits for closeUntouched, which must not use net/http's writer later
		defer timer.Stop()
		next.ServeHTTP(touched, r)
	})
}

// touchWriter knows whether anything has begun to answer.
type touchWriter struct {
	http.ResponseWriter
	mu      sync.Mutex
	touched bool
}

func (w *touchWriter) touch() (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first = !w.touched
	w.touched = true
	return first
}

func (w *touchWriter) closeUntouched() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.touched {
		return
	}
	w.touched = true
	if conn, _, err := http.NewResponseController(w.ResponseWriter).Hijack(); err == nil {
		_ = conn.Close()
	}
}

func (w *touchWriter) WriteHeader(status int) {
	w.touch()
	w.ResponseWriter.WriteHeader(status)
}

func (w *touchWriter) Write(p []byte) (int, error) {
	w.touch()
	return w.ResponseWriter.Write(p)
}

func (w *touchWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.touch()
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

func (w *touchWriter) FlushError() error {
	w.touch()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *touchWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
