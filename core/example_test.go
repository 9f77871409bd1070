package core_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/rs/cors"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

// An echo server at /engine.io/, where every Engine.IO client looks for one.
func Example() {
	srv, err := core.NewServer(core.Config{
		OnConnection: func(s *core.Socket) {
			s.OnMessage(func(m core.Message) { s.Send(m) })
			s.OnClose(func(reason core.CloseReason, err error) { log.Println(s.ID(), reason, err) })
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	eiohttp.Mount(http.DefaultServeMux, "/engine.io", srv)
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}

// The error names every invalid field.
func ExampleNewServer() {
	_, err := core.NewServer(core.Config{
		PingInterval: -time.Second,
		Transports:   []core.Transport{"flashsocket"},
	})
	fmt.Println(err)
	// Output:
	// engine.io: Config.PingInterval: -1s is less than a millisecond
	// engine.io: Config.Transports: unknown transport "flashsocket"
}

// Text and binary messages, sent even before the client has done anything.
func ExampleSocket_Send() {
	client, stop := serve(core.Config{
		OnConnection: func(s *core.Socket) {
			s.Send(core.Text("hello"))
			s.Send(core.Binary([]byte{0, 1, 2, 3, 4, 5}))
		},
	})
	defer stop()
	client.show(2)
	// Output:
	// 4hello
	// bAAECAwQF
}

// The data belongs to the callback: it may be kept or changed.
func ExampleSocket_OnMessage() {
	client, stop := serve(core.Config{
		OnConnection: func(s *core.Socket) {
			s.OnMessage(func(m core.Message) {
				if m.Binary {
					s.Send(core.Text("text, please"))
					return
				}
				s.Send(core.Text(strings.ToUpper(string(m.Data))))
			})
		},
	})
	defer stop()
	client.send("4quietly")
	client.show(1)
	client.send("bAQID")
	client.show(1)
	// Output:
	// 4QUIETLY
	// 4text, please
}

// Why a session ended: always a reason, and an error where there is more to say.
func ExampleSocket_OnClose() {
	ended := make(chan string, 1)
	client, stop := serve(core.Config{
		MaxPayload: 1000, MaxBuffered: 4000,
		OnConnection: func(s *core.Socket) {
			s.OnClose(func(reason core.CloseReason, err error) {
				ended <- fmt.Sprintf("%s, too slow: %v", reason, errors.Is(err, core.ErrBufferFull))
			})
			s.OnMessage(func(core.Message) {
				for s.Send(core.Binary(make([]byte, 1000))) == nil { // until nothing more fits
				}
			})
		},
	})
	defer stop()
	client.send("4flood me")
	fmt.Println(<-ended)
	// Output:
	// transport error, too slow: true
}

// A function that is called when a message was handed to the transport.
func ExampleSocket_SendFunc() {
	done := make(chan struct{})
	client, stop := serve(core.Config{
		OnConnection: func(s *core.Socket) {
			_ = s.SendFunc(core.Text("one"), func() { fmt.Println("one is on its way") })
			_ = s.SendFunc(core.Text("two"), func() { fmt.Println("two is on its way"); close(done) })
		},
	})
	defer stop()
	client.poll()
	<-done
	// Output:
	// one is on its way
	// two is on its way
}

// Work for one client that stops when the client is gone.
func ExampleSocket_Context() {
	cfg := core.Config{
		OnConnection: func(s *core.Socket) {
			ctx := s.Context()
			go func() {
				clock := time.NewTicker(time.Second)
				defer clock.Stop()
				for {
					select {
					case now := <-clock.C:
						s.Send(core.Text(now.Format(time.TimeOnly)))
					case <-ctx.Done():
						return
					}
				}
			}()
		},
	}
	_, _ = core.NewServer(cfg)
}

// The message is encoded only once, whatever the number of receivers.
func ExampleServer_Broadcast() {
	srv, err := core.NewServer(core.Config{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(srv.Broadcast(core.Text("is anybody there?")))
	// Output:
	// 0
}

// A message to all members of a room except the sender, encoded once.
func ExamplePrepared_SendTo() {
	room := map[*core.Socket]bool{} // with a lock of its own
	say := func(sender *core.Socket, m core.Message) (heard int) {
		return core.Prepare(m).SendTo(func(yield func(*core.Socket) bool) {
			for member := range room {
				if member != sender && !yield(member) {
					return
				}
			}
		})
	}
	fmt.Println(say(nil, core.Text("hello")))
	// Output:
	// 0
}

// A middleware for all requests of the endpoint, WebSockets included, under every framework.
func ExampleServer_Use() {
	client, stop := serveWith(core.Config{}, func(srv *core.Server) {
		srv.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Frame-Options", "DENY")
				next.ServeHTTP(w, r)
			})
		})
	})
	defer stop()
	fmt.Println(client.header.Get("X-Frame-Options"))
	// Output:
	// DENY
}

// The decision about who may connect is made before a session exists.
func ExampleConfig_allowRequest() {
	_, stop := serve(core.Config{
		AllowRequest: func(r *http.Request) error {
			if r.Header.Get("Authorization") == "" {
				return errors.New("who are you?")
			}
			return nil
		},
		OnConnectionError: func(e *core.RequestError, _ *http.Request) { fmt.Println(e) },
	})
	defer stop()
	// Output:
	// engine.io: 4 who are you?
}

// Pages of another site may connect, over polling and WebSocket, with their cookies.
func ExampleConfig_cors() {
	srv, err := core.NewServer(core.Config{
		CORS: &cors.Options{
			AllowedOrigins:   []string{"https://app.example.com"},
			AllowCredentials: true,
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	srv.Close()
}

// A graceful end: clients get what waits for them and are told that the server goes away.
func ExampleServer_Shutdown() {
	srv, err := core.NewServer(core.Config{})
	if err != nil {
		log.Fatal(err)
	}
	hs := &http.Server{Addr: "127.0.0.1:8080", Handler: eiohttp.Handler(srv)}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() {
		within, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = srv.Shutdown(within) // sessions first: waiting polls are answered
		_ = hs.Shutdown(within)
	})
	log.Println(hs.ListenAndServe())
}

// exampleClient is the client of the examples above. It uses polling.
type exampleClient struct {
	url    string
	header http.Header // of the answer to the handshake
	left   []string    // packets that were not shown yet
}

func serve(cfg core.Config) (client *exampleClient, stop func()) {
	return serveWith(cfg, func(*core.Server) {})
}

func serveWith(cfg core.Config, prepare func(*core.Server)) (client *exampleClient, stop func()) {
	srv, err := core.NewServer(cfg)
	if err != nil {
		log.Fatal(err)
	}
	prepare(srv)
	hs := httptest.NewServer(eiohttp.Handler(srv))
	client = &exampleClient{url: hs.URL + "/?EIO=4&transport=polling"}
	client.poll()
	for s := range srv.All() {
		client.url += "&sid=" + s.ID()
	}
	client.left = nil // the open packet
	return client, func() {
		srv.Close()
		hs.Close()
	}
}

func (c *exampleClient) do(method, body string) string {
	r, err := http.NewRequest(method, c.url, strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	data, _ := io.ReadAll(res.Body)
	c.header = res.Header
	return string(data)
}

func (c *exampleClient) send(packet string) { c.do(http.MethodPost, packet) }

func (c *exampleClient) poll() {
	c.left = append(c.left, strings.Split(c.do(http.MethodGet, ""), "\x1e")...)
}

func (c *exampleClient) show(packets int) {
	for ; packets > 0; packets-- {
		for len(c.left) == 0 {
			c.poll()
		}
		fmt.Println(c.left[0])
		c.left = c.left[1:]
	}
}
