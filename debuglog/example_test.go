package debuglog_test

import (
	"os"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/debuglog"
)

// A server whose debug records appear when it is started with, say, DEBUG=engine* in the environment.
func Example() {
	srv, err := core.NewServer(core.Config{Logger: debuglog.FromEnv(os.Stderr)})
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	// Output:
}
