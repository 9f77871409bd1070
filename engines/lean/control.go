package lean

import (
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/goengineio/engineio/core"
)

// readControl reads the payload of a control frame and handles it.
func (c *connection) readControl(h ws.Header) error {
	data, err := c.readPayload(nil, h, ws.MaxControlFramePayloadSize)
	if err != nil {
		return err
	}
	switch h.OpCode {
	case ws.OpPing:
		c.wire.OnPing(data)
	case ws.OpClose:
		return c.closed(data)
	default: // a pong, which needs no reaction
	}
	return nil
}

// closed returns the error for a close frame.
func (c *connection) closed(data []byte) error {
	if len(data) == 0 {
		return &core.WebSocketError{Peer: true, Code: int(ws.StatusNoStatusRcvd)}
	}
	code, reason := ws.ParseCloseFrameData(data) // a single byte yields no code
	if !mayBeSent(code) || !utf8.ValidString(reason) {
		return c.refuse(ws.StatusProtocolError, "invalid close frame", nil)
	}
	return &core.WebSocketError{Peer: true, Code: int(code), Text: reason}
}

// mayBeSent reports whether a client may send the code: the registered ones, which as of 2026 go up to
// 1014, and those for libraries and applications. (ws.CheckCloseFrameData knows none above 1011, and
// accepts 5000.)
func mayBeSent(code ws.StatusCode) bool {
	return 1000 <= code && code <= 1003 || 1007 <= code && code <= 1014 || 3000 <= code && code <= 4999
}
