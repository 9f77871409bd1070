package fastws_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"go.uber.org/goleak"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/fastws"
)

// events has the function that is called for pings.
type events func(data []byte)

func (e events) OnPing(data []byte) { e(data) }

func (events) BeforeRead() {}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect makes a connection over a pipe and returns the server's end and a client.
func connect(t *testing.T, limit int64) (core.WebSocketConn, *websocket.Conn, chan string) {
	t.Helper()
	near, far := net.Pipe()
	pings := make(chan string, 10)
	accepted := make(chan core.WebSocketConn, 1)
	go func() {
		r := make([]byte, 4096)
		n, _ := near.Read(r)
		request := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}}
		for line := range strings.SplitSeq(string(r[:n]), "\r\n") {
			if key, ok := strings.CutPrefix(line, "Sec-WebSocket-Key: "); ok {
				request.Set("Sec-WebSocket-Key", key)
			}
		}
		ws, err := fastws.New().Accept(near, nil, &http.Request{Method: "GET", Header: request}, core.WebSocketOptions{
			Header: http.Header{"X-Extra": {"yes"}}, MaxMessage: limit, WriteTimeout: time.Minute,
			Events: events(func(data []byte) { pings <- string(data) }),
		})
		if err != nil {
			t.Error(err)
		}
		_, _ = ws.Flush(true)
		accepted <- ws
	}()
	dialer := websocket.Dialer{
		ReadBufferSize: 1024, WriteBufferSize: 1024,
		NetDialContext: func(context.Context, string, string) (net.Conn, error) { return far, nil },
	}
	client, res, err := dialer.DialContext(t.Context(), "ws://x/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.Header.Get("X-Extra") != "yes" {
		t.Errorf("headers of the 101: %v", res.Header)
	}
	server := <-accepted
	t.Cleanup(func() { _, _ = server.Close(), client.Close() })
	return server, client, pings
}

func TestMessages(t *testing.T) {
	server, client, pings := connect(t, 1_000_000)
	for _, size := range []int{0, 1, 125, 126, 4095, 4096, 4097, 65535, 65536, 1_000_000} {
		data := bytes.Repeat([]byte("a"), size)
		written := make(chan error, 1)
		go func() { written <- client.WriteMessage(websocket.BinaryMessage, data) }()
		got, binary, err := server.ReadMessage()
		if err := <-written; err != nil {
			t.Fatal(err)
		}
		if err != nil || !binary || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes: got %d %v %v", size, len(got), binary, err)
		}
		if server.Buffered() {
			t.Errorf("%d bytes: more input is said to be there", size)
		}
		_ = server.AppendMessage(got, false, false)
		flushed := make(chan error, 1)
		go func() {
			_, err := server.Flush(true)
			flushed <- err
		}()
		kind, echo, err := client.ReadMessage()
		if err := <-flushed; err != nil {
			t.Fatal(err)
		}
		if err != nil || kind != websocket.TextMessage || !bytes.Equal(echo, data) {
			t.Fatalf("%d bytes back: %d %v", size, len(echo), err)
		}
	}
	go func() {
		_ = client.WriteControl(websocket.PingMessage, []byte("p"), time.Now().Add(time.Minute))
		w, _ := client.NextWriter(websocket.TextMessage)
		for range 3 {
			_, _ = io.WriteString(w, strings.Repeat("f", 1024)) // one fragment each
		}
		_ = w.Close()
	}()
	got, binary, err := server.ReadMessage()
	if err != nil || binary || len(got) != 3072 || <-pings != "p" {
		t.Errorf("fragments: %d %v", len(got), err)
	}
}

