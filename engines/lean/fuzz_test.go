package lean_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/engines/lean"
	"github.com/goengineio/engineio/internal/fastws"
)

// chunks is a connection that delivers data in pieces whose sizes are the bytes of cuts, repeatedly.
type chunks struct {
	data, cuts []byte
	i          int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := len(c.data)
	if len(c.cuts) > 0 {
		n = 1 + int(c.cuts[c.i%len(c.cuts)])
		c.i++
	}
	n = copy(p[:min(n, len(p))], c.data)
	c.data = c.data[n:]
	return n, nil
}

// received is a message that an engine delivered.
type received struct {
	data   string
	binary bool
}

// receive reads until the end and returns everything received, pings included, and the error.
func receive(t *testing.T, engine core.WebSocketEngine, conn *chunks, limit int64, deflate bool) (got []received, pings []string, err error) {
	o := terms()
	o.MaxMessage = limit
	o.Events = events{ping: func(data []byte) { pings = append(pings, string(data)) }}
	r := upgrade(deflateOffer)
	if deflate {
		o.Deflate = new(core.DeflateOptions)
	}
	most := len(conn.data)/6 + 1 // no frame is shorter
	server, err := engine.Accept(&scripted{r: conn}, nil, r, o)
	if err != nil {
		t.Fatal(err)
	}
	for range most + 1 {
		data, isBinary, err := server.ReadMessage()
		if err != nil {
			return got, pings, err
		}
		if int64(len(data)) > limit {
			t.Fatalf("a message of %d bytes, the limit is %d", len(data), limit)
		}
		got = append(got, received{string(data), isBinary})
	}
	t.Fatalf("%d bytes brought %d messages", most*6, len(got))
	return nil, nil, nil
}

// FuzzReadMessage reads arbitrary bytes in arbitrary pieces. Reading never panics, comes to an end, and
// allocates in proportion to the input; and both engines deliver the same for input that both accept.
func FuzzReadMessage(f *testing.F) {
	for _, frames := range []string{
		"", "\x81", "\x81\x80", frame(fin|text, "hello") + frame(fin|binaryData, pattern(300)),
		frame(text, "a") + frame(fin|ping, "p") + frame(continuation, "b") + frame(fin|continuation, "c"),
		frame(fin|binaryData, pattern(5000)), frame(binaryData, pattern(200)) + frame(fin|continuation, pattern(4200)),
		frame(fin|closing, ""), frame(fin|closing, "\x03"), frame(fin|closing, closeFrame(1000)+"bye"), frame(fin|pong, "x") + frame(fin|text, ""),
		header(fin|text, 1<<63-1), header(fin|text, 1<<64-1), header(text, 999) + "x", "\x81\x02hi",
		frame(fin|rsv1|text, compressed(f, "hello")) + frame(fin|rsv1|text, compressed(f, strings.Repeat("x", 3000))),
		frame(rsv1|binaryData, compressed(f, pattern(5000))) + frame(fin|continuation, "\x00"), frame(fin|rsv1|text, "\xff\xff"),
		frame(fin|3, ""), frame(fin|0x20|text, ""), frame(ping, ""), frame(fin|continuation, ""),
	} {
		f.Add([]byte(frames), []byte{}, uint16(10_000), false)
		f.Add([]byte(frames), []byte{0}, uint16(4000), true)
		f.Add([]byte(frames), []byte{5, 255, 1}, uint16(65535), true)
	}
	engine, sibling := lean.New(), fastws.New()
	f.Fuzz(func(t *testing.T, data, cuts []byte, limit16 uint16, deflate bool) {
		limit := int64(limit16) + 1
		before := totalAlloc()
		got, pings, err := receive(t, engine, &chunks{data: data, cuts: cuts}, limit, deflate)
		allocated := totalAlloc() - before
		// Each inflated message may be as large as the limit; a pool may have to allocate 64 KiB again.
		most := 8*uint64(len(data)) + 256<<10
		if deflate {
			most += uint64(len(got)+1) * 3 * uint64(limit)
		}
		if allocated > most && !poolsDrop() {
			t.Errorf("%d bytes were allocated for %d bytes of input", allocated, len(data))
		}
		checkEnd(t, err)

		want, wantPings, _ := receive(t, sibling, &chunks{data: data, cuts: cuts}, limit, deflate)
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("message %d is %d bytes %.40q, the sibling's %d bytes %.40q", i, len(got[i].data), got[i].data, len(want[i].data), want[i].data)
			}
		}
		for i := range min(len(pings), len(wantPings)) {
			if pings[i] != wantPings[i] {
				t.Fatalf("ping %d: %q, the sibling's %q", i, pings[i], wantPings[i])
			}
		}
	})
}

