// Echo is a server that sends every message back: a test bench for clients and for this library.
//
//	go run ./examples/echo -addr 127.0.0.1:4000 -commands
//
// With -commands, text messages that begin with "cmd:" are commands to the server, and
// GET /_test/state reports what happened to the sessions; see commands.go and record.go.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/examples/internal/selfsigned"
)

func main() {
	o, err := parseFlags(os.Args[1:], os.Stderr)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			os.Exit(0)
		}
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until the context ends, then closes every session.
func run(ctx context.Context, o options) error {
	app := newApp(o)
	srv, err := core.NewServer(o.config(app))
	if err != nil {
		return err
	}
	app.srv = srv
	if o.clientSuite {
		srv.Use(app.suite.middleware)
	}
	if o.broadcast {
		defer collectOnSignal()()
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return err
	}
	listener = eiohttp.Listener(listener) // under Fiber as well: eiofiber.Listener is the same
	served := frameworks[o.framework](o.path, srv, app)
	if o.tls {
		if listener, err = selfsigned.Listen(listener, served.protocols); err != nil {
			return err
		}
	}

	failed := make(chan error, 1)
	go func() { failed <- served.serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	within(2*time.Second, srv.Shutdown) // cuts off sessions that do not end in time
	within(500*time.Millisecond, served.shutdown)
	_ = listener.Close() // in case serving had not begun
	return nil
}

// within gives a shutdown its own time: a polling client that is gone uses up that of the sessions.
func within(d time.Duration, shutdown func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	_ = shutdown(ctx)
}

// app is the application beside the endpoint, and what it knows about the sessions.
type app struct {
	options options
	srv     *core.Server
	record  record
	suite   suite
}

func newApp(o options) *app {
	return &app{options: o, suite: suite{posts: map[string]http.Header{}}}
}

// ServeHTTP answers everything that is not Engine.IO.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, contentType, body := a.page(r.URL.Path)
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// page returns the answer to a request that is not Engine.IO, the same for every framework.
func (a *app) page(path string) (status int, contentType, body string) {
	switch {
	case path == "/":
		return http.StatusOK, "text/plain", "app"
	case path == "/_test/state" && a.options.commands:
		return http.StatusOK, "application/json", a.record.json(a.srv.Len())
	}
	return http.StatusNotFound, "text/plain", "not found"
}

// connected records what becomes of a session, for those who can ask.
func (a *app) connected(s *core.Socket) {
	a.record.open()
	s.OnUpgrade(func(core.Transport) { a.record.upgrade() })
	s.OnClose(func(reason core.CloseReason, _ error) {
		a.record.close(s.ID(), reason)
		a.suite.forget(s)
	})
	if a.options.clientSuite {
		_ = s.Send(core.Text("hi"))
	}
}

func (a *app) message(s *core.Socket, m core.Message) {
	if a.options.commands && !m.Binary && isCommand(m.Data) {
		command(s, string(m.Data))
		return
	}
	if a.options.clientSuite && !m.Binary && a.suite.answer(s, m) {
		return
	}
	if a.options.broadcast && !m.Binary && bytes.HasPrefix(m.Data, []byte("B:")) {
		a.srv.Broadcast(m)
		return
	}
	_ = s.Send(m)
}
