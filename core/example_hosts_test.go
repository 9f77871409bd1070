package core_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"

	"github.com/goengineio/engineio/core"
)

// A server that knows its names refuses all others. Whoever owns a name can have it lead to any
// address, such as that of a server in the user's own network (DNS rebinding); a page under that name
// then shows an origin that equals the host, and passes the check of origins.
func ExampleConfig_allowRequest_hosts() {
	names := []string{"example.com", "www.example.com"}
	_, stop := serve(core.Config{
		AllowRequest: func(r *http.Request) error {
			host, _, err := net.SplitHostPort(r.Host)
			if err != nil {
				host = r.Host // without a port
			}
			if !slices.Contains(names, host) {
				return errors.New("unknown host")
			}
			return nil
		},
		OnConnectionError: func(e *core.RequestError, _ *http.Request) { fmt.Println(e) },
	})
	defer stop()
	// Output:
	// engine.io: 4 unknown host
}
