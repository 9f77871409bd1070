package debuglog_test

import (
	"os"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/debuglog"
)

// A server that logs debug records when it is started with, for example, DEBUG=engine* in the environment.
func Example() {
	srv, err := core.NewServer(core.Config{Logger: debuglog.FromEnv(os.Stderr)})
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	// Output:
}
