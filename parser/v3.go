package parser

import (
	"encoding/base64"
	"encoding/binary"
	"io"
	"iter"
	"strconv"
	"unicode/utf8"
)

// V3 is revision 3 of the protocol.
//
// A text packet is the type as a digit, then the data, as in revision 4. A binary packet is the type as a
// byte, then the data, in binary; in text it is "b", the type as a digit, then padded base64.
//
// A text payload is, for each packet, its length in UTF-16 code units, a colon, and the packet. A packet of
// length zero is skipped, as in the reference, and "0:" is the payload of no packets; a payload without any
// bytes is an error. A binary payload is, for each packet, a byte 0 (text) or 1 (binary), its length in
// bytes as decimal digits of the values 0 to 9, a byte 255, and the packet. Here a payload without any
// bytes is the payload of no packets, and empty packets are not allowed. AppendPayload uses the binary form
// only if it saves something: if there is a binary packet and the client can take it.
//
// Lengths may have leading zeros (the reference compares them as numbers), but no more than ten digits.
var V3 Codec = v3{}

// maxDigits bounds the digits of a length: enough for every payload that fits into memory in practice, and
// few enough for the number not to overflow.
const maxDigits = 10

// lengthEnd ends the length in a binary payload.
const lengthEnd = 0xff

type v3 struct{}

func (v3) Revision() int { return 3 }

func (v3) AppendFrame(dst []byte, p Packet, base64 bool) ([]byte, bool) {
	if p.Binary && !base64 {
		return appendBinaryV3(dst, p), true
	}
	return appendTextV3(dst, p), false
}

func (v3) DecodeFrame(data []byte, binary bool) (Packet, error) {
	if binary {
		return decodeBinaryV3(data)
	}
	return decodeTextV3(data)
}

func (v3) AppendPayload(dst []byte, packets []Packet, base64 bool) ([]byte, bool) {
	if !base64 {
		for _, p := range packets {
			if p.Binary {
				return appendBinaryPayload(dst, packets), true
			}
		}
	}
	return appendTextPayload(dst, packets), false
}

func (v3) Next(payload []byte, binary bool) (p Packet, rest []byte, err error) {
	if binary {
		p, rest, err = nextBinary(payload)
	} else {
		p, rest, err = nextText(payload)
	}
	if len(rest) == 0 {
		rest = nil
	}
	return p, rest, err
}

func (c v3) Packets(payload []byte, binary bool) iter.Seq2[Packet, error] {
	return packets(c, payload, binary)
}

func appendTextPayload(dst []byte, packets []Packet) []byte {
	if len(packets) == 0 {
		return append(dst, "0:"...)
	}
	for _, p := range packets {
		n := 1 // the type
		if p.Binary {
			n += 1 + base64.StdEncoding.EncodedLen(len(p.Data))
		} else {
			n += UTF16Len(p.Data)
		}
		dst = strconv.AppendInt(dst, int64(n), 10)
		dst = append(dst, ':')
		dst = appendTextV3(dst, p)
	}
	return dst
}

func nextText(payload []byte) (p Packet, rest []byte, err error) {
	if len(payload) == 0 {
		return Packet{}, nil, ErrEmpty
	}
	for len(payload) > 0 {
		units, body, err := cutLength(payload, '0', ':')
		if err != nil {
			return Packet{}, nil, err
		}
		n, ok := utf16Prefix(body, units)
		if !ok {
			return Packet{}, nil, ErrLength
		}
		if n > 0 {
			p, err = decodeTextV3(body[:n])
			return p, body[n:], err
		}
		payload = body
	}
	return Packet{}, nil, io.EOF
}

func appendBinaryPayload(dst []byte, packets []Packet) []byte {
	for _, p := range packets {
		kind := byte(0)
		if p.Binary {
			kind = 1
		}
		dst = append(dst, kind)
		digits := len(dst)
		dst = strconv.AppendInt(dst, int64(1+len(p.Data)), 10)
		for i := digits; i < len(dst); i++ {
			dst[i] -= '0'
		}
		dst = append(dst, lengthEnd)
		if p.Binary {
			dst = appendBinaryV3(dst, p)
		} else {
			dst = appendText(dst, p)
		}
	}
	return dst
}

