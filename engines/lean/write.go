package lean

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Bits of the first byte of a frame.
const (
	finBit        = 0x80
	compressedBit = 0x40
)

// AppendMessage implements core.WebSocketConn. A message that compression would not make smaller is sent
// as it is.
func (c *connection) AppendMessage(data []byte, binary, compress bool) error {
	first := finBit | byte(ws.OpText)
	if binary {
		first = finBit | byte(ws.OpBinary)
	}
	if !compress || c.deflate == nil || len(data) < threshold(c.deflate.options) {
		return c.append(first, data)
	}
	engine, level := c.deflate.engine, level(c.deflate.options)
	d := engine.deflater(level)
	defer engine.returnDeflater(d, level)
	if smaller, ok := d.deflate(data); ok {
		return c.append(first|compressedBit, smaller)
	}
	return c.append(first, data)
}

// AppendFrame implements core.WebSocketConn.
func (c *connection) AppendFrame(frame []byte) error {
	c.wire.WriteFrame(frame, nil, false)
	return nil
}

// AppendPong implements core.WebSocketConn. Data of more than 125 bytes, which no ping can have, is an
// error.
func (c *connection) AppendPong(data []byte) error {
	if len(data) > ws.MaxControlFramePayloadSize {
		return ws.ErrProtocolControlPayloadOverflow
	}
	return c.append(finBit|byte(ws.OpPong), data)
}

// AppendClose implements core.WebSocketConn. 1005, which stands for a close frame without a code, is
// treated as 0. A reason is cut to the 123 bytes that fit, between two characters.
func (c *connection) AppendClose(code int, reason string) error {
	var body [ws.MaxControlFramePayloadSize]byte
	n := 0
	if code != 0 && code != int(ws.StatusNoStatusRcvd) {
		reason = cut(reason, len(body)-2)
		ws.PutCloseFrameBody(body[:], ws.StatusCode(code), reason)
		n = 2 + len(reason)
	}
	return c.append(finBit|byte(ws.OpClose), body[:n])
}

// append adds a frame to those waiting, unless a close frame has been added already.
//
// ws.WriteHeader would allocate memory for the header.
func (c *connection) append(first byte, data []byte) error {
	var head [10]byte
	head[0] = first
	size := 2
	switch n := len(data); {
	case n < 126:
		head[1] = byte(n)
	case n < 1<<16:
		head[1] = 126
		binary.BigEndian.PutUint16(head[2:], uint16(n))
		size = 4
	default:
		head[1] = 127
		binary.BigEndian.PutUint64(head[2:], uint64(n))
		size = 10
	}
	c.wire.WriteFrame(head[:size], data, first == finBit|byte(ws.OpClose))
	return nil
}

// cut returns as much of text as fits into n bytes, without half a character at the end.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
