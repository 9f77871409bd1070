package lean_test

import (
	"errors"
	"io"
	"math"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/goengineio/engineio/core"
)

// sizes are those at which the header, the buffer or the growth of a slice changes.
var sizes = []int{0, 1, 7, 8, 15, 16, 17, 125, 126, 127, 128, 4089, 4090, 4091, 4095, 4096, 4097, 4098, 8192, 16384, 16385,
	65535, 65536, 65537, 262_144, 262_145, 1_000_000}

func pattern(size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return string(b)
}

func TestSizes(t *testing.T) {
	server, c := connect(t, terms())
	for _, size := range sizes {
		data := pattern(size)
		go c.send(frame(fin|binaryData, data))
		wantMessage(t, server, data, true)
		if server.Buffered() {
			t.Errorf("%d bytes: more input is said to be there", size)
		}
		if err := server.AppendMessage([]byte(data), false, true); err != nil {
			t.Fatal(err)
		}
		flushed := goFlush(server)
		c.want(fin|text, data)
		if err := <-flushed; err != nil {
			t.Error(err)
		}
	}
}

// TestLengthsNeedNotBeShort: like the reference, it accepts lengths in more bytes than needed.
func TestLengthsNeedNotBeShort(t *testing.T) {
	server, c := connect(t, terms())
	c.send("\x81\xfe\x00\x02"+maskKey+mask("ab"), "\x81\xff\x00\x00\x00\x00\x00\x00\x00\x02"+maskKey+mask("cd"))
	wantMessage(t, server, "ab", false)
	wantMessage(t, server, "cd", false)
}

func TestFragments(t *testing.T) {
	var pings []string
	o := terms()
	o.Events = events{ping: func(data []byte) { pings = append(pings, string(data)) }}
	server, c := connect(t, o)

	// Control frames may come between fragments, and frames may be empty.
	go c.send(
		frame(ping|fin, "1"), frame(text, "one "), frame(fin|ping, ""), frame(continuation, ""), frame(fin|pong, "unasked"),
		frame(continuation, "two "), frame(fin|ping, strings.Repeat("x", 125)), frame(fin|continuation, "three"),
		frame(binaryData, ""), frame(fin|continuation, ""),
	)
	wantMessage(t, server, "one two three", false)
	wantMessage(t, server, "", true)
	if strings.Join(pings, ",") != "1,,"+strings.Repeat("x", 125) {
		t.Errorf("pings %q", pings)
	}

	// Large fragments of all sizes that matter.
	var frames []string
	var want string
	first := byte(binaryData)
	for _, size := range sizes[:len(sizes)-1] {
		frames = append(frames, frame(first, pattern(size)))
		want += pattern(size)
		first = continuation
	}
	go c.send(append(frames, frame(fin|continuation, "end"))...)
	wantMessage(t, server, want+"end", true)
}

// TestByteAtATime has every byte arrive alone.
func TestByteAtATime(t *testing.T) {
	near := &scripted{r: iotest.OneByteReader(strings.NewReader(
		frame(fin|text, "hello") + frame(fin|binaryData, pattern(300)) + frame(fin|ping, "p") +
			frame(text, "a") + frame(fin|continuation, pattern(70_000)) + frame(fin|closing, closeFrame(4999)+"bye")))}
	server := accept(t, near, "", terms())
	wantMessage(t, server, "hello", false)
	wantMessage(t, server, pattern(300), true)
	wantMessage(t, server, "a"+pattern(70_000), false)
	wantError(t, server, true, 4999)
}

// TestEarly: frames were read together with the opening handshake, more than a buffer holds.
func TestEarly(t *testing.T) {
	near, far := tcpPair(t)
	early := frame(fin|text, "one") + frame(fin|binaryData, pattern(5000)) + frame(fin|text, "three")
	reads := 0
	o := terms()
	o.Events = events{read: func() { reads++ }}
	server := accept(t, near, early[:len(early)-3], o)
	wantMessage(t, server, "one", false)
	if !server.Buffered() || reads != 0 {
		t.Errorf("buffered %v after %d reads", server.Buffered(), reads)
	}
	wantMessage(t, server, pattern(5000), true)
	_, _ = io.WriteString(far, early[len(early)-3:])
	wantMessage(t, server, "three", false)
}

// TestBuffered: Buffered returns true exactly while there is input left that arrived with the last message.
func TestBuffered(t *testing.T) {
	reads := 0
	o := terms()
	o.Events = events{read: func() { reads++ }}
	near := &scripted{r: strings.NewReader(frame(fin|text, "1") + frame(fin|ping, "x") + frame(text, "2") + frame(fin|continuation, "") +
		frame(fin|pong, "y") + frame(fin|text, "3"))}
	server := accept(t, near, "", o)
	for i, want := range []string{"1", "2", "3"} {
		wantMessage(t, server, want, false)
		if more := i < 2; server.Buffered() != more {
			t.Errorf("after %s: %v", want, !more)
		}
	}
	if reads != 1 {
		t.Errorf("the network was read %d times", reads)
	}
}

