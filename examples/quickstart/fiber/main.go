// Command fiber is the smallest complete server on Fiber. It echoes every message.
package main

import (
	"flag"
	"log"

	"github.com/gofiber/fiber/v2"

	eiofiber "github.com/goengineio/engineio/adapters/fiber"
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
	app := fiber.New()
	eiofiber.Mount(app, "/engine.io", srv)
	log.Fatal(app.Listen(*addr))
}
