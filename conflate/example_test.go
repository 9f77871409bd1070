package conflate_test

import (
	"bytes"
	"fmt"

	"github.com/goengineio/engineio/conflate"
	"github.com/goengineio/engineio/core"
)

// A slow client is sent only the newest price of each share, all in one message.
func Example() {
	share := func(m core.Message) (string, bool) {
		name, _, ok := bytes.Cut(m.Data, []byte(" "))
		return string(name), ok
	}
	join := func(prices []core.Message) core.Message {
		var all [][]byte
		for _, price := range prices {
			all = append(all, price.Data)
		}
		return core.Message{Data: bytes.Join(all, []byte("\n"))}
	}
	cfg := core.Config{
		Conflate: conflate.Chain(conflate.LatestByKey(share), conflate.Batch(4096, join)),
	}

	// The server does this with waiting messages:
	waiting := []core.Message{core.Text("ACME 10"), core.Text("INIT 7"), core.Text("ACME 11")}
	for _, m := range cfg.Conflate(nil, waiting) {
		fmt.Printf("%s\n", m.Data)
	}
	// Output:
	// INIT 7
	// ACME 11
}
