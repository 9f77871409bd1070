package lean_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/engines/lean"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience limits every wait for the other side; nothing takes nearly that long unless it is broken.
const patience = 30 * time.Second

const (
	text         = 0x1
	binaryData   = 0x2
	closing      = 0x8
	ping         = 0x9
	pong         = 0xa
	continuation = 0x0

	fin  = 0x80
	rsv1 = 0x40
)

const deflateOffer = "permessage-deflate; client_max_window_bits"

// poolsDrop reports whether the race detector is on. Then a sync.Pool drops a quarter of what is put into
// it, and allocation counts are higher.
func poolsDrop() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// terms returns options for a test, which sets the fields that matter to it.
func terms() core.WebSocketOptions {
	return core.WebSocketOptions{
		MaxMessage: 1_000_000, WriteTimeout: time.Minute,
		Events: events{},
	}
}

// events calls those of its functions that are not nil.
type events struct {
	ping func(data []byte)
	read func()
}

func (e events) OnPing(data []byte) {
	if e.ping != nil {
		e.ping(data)
	}
}

func (e events) BeforeRead() {
	if e.read != nil {
		e.read()
	}
}

// upgrade returns an opening handshake as the core passes it to an engine.
func upgrade(offers ...string) *http.Request {
	h := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	if len(offers) > 0 {
		h["Sec-Websocket-Extensions"] = offers
	}
	return &http.Request{Method: http.MethodGet, Header: h}
}

func accept(t testing.TB, conn net.Conn, early string, o core.WebSocketOptions, offers ...string) core.WebSocketConn {
	t.Helper()
	server, err := lean.New().Accept(conn, []byte(early), upgrade(offers...), o)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// client is the other end, which reads and writes bytes.
type client struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	res  *http.Response // the 101
}

// connect makes a connection over TCP and performs the opening handshake.
func connect(t testing.TB, o core.WebSocketOptions, offers ...string) (core.WebSocketConn, *client) {
	t.Helper()
	near, far := tcpPair(t)
	server := accept(t, near, "", o, offers...)
	flush(t, server)
	c := &client{t: t, conn: far, r: bufio.NewReader(far)}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	c.res = res
	t.Cleanup(func() { _ = server.Close() })
	return server, c
}

func tcpPair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	far, err = new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	if near, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() })
	_, _ = near.SetDeadline(time.Now().Add(patience)), far.SetDeadline(time.Now().Add(patience))
	return near, far
}

func flush(t testing.TB, server core.WebSocketConn) {
	t.Helper()
	if done, err := server.Flush(true); err != nil || !done {
		t.Fatalf("flush: %v %v", done, err)
	}
}

// async runs a function that waits for the other side to read, and returns a channel with its result.
func async(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// goFlush flushes more than the network accepts at once.
func goFlush(server core.WebSocketConn) <-chan error {
	return async(func() error {
		_, err := server.Flush(true)
		return err
	})
}

// send writes bytes.
func (c *client) send(frames ...string) {
	if _, err := io.WriteString(c.conn, strings.Join(frames, "")); err != nil {
		c.t.Error(err)
	}
}

// next reads one frame from the server.
func (c *client) next() (first byte, payload string) {
	c.t.Helper()
	first, payload, err := readFrame(c.r)
	if err != nil {
		c.t.Fatal(err)
	}
	return first, payload
}

func (c *client) want(first byte, payload string) {
	c.t.Helper()
	gotFirst, got := c.next()
	if gotFirst != first || got != payload {
		c.t.Fatalf("got a frame %#x of %d bytes %.40q, want %#x of %d bytes %.40q", gotFirst, len(got), got, first, len(payload), payload)
	}
}

// readFrame reads an unmasked frame with the shortest form of its length.
func readFrame(r io.Reader) (first byte, payload string, err error) {
	var head [10]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 0, "", err
	}
	n := uint64(head[1])
	switch n {
	case 126:
		_, err = io.ReadFull(r, head[2:4])
		n = uint64(binary.BigEndian.Uint16(head[2:]))
		if n < 126 {
			return 0, "", errors.New("16 bits of length where 7 would do")
		}
	case 127:
		_, err = io.ReadFull(r, head[2:10])
		n = binary.BigEndian.Uint64(head[2:])
		if n < 1<<16 || n > 1<<30 {
			return 0, "", errors.New("64 bits of length where 16 would do, or too many bytes")
		}
	}
	if err != nil {
		return 0, "", err
	}
	if n > 127 && head[1] < 126 {
		return 0, "", errors.New("a server's frame has a mask")
	}
	data := make([]byte, n)
	_, err = io.ReadFull(r, data)
	return head[0], string(data), err
}

// frame makes a client's frame.
func frame(first byte, payload string) string {
	return header(first, uint64(len(payload))) + mask(payload)
}

// header makes the header of a client's frame, with any length.
func header(first byte, size uint64) string {
	b := []byte{first}
	switch {
	case size < 126:
		b = append(b, 0x80|byte(size))
	case size < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(size))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), size)
	}
	return string(b) + maskKey
}

const maskKey = "\x12\x34\xab\xcd"

func mask(payload string) string {
	b := []byte(payload)
	for i := range b {
		b[i] ^= maskKey[i%4]
	}
	return string(b)
}

// wantError checks that reading the next message fails with an error of the engine, and again with the same.
func wantError(t *testing.T, server core.WebSocketConn, peer bool, code int) {
	t.Helper()
	_, _, err := server.ReadMessage()
	var ws *core.WebSocketError
	if !errors.As(err, &ws) || ws.Peer != peer || ws.Code != code {
		t.Fatalf("got %v, want code %d, peer %v", err, code, peer)
	}
	if errors.Is(err, core.ErrTooLarge) != (code == 1009) {
		t.Errorf("%v does not tell whether the message was too large", err)
	}
	if _, _, again := server.ReadMessage(); again != err { //nolint:errorlint // the very same
		t.Errorf("the second error is %v, the first %v", again, err)
	}
}

func wantMessage(t *testing.T, server core.WebSocketConn, want string, wantBinary bool) {
	t.Helper()
	got, isBinary, err := server.ReadMessage()
	if err != nil || string(got) != want || isBinary != wantBinary {
		t.Fatalf("got %d bytes %.40q binary %v %v, want %d bytes %.40q binary %v", len(got), got, isBinary, err, len(want), want, wantBinary)
	}
}

// closeFrame makes the payload of the close frame that the server sends to end a connection.
func closeFrame(code uint16) string { return string(binary.BigEndian.AppendUint16(nil, code)) }
