package core_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"

	"github.com/goengineio/engineio/core"
)

// A server that knows its own names refuses requests for all others. The owner of a name can make it
// resolve to any address, such as that of a server in the user's own network (DNS rebinding). A page under
// that name then has an origin that equals the host, and so passes the check of origins.
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