func TestHostileFrames(t *testing.T) {
	const tooLarge = 1_000_001
	for name, c := range map[string]struct {
		frames  string
		code    int
		deflate bool
	}{
		"unmasked":                           {"\x81\x02hi", 1002, false},
		"unmasked, empty":                    {"\x81\x00", 1002, false},
		"RSV1":                               {frame(fin|rsv1|text, "x"), 1002, false},
		"RSV2":                               {frame(fin|0x20|text, "x"), 1002, false},
		"RSV3":                               {frame(fin|0x10|text, "x"), 1002, false},
		"RSV2 with deflate":                  {frame(fin|rsv1|0x20|text, "x"), 1002, true},
		"RSV3 with deflate":                  {frame(fin|0x10|text, "x"), 1002, true},
		"RSV1 on a ping":                     {frame(fin|rsv1|ping, "x"), 1002, true},
		"RSV1 on a close frame":              {frame(fin|rsv1|closing, ""), 1002, true},
		"RSV1 on a continuation":             {frame(rsv1|text, "x") + frame(fin|rsv1|continuation, ""), 1002, true},
		"opcode 3":                           {frame(fin|3, "x"), 1002, false},
		"opcode 7":                           {frame(fin|7, "x"), 1002, false},
		"opcode 11":                          {frame(fin|11, "x"), 1002, false},
		"opcode 15":                          {frame(fin|15, "x"), 1002, false},
		"fragmented ping":                    {frame(ping, "x"), 1002, false},
		"fragmented close frame":             {frame(closing, ""), 1002, false},
		"ping of 126 bytes":                  {frame(fin|ping, strings.Repeat("x", 126)), 1002, false},
		"pong of 65536 bytes":                {frame(fin|pong, strings.Repeat("x", 65536)), 1002, false},
		"continuation of nothing":            {frame(fin|continuation, "x"), 1002, false},
		"continuation of nothing, not final": {frame(continuation, "x"), 1002, false},
		"data inside a message":              {frame(text, "x") + frame(fin|text, "x"), 1002, false},
		"binary inside a text message":       {frame(text, "x") + frame(binaryData, "x"), 1002, false},
		"close frame of one byte":            {frame(fin|closing, "\x03"), 1002, false},
		"close code 0":                       {frame(fin|closing, closeFrame(0)), 1002, false},
		"close code 999":                     {frame(fin|closing, closeFrame(999)), 1002, false},
		"close code 1004":                    {frame(fin|closing, closeFrame(1004)), 1002, false},
		"close code 1005":                    {frame(fin|closing, closeFrame(1005)), 1002, false},
		"close code 1006":                    {frame(fin|closing, closeFrame(1006)), 1002, false},
		"close code 1015":                    {frame(fin|closing, closeFrame(1015)), 1002, false},
		"close code 2999":                    {frame(fin|closing, closeFrame(2999)), 1002, false},
		"close code 5000":                    {frame(fin|closing, closeFrame(5000)), 1002, false},
		"close code 65535":                   {frame(fin|closing, closeFrame(65535)), 1002, false},
		"close reason is no UTF-8":           {frame(fin|closing, closeFrame(1000)+"\xff\xfe"), 1002, false},
		"one byte too many":                  {header(fin|text, tooLarge), 1009, false},
		"length 2^31":                        {header(fin|text, 1<<31), 1009, false},
		"length 2^63-1":                      {header(fin|text, math.MaxInt64), 1009, false},
		"length 2^63":                        {header(fin|text, 1<<63), 1009, false},
		"length 2^64-1":                      {header(fin|binaryData, math.MaxUint64), 1009, false},
		"sum of fragments":                   {frame(text, "x") + header(fin|continuation, tooLarge-1), 1009, false},
		"sum of fragments overflows":         {frame(text, "x") + header(fin|continuation, math.MaxInt64), 1009, false},
		"fragments until too large":          {frame(text, strings.Repeat("x", 500_000)) + frame(continuation, strings.Repeat("x", 500_000)) + header(continuation, 1), 1009, false},
		"length 2^63-1, deflate":             {header(fin|rsv1|text, math.MaxInt64), 1009, true},
		"too large on the wire, deflate":     {header(fin|rsv1|text, 2_000_000), 1009, true},
		"too large, deflate negotiated":      {header(fin|text, tooLarge), 1009, true},
		"corrupt deflate":                    {frame(fin|rsv1|text, "\xff\xff\xff"), 1007, true},
		"truncated deflate":                  {frame(fin|rsv1|text, "\x04"), 1007, true},
		"corrupt deflate in fragments":       {frame(rsv1|text, "\xff") + frame(fin|continuation, "\xff\xff"), 1007, true},
	} {
		t.Run(name, func(t *testing.T) {
			o := terms()
			var offers []string
			if c.deflate {
				o.Deflate, offers = new(core.DeflateOptions), []string{deflateOffer}
			}
			server, far := connect(t, o, offers...)
			// More follows, which must not be read.
			go func() { _, _ = io.WriteString(far.conn, c.frames+frame(fin|text, "after")) }()
			wantError(t, server, false, c.code)
			// The core sends the close frame, and frames after it are dropped.
			_ = server.AppendClose(c.code, "")
			_ = server.AppendClose(4000, "")
			_ = server.AppendMessage([]byte("x"), false, false)
			flush(t, server)
			far.want(fin|closing, closeFrame(uint16(c.code)))
			_ = server.Close()
			if _, _, err := readFrame(far.r); err == nil {
				t.Error("a frame after the close frame")
			}
		})
	}
}

