// Command echo is the smallest complete server on Echo. It echoes every message.
package main

import (
	"flag"
	"log"

	"github.com/labstack/echo/v4"

	eioecho "github.com/goengineio/engineio/adapters/echo"
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
	e := echo.New()
	eioecho.Mount(e, "/engine.io", srv)
	log.Fatal(e.Start(*addr))
}
