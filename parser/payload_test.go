package parser_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goengineio/engineio/parser"
)

func TestPayloads(t *testing.T) {
	hello, noop := text(parser.Message, "hello"), text(parser.Noop, "")
	list := func(packets ...parser.Packet) []parser.Packet { return packets }
	tests := []struct {
		codec   parser.Codec
		packets []parser.Packet
		base64  bool
		payload string
		binary  bool
	}{
		{parser.V4, list(hello), false, "4hello", false},
		{parser.V4, list(noop, noop), false, "6\x1e6", false},
		{parser.V4, list(hello, binary(1, 2, 3), hello), false, "4hello\x1ebAQID\x1e4hello", false},
		{parser.V4, list(binary(), binary(1)), true, "b\x1ebAQ==", false},
		{parser.V3, list(), false, "0:", false},
		{parser.V3, list(), true, "0:", false},
		{parser.V3, list(hello, noop), false, "6:4hello1:6", false},
		{parser.V3, list(text(parser.Message, "é"), text(parser.Message, "€")), false, "2:4é2:4€", false},
		{parser.V3, list(text(parser.Message, "😀"), hello), false, "3:4😀6:4hello", false},
		{parser.V3, list(text(parser.Message, "\xff\xfe")), false, "3:4\xff\xfe", false},
		{parser.V3, list(text(parser.Message, "123456789")), false, "10:4123456789", false},
		{parser.V3, list(binary(1, 2), hello), true, "6:b4AQI=6:4hello", false},
		{parser.V3, list(binary(), hello), true, "2:b46:4hello", false},
		{parser.V3, list(binary(1, 2), text(parser.Message, "é")), false,
			"\x01\x03\xff\x04\x01\x02\x00\x03\xff4é", true},
		{parser.V3, list(text(parser.Message, strings.Repeat("x", 99)), binary()), false,
			"\x00\x01\x00\x00\xff4" + strings.Repeat("x", 99) + "\x01\x01\xff\x04", true},
	}
	for _, tt := range tests {
		name := fmt.Sprintf("v%d %q", tt.codec.Revision(), tt.payload)
		out, isBinary := tt.codec.AppendPayload([]byte("before"), tt.packets, tt.base64)
		if string(out) != "before"+tt.payload || isBinary != tt.binary {
			t.Errorf("%s: encoded to %q, binary %v", name, out, isBinary)
		}
		got, err := collect(tt.codec, []byte(tt.payload), tt.binary)
		if err != nil {
			t.Errorf("%s: error %v", name, err)
		}
		comparePackets(t, got, tt.packets)
	}
	if out, isBinary := parser.V4.AppendPayload(nil, nil, false); len(out) > 0 || isBinary {
		t.Errorf("v4 payload of no packets: %q, binary %v", out, isBinary)
	}
}

