package fastws

import (
	"encoding/binary"
	"net"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/wire"
)

// maxFragments is how many frames a message may consist of, the limit of the reference's ws package.
const maxFragments = 16384

// input is what the library reads from. It checks the frames passing through for errors that the library
// accepts: messages in any number of fragments, close frames of one byte, and RSV1 where it has no meaning.
type input struct {
	wire.Conn
	broken *core.WebSocketError // what the next Read fails with

	payload   uint64 // bytes of the current frame that are still to come
	fragments uint16 // of the current message
	have      uint8  // number of bytes in header
	header    [10]byte
}

var _ net.Conn = (*input)(nil)

// SetDeadline does nothing. The library calls it once, to remove a deadline that nobody has set; the core's
// calls go to Conn.
func (*input) SetDeadline(time.Time) error { return nil }

// Read returns the bytes before a frame that breaks a rule, and then the error.
func (in *input) Read(p []byte) (int, error) {
	if in.broken != nil {
		return 0, in.broken
	}
	n, err := in.Conn.Read(p)
	if sound := in.pass(p[:n]); in.broken != nil {
		if sound > 0 {
			return sound, nil
		}
		return 0, in.broken
	}
	return n, err
}

// pass checks the frames in p and returns how many bytes come before one that breaks a rule.
func (in *input) pass(p []byte) int {
	for i := 0; i < len(p); {
		if in.payload > 0 {
			n := min(in.payload, uint64(len(p)-i))
			in.payload -= n
			i += int(n)
			continue
		}
		in.header[in.have] = p[i]
		i++
		if in.have++; in.have < in.headerSize() {
			continue
		}
		if in.broken = in.check(); in.broken != nil {
			return max(0, i-int(in.have))
		}
		in.have = 0
	}
	return len(p)
}

// headerSize does not include the mask, which counts as payload.
func (in *input) headerSize() uint8 {
	if in.have < 2 {
		return 2
	}
	switch in.header[1] & 0x7f {
	case 126:
		return 4
	case 127:
		return 10
	}
	return 2
}

// check begins a frame whose header is complete.
func (in *input) check() *core.WebSocketError {
	first, size := in.header[0], uint64(in.header[1]&0x7f)
	switch size {
	case 126:
		size = uint64(binary.BigEndian.Uint16(in.header[2:]))
	case 127:
		size = binary.BigEndian.Uint64(in.header[2:])
	}
	in.payload = size + 4 // with the mask; the library itself refuses invalid lengths
	final, rsv1, kind := first&0x80 != 0, first&0x40 != 0, int(first&0xf)
	switch {
	case rsv1 && kind != websocket.TextMessage && kind != websocket.BinaryMessage:
		return &core.WebSocketError{Code: websocket.CloseProtocolError, Text: "RSV1 set"}
	case kind == websocket.CloseMessage && size == 1:
		return &core.WebSocketError{Code: websocket.CloseProtocolError, Text: "close frame of one byte"}
	case kind > websocket.BinaryMessage: // a control frame
		return nil
	}
	if in.fragments++; in.fragments > maxFragments {
		return &core.WebSocketError{Code: websocket.ClosePolicyViolation, Text: "too many fragments"}
	}
	if final {
		in.fragments = 0
	}
	return nil
}
