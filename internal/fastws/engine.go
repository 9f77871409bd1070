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

// upgrader returns an Upgrader that agrees to what o offers.
func (e *Engine) upgrader(o core.WebSocketOptions) *websocket.Upgrader {
	u := &e.plain
	if o.Deflate != nil {
		u = &e.deflate
	}
	if o.Subprotocol != "" {
		own := *u
		own.Subprotocols = []string{o.Subprotocol}
		u = &own
	}
	return u
}

// Accept implements core.WebSocketEngine. The 101 is sent by the first Flush.
func (e *Engine) Accept(conn net.Conn, buffered []byte, r *http.Request, o core.WebSocketOptions) (core.WebSocketConn, error) {
	wireLimit := o.MaxMessage
	if o.Deflate != nil {
		wireLimit = permessage.WireLimit(o.MaxMessage)
		answer := permessage.Negotiate(r.Header["Sec-Websocket-Extensions"])
		if answer == "" || strings.Contains(answer, "server_max_window_bits") {
			o.Deflate = nil // the library would agree to terms that it does not keep, or omit them from its answer
		}
	}
	c := &connection{engine: e, limit: o.MaxMessage, deflate: o.Deflate}
	wired := &c.wire
	wired.Init(conn, buffered, &e.buffers, o.WriteTimeout, o.Events)
	answer, ok := e.answers.Get().(*bufio.ReadWriter)
	if !ok {
		answer = bufio.NewReadWriter(bufio.NewReaderSize(nil, 16), bufio.NewWriterSize(nil, 512))
	}
	ws, err := e.upgrader(o).Upgrade(&hijacked{conn: wired, answer: answer}, r, o.Header)
	e.answers.Put(answer)
	if err != nil {
		return nil, err
	}
	if o.Deflate != nil {
		if err := ws.SetCompressionLevel(o.Deflate.Level); err != nil {
			return nil, err
		}
	}
	ws.SetPingHandler(func(data string) error {
		wired.Consumed(frameSize(len(data)))
		wired.OnPing([]byte(data))
		return nil
	})
	ws.SetPongHandler(func(data string) error {
		wired.Consumed(frameSize(len(data)))
		return nil
	})
	ws.SetCloseHandler(func(int, string) error { // the core answers it, when it may write
		c.closed.Store(true)
		return nil
	})
	ws.SetReadLimit(wireLimit)
	c.ws = ws
	return c, nil
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

func (c *connection) SetDeadline(t time.Time) error { return c.wire.SetDeadline(t) }

func (c *connection) Unflushed() int { return c.wire.Unflushed() }

func (c *connection) Close() error { return c.wire.Close() }

func (c *connection) Flush(block bool) (bool, error) { return c.wire.Flush(block) }
