package parser_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/goengineio/engineio/parser"
)

func text(t parser.Type, data string) parser.Packet {
	return parser.Packet{Type: t, Data: []byte(data)}
}

func binary(data ...byte) parser.Packet {
	return parser.Packet{Type: parser.Message, Binary: true, Data: data}
}

func TestTypeString(t *testing.T) {
	want := []string{"open", "close", "ping", "pong", "message", "upgrade", "noop", "unknown"}
	for i, name := range want {
		if got := parser.Type(i).String(); got != name {
			t.Errorf("Type(%d) is %q, want %q", i, got, name)
		}
	}
	if got := parser.Type(255).String(); got != "unknown" {
		t.Errorf("Type(255) is %q", got)
	}
}

func TestRevision(t *testing.T) {
	if parser.V3.Revision() != 3 || parser.V4.Revision() != 4 {
		t.Error("wrong revision")
	}
}

func TestFrames(t *testing.T) {
	tests := []struct {
		codec  parser.Codec
		packet parser.Packet
		base64 bool
		frame  string
		binary bool
	}{
		{parser.V4, text(parser.Open, "{}"), false, "0{}", false},
		{parser.V4, text(parser.Noop, ""), false, "6", false},
		{parser.V4, text(parser.Message, "h€llo"), true, "4h€llo", false},
		{parser.V4, text(parser.Message, ""), false, "4", false},
		{parser.V4, binary(), false, "", true},
		{parser.V4, binary(1, 2), false, "\x01\x02", true},
		{parser.V4, binary(), true, "b", false},
		{parser.V4, binary(1, 2), true, "bAQI=", false},
		{parser.V3, text(parser.Ping, "probe"), false, "2probe", false},
		{parser.V3, text(parser.Message, ""), true, "4", false},
		{parser.V3, binary(), false, "\x04", true},
		{parser.V3, binary(1, 2), false, "\x04\x01\x02", true},
		{parser.V3, binary(), true, "b4", false},
		{parser.V3, binary(1, 2), true, "b4AQI=", false},
		{parser.V3, parser.Packet{Type: parser.Pong, Binary: true, Data: []byte{9}}, false, "\x03\x09", true},
	}
	for _, tt := range tests {
		name := fmt.Sprintf("v%d %q", tt.codec.Revision(), tt.frame)
		out, isBinary := tt.codec.AppendFrame([]byte("before"), tt.packet, tt.base64)
		if string(out) != "before"+tt.frame || isBinary != tt.binary {
			t.Errorf("%s: encoded to %q, binary %v", name, out, isBinary)
		}
		p, err := tt.codec.DecodeFrame([]byte(tt.frame), tt.binary)
		if err != nil || !samePacket(p, tt.packet) {
			t.Errorf("%s: decoded to %v, error %v", name, p, err)
		}
	}
}

// A packet that is marked binary without being a message cannot exist in revision 4: the type wins.
func TestBinaryIsForMessages(t *testing.T) {
	p := parser.Packet{Type: parser.Ping, Binary: true, Data: []byte("x")}
	if out, isBinary := parser.V4.AppendFrame(nil, p, false); string(out) != "2x" || isBinary {
		t.Errorf("frame %q, binary %v", out, isBinary)
	}
	if out := parser.AppendStreamPacket(nil, p); string(out) != "\x022x" {
		t.Errorf("stream %q", out)
	}
}

func TestFrameErrors(t *testing.T) {
	tests := []struct {
		codec  parser.Codec
		frame  string
		binary bool
		err    error
	}{
		{parser.V4, "", false, parser.ErrEmpty},
		{parser.V4, "7", false, parser.ErrType},
		{parser.V4, "/", false, parser.ErrType},
		{parser.V4, "a", false, parser.ErrType},
		{parser.V4, "\x04", false, parser.ErrType},
		{parser.V4, "\xff", false, parser.ErrType},
		{parser.V4, "b!", false, parser.ErrBase64},
		{parser.V3, "", false, parser.ErrEmpty},
		{parser.V3, "7x", false, parser.ErrType},
		{parser.V3, "b", false, parser.ErrEmpty},
		{parser.V3, "b7", false, parser.ErrType},
		{parser.V3, "bAAAA", false, parser.ErrType},
		{parser.V3, "b4A", false, parser.ErrBase64},
		{parser.V3, "", true, parser.ErrEmpty},
		{parser.V3, "\x07", true, parser.ErrType},
		{parser.V3, "4", true, parser.ErrType},
	}
	for _, tt := range tests {
		p, err := tt.codec.DecodeFrame([]byte(tt.frame), tt.binary)
		if !errors.Is(err, tt.err) || !errors.Is(err, parser.ErrMalformed) || !samePacket(p, parser.Packet{}) {
			t.Errorf("v%d %q: %v, error %v; want %v", tt.codec.Revision(), tt.frame, p, err, tt.err)
		}
	}
}

