//go:build linux && amd64 && !race

package eiohttp_test

import (
	"net/http"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/engines/lean"
)

// TestStackOfCandidates: net/http serves a new connection on 4 KiB of stack, and an opening handshake must not
// make it grow, which takes 5 us each time. It is a tight fit: functions on the way, from the middleware to
// the engine, that have large frames make it 8 KiB. A WebSocket that is to become a session's transport stays
// on that stack until it is, so the stack can be measured.
func TestStackOfCandidates(t *testing.T) {
	for name, test := range map[string]struct {
		engine core.WebSocketEngine
		serve  func(*testing.T, http.Handler) string
	}{
		"default":           {nil, serve},
		"default, Listener": {nil, serveQuick},
		"lean":              {lean.New(), serve},
		"lean, Listener":    {lean.New(), serveQuick},
	} {
		t.Run(name, func(t *testing.T) {
			const candidates = 300
			srv := newServer(t, core.Config{WebSocketEngine: test.engine})
			url := test.serve(t, eiohttp.Middleware(srv, "")(http.HandlerFunc(app)))
			sids := make([]string, candidates)
			for i := range sids {
				_, open := get(t, url+"/engine.io/?EIO=4&transport=polling")
				sids[i] = sid(t, open)
			}

			before := stacks()
			for _, sid := range sids {
				_, r := dial(t, strings.TrimPrefix(url, "http://"), "GET /engine.io/?EIO=4&transport=websocket&sid="+sid+" HTTP/1.1\r\n"+
					"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
					"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
				if line, err := r.ReadString('\n'); !strings.Contains(line, " 101 ") {
					t.Fatal(line, err)
				}
			}
			if each := int64(stacks()-before) / candidates; each > 6000 {
				t.Errorf("%d bytes of stack for each candidate", each)
			}
		})
	}
}

// stacks returns how many bytes goroutines have as stacks.
func stacks() uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