// checkEnd checks that reading ended with the end of the input or with a valid close code.
func checkEnd(t *testing.T, err error) {
	var ws *core.WebSocketError
	switch {
	case errors.As(err, &ws):
		switch {
		case ws.Peer && (ws.Code >= 1000 && ws.Code <= 1014 || ws.Code >= 3000 && ws.Code <= 4999):
		case !ws.Peer && (ws.Code == 1002 || ws.Code == 1007 || ws.Code == 1008 || ws.Code == 1009):
		default:
			t.Errorf("%v", err)
		}
	case !errors.Is(err, io.EOF):
		t.Errorf("%v", err)
	}
}

// FuzzAppend appends arbitrary data and reads it back as a client would.
func FuzzAppend(f *testing.F) {
	for _, size := range []int{0, 1, 125, 126, 65535, 65536} {
		f.Add([]byte(pattern(size)), true, uint16(1000), "reason")
	}
	f.Fuzz(func(t *testing.T, data []byte, isBinary bool, code uint16, reason string) {
		var out bytes.Buffer
		server := accept(t, &recorded{scripted{}, &out, new(int)}, "", terms())
		_ = server.AppendMessage(data, isBinary, true)
		_ = server.AppendClose(int(code), reason)
		_ = server.AppendMessage(data, isBinary, true)
		flush(t, server)
		_, frames, _ := strings.Cut(out.String(), "\r\n\r\n")
		r := strings.NewReader(frames)
		first, payload, err := readFrame(r)
		if err != nil || payload != string(data) || (first == fin|binaryData) != isBinary {
			t.Fatalf("frame %#x, %d bytes, %v", first, len(payload), err)
		}
		first, payload, err = readFrame(r)
		if err != nil || first != fin|closing || len(payload) == 1 || len(payload) > 125 || r.Len() > 0 {
			t.Fatalf("close frame %#x, %d bytes, %v, and %d bytes more", first, len(payload), err, r.Len())
		}
		if payload != "" && (binary.BigEndian.Uint16([]byte(payload)) != code || !strings.HasPrefix(reason, payload[2:])) {
			t.Errorf("code %d, reason %q became %q", code, reason, payload)
		}
	})
}

// FuzzNegotiate negotiates arbitrary headers: the answer is something that was offered, or nothing.
func FuzzNegotiate(f *testing.F) {
	for _, offer := range []string{deflateOffer, "a,b;c", `permessage-deflate; server_max_window_bits="15", x`, ",;=\"", "permessage-deflate"} {
		f.Add(offer, "")
	}
	f.Fuzz(func(t *testing.T, offer, second string) {
		o := terms()
		o.Deflate = new(core.DeflateOptions)
		var out bytes.Buffer
		server := accept(t, &recorded{scripted{}, &out, new(int)}, "", o, offer, second)
		flush(t, server)
		_, extension, agreed := strings.Cut(out.String(), "Sec-WebSocket-Extensions: ")
		if agreed && (!strings.HasPrefix(extension, "permessage-deflate; ") || !strings.Contains(offer+second, "permessage-deflate")) {
			t.Errorf("%q, %q: %q", offer, second, extension)
		}
		if _, window, _ := strings.Cut(out.String(), "server_max_window_bits="); window != "" && !strings.Contains(offer+second, "15") {
			t.Errorf("%q, %q: %q", offer, second, extension)
		}
	})
}

// recorded is a connection that keeps what is written to it.
type recorded struct {
	scripted
	out    *bytes.Buffer
	writes *int
}

func (r *recorded) Write(p []byte) (int, error) {
	*r.writes++
	return r.out.Write(p)
}
