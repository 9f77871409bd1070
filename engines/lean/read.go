package lean

import (
	"encoding/binary"
	"math"

	"github.com/gobwas/ws"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/permessage"
)

const (
	leastHeaderSize = 6 // of a client's frame: two bytes and the mask
	maxHeaderSize   = ws.MaxHeaderSize
	maxFragments    = 16384
)

// message is the part of a message that ReadMessage has read so far.
type message struct {
	data       []byte
	fragments  int
	binary     bool
	compressed bool
	complete   bool
}

// ReadMessage implements core.WebSocketConn. After an error, later calls return the same one.
//
// It waits for frames itself, rather than in a function further down, because an idle session's stack is
// as deep as the call that waits. Through ws.ReadHeader it would take 4 KiB instead of 2.
func (c *connection) ReadMessage() ([]byte, bool, error) {
	var m message
	for c.wire.ReadErr() == nil {
		n, err := c.wire.Read(c.head[:leastHeaderSize])
		if err == nil {
			err = c.readFrame(&m, n)
		}
		if err != nil {
			c.wire.Fail(err)
			break
		}
		if m.complete {
			return m.data, m.binary, nil
		}
	}
	return nil, false, c.wire.ReadErr()
}

// readFrame reads the frame whose first n bytes are in head. It handles a control frame, and adds a data
// frame to the message.
func (c *connection) readFrame(m *message, n int) error {
	h, compressed, err := c.readHeader(n, m.fragments > 0)
	if err != nil {
		return err
	}
	if h.OpCode.IsControl() {
		return c.readControl(h)
	}
	if m.fragments++; m.fragments > maxFragments {
		return c.refuse(ws.StatusPolicyViolation, "too many fragments", nil)
	}
	if h.OpCode != ws.OpContinuation {
		m.binary, m.compressed = h.OpCode == ws.OpBinary, compressed
	}
	limit := c.limit
	if m.compressed {
		limit = int(min(permessage.WireLimit(int64(limit)), math.MaxInt))
	}
	if h.Length > int64(limit-len(m.data)) {
		return c.refuse(ws.StatusMessageTooBig, core.ErrTooLarge.Error(), core.ErrTooLarge)
	}
	if m.data, err = c.readPayload(m.data, h, limit); err != nil {
		return err
	}
	if m.complete = h.Fin; h.Fin && m.compressed {
		m.data, err = c.inflate(m.data)
	}
	return err
}

// readHeader reads the rest of a header whose first n bytes are in head, and checks it. compressed is set
// only for the first frame of a message, which tells whether the message is compressed.
func (c *connection) readHeader(n int, fragmented bool) (h ws.Header, compressed bool, err error) {
	b := &c.head
	if n < ws.MinHeaderSize {
		if err := c.readFull(b[n:ws.MinHeaderSize]); err != nil {
			return h, false, err
		}
		n = ws.MinHeaderSize
	}
	h = ws.Header{
		Fin: b[0]&0x80 != 0, Rsv: b[0] >> 4 & 7, OpCode: ws.OpCode(b[0] & 0xf),
		Masked: b[1]&0x80 != 0, Length: int64(b[1] & 0x7f),
	}
	if h.Rsv1() && c.deflate != nil && (h.OpCode == ws.OpText || h.OpCode == ws.OpBinary) {
		compressed = true
		h.Rsv &^= ws.Rsv(true, false, false)
	}
	state := ws.StateServerSide
	if fragmented {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return h, false, c.refuse(ws.StatusProtocolError, err.Error(), nil)
	}

	size := leastHeaderSize
	switch h.Length {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if n < size {
		if err := c.readFull(b[n:size]); err != nil {
			return h, false, err
		}
	}
	switch h.Length {
	case 126:
		h.Length = int64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		// RFC 6455 forbids lengths with the first bit set. Here they are just too large.
		h.Length = int64(min(binary.BigEndian.Uint64(b[2:]), math.MaxInt64))
	}
	copy(h.Mask[:], b[size-len(h.Mask):size])
	c.wire.Consumed(size)
	return h, compressed, nil
}

// refuse returns the error for a client that broke a rule.
func (c *connection) refuse(code ws.StatusCode, text string, cause error) error {
	return &core.WebSocketError{Code: int(code), Text: text, Err: cause}
}
