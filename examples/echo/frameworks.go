package main

import (
	"context"
	"net"
	"net/http"
	"time"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

// served is a framework's server with the endpoint mounted in it.
type served struct {
	serve    func(net.Listener) error
	shutdown func(context.Context) error
	// protocols are offered over TLS.
	protocols []string
}

// frameworks has one line for each value of -framework.
var frameworks = map[string]func(path string, srv *core.Server, app *app) served{
	"nethttp": serveNetHTTP,
}

func serveNetHTTP(path string, srv *core.Server, app *app) served {
	return httpServer(eiohttp.Middleware(srv, path)(app))
}

// httpServer is common to the frameworks that stand on net/http.
func httpServer(handler http.Handler) served {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return served{serve: server.Serve, shutdown: server.Shutdown, protocols: []string{"h2", "http/1.1"}}
}