func TestPayloadErrors(t *testing.T) {
	tests := []struct {
		codec   parser.Codec
		payload string
		binary  bool
		before  int // packets that come before the error
		err     error
	}{
		{parser.V4, "", false, 0, parser.ErrEmpty},
		{parser.V4, "\x1e", false, 0, parser.ErrEmpty},
		{parser.V4, "4a\x1e", false, 1, parser.ErrEmpty},
		{parser.V4, "\x1e4a", false, 0, parser.ErrEmpty},
		{parser.V4, "4a\x1e\x1e4b", false, 1, parser.ErrEmpty},
		{parser.V4, "4a\x1e7\x1e4b", false, 1, parser.ErrType},
		{parser.V4, "4a\x1ebA\x1e4b", false, 1, parser.ErrBase64},
		{parser.V4, "4a", true, 0, parser.ErrMalformed},
		{parser.V4, "", true, 0, parser.ErrMalformed},

		{parser.V3, "", false, 0, parser.ErrEmpty},
		{parser.V3, "-1:", false, 0, parser.ErrLength},
		{parser.V3, "+1:6", false, 0, parser.ErrLength},
		{parser.V3, " 1:6", false, 0, parser.ErrLength},
		{parser.V3, "0x1:6", false, 0, parser.ErrLength},
		{parser.V3, "1.0:6", false, 0, parser.ErrLength},
		{parser.V3, "1e0:6", false, 0, parser.ErrLength}, // the reference accepts this one
		{parser.V3, "1e9:", false, 0, parser.ErrLength},
		{parser.V3, "99999999999999999999:", false, 0, parser.ErrLength},
		{parser.V3, "18446744073709551617:6", false, 0, parser.ErrLength},
		{parser.V3, "9999999999:6", false, 0, parser.ErrLength},
		{parser.V3, "00000000001:6", false, 0, parser.ErrLength},
		{parser.V3, "4294967297:6", false, 0, parser.ErrLength},
		{parser.V3, ":6", false, 0, parser.ErrLength},
		{parser.V3, "1", false, 0, parser.ErrLength},
		{parser.V3, "1:", false, 0, parser.ErrLength},
		{parser.V3, "2:6", false, 0, parser.ErrLength},
		{parser.V3, "3:4é", false, 0, parser.ErrLength}, // three bytes, two code units
		{parser.V3, "2:4😀", false, 0, parser.ErrLength}, // ends between the surrogates
		{parser.V3, "1:6x", false, 1, parser.ErrLength},
		{parser.V3, "1:61:71:6", false, 1, parser.ErrType},
		{parser.V3, "3:b4A", false, 0, parser.ErrBase64},
		{parser.V3, "1:b", false, 0, parser.ErrEmpty},

		{parser.V3, "\x00", true, 0, parser.ErrLength},
		{parser.V3, "\x00\xff", true, 0, parser.ErrLength},
		{parser.V3, "\x00\x016", true, 0, parser.ErrLength}, // no 255
		{parser.V3, "\x00" + strings.Repeat("\x01", 1000), true, 0, parser.ErrLength},
		{parser.V3, "\x001\xff6", true, 0, parser.ErrLength}, // an ASCII digit
		{parser.V3, "\x00\x0a\xff6", true, 0, parser.ErrLength},
		{parser.V3, "\x00\x02\xff6", true, 0, parser.ErrLength},
		{parser.V3, "\x00" + strings.Repeat("\x09", 20) + "\xff6", true, 0, parser.ErrLength},
		{parser.V3, "\x02\x01\xff6", true, 0, parser.ErrMalformed},
		{parser.V3, "1:6", true, 0, parser.ErrMalformed},
		{parser.V3, "\x00\x00\xff", true, 0, parser.ErrEmpty},
		{parser.V3, "\x01\x00\xff", true, 0, parser.ErrEmpty},
		{parser.V3, "\x00\x01\xff6\x01\x01\xff6", true, 1, parser.ErrType},
		{parser.V3, "\x00\x01\xff6\x00\x01\xff\x06", true, 1, parser.ErrType},
	}
	for _, tt := range tests {
		got, err := collect(tt.codec, []byte(tt.payload), tt.binary)
		if len(got) != tt.before || !errors.Is(err, tt.err) || !errors.Is(err, parser.ErrMalformed) {
			t.Errorf("v%d %.40q: %d packets, error %v; want %d, %v",
				tt.codec.Revision(), tt.payload, len(got), err, tt.before, tt.err)
		}
	}
}

func TestPayloadTolerance(t *testing.T) {
	tests := []struct {
		payload string
		binary  bool
		packets int
	}{
		{"0:", false, 0}, {"00:", false, 0}, {"0:0:0:", false, 0}, {"0:1:60:", false, 1}, {"0000000001:6", false, 1},
		{"", true, 0}, {"\x00\x00\x00\x01\xff6", true, 1}, {"\x00\x06\xffb4AQI=", true, 1},
	}
	for _, tt := range tests {
		if got, err := collect(parser.V3, []byte(tt.payload), tt.binary); len(got) != tt.packets || err != nil {
			t.Errorf("%q: %v, error %v; want %d packets", tt.payload, got, err, tt.packets)
		}
	}
}

// Every truncation of a valid input is an error, or yields the first packets of the whole, of which at most
// the last is cut.
func TestTruncations(t *testing.T) {
	packets := []parser.Packet{
		text(parser.Open, "{}"), text(parser.Message, "h€llo 😀😀"), binary(1, 2, 3, 4, 5), binary(), text(parser.Noop, ""),
		text(parser.Message, strings.Repeat("é", 60)),
	}
	for _, c := range []parser.Codec{parser.V3, parser.V4} {
		for _, base64 := range []bool{false, true} {
			whole, isBinary := c.AppendPayload(nil, packets, base64)
			for n := range whole {
				got, err := collect(c, []byte(string(whole[:n])), isBinary)
				if err != nil && !errors.Is(err, parser.ErrMalformed) {
					t.Errorf("error %v", err)
				}
				if len(got) > len(packets) {
					t.Fatalf("v%d %q: %d packets", c.Revision(), whole[:n], len(got))
				}
				for i, p := range got {
					last := i == len(got)-1
					if !samePacket(p, packets[i]) && !(last && cut(c, p, packets[i])) {
						t.Errorf("v%d %q: packet %d is %v", c.Revision(), whole[:n], i, p)
					}
				}
			}
			for _, p := range packets {
				frame, isBinary := c.AppendFrame(nil, p, base64)
				for n := range frame {
					got, err := c.DecodeFrame([]byte(string(frame[:n])), isBinary)
					if err != nil && !errors.Is(err, parser.ErrMalformed) || len(got.Data) > len(p.Data) {
						t.Errorf("v%d %q: %v, error %v", c.Revision(), frame[:n], got, err)
					}
				}
			}
		}
	}
}

// cut reports whether got may be what a truncation leaves of want. In revision 4 any part of a packet is a
// packet. In revision 3 the lengths leave no doubt, except inside a rune, where the bytes that are left
// count as much as the rune did.
func cut(c parser.Codec, got, want parser.Packet) bool {
	rest, ok := bytes.CutPrefix(want.Data, got.Data)
	return ok && got.Type == want.Type && got.Binary == want.Binary && (c == parser.V4 || len(rest) < utf8.UTFMax)
}

