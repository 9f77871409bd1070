package parser

import (
	"bytes"
	"encoding/base64"
	"iter"
)

// V4 is revision 4 of the protocol.
//
// A text packet is the type as a digit, then the data. A binary message is the bytes themselves in a binary
// WebSocket message, and "b" with padded base64 in text. A payload is text packets separated by U+001E.
// Text that itself contains U+001E therefore does not survive a poll, which is a limit of the protocol.
//
// There is no payload without packets: AppendPayload of none appends nothing, and that cannot be decoded.
// There is no binary payload either: for one, Packets yields ErrMalformed.
var V4 Codec = v4{}

// separator stands between the packets of a payload ("Packet encoding", HTTP long-polling).
const separator = '\x1e'

type v4 struct{}

func (v4) Revision() int { return 4 }

func (v4) AppendFrame(dst []byte, p Packet, base64 bool) ([]byte, bool) {
	if isBinaryV4(p) && !base64 {
		return append(dst, p.Data...), true
	}
	return appendTextV4(dst, p), false
}

func (v4) DecodeFrame(data []byte, binary bool) (Packet, error) {
	if binary {
		return Packet{Type: Message, Binary: true, Data: data[:len(data):len(data)]}, nil
	}
	return decodeTextV4(data)
}

func (v4) AppendPayload(dst []byte, packets []Packet, _ bool) ([]byte, bool) {
	for i, p := range packets {
		if i > 0 {
			dst = append(dst, separator)
		}
		dst = appendTextV4(dst, p)
	}
	return dst, false
}

// Next takes an empty payload for an empty packet, and so what follows a separator at the end.
func (v4) Next(payload []byte, binary bool) (p Packet, rest []byte, err error) {
	if binary {
		return Packet{}, nil, ErrMalformed
	}
	packet := payload
	if i := bytes.IndexByte(payload, separator); i >= 0 {
		packet, rest = payload[:i], payload[i+1:]
	}
	p, err = decodeTextV4(packet)
	return p, rest, err
}

func (c v4) Packets(payload []byte, binary bool) iter.Seq2[Packet, error] {
	return packets(c, payload, binary)
}

// isBinaryV4 reports whether p is written as binary. The wire has no place for the type of a binary packet,
// so a packet that is not a message is written as text and keeps its type.
func isBinaryV4(p Packet) bool { return p.Binary && p.Type == Message }

func appendTextV4(dst []byte, p Packet) []byte {
	if isBinaryV4(p) {
		return base64.StdEncoding.AppendEncode(append(dst, base64Mark), p.Data)
	}
	return appendText(dst, p)
}

func decodeTextV4(data []byte) (Packet, error) {
	if len(data) == 0 || data[0] != base64Mark {
		return decodeText(data)
	}
	decoded, err := decodeBase64(data[1:])
	if err != nil {
		return Packet{}, err
	}
	return Packet{Type: Message, Binary: true, Data: decoded}, nil
}