func TestLimit(t *testing.T) {
	server, client, _ := connect(t, 10)
	go func() { _ = client.WriteMessage(websocket.TextMessage, []byte("12345678901")) }()
	_, _, err := server.ReadMessage()
	var ws *core.WebSocketError
	if !errors.As(err, &ws) || ws.Code != 1009 || ws.Peer || !errors.Is(err, core.ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

// Too large a length is refused when it is announced: the client may never send the data.
func TestAnnouncedLimit(t *testing.T) {
	for _, length := range []uint64{11, 1 << 31, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		server, client, _ := connect(t, 10)
		header := append(binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, length), 1, 2, 3, 4)
		go func() { _, _ = client.NetConn().Write(header) }()
		_, _, err := server.ReadMessage()
		var ws *core.WebSocketError
		if !errors.As(err, &ws) || ws.Code != 1009 || !errors.Is(err, core.ErrTooLarge) {
			t.Errorf("%d: %v", length, err)
		}
	}
}

// The library agrees to every offer, so it must not see those whose terms it does not keep.
func TestOffersNobodyKeeps(t *testing.T) {
	for offer, agreed := range map[string]bool{
		"permessage-deflate; client_max_window_bits":                        true,
		"permessage-deflate; server_max_window_bits=10":                     false,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate": true,
		"permessage-deflate; server_max_window_bits=15":                     false, // the answer would have to confirm it
		"permessage-deflate; unknown":                                       false,
	} {
		near, far := net.Pipe()
		server, err := fastws.New().Accept(near, nil, &http.Request{Method: "GET", Header: http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Extensions": {offer},
		}}, core.WebSocketOptions{Deflate: new(core.DeflateOptions), MaxMessage: 100, WriteTimeout: time.Minute, Events: events(nil)})
		if err != nil {
			t.Fatal(err)
		}
		_ = server.AppendMessage([]byte(strings.Repeat("x", 100)), false, true)
		go func() { _, _ = server.Flush(true) }()
		r := bufio.NewReader(far)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		first, err := r.ReadByte()
		if compressed := first&0x40 != 0; err != nil || compressed != agreed || (res.Header.Get("Sec-Websocket-Extensions") != "") != agreed {
			t.Errorf("%s: %v, first byte %#x, %v", offer, res.Header, first, err)
		}
		_, _ = server.Close(), far.Close()
	}
}

func TestEnds(t *testing.T) {
	server, client, _ := connect(t, 10)
	go func() {
		_ = client.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4000, "x"), time.Now().Add(time.Minute))
	}()
	_, _, err := server.ReadMessage()
	var ws *core.WebSocketError
	if !errors.As(err, &ws) || ws.Code != 4000 || !ws.Peer {
		t.Errorf("close frame: %v", err)
	}
	if err := server.AppendMessage([]byte("x"), false, false); err != nil {
		t.Errorf("after the close frame: %v", err)
	}

	server, client, _ = connect(t, 10)
	_ = client.Close()
	if _, _, err := server.ReadMessage(); err == nil || errors.As(err, &ws) {
		t.Errorf("cut: %v", err)
	}

	server, client, _ = connect(t, 10)
	go func() { _, _ = client.NetConn().Write([]byte{0xf1, 0x80, 0, 0, 0, 0}) }()
	if _, _, err := server.ReadMessage(); !errors.As(err, &ws) || ws.Code != 1002 || ws.Peer {
		t.Errorf("reserved bits: %v", err)
	}

	server, client, _ = connect(t, 10)
	go func() {
		_, _ = io.WriteString(client.NetConn(), "\x81\x81\x00\x00\x00\x00x"+"\x88\x81\x00\x00\x00\x00\x03")
	}()
	if data, _, err := server.ReadMessage(); string(data) != "x" {
		t.Errorf("before a broken close frame: %q %v", data, err)
	}
	if _, _, err := server.ReadMessage(); !errors.As(err, &ws) || ws.Code != 1002 || ws.Peer {
		t.Errorf("close frame of one byte: %v", err)
	}
}

// However the input is split, a message that has arrived is read without waiting for more.
func TestPieces(t *testing.T) {
	frame := func(data string) string {
		return "\x81" + string([]byte{0x80 | byte(len(data))}) + "\x00\x00\x00\x00" + data
	}
	long, short := frame(strings.Repeat("l", 20)), frame("s")
	for cut := 1; cut < len(long); cut++ {
		server, client, _ := connect(t, 100)
		_ = server.SetDeadline(time.Now().Add(10 * time.Second))
		for _, pieces := range []struct {
			text     string
			messages int
		}{{long + long[:cut], 1}, {long[cut:] + short, 2}, {short, 1}} {
			go func() { _, _ = io.WriteString(client.NetConn(), pieces.text) }()
			for range pieces.messages {
				if _, _, err := server.ReadMessage(); err != nil {
					t.Fatalf("cut after %d bytes: %v", cut, err)
				}
			}
		}
	}
}
