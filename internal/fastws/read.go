package fastws

import (
	"errors"
	"io"

	"github.com/fasthttp/websocket"

	"github.com/goengineio/engineio/core"
)

const scratchSize = 4096

// ReadMessage implements core.WebSocketConn.
func (c *connection) ReadMessage() ([]byte, bool, error) {
	// Wait here: the library would wait for a message deep in its call stack, and an idle session's
	// stack would then take 4 KiB instead of 2.
	if c.deflate == nil && !c.wire.Left() {
		if err := c.wire.Await(); err != nil {
			return nil, false, c.readError(err)
		}
	}
	return c.readMessage()
}

func (c *connection) readMessage() ([]byte, bool, error) {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return nil, false, c.readError(err)
	}
	data, err := c.readAll(r)
	if err != nil {
		return nil, false, c.readError(err)
	}
	c.wire.Consumed(frameSize(len(data)))
	return data, kind == websocket.BinaryMessage, nil
}

// readAll reads one message into a new slice. The limit applies to inflated bytes; the library's own
// limit applies to bytes on the wire.
func (c *connection) readAll(r io.Reader) ([]byte, error) {
	scratch, ok := c.engine.scratch.Get().(*[scratchSize]byte)
	if !ok {
		scratch = new([scratchSize]byte)
	}
	defer c.engine.scratch.Put(scratch)

	data := scratch[:0]
	for {
		if int64(len(data)) > c.limit {
			return nil, core.ErrTooLarge
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)] // copies to a larger slice
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if int64(len(data)) > c.limit {
		return nil, core.ErrTooLarge
	}
	if len(data) <= scratchSize {
		return append(make([]byte, 0, len(data)), data...), nil
	}
	return data, nil
}

// frameSize returns the length of an unfragmented client frame with n bytes of payload. The length of a
// compressed message is not known, so connections with compression cannot tell exactly what is unread.
func frameSize(n int) int {
	switch {
	case n < 126:
		return n + 6
	case n < 65536:
		return n + 8
	}
	return n + 14
}

// readError tells close frames, broken rules and lost connections apart.
func (c *connection) readError(err error) error {
	if broken, ok := errors.AsType[*core.WebSocketError](err); ok { // from input
		return broken
	}
	switch {
	case errors.Is(err, core.ErrTooLarge), errors.Is(err, websocket.ErrReadLimit):
		return &core.WebSocketError{Code: websocket.CloseMessageTooBig, Text: core.ErrTooLarge.Error(), Err: core.ErrTooLarge}
	case c.wire.ReadErr() != nil:
		return c.wire.ReadErr()
	}
	if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
		return &core.WebSocketError{Peer: true, Code: closed.Code, Text: closed.Text}
	}
	return &core.WebSocketError{Code: websocket.CloseProtocolError, Text: err.Error()}
}
