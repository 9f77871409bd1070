package lean_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/fasthttp/websocket"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/engines/lean"
)

func newEngine() core.WebSocketEngine { return lean.New() }

func totalAlloc() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// dial connects a client of the other engine's library, with its own opening handshake.
func dial(t *testing.T, o core.WebSocketOptions) (core.WebSocketConn, *websocket.Conn) {
	t.Helper()
	near, far := tcpPair(t)
	accepted := make(chan core.WebSocketConn, 1)
	go func() {
		r := bufio.NewReader(near)
		request, err := http.ReadRequest(r)
		if err != nil {
			t.Error(err)
			close(accepted)
			return
		}
		early, _ := r.Peek(r.Buffered())
		server, err := lean.New().Accept(near, early, request, o)
		if err != nil {
			t.Error(err)
		}
		_, _ = server.Flush(true)
		accepted <- server
	}()
	dialer := websocket.Dialer{
		EnableCompression: true,
		NetDialContext:    func(context.Context, string, string) (net.Conn, error) { return far, nil },
	}
	client, res, err := dialer.DialContext(t.Context(), "ws://x/", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	server := <-accepted
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return server, client
}

// TestDeflateBothWays uses the other engine's library at the other end.
func TestDeflateBothWays(t *testing.T) {
	o := terms()
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		o.Deflate = &core.DeflateOptions{Threshold: -1, Level: level}
		server, client := dial(t, o)
		sizes := []int{0, 1, 2, 100, 4095, 4096, 4097, 8192, 8193, 70_000}
		if level == flate.BestSpeed {
			sizes = append(sizes, 1_000_000)
		}
		for _, size := range sizes {
			for name, data := range map[string]string{"text": strings.Repeat("lorem ipsum ", size/12+1)[:size], "noise": noise(size)} {
				written := async(func() error { return client.WriteMessage(websocket.BinaryMessage, []byte(data)) })
				wantMessage(t, server, data, true)
				if err := <-written; err != nil {
					t.Fatal(err)
				}
				if server.Buffered() {
					t.Errorf("%s, %d bytes: more input is said to be there", name, size)
				}
				_ = server.AppendMessage([]byte(data), false, true)
				flushed := goFlush(server)
				if kind, got, err := client.ReadMessage(); err != nil || kind != websocket.TextMessage || string(got) != data {
					t.Fatalf("level %d, %s, %d bytes: %d %v", level, name, size, len(got), err)
				}
				if err := <-flushed; err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func noise(size int) string {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return string(b)
}

// TestWhatIsCompressed: messages are compressed from the threshold on, if allowed, and if it helps.
func TestWhatIsCompressed(t *testing.T) {
	text1000, text1024 := strings.Repeat("a", 1000), strings.Repeat("a", 1024)
	for name, test := range map[string]struct {
		deflate  *core.DeflateOptions
		offer    string
		data     string
		compress bool
		want     bool
	}{
		"below the default threshold": {new(core.DeflateOptions), deflateOffer, text1000, true, false},
		"at the default threshold":    {new(core.DeflateOptions), deflateOffer, text1024, true, true},
		"not this message":            {new(core.DeflateOptions), deflateOffer, text1024, false, false},
		"not offered":                 {new(core.DeflateOptions), "foo", text1024, true, false},
		"offer declined":              {new(core.DeflateOptions), "permessage-deflate; x", text1024, true, false},
		"not allowed":                 {nil, deflateOffer, text1024, true, false},
		"low threshold":               {&core.DeflateOptions{Threshold: 10}, deflateOffer, text1000, true, true},
		"everything":                  {&core.DeflateOptions{Threshold: -1}, deflateOffer, text1000[:40], true, true},
		"everything, but it grows":    {&core.DeflateOptions{Threshold: -1}, deflateOffer, "abc", true, false},
		"noise":                       {new(core.DeflateOptions), deflateOffer, noise(5000), true, false},
		"level out of range":          {&core.DeflateOptions{Level: 100}, deflateOffer, text1024, true, true},
	} {
		o := terms()
		o.Deflate = test.deflate
		server, c := connect(t, o, test.offer)
		_ = server.AppendMessage([]byte(test.data), false, test.compress)
		flush(t, server)
		first, payload := c.next()
		if first != fin|text && first != fin|rsv1|text || (first == fin|rsv1|text) != test.want || len(payload) > len(test.data) {
			t.Errorf("%s: frame %#x, %d of %d bytes", name, first, len(payload), len(test.data))
		}
	}
}

// compressed is the payload of a compressed message (RFC 7692, 7.2.1).
func compressed(t testing.TB, data string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte(data))
	_ = w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// TestCompressedInput sends input that the other engine's client never sends.
func TestCompressedInput(t *testing.T) {
	o := terms()
	o.Deflate = new(core.DeflateOptions)
	server, c := connect(t, o, deflateOffer)
	// The examples of RFC 7692, 7.2.3.
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00"
	for name, frames := range map[string]string{
		"one frame":            frame(fin|rsv1|text, hello),
		"two frames":           frame(rsv1|text, hello[:3]) + frame(fin|continuation, hello[3:]),
		"ping between":         frame(rsv1|text, hello[:3]) + frame(fin|ping, "") + frame(fin|continuation, hello[3:]),
		"empty frames":         frame(rsv1|text, "") + frame(continuation, hello) + frame(fin|continuation, ""),
		"stored":               frame(fin|rsv1|text, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"),
		"last block is marked": frame(fin|rsv1|text, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
		"two blocks":           frame(fin|rsv1|text, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
		"not compressed":       frame(fin|text, "Hello"),
	} {
		c.send(frames)
		got, _, err := server.ReadMessage()
		if err != nil || string(got) != "Hello" {
			t.Fatalf("%s: %q %v", name, got, err)
		}
	}
	c.send(frame(fin|rsv1|binaryData, "\x00"))
	wantMessage(t, server, "", true)
	// No context is kept: data that refers to an earlier message is corrupt.
	c.send(frame(fin|rsv1|text, "\xf2\x00\x11\x00\x00"))
	wantError(t, server, false, 1007)
}

// TestMessagesAreTheCallers: a delivered message does not change when more are delivered.
func TestMessagesAreTheCallers(t *testing.T) {
	o := terms()
	o.Deflate = new(core.DeflateOptions)
	server, c := connect(t, o, deflateOffer)
	var got [][]byte
	var want []string
	for i, size := range []int{10, 100, 4095, 4096, 4097, 9000, 10, 100} {
		for _, first := range []byte{fin | text, fin | rsv1 | text} {
			data := strings.Repeat(string(rune('a'+i)), size)
			payload := data
			if first&rsv1 != 0 {
				payload = compressed(t, data)
			}
			c.send(frame(first, payload))
			message, _, err := server.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			got, want = append(got, message), append(want, data)
		}
	}
	for i := range got {
		if string(got[i]) != want[i] {
			t.Errorf("message %d of %d bytes has changed", i, len(want[i]))
		}
	}
}

// TestInflatedLimit: the limit applies to the inflated data, to the byte.
func TestInflatedLimit(t *testing.T) {
	for _, limit := range []int{1, 2, 1000, 4095, 4096, 4097, 8192, 300_000} {
		o := terms()
		o.MaxMessage = int64(limit)
		o.Deflate = new(core.DeflateOptions)
		server, c := connect(t, o, deflateOffer)
		fits := pattern(limit)
		go c.send(frame(fin|rsv1|binaryData, compressed(t, fits)), frame(fin|rsv1|binaryData, compressed(t, fits+"x")))
		wantMessage(t, server, fits, true)
		wantError(t, server, false, 1009)
	}
}

// TestDeflateBomb: 100 KB that become 100 MB, in one frame and in many, cost no more than the limit.
func TestDeflateBomb(t *testing.T) {
	million := compressed(t, strings.Repeat("\x00", 1_000_000)) + "\x00\x00\xff\xff"
	bomb := strings.Repeat(million, 100) // each block ends at a byte boundary, so blocks can be concatenated
	var fragments []string
	first := byte(rsv1 | binaryData)
	for rest := bomb; rest != ""; rest = rest[min(len(rest), 100):] {
		fragments = append(fragments, frame(first, rest[:min(len(rest), 100)]))
		first = continuation
	}
	for name, frames := range map[string]string{
		"one frame": frame(fin|rsv1|binaryData, bomb),
		"fragments": strings.Join(fragments, "") + frame(fin|continuation, ""),
	} {
		o := terms()
		o.Deflate = new(core.DeflateOptions)
		server := accept(t, &scripted{r: strings.NewReader(frames)}, "", o, deflateOffer)
		before := totalAlloc()
		wantError(t, server, false, 1009)
		if allocated := totalAlloc() - before; allocated > 4_000_000 {
			t.Errorf("%s: %d bytes were allocated for a limit of 1,000,000", name, allocated)
		}
	}
}

// TestPooledCompressorsLeakNothing: data that one message leaves in a pooled compressor or buffer does not
// appear in the next.
func TestPooledCompressorsLeakNothing(t *testing.T) {
	o := terms()
	o.Deflate = &core.DeflateOptions{Threshold: -1}
	server, client := dial(t, o)
	for i := range 200 {
		data := strings.Repeat(string(rune('a'+i%26)), 10+i*37%5000)
		_ = server.AppendMessage([]byte(data), false, true)
		flush(t, server)
		if _, got, err := client.ReadMessage(); err != nil || string(got) != data {
			t.Fatalf("message %d: %d bytes, %v", i, len(got), err)
		}
		_ = client.WriteMessage(websocket.TextMessage, []byte(data))
		wantMessage(t, server, data, false)
	}
}