func TestPacketsStopsWhenAsked(t *testing.T) {
	for _, payload := range []string{"1:61:61:6", "6\x1e6\x1e6", "\x00\x01\xff6\x00\x01\xff6"} {
		c, isBinary := parser.V3, payload[0] == 0
		if payload[0] == '6' {
			c = parser.V4
		}
		n := 0
		for _, err := range c.Packets([]byte(payload), isBinary) {
			if err != nil {
				t.Error(err)
			}
			n++
			break
		}
		if n != 1 {
			t.Errorf("%q: %d packets", payload, n)
		}
	}
}

// A million of everything: anything worse than linear would not finish.
func TestLinear(t *testing.T) {
	const n = 1_000_000
	tests := []struct {
		name    string
		codec   parser.Codec
		payload string
		binary  bool
		packets int
		ok      bool
	}{
		{"v4 separators", parser.V4, strings.Repeat("\x1e", n), false, 0, false},
		{"v4 noops", parser.V4, strings.Repeat("6\x1e", n) + "6", false, n + 1, true},
		{"v4 empty binary", parser.V4, strings.Repeat("b\x1e", n), false, n, false},
		{"v4 one packet", parser.V4, "4" + strings.Repeat("x", n), false, 1, true},
		{"v3 noops", parser.V3, strings.Repeat("1:6", n), false, n, true},
		{"v3 nothing", parser.V3, strings.Repeat("0:", n), false, 0, true},
		{"v3 astral", parser.V3, strings.Repeat("3:4😀", n), false, n, true},
		{"v3 invalid UTF-8", parser.V3, strings.Repeat("2:4\xf0\x9f", n), false, n, true},
		{"v3 one astral packet", parser.V3, fmt.Sprintf("%d:4", 2*n+1) + strings.Repeat("😀", n), false, 1, true},
		{"v3 one mixed packet", parser.V3, fmt.Sprintf("%d:4", 2*n+1) + strings.Repeat("aé", n), false, 1, true},
		{"v3 wrong length", parser.V3, fmt.Sprintf("%d:4", n+2) + strings.Repeat("é", n), false, 0, false},
		{"v3 digits", parser.V3, strings.Repeat("1", n), false, 0, false},
		{"v3 zeros", parser.V3, strings.Repeat("0", n) + "1:6", false, 0, false},
		{"v3 binary noops", parser.V3, strings.Repeat("\x00\x01\xff6", n), true, n, true},
		{"v3 binary messages", parser.V3, strings.Repeat("\x01\x01\xff\x04", n), true, n, true},
		{"v3 binary digits", parser.V3, "\x00" + strings.Repeat("\x01", n), true, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			packets := 0
			var failed error
			for _, err := range tt.codec.Packets([]byte(tt.payload), tt.binary) {
				if err != nil {
					failed = err
					break
				}
				packets++
			}
			if packets != tt.packets || (failed == nil) != tt.ok {
				t.Errorf("%d packets, error %v; want %d, ok %v", packets, failed, tt.packets, tt.ok)
			}
		})
	}
}

// TestNext: after the last packet nothing follows, and a body without any packet is not malformed where the
// protocol has one.
func TestNext(t *testing.T) {
	for _, tt := range []struct {
		codec   parser.Codec
		payload string
		binary  bool
		data    string
		rest    string // "-" for none
		err     error
	}{
		{parser.V4, "4a", false, "a", "-", nil},
		{parser.V4, "4a\x1e4b", false, "a", "4b", nil},
		{parser.V4, "4a\x1e", false, "a", "", nil},
		{parser.V4, "", false, "", "-", parser.ErrEmpty},
		{parser.V4, "4a", true, "", "-", parser.ErrMalformed},
		{parser.V3, "2:4a", false, "a", "-", nil},
		{parser.V3, "0:2:4a2:4b", false, "a", "2:4b", nil},
		{parser.V3, "0:0:", false, "", "-", io.EOF},
		{parser.V3, "", false, "", "-", parser.ErrEmpty},
		{parser.V3, "2:4a2", false, "a", "2", nil},
		{parser.V3, "\x00\x02\xff4a", true, "a", "-", nil},
		{parser.V3, "\x01\x02\xff\x04a\x00\x02\xff4b", true, "a", "\x00\x02\xff4b", nil},
		{parser.V3, "", true, "", "-", io.EOF},
		{parser.V3, "\x02", true, "", "-", parser.ErrMalformed},
	} {
		p, rest, err := tt.codec.Next([]byte(tt.payload), tt.binary)
		got := string(rest)
		if rest == nil {
			got = "-"
		}
		if !errors.Is(err, tt.err) || string(p.Data) != tt.data || got != tt.rest {
			t.Errorf("v%d %q: %q, rest %q, %v", tt.codec.Revision(), tt.payload, p.Data, got, err)
		}
	}
}