func nextBinary(payload []byte) (p Packet, rest []byte, err error) {
	if len(payload) == 0 {
		return Packet{}, nil, io.EOF
	}
	kind := payload[0]
	if kind > 1 {
		return Packet{}, nil, ErrMalformed
	}
	n, body, err := cutLength(payload[1:], 0, lengthEnd)
	if err != nil {
		return Packet{}, nil, err
	}
	if kind == 1 {
		p, err = decodeBinaryV3(body[:n])
	} else {
		p, err = decodeTextV3(body[:n])
	}
	return p, body[n:], err
}

func appendTextV3(dst []byte, p Packet) []byte {
	if p.Binary {
		return base64.StdEncoding.AppendEncode(append(dst, base64Mark, '0'+byte(p.Type)), p.Data)
	}
	return appendText(dst, p)
}

func decodeTextV3(data []byte) (Packet, error) {
	if len(data) == 0 || data[0] != base64Mark {
		return decodeText(data)
	}
	p, err := decodeText(data[1:])
	if err != nil {
		return Packet{}, err
	}
	p.Binary = true
	p.Data, err = decodeBase64(p.Data)
	if err != nil {
		return Packet{}, err
	}
	return p, nil
}

func appendBinaryV3(dst []byte, p Packet) []byte {
	dst = append(dst, byte(p.Type))
	return append(dst, p.Data...)
}

func decodeBinaryV3(data []byte) (Packet, error) {
	if len(data) == 0 {
		return Packet{}, ErrEmpty
	}
	p, err := decodeTyped(data, 0)
	p.Binary = err == nil
	return p, err
}

// cutLength reads the length at the front of b: digits counted from zero, then end. It returns the length
// and what follows. A length that exceeds the number of bytes that follow is an error. That holds whether
// it counts bytes or UTF-16 code units, since a text has at most as many code units as bytes.
func cutLength(b []byte, zero, end byte) (n int, rest []byte, err error) {
	var length uint64
	for i, c := range b {
		if c == end && i > 0 {
			rest = b[i+1:]
			if length > uint64(len(rest)) {
				return 0, nil, ErrLength
			}
			return int(length), rest, nil
		}
		digit := c - zero
		if digit > 9 || i == maxDigits {
			return 0, nil, ErrLength
		}
		length = 10*length + uint64(digit)
	}
	return 0, nil, ErrLength
}

// UTF16Len returns the number of UTF-16 code units in the text b: the length of the string that JavaScript
// decodes b to, with one U+FFFD for each piece of invalid UTF-8, see ToValidUTF8.
func UTF16Len(b []byte) int {
	units := 0
	for len(b) > 0 {
		n := asciiLen(b)
		units += n
		b = b[n:]
		for len(b) > 0 && b[0] >= utf8.RuneSelf {
			n := runeLen(b)
			units += utf16Units(n)
			b = b[n:]
		}
	}
	return units
}

// utf16Prefix returns the length in bytes of the prefix of b that has the given number of UTF-16 code
// units. It fails if b has fewer, or if the prefix would end between the two halves of a surrogate pair. It
// looks at no more than the prefix and one rune.
func utf16Prefix(b []byte, units int) (n int, ok bool) {
	for units > 0 && n < len(b) {
		ascii := asciiLen(b[n:min(n+units, len(b))])
		n += ascii
		units -= ascii
		for units > 0 && n < len(b) && b[n] >= utf8.RuneSelf {
			size := runeLen(b[n:])
			n += size
			units -= utf16Units(size)
		}
	}
	return n, units == 0
}

// asciiLen returns the number of ASCII bytes at the front of b.
func asciiLen(b []byte) int {
	n := 0
	for len(b)-n >= 8 && binary.LittleEndian.Uint64(b[n:])&0x8080808080808080 == 0 {
		n += 8
	}
	for n < len(b) && b[n] < utf8.RuneSelf {
		n++
	}
	return n
}
