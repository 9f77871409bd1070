package parser

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Type is the type of a packet. The numbers are those used on the wire.
type Type byte

// The packet types, the same in both revisions.
const (
	Open    Type = iota // the handshake, the first packet of a session
	Close               // the sender is going to close the transport
	Ping                // heartbeat, or with the data "probe" the test of a new transport
	Pong                // the answer to Ping, with the same data
	Message             // what the application sent
	Upgrade             // the client moves over to the transport it has probed
	Noop                // nothing; releases a waiting poll
)

var typeNames = [...]string{"open", "close", "ping", "pong", "message", "upgrade", "noop"}

// String returns the name of the type as the protocol spells it, or "unknown" if there is no such type.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "unknown"
}

// Packet is one packet of either revision. The zero value is an open packet without data.
type Packet struct {
	// Type must be one of the seven types; an encoder writes what it is given.
	Type Type

	// Binary says that Data is binary rather than text. Only a Message may set it. In revision 4 decoding
	// never sets it for another type, as there are no other binary packets; revision 3 can mark every type
	// as binary, and its decoder reports that.
	Binary bool

	// Data is what follows the type. No data and empty data are the same thing on the wire.
	Data []byte
}

// Codec is one revision of the protocol. The implementations have no state: a Codec may be copied, compared
// with ==, and used concurrently.
type Codec interface {
	// Revision returns the number that a client sends as the query parameter EIO.
	Revision() int

	// AppendFrame appends p to dst as the content of one WebSocket message and reports whether that message
	// has to be a binary one. If base64 is set, the client cannot receive binary (b64 in the query of the
	// handshake), and the message is always text.
	AppendFrame(dst []byte, p Packet, base64 bool) (out []byte, binary bool)

	// DecodeFrame returns the packet in the content of one WebSocket message. Data aliases data, which is
	// overwritten where it holds base64.
	DecodeFrame(data []byte, binary bool) (Packet, error)

	// AppendPayload appends packets to dst as the body of an answer to a poll and reports whether that body
	// is binary, that is, of type application/octet-stream. That happens only in revision 3, and only if
	// base64 is not set.
	AppendPayload(dst []byte, packets []Packet, base64 bool) (out []byte, binary bool)

	// Next decodes the first packet of a body and returns what follows it: nil after the last packet. The
	// error is io.EOF if there is no packet, which does not make the body malformed. Data aliases payload,
	// which is overwritten where it holds base64. Other than Packets, it allocates nothing.
	Next(payload []byte, binary bool) (p Packet, rest []byte, err error)

	// Packets iterates over the packets of a body. The first error ends it and comes with a zero Packet.
	// Data aliases payload, which is overwritten where it holds base64: range over the result once only.
	Packets(payload []byte, binary bool) iter.Seq2[Packet, error]
}

// packets is Packets in terms of Next.
func packets(c Codec, payload []byte, binary bool) iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) {
		for rest, more := payload, true; more; more = rest != nil {
			var p Packet
			var err error
			p, rest, err = c.Next(rest, binary)
			if errors.Is(err, io.EOF) || !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// Errors of malformed input. Each of them matches ErrMalformed as well.
var (
	// ErrMalformed means that the input is not what the protocol describes.
	ErrMalformed = errors.New("parser: malformed input")
	// ErrEmpty means that there is no packet where one has to be.
	ErrEmpty = fmt.Errorf("%w: empty packet", ErrMalformed)
	// ErrType means that a packet begins with something that is not a packet type.
	ErrType = fmt.Errorf("%w: unknown packet type", ErrMalformed)
	// ErrLength means that a length is not a number, is out of range, or does not fit what follows it.
	ErrLength = fmt.Errorf("%w: invalid length", ErrMalformed)
	// ErrBase64 means that a binary packet in text is not base64 of the standard alphabet.
	ErrBase64 = fmt.Errorf("%w: invalid base64", ErrMalformed)
)

// base64Mark begins a binary packet that travels as text; it is distinct from all packet types.
const base64Mark = 'b'

// appendText appends the type digit and the data as they are.
func appendText(dst []byte, p Packet) []byte {
	dst = append(dst, '0'+byte(p.Type))
	return append(dst, p.Data...)
}

// decodeText is the inverse of appendText.
func decodeText(data []byte) (Packet, error) {
	if len(data) == 0 {
		return Packet{}, ErrEmpty
	}
	return decodeTyped(data, '0')
}

// decodeTyped decodes data, which is not empty, as a type counted from zero followed by the packet's data.
func decodeTyped(data []byte, zero byte) (Packet, error) {
	t := Type(data[0] - zero) // anything below zero wraps around and is too large
	if t > Noop {
		return Packet{}, ErrType
	}
	return Packet{Type: t, Data: data[1:len(data):len(data)]}, nil
}

// decodeBase64 decodes data over itself and returns the part that holds the result.
//
// Padding may be missing, but if there is some it has to be right. Unused bits of the last character may
// have any value, as in the reference: they carry no information.
func decodeBase64(data []byte) ([]byte, error) {
	src := data
	if n := len(src); n > 0 && n%4 == 0 && src[n-1] == '=' {
		src = src[:n-1]
		if src[n-2] == '=' {
			src = src[:n-2]
		}
	}
	// The standard library skips line breaks, which are not allowed here. They show in the length of the
	// result: each character less makes it a byte shorter, unless a single character is left over, which is
	// an error in any case.
	want := base64.RawStdEncoding.DecodedLen(len(src))
	if len(src)%4 == 1 {
		return nil, ErrBase64
	}
	// The decoder reads up to 8 characters before it writes their (at most 8) bytes, so what it writes
	// never overtakes what it has yet to read. TestBase64InPlace pins that.
	n, err := base64.RawStdEncoding.Decode(data, src)
	if err != nil || n != want {
		return nil, ErrBase64
	}
	return data[:n:n], nil
}
