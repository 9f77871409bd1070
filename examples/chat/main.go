// Command chat is a chat room in the browser: names, messages and pictures over Engine.IO. It shows which
// transport each person uses.
//
//	npm ci --prefix examples/chat
//	go run ./examples/chat
//
// The page /stats plots the server's figures; /metrics has them for Prometheus.
//
// The chat uses the official client, engine.io-client, as installed by npm; the rest of the page is part
// of the binary.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/examples/internal/selfsigned"
)

// shutdownTimeout is how long sessions, and then requests, may take to end once the program is asked to
// stop.
const shutdownTimeout = 3 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the program until ctx ends. It returns the exit status: 2 for a wrong command line, 1 for all
// other errors.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("chat", flag.ContinueOnError)
	flags.SetOutput(stderr)
	names := strings.Join(slices.Sorted(maps.Keys(frameworks)), ", ")
	addr := flags.String("addr", "127.0.0.1:8080", "address to listen on")
	framework := flags.String("framework", "nethttp", "web framework that serves the chat: "+names)
	client := flags.String("client", clientBundle, "the bundle of engine.io-client that the page loads")
	secure := flags.Bool("tls", false, "serve https and wss, with a certificate that nobody has signed")
	pingInterval := flags.Duration("ping-interval", 25*time.Second, "how often the server pings")
	pingTimeout := flags.Duration("ping-timeout", 20*time.Second, "how long it waits for the answer")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	serve, known := frameworks[*framework]
	if !known || flags.NArg() > 0 {
		fmt.Fprintf(stderr, "chat: unknown framework or argument; -framework is one of: %s\n", names)
		return 2
	}

	room := &room{}
	engine, err := core.NewServer(core.Config{
		PingInterval: *pingInterval,
		PingTimeout:  *pingTimeout,
		MaxPayload:   maxPayload,
		OnConnection: room.open,
	})
	if err != nil {
		fmt.Fprintln(stderr, "chat:", err)
		return 2
	}
	page, err := newPage(engine, *client)
	if err != nil {
		fmt.Fprintln(stderr, "chat:", err)
		return 1
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		fmt.Fprintln(stderr, "chat:", err)
		return 1
	}
	scheme := "http"
	if *secure {
		scheme = "https"
		if listener, err = selfsigned.Listen(listener, protocols(*framework)); err != nil {
			fmt.Fprintln(stderr, "chat:", err)
			return 1
		}
	}
	fmt.Fprintf(stdout, "The chat is open at %s://%s/ (%s)\n", scheme, listener.Addr(), *framework)
	if err := serveUntil(ctx, engine, serve(engine, page), listener); err != nil {
		fmt.Fprintln(stderr, "chat:", err)
		return 1
	}
	return 0
}

// serveUntil serves the chat until ctx ends, then closes the sessions and after them the app.
func serveUntil(ctx context.Context, engine *core.Server, app app, listener net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- app.Serve(listener) }()
	select {
	case err := <-failed:
		engine.Close()
		return err
	case <-ctx.Done():
	}
	err := errors.Join(within(shutdownTimeout, engine.Shutdown), within(shutdownTimeout, app.Shutdown))
	_ = listener.Close() // Fiber's Shutdown does nothing to a server that has not begun to serve
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) && !errors.Is(served, net.ErrClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// within calls shutdown, and does not treat running out of time as an error. Clients may have disappeared,
// and browsers open connections in advance that they never use; those close when the process ends.
func within(d time.Duration, shutdown func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if err := shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
