// Command nethttp is the smallest complete server on net/http. It echoes every message.
package main

import (
	"flag"
	"log"
	"net/http"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	srv, err := core.NewServer(core.Config{OnConnection: func(s *core.Socket) {
		s.OnMessage(func(m core.Message) { _ = s.Send(m) })
	}})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	eiohttp.Mount(mux, "/engine.io", srv)
	log.Fatal(http.ListenAndServe(*addr, mux)) //nolint:gosec // the smallest, not the safest
}
