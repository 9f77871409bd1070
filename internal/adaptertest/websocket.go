package adaptertest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/goengineio/engineio/core"
)

func testWebSocket(t *testing.T, f Framework) {
	b := newBench(t, f, core.Config{})
	ws, a := b.dial("EIO=4&transport=websocket", nil)
	if a.Status != 101 || a.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Fatalf("answer %+v", a)
	}
	packet, _ := ws.Next()
	sid := SID(t, packet)
	for _, text := range []string{"4hello", "4", "4€😀", "4" + strings.Repeat("x", 100_000)} {
		ws.Send(text)
		ws.Want(text)
	}
	_ = ws.Conn.WriteMessage(websocket.BinaryMessage, []byte{0, 1, 255})
	ws.Want("\x00\x01\xff")
	pong := make(chan string, 1)
	ws.Conn.SetPongHandler(func(data string) error { pong <- data; return nil })
	_ = ws.Conn.WriteControl(websocket.PingMessage, []byte("abc"), time.Now().Add(Patience))
	ws.Send("4after the ping")
	ws.Want("4after the ping")
	if got := Await(t, pong); got != "abc" {
		t.Errorf("pong %q", got)
	}
	s, ok := b.srv.Get(sid)
	if !ok || s.Transport() != core.WebSocket {
		t.Fatal("the session is not on a WebSocket")
	}
	s.Close()
	ws.WantClosed(websocket.CloseNoStatusReceived)
	if reason := Await(t, b.closed); reason != core.ForcedClose {
		t.Errorf("reason %s", reason)
	}

	ws, _ = b.dial("EIO=4&transport=websocket", nil)
	_, _ = ws.Next()
	_ = ws.Conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "bye"), time.Now().Add(Patience))
	ws.WantClosed(1000)
	if reason := Await(t, b.closed); reason != core.TransportClose {
		t.Errorf("reason %s", reason)
	}
}

func testWebSocketLimits(t *testing.T, f Framework) {
	b := newBench(t, f, core.Config{MaxPayload: 1000})
	ws, _ := b.dial("EIO=4&transport=websocket", nil)
	_, _ = ws.Next()
	fits := "4" + strings.Repeat("a", 999)
	ws.Send(fits)
	ws.Want(fits)
	ws.Send(fits + "a")
	ws.WantClosed(websocket.CloseMessageTooBig)
	if reason := Await(t, b.closed); reason != core.TransportError {
		t.Errorf("reason %s", reason)
	}
}

func testUpgrade(t *testing.T, f Framework) {
	b := newBench(t, f, core.Config{})
	for range 5 {
		query, s := b.open()
		poll := b.goGet(query)
		ws, _ := b.dial("EIO=4&transport=websocket&sid="+s.ID(), nil)
		ws.Send("2probe")
		ws.Want("3probe")
		b.want(Await(t, poll), 200, "6")
		ws.Send("5")
		ws.Send("4hello")
		ws.Want("4hello")
		b.want(b.get(query), 400, `{"code":3,"message":"Bad request"}`)
	}
}

// testEarlyFrames sends the first frames together with the upgrade request.
func testEarlyFrames(t *testing.T, f Framework) {
	b := newBench(t, f, core.Config{})
	_, s := b.open()
	masked := func(text string) string {
		return "\x81" + string([]byte{0x80 | byte(len(text)), 0, 0, 0, 0}) + text
	}
	_, r := b.raw("GET /engine.io/?EIO=4&transport=websocket&sid=" + s.ID() + " HTTP/1.1\r\nHost: x\r\n" +
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
		masked("2probe") + masked("5") + masked("4early"))
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("%v %v", res, err)
	}
	_ = res.Body.Close()
	got := make([]byte, len("\x81\x063probe\x81\x064early"))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != "\x81\x063probe\x81\x064early" {
		t.Errorf("got %q %v", got, err)
	}
}

