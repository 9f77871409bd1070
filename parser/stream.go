package parser

import "encoding/binary"

// The framing of protocol 4.1 puts packets of revision 4 on a byte stream: a header with the length, then
// the content of the WebSocket message that would carry the packet. The header is like WebSocket's own
// length field: lengths up to 125 in seven bits, else 126 and 16 bits, else 127 and 64 bits, big endian.
// The high bit of the first byte says that the content is binary.
const (
	streamBinary = 0x80
	stream16     = 126
	stream64     = 127

	// maxStreamSize is the largest length that the reference accepts: the largest integer that is exact in
	// JavaScript.
	maxStreamSize = 1<<53 - 1
)

// StreamHeader is the header before each packet on a byte stream.
type StreamHeader struct {
	Size   uint64 // length of the content that follows; compare it with a limit before using it
	Binary bool   // the content is binary
	Len    int    // length of the header itself: 1, 3 or 9
}

// AppendStreamHeader appends the header for a content of size bytes, in its shortest form. Size must not be
// negative.
func AppendStreamHeader(dst []byte, size int, isBinary bool) []byte {
	first := byte(0)
	if isBinary {
		first = streamBinary
	}
	switch {
	case size < stream16:
		return append(dst, first|byte(size))
	case size < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, first|stream16), uint16(size))
	default:
		return binary.BigEndian.AppendUint64(append(dst, first|stream64), uint64(size))
	}
}

// DecodeStreamHeader decodes the header at the front of b. If ok is true the header is complete. If ok is
// false and err is nil, b is too short; h.Len then tells how many bytes the header takes, unless b is
// empty.
//
// A length need not be in its shortest form: the reference accepts any. It is an error (ErrLength) if the
// length exceeds 2^53-1, as in the reference, and (ErrEmpty) if it is zero and the content is text, since a
// packet has at least a type. Binary content of no bytes is an empty message, as on a WebSocket. The
// reference writes that, too, but does not accept it.
func DecodeStreamHeader(b []byte) (h StreamHeader, ok bool, err error) {
	if len(b) == 0 {
		return StreamHeader{}, false, nil
	}
	h = StreamHeader{Binary: b[0]&streamBinary != 0, Len: 1}
	size := b[0] &^ streamBinary
	switch size {
	case stream16:
		h.Len = 3
	case stream64:
		h.Len = 9
	}
	if len(b) < h.Len {
		return h, false, nil
	}
	switch size {
	case stream16:
		h.Size = uint64(binary.BigEndian.Uint16(b[1:]))
	case stream64:
		h.Size = binary.BigEndian.Uint64(b[1:])
	default:
		h.Size = uint64(size)
	}
	switch {
	case h.Size > maxStreamSize:
		return StreamHeader{}, false, ErrLength
	case h.Size == 0 && !h.Binary:
		return StreamHeader{}, false, ErrEmpty
	}
	return h, true, nil
}

// AppendStreamPacket appends p with its header. V4.DecodeFrame decodes the content, given the Binary field
// of the header.
func AppendStreamPacket(dst []byte, p Packet) []byte {
	size := len(p.Data)
	isBinary := isBinaryV4(p)
	if !isBinary {
		size++ // the type
	}
	dst = AppendStreamHeader(dst, size, isBinary)
	dst, _ = V4.AppendFrame(dst, p, false)
	return dst
}
