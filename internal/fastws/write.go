package fastws

import (
	"errors"
	"time"

	"github.com/fasthttp/websocket"
)

// AppendMessage implements core.WebSocketConn.
func (c *connection) AppendMessage(data []byte, binary, compress bool) error {
	kind := websocket.TextMessage
	if binary {
		kind = websocket.BinaryMessage
	}
	c.ws.EnableWriteCompression(compress && c.deflate != nil && len(data) >= c.deflate.Threshold)
	return unlessClosing(c.ws.WriteMessage(kind, data))
}

// AppendFrame implements core.WebSocketConn.
func (c *connection) AppendFrame(frame []byte) error {
	if c.closing {
		return nil
	}
	_, err := c.wire.Write(frame)
	return err
}

// AppendPong implements core.WebSocketConn.
func (c *connection) AppendPong(data []byte) error {
	return unlessClosing(c.ws.WriteControl(websocket.PongMessage, data, time.Time{}))
}

// AppendClose implements core.WebSocketConn.
func (c *connection) AppendClose(code int, reason string) error {
	if c.closing {
		return nil
	}
	c.closing = true
	var data []byte
	if code != 0 {
		data = websocket.FormatCloseMessage(code, reason)
	}
	if c.closed.Load() && reason == "" {
		// The library's WriteControl needs a timer, and more stack than an idle connection has.
		c.wire.WriteFrame([]byte{0x80 | websocket.CloseMessage, byte(len(data))}, data, true)
		return nil
	}
	return unlessClosing(c.ws.WriteControl(websocket.CloseMessage, data, time.Time{}))
}

// unlessClosing drops the error for a frame that comes after the close frame.
func unlessClosing(err error) error {
	if errors.Is(err, websocket.ErrCloseSent) {
		return nil
	}
	return err
}
