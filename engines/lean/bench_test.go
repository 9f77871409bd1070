package lean_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/engines/lean"
	"github.com/goengineio/engineio/internal/fastws"
)

// echoing makes a server that sends every message back, and returns the client's end.
func echoing(t testing.TB, engine core.WebSocketEngine) net.Conn {
	t.Helper()
	near, far := tcpPair(t)
	server, err := engine.Accept(near, nil, upgrade(), terms())
	if err != nil {
		t.Fatal(err)
	}
	flush(t, server)
	answer := make([]byte, 4096)
	if n, err := far.Read(answer); err != nil || !bytes.HasSuffix(answer[:n], []byte("\r\n\r\n")) {
		t.Fatalf("%q %v", answer[:n], err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			data, isBinary, err := server.ReadMessage()
			if err != nil {
				return
			}
			_ = server.AppendMessage(data, isBinary, false)
			if !server.Buffered() { // as the core does
				if _, err := server.Flush(true); err != nil {
					return
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = far.Close()
		<-ended
		_ = server.Close()
	})
	return far
}

// TestAllocationBudget: a message costs one allocation, for its data, from reading it to writing it.
func TestAllocationBudget(t *testing.T) {
	budget := 1.0
	if poolsDrop() {
		budget = 2
	}
	for _, size := range []int{1, 128, 4000, 4096} {
		conn := echoing(t, lean.New())
		out := []byte(frame(fin|text, pattern(size)))
		in := make([]byte, len(out)-4)
		if allocs := testing.AllocsPerRun(1000, func() {
			_, _ = conn.Write(out)
			if _, err := io.ReadFull(conn, in); err != nil {
				t.Fatal(err)
			}
		}); allocs > budget {
			t.Errorf("%d bytes: %v allocations", size, allocs)
		}
	}
}

// BenchmarkEcho sends messages to a server and back over TCP, several at once.
func BenchmarkEcho(b *testing.B) {
	for _, size := range []int{128, 4096, 65536, 1_000_000} {
		for _, inFlight := range []int{1, 16} {
			if size > 4096 && inFlight > 1 {
				continue
			}
			for name, engine := range map[string]core.WebSocketEngine{"lean": lean.New(), "fastws": fastws.New()} {
				b.Run(fmt.Sprintf("%d/%d/%s", size, inFlight, name), func(b *testing.B) {
					conn := echoing(b, engine)
					out := bytes.Repeat([]byte(frame(fin|binaryData, pattern(size))), inFlight)
					in := make([]byte, len(out)-4*inFlight)
					b.SetBytes(int64(size))
					b.ReportAllocs()
					b.ResetTimer()
					for n := 0; n < b.N; n += inFlight {
						if len(out) > 100_000 { // more than the network accepts at once
							go func() { _, _ = conn.Write(out) }()
						} else {
							_, _ = conn.Write(out)
						}
						if _, err := io.ReadFull(conn, in); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

// repeated is a connection that delivers the same frames for ever.
type repeated struct {
	frames []byte
	at     int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.frames[r.at:])
	r.at = (r.at + n) % len(r.frames)
	return n, nil
}

// BenchmarkReadMessage does not use the network.
func BenchmarkReadMessage(b *testing.B) {
	for _, size := range []int{16, 128, 4096, 65536, 1_000_000} {
		for name, engine := range map[string]core.WebSocketEngine{"lean": lean.New(), "fastws": fastws.New()} {
			b.Run(fmt.Sprintf("%d/%s", size, name), func(b *testing.B) {
				frames := bytes.Repeat([]byte(frame(fin|binaryData, pattern(size))), 1+4096/size)
				server, err := engine.Accept(&scripted{r: &repeated{frames: frames}}, nil, upgrade(), terms())
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := server.ReadMessage(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkAppendMessage does not use the network; it flushes every sixteen frames.
func BenchmarkAppendMessage(b *testing.B) {
	for _, size := range []int{16, 128, 4096} {
		for name, engine := range map[string]core.WebSocketEngine{"lean": lean.New(), "fastws": fastws.New()} {
			b.Run(fmt.Sprintf("%d/%s", size, name), func(b *testing.B) {
				server, err := engine.Accept(&scripted{}, nil, upgrade(), terms())
				if err != nil {
					b.Fatal(err)
				}
				data := []byte(pattern(size))
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					_ = server.AppendMessage(data, true, false)
					if i%16 == 0 {
						_, _ = server.Flush(true)
					}
				}
			})
		}
	}
}

// BenchmarkAccept measures the opening handshake, with and without permessage-deflate.
func BenchmarkAccept(b *testing.B) {
	for name, engine := range map[string]core.WebSocketEngine{"lean": lean.New(), "fastws": fastws.New()} {
		for _, deflate := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/deflate=%v", name, deflate), func(b *testing.B) {
				o := terms()
				if deflate {
					o.Deflate = new(core.DeflateOptions)
				}
				r := upgrade(deflateOffer)
				b.ReportAllocs()
				for b.Loop() {
					server, err := engine.Accept(&scripted{}, nil, r, o)
					if err != nil {
						b.Fatal(err)
					}
					_, _ = server.Flush(true)
				}
			})
		}
	}
}