func TestBase64(t *testing.T) {
	valid := map[string]string{
		"": "", "AA": "\x00", "AA==": "\x00", "AAA": "\x00\x00", "AAA=": "\x00\x00", "AAAA": "\x00\x00\x00",
		"+/+/": "\xfb\xff\xbf", "AB==": "\x00", "AAB=": "\x00\x00", // unused bits are ignored
	}
	for in, want := range valid {
		p, err := parser.V4.DecodeFrame([]byte("b"+in), false)
		if err != nil || !p.Binary || string(p.Data) != want {
			t.Errorf("%q: %v, error %v; want %q", in, p, err, want)
		}
	}
	invalid := []string{
		"A", "=", "==", "A=", "AA=", "A==", "A===", "====", "AAA==", "AAAA=", "AAAA==", "AAAA====", "AA==AAAA", "AA=A",
		"-_-_", "AA A", "\nAAAA", "AAAA\n", "AAAA\r\n", "AA\n==", "A\nAAA", "AAAA\n\n\n\n", "AAAAA\n\n", "AAAA\n", "\n",
		"\r\r\r\r", "AAé", "AAA\x00", "AAAAAAAA\x1e", strings.Repeat("A", 4001),
	}
	for _, in := range invalid {
		if p, err := parser.V4.DecodeFrame([]byte("b"+in), false); !errors.Is(err, parser.ErrBase64) {
			t.Errorf("%q: %v, error %v", in, p, err)
		}
	}
}

// TestBase64InPlace pins what decodeBase64 relies on: the decoder of the standard library never overwrites
// characters that it has yet to read.
func TestBase64InPlace(t *testing.T) {
	for n := range 600 {
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(i*i + 7*n)
		}
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
			frame := enc.AppendEncode([]byte{'b'}, want)
			p, err := parser.V4.DecodeFrame(frame, false)
			if err != nil || !bytes.Equal(p.Data, want) {
				t.Fatalf("%d bytes: %v, error %v", n, p.Data, err)
			}
		}
	}
}

func TestRoundTrip(t *testing.T) {
	packets := []parser.Packet{binary(), binary(0), binary(1, 2), binary(1, 2, 3), binary(0x1e, 0xff, ':')}
	for typ := parser.Open; typ <= parser.Noop; typ++ {
		for _, data := range []string{"", "b", "probe", "é€😀", "\xff\xf0\x9f", "1:2", "\x00\x1f"} {
			packets = append(packets, text(typ, data))
		}
	}
	for _, c := range []parser.Codec{parser.V3, parser.V4} {
		for _, base64 := range []bool{false, true} {
			for _, want := range packets {
				frame, isBinary := c.AppendFrame(nil, want, base64)
				if got, err := c.DecodeFrame(frame, isBinary); err != nil || !samePacket(got, want) {
					t.Errorf("v%d frame of %v: %v, error %v", c.Revision(), want, got, err)
				}
			}
			payload, isBinary := c.AppendPayload(nil, packets, base64)
			if isBinary != (c == parser.V3 && !base64) {
				t.Errorf("v%d payload, base64 %v: binary %v", c.Revision(), base64, isBinary)
			}
			got, err := collect(c, payload, isBinary)
			if err != nil {
				t.Errorf("v%d payload: %v", c.Revision(), err)
			}
			comparePackets(t, got, packets)
		}
	}
	got, err := decodeStream(appendStream(packets))
	if err != nil {
		t.Errorf("stream: %v", err)
	}
	comparePackets(t, got, packets)
}

// Data lies inside the input, and appending to it does not reach what follows.
func TestDataAliasesInput(t *testing.T) {
	for _, c := range []parser.Codec{parser.V3, parser.V4} {
		packets := []parser.Packet{text(parser.Message, "abc"), binary(1, 2, 3, 4), text(parser.Message, "defg")}
		for _, base64 := range []bool{false, true} {
			payload, isBinary := c.AppendPayload(nil, packets, base64)
			got, err := collect(c, payload, isBinary)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				_ = append(got[i].Data, "overwritten"...)
			}
			comparePackets(t, got, packets)
			clear(payload)
			for i := range got {
				if len(bytes.Trim(got[i].Data, "\x00")) > 0 {
					t.Errorf("v%d: packet %d is a copy", c.Revision(), i)
				}
			}
			frame, isBinary := c.AppendFrame(nil, packets[1], base64)
			p, _ := c.DecodeFrame(append(frame, "tail"...)[:len(frame)], isBinary)
			if cap(p.Data) != len(p.Data) {
				t.Errorf("v%d: capacity %d of %d bytes", c.Revision(), cap(p.Data), len(p.Data))
			}
		}
	}
}
