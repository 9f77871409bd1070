package eiogin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gin-gonic/gin"

	eiogin "github.com/goengineio/engineio/adapters/gin"
	"github.com/goengineio/engineio/core"
)

func ExampleMount() {
	srv, err := core.NewServer(core.Config{
		OnConnection: func(s *core.Socket) {
			s.OnMessage(func(m core.Message) { s.Send(m) })
		},
	})
	if err != nil {
		panic(err)
	}
	router := gin.Default()
	eiogin.Mount(router, "/engine.io", srv)
	_ = http.ListenAndServe("127.0.0.1:8080", router)
}

// Middleware in front of the endpoint identifies the user and passes the name on to the sessions. Requests
// without a valid token never reach the endpoint, neither for polling nor for WebSockets.
//
// Browsers cannot set headers on a WebSocket; for them, put the token into a cookie.
func Example_authentication() {
	users := map[string]string{"token-of-ann": "ann"}
	authenticate := func(c *gin.Context) {
		user, ok := users[strings.TrimPrefix(c.GetHeader("Authorization"), "Bearer ")]
		if !ok {
			c.AbortWithStatus(http.StatusUnauthorized)
			return
		}
		c.Set("user", user)
	}

	connected := make(chan string)
	srv, err := core.NewServer(core.Config{
		OnConnection: func(s *core.Socket) {
			user, _ := s.Request().Context().Value("user").(string)
			connected <- user
		},
	})
	if err != nil {
		panic(err)
	}
	router := gin.New()
	eiogin.Mount(router.Group("/", authenticate), "/engine.io", srv, eiogin.Options{Keys: []any{"user"}})

	hs := httptest.NewServer(router)
	defer hs.Close()
	defer srv.Close()
	for _, token := range []string{"forged", "token-of-ann"} {
		header := http.Header{"Authorization": {"Bearer " + token}}
		r, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, hs.URL+"/engine.io/?EIO=4&transport=polling", nil)
		r.Header = header
		resp, err := hs.Client().Do(r)
		if err != nil {
			panic(err)
		}
		resp.Body.Close()
		fmt.Println("polling:", resp.StatusCode)
		if resp.StatusCode == http.StatusOK {
			fmt.Println("connected:", <-connected)
		}

		target := "ws" + strings.TrimPrefix(hs.URL, "http") + "/engine.io/?EIO=4&transport=websocket"
		ws, resp, err := websocket.DefaultDialer.Dial(target, header)
		fmt.Println("WebSocket:", resp.StatusCode)
		if err == nil {
			fmt.Println("connected:", <-connected)
			ws.Close()
		}
	}
	// Output:
	// polling: 401
	// WebSocket: 401
	// polling: 200
	// connected: ann
	// WebSocket: 101
	// connected: ann
}

// Shut down the sessions first: their polls are answered and their WebSockets closed, so that the HTTP
// server has nothing left to wait for.
func Example_shutdown() {
	srv, err := core.NewServer(core.Config{})
	if err != nil {
		panic(err)
	}
	router := gin.New()
	eiogin.Mount(router, "/engine.io", srv)
	hs := httptest.NewServer(router)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = srv.Shutdown(ctx)
	// A context of its own: a polling client that is gone can use up the first.
	ctx, cancel = context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(err, hs.Config.Shutdown(ctx))
	// Output: <nil> <nil>
}
