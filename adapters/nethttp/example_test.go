package eiohttp_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/fasthttp/websocket"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

// Middleware in front of the endpoint decides who may connect, over polling and WebSocket alike, and
// passes the user on to OnConnection in the request's context.
func ExampleHandler_authentication() {
	type userKey struct{}
	users := map[string]string{"Bearer secret": "ada"} // in a real application, verify a JWT or look up a session
	authenticate := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, ok := users[r.Header.Get("Authorization")]
			if !ok {
				http.Error(w, "who are you?", http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
		})
	}

	connected := make(chan any, 1)
	srv, err := core.NewServer(core.Config{OnConnection: func(s *core.Socket) {
		connected <- s.Request().Context().Value(userKey{})
	}})
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	mux := http.NewServeMux()
	mux.Handle("/engine.io/", authenticate(eiohttp.Handler(srv)))
	server := httptest.NewServer(mux)
	defer server.Close()

	try := func(token string) {
		header := http.Header{"Authorization": {token}}
		r, _ := http.NewRequest(http.MethodGet, server.URL+"/engine.io/?EIO=4&transport=polling", nil) //nolint:noctx // an example
		r.Header = header
		res, err := server.Client().Do(r)
		if err != nil {
			panic(err)
		}
		_ = res.Body.Close()
		fmt.Println("polling:", res.StatusCode)
		if res.StatusCode == http.StatusOK {
			fmt.Println("user:", <-connected)
		}

		ws, res, err := websocket.DefaultDialer.Dial("ws"+server.URL[4:]+"/engine.io/?EIO=4&transport=websocket", header)
		if err == nil {
			defer func() { _ = ws.Close() }()
			fmt.Println("user:", <-connected)
		}
		_ = res.Body.Close()
		fmt.Println("websocket:", res.StatusCode)
	}
	try("Bearer guess")
	try("Bearer secret")
	// Output:
	// polling: 401
	// websocket: 401
	// polling: 200
	// user: ada
	// user: ada
	// websocket: 101
}

// Shut down the sessions first: this answers the polls, for which http.Server.Shutdown would wait, and
// closes the WebSockets, of which it knows nothing.
func ExampleMount_shutdown() {
	srv, err := core.NewServer(core.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	eiohttp.Mount(mux, "/engine.io", srv)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // an example
	if err != nil {
		panic(err)
	}
	go func() { _ = server.Serve(listener) }()
	res, err := http.Get("http://" + listener.Addr().String() + "/engine.io/?EIO=4&transport=websocket") //nolint:noctx // an example
	if err != nil {
		panic(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	fmt.Println(string(body))
	http.DefaultClient.CloseIdleConnections()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = srv.Shutdown(ctx)
	// A context of its own: a polling client that is gone can use up the first.
	ctx, cancel = context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(err, server.Shutdown(ctx))
	// Output:
	// {"code":3,"message":"Bad request"}
	// <nil> <nil>
}
