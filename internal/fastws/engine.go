// Package fastws is the default WebSocket engine, on github.com/fasthttp/websocket.
package fastws

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/permessage"
	"github.com/goengineio/engineio/internal/wire"
)

// Engine implements core.WebSocketEngine. One engine may serve any number of servers.
type Engine struct {
	buffers wire.Buffers
	plain   websocket.Upgrader
	deflate websocket.Upgrader // offers permessage-deflate
	scratch sync.Pool          // *[scratchSize]byte, for reading messages of unknown length
	answers sync.Pool          // *bufio.ReadWriter, with room for the answer to an opening handshake
}

const (
	// The library's own buffers. Input stays in wire's buffers, so the library's minimum is enough.
	libraryReadBuffer  = 128
	libraryWriteBuffer = 4096
)

// New returns an engine.
func New() *Engine {
	e := &Engine{plain: websocket.Upgrader{
		ReadBufferSize:  libraryReadBuffer,
		WriteBufferSize: libraryWriteBuffer,
		WriteBufferPool: new(sync.Pool),
		CheckOrigin:     func(*http.Request) bool { return true }, // the core has already checked it
	}}
	e.deflate = e.plain
	e.deflate.EnableCompression = true
	return e
}

// upgrader returns an Upgrader that agrees to what the options offer.
func (e *Engine) upgrader(deflate bool, subprotocol string) *websocket.Upgrader {
	u := &e.plain
	if deflate {
		u = &e.deflate
	}
	if subprotocol != "" {
		u = withSubprotocol(*u, subprotocol)
	}
	return u
}

//go:noinline
func withSubprotocol(u websocket.Upgrader, subprotocol string) *websocket.Upgrader {
	u.Subprotocols = []string{subprotocol}
	return &u
}

// Accept implements core.WebSocketEngine. The 101 is sent by the first Flush.
//
// It runs on the goroutine of a request, whose stack has 4 KiB and should not have to grow. That is why its
// stack frame is kept small.
func (e *Engine) Accept(conn net.Conn, buffered []byte, r *http.Request, o core.WebSocketOptions) (core.WebSocketConn, error) {
	limit := o.MaxMessage
	if o.Deflate != nil {
		limit = permessage.WireLimit(limit)
		if !isKept(permessage.Negotiate(r.Header["Sec-Websocket-Extensions"])) {
			o.Deflate = nil
		}
	}
	c := &connection{engine: e, limit: o.MaxMessage, deflate: o.Deflate}
	c.wire.Init(conn, buffered, &e.buffers, o.WriteTimeout, o.Events)
	if err := e.upgrade(c, e.upgrader(o.Deflate != nil, o.Subprotocol), r, o.Header); err != nil {
		return nil, err
	}
	c.listen(limit)
	if o.Deflate != nil {
		if err := c.ws.SetCompressionLevel(o.Deflate.Level); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// isKept reports whether the library would keep these terms of permessage-deflate, and name them in its
// answer: it agrees to others, too.
func isKept(terms string) bool {
	return terms != "" && !strings.Contains(terms, "server_max_window_bits")
}

func (e *Engine) upgrade(c *connection, u *websocket.Upgrader, r *http.Request, header http.Header) (err error) {
	answer, ok := e.answers.Get().(*bufio.ReadWriter)
	if !ok {
		answer = newAnswer()
	}
	c.ws, err = u.Upgrade(&hijacked{conn: &c.wire, answer: answer}, r, header)
	e.answers.Put(answer)
	return err
}

//go:noinline
func newAnswer() *bufio.ReadWriter {
	return bufio.NewReadWriter(bufio.NewReaderSize(nil, 16), bufio.NewWriterSize(nil, 512))
}

// listen has the library tell the connection what it reads, up to the given number of bytes in a message.
func (c *connection) listen(limit int64) {
	c.ws.SetPingHandler(func(data string) error {
		c.wire.Consumed(frameSize(len(data)))
		c.wire.OnPing([]byte(data))
		return nil
	})
	c.ws.SetPongHandler(func(data string) error {
		c.wire.Consumed(frameSize(len(data)))
		return nil
	})
	c.ws.SetCloseHandler(func(int, string) error { // the core answers it, when it may write
		c.closed.Store(true)
		return nil
	})
	c.ws.SetReadLimit(limit)
}

// hijacked is a ResponseWriter that can only be hijacked.
type hijacked struct {
	conn   net.Conn
	answer *bufio.ReadWriter // the library uses only the buffer of its Writer
	header http.Header
}

func (h *hijacked) Header() http.Header {
	if h.header == nil {
		h.header = make(http.Header)
	}
	return h.header
}

func (h *hijacked) Write(p []byte) (int, error) { return len(p), nil }

func (h *hijacked) WriteHeader(int) {}

func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, h.answer, nil
}

// connection implements core.WebSocketConn.
type connection struct {
	engine *Engine
	wire   input
	ws     *websocket.Conn
	limit  int64

	deflate *core.DeflateOptions // nil unless negotiated
	closing bool                 // a close frame was appended
	closed  atomic.Bool          // the client's close frame was read
}

func (c *connection) Buffered() bool { return c.wire.Unread() }

func (c *connection) SetDeadline(t time.Time) error { return c.wire.Conn.SetDeadline(t) }

func (c *connection) Unflushed() int { return c.wire.Unflushed() }

func (c *connection) Close() error { return c.wire.Close() }

func (c *connection) Flush(block bool) (bool, error) { return c.wire.Flush(block) }
