// Command gin is the smallest complete server on Gin. It echoes every message.
package main

import (
	"flag"
	"log"

	"github.com/gin-gonic/gin"

	eiogin "github.com/goengineio/engineio/adapters/gin"
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
	router := gin.Default()
	eiogin.Mount(router, "/engine.io", srv)
	log.Fatal(router.Run(*addr))
}
