package main

import (
	"context"
	"net"
	"net/http"
	"time"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

// endpoint is where the engine is mounted; the client's default.
const endpoint = "/engine.io"

// An app serves the chat on a listener until Shutdown, which lets running requests finish.
type app interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

// frameworks are the values of -framework: each builds an app that hands the endpoint to the engine
// and everything else to the page.
var frameworks = map[string]func(engine *core.Server, page http.Handler) app{
	"nethttp": func(engine *core.Server, page http.Handler) app {
		mux := http.NewServeMux()
		eiohttp.Mount(mux, endpoint, engine)
		mux.Handle("/", page)
		return &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	},
}