const maxFragments = 16384

// TestFloodOfFragments: 16,384 are accepted, as in the reference; empty ones count.
func TestFloodOfFragments(t *testing.T) {
	server, c := connect(t, terms())
	go c.send(frame(text, "a"), strings.Repeat(frame(continuation, ""), maxFragments-2), frame(fin|continuation, "b"),
		frame(text, ""), strings.Repeat(frame(continuation, "x"), maxFragments))
	wantMessage(t, server, "ab", false)
	wantError(t, server, false, 1008)
}

func TestCloseFrames(t *testing.T) {
	for name, c := range map[string]struct {
		payload string
		code    int
		text    string
	}{
		"empty":                {"", 1005, ""},
		"1000":                 {closeFrame(1000), 1000, ""},
		"1001 with a reason":   {closeFrame(1001) + "tab closed €", 1001, "tab closed €"},
		"1012":                 {closeFrame(1012), 1012, ""},
		"1014":                 {closeFrame(1014), 1014, ""},
		"3000":                 {closeFrame(3000), 3000, ""},
		"4999, longest reason": {closeFrame(4999) + strings.Repeat("x", 123), 4999, strings.Repeat("x", 123)},
	} {
		t.Run(name, func(t *testing.T) {
			server, far := connect(t, terms())
			// In the middle of a message, too.
			far.send(frame(text, "begun"), frame(fin|closing, c.payload), frame(fin|continuation, ""))
			_, _, err := server.ReadMessage()
			var ws *core.WebSocketError
			if !errors.As(err, &ws) || !ws.Peer || ws.Code != c.code || ws.Text != c.text {
				t.Fatalf("got %v", err)
			}
			wantError(t, server, true, c.code)
			// It is for the core to answer: the goroutine that reads writes nothing.
			if n := server.Unflushed(); n != 0 {
				t.Errorf("%d bytes were written", n)
			}
		})
	}
}

// TestLostConnections: network errors are returned unchanged, wherever the stream ends.
func TestLostConnections(t *testing.T) {
	stream := frame(fin|text, pattern(200)) + frame(text, "12") + frame(fin|continuation, pattern(66_000))
	for _, size := range []int{0, 1, 2, 3, 5, 7, 8, 100, 208, 209, 214, 216, 217, 222, 230, len(stream) - 1} {
		near := &scripted{r: strings.NewReader(stream[:size])}
		server := accept(t, near, "", terms())
		var err error
		for err == nil {
			_, _, err = server.ReadMessage()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("after %d bytes: %v", size, err)
		}
	}

	server, _ := connect(t, terms())
	_ = server.SetDeadline(time.Now())
	var timeout net.Error
	if _, _, err := server.ReadMessage(); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("deadline: %v", err)
	}
	server, _ = connect(t, terms())
	ended := make(chan error, 1)
	go func() {
		_, _, err := server.ReadMessage()
		ended <- err
	}()
	_ = server.Close()
	_ = server.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
		t.Errorf("closed: %v", err)
	}
}

// TestAnnouncedIsNotHeld: clients that announce large messages but send little make the server hold little.
func TestAnnouncedIsNotHeld(t *testing.T) {
	const clients, sent = 100, 100
	waiting := make(chan struct{}, clients*10)
	before := heapInUse()
	for range clients {
		near, far := net.Pipe()
		o := terms()
		reads := 0
		o.Events = events{read: func() {
			if reads++; reads == 2 { // for the missing rest
				waiting <- struct{}{}
			}
		}}
		server := accept(t, near, "", o)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _, _ = server.ReadMessage()
		}()
		t.Cleanup(func() {
			_, _ = far.Close(), near.Close()
			<-ended
		})
		_, _ = io.WriteString(far, header(fin|text, 1_000_000)+pattern(sent))
	}
	for range clients {
		<-waiting
	}
	// The rest is the pipe, the goroutine and, since a pipe has no descriptor, the read buffer.
	if held := (heapInUse() - before) / clients; held > 20_000 {
		t.Errorf("a client that sent %d bytes of 1 MB holds %d bytes", sent, held)
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// scripted is a connection that reads from r and accepts all writes.
type scripted struct {
	net.Conn
	r io.Reader
}

func (s *scripted) Read(p []byte) (int, error)       { return s.r.Read(p) }
func (s *scripted) Write(p []byte) (int, error)      { return len(p), nil }
func (s *scripted) Close() error                     { return nil }
func (s *scripted) SetDeadline(time.Time) error      { return nil }
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }
