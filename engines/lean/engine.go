// Package lean is a WebSocket engine for very many sessions. It is chosen with one line:
//
//	srv, err := core.NewServer(core.Config{WebSocketEngine: lean.New()})
//
// A connection at rest holds no buffer and no compressor, only a small struct. A message costs one
// allocation, for its data. This package reads and writes frames itself, directly from and into the
// buffers that connections borrow; github.com/gobwas/ws checks the rules of RFC 6455 and unmasks.
//
// The memory that a client can make a connection hold depends on what it has sent, not on what it has
// announced: 4 KiB at first, then four times what has arrived, and never more than
// core.WebSocketOptions.MaxMessage, before inflation or after. A message may consist of 16,384 frames,
// the limit of the reference's ws package; with more, the connection is closed with code 1008.
package lean

import (
	"compress/flate"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/permessage"
	"github.com/goengineio/engineio/internal/wire"
)

// Engine implements core.WebSocketEngine. One engine may serve any number of servers; its
// connections share its buffers and compressors. It is safe for concurrent use.
type Engine struct {
	buffers   wire.Buffers
	inflaters sync.Pool                                                // *inflater
	deflaters [flate.BestCompression - flate.HuffmanOnly + 1]sync.Pool // *deflater, by level
}

// New returns an engine.
func New() *Engine { return new(Engine) }

// Accept implements core.WebSocketEngine. It never fails. The answer is sent by the first Flush.
func (e *Engine) Accept(conn net.Conn, buffered []byte, r *http.Request, o core.WebSocketOptions) (core.WebSocketConn, error) {
	c := &connection{limit: int(min(o.MaxMessage, math.MaxInt-1))}
	c.wire.Init(conn, buffered, &e.buffers, o.WriteTimeout, o.Events)
	var extension string
	if o.Deflate != nil {
		if extension = permessage.Negotiate(r.Header["Sec-Websocket-Extensions"]); extension != "" {
			c.deflate = &deflation{e, o.Deflate}
		}
	}
	_, err := c.wire.Write(appendAnswer(nil, r.Header.Get("Sec-Websocket-Key"), extension, o.Subprotocol, o.Header))
	return c, err
}

// connection implements core.WebSocketConn.
type connection struct {
	wire    wire.Conn  // the writer appends frames, and so does the reader, in answer to broken rules and close frames
	limit   int        // of a message
	deflate *deflation // nil unless it was negotiated

	head [maxHeaderSize]byte // header of the frame being read; used by the reading goroutine only
}

// deflation is what only connections with compression need. It is kept apart because there may be very
// many without.
type deflation struct {
	engine  *Engine
	options *core.DeflateOptions
}

// Buffered implements core.WebSocketConn. Every byte of input is accounted for, so the result is exact
// unless more than 4 KiB arrived with the opening handshake.
func (c *connection) Buffered() bool { return c.wire.Unread() }

// Flush implements core.WebSocketConn.
func (c *connection) Flush(block bool) (bool, error) { return c.wire.Flush(block) }

// Unflushed implements core.WebSocketConn.
func (c *connection) Unflushed() int { return c.wire.Unflushed() }

// SetDeadline implements core.WebSocketConn.
func (c *connection) SetDeadline(t time.Time) error { return c.wire.SetDeadline(t) }

// Close implements core.WebSocketConn.
func (c *connection) Close() error { return c.wire.Close() }