// testHostileFrames sends frames that RFC 6455 forbids: only that session ends, with the right code.
func testHostileFrames(t *testing.T, f Framework) {
	b := newBench(t, f, core.Config{MaxPayload: 1000})
	for name, c := range map[string]struct {
		frame string
		code  byte // the second byte of 1002, 1007, 1009
	}{
		"unmasked":             {"\x81\x024x", 0xea},
		"RSV1":                 {"\xc1\x82\x00\x00\x00\x004x", 0xea},
		"RSV2":                 {"\xa1\x82\x00\x00\x00\x004x", 0xea},
		"RSV3":                 {"\x91\x82\x00\x00\x00\x004x", 0xea},
		"unknown opcode":       {"\x83\x82\x00\x00\x00\x004x", 0xea},
		"fragmented ping":      {"\x09\x80\x00\x00\x00\x00", 0xea},
		"continuation of none": {"\x80\x82\x00\x00\x00\x004x", 0xea},
		"length 2^63-1":        {"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00" + strings.Repeat("4", 2000), 0xf1},
		"length 2^64-1":        {"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00" + strings.Repeat("4", 2000), 0xf1},
		"invalid UTF-8":        {"\x81\x83\x00\x00\x00\x004\xff\xff", 0xef},
	} {
		conn, r := b.raw("GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n" +
			"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != 101 {
			t.Fatalf("%s: %v %v", name, res, err)
		}
		_ = res.Body.Close()
		header := make([]byte, 4) // of the open packet: two bytes of length
		if _, err := io.ReadFull(r, header[:2]); err != nil {
			t.Fatal(err)
		}
		size := int(header[1])
		if size == 126 {
			if _, err := io.ReadFull(r, header[2:]); err != nil {
				t.Fatal(err)
			}
			size = int(header[2])<<8 | int(header[3])
		}
		if _, err := r.Discard(size); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, c.frame)
		var closing [4]byte
		if _, err := io.ReadFull(r, closing[:]); err != nil || closing[0] != 0x88 || closing[2] != 0x03 || closing[3] != c.code {
			t.Errorf("%s: got %x %v", name, closing, err)
		}
		if reason := Await(t, b.closed); reason != core.TransportError {
			t.Errorf("%s: reason %s", name, reason)
		}
		_ = conn.Close()
	}
	query, _ := b.open()
	b.want(b.post(query, "4still served"), 200, "ok")
}

// testUnsent cuts off a client that has not read. The messages that the client still finds on its
// connection and those that the session reports as unsent are together all messages, with none twice.
func testUnsent(t *testing.T, f Framework) {
	unsent := make(chan int, 1)
	b := newBench(t, f, core.Config{OnConnection: func(s *core.Socket) {
		s.OnClose(func(core.CloseReason, error) { unsent <- s.Unsent() })
	}})
	ws, _ := b.dial("EIO=4&transport=websocket", nil)
	s := Await(t, b.sockets)
	const messages, size = 200, 64 << 10
	for i := range messages {
		if err := s.Send(core.Text(fmt.Sprintf("%d%s", i, strings.Repeat(" ", size)))); err != nil {
			t.Fatal(err)
		}
	}
	waiting := int64(-1)
	for now := s.Buffered(); now != waiting; now = s.Buffered() { // until the connection accepts no more
		waiting = now
		time.Sleep(50 * time.Millisecond)
	}
	s.CloseNow()
	arrived := 0
	if text, err := ws.Next(); err != nil || !strings.HasPrefix(text, "0{") {
		t.Fatalf("%q %v", text, err)
	}
	for {
		text, err := ws.Next()
		if err != nil {
			break
		}
		if strings.TrimSpace(text) != fmt.Sprintf("4%d", arrived) {
			t.Fatalf("message %d is %.20q", arrived, text)
		}
		arrived++
	}
	if n := Await(t, unsent); arrived+n != messages || n == 0 {
		t.Errorf("%d messages arrived, %d were never handed over, of %d", arrived, n, messages)
	}
}
