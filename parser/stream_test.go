package parser_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/goengineio/engineio/parser"
)

func TestStreamHeader(t *testing.T) {
	tests := []struct {
		size   int
		binary bool
		header string
	}{
		{0, true, "\x80"},
		{1, false, "\x01"},
		{125, false, "\x7d"},
		{125, true, "\xfd"},
		{126, false, "\x7e\x00\x7e"},
		{126, true, "\xfe\x00\x7e"},
		{127, false, "\x7e\x00\x7f"},
		{65535, true, "\xfe\xff\xff"},
		{65536, false, "\x7f\x00\x00\x00\x00\x00\x01\x00\x00"},
		{65536, true, "\xff\x00\x00\x00\x00\x00\x01\x00\x00"},
		{1<<31 - 1, false, "\x7f\x00\x00\x00\x00\x7f\xff\xff\xff"},
	}
	for _, tt := range tests {
		out := parser.AppendStreamHeader([]byte("before"), tt.size, tt.binary)
		if string(out) != "before"+tt.header {
			t.Errorf("%d, binary %v: %q, want %q", tt.size, tt.binary, out, tt.header)
		}
		h, ok, err := parser.DecodeStreamHeader([]byte(tt.header + "after"))
		want := parser.StreamHeader{Size: uint64(tt.size), Binary: tt.binary, Len: len(tt.header)}
		if h != want || !ok || err != nil {
			t.Errorf("%q: %+v, ok %v, error %v; want %+v", tt.header, h, ok, err, want)
		}
		for n := range tt.header {
			h, ok, err := parser.DecodeStreamHeader([]byte(tt.header[:n]))
			if ok || err != nil {
				t.Errorf("%q: ok %v, error %v", tt.header[:n], ok, err)
			}
			if n > 0 && h.Len != len(tt.header) || n == 0 && h.Len != 0 {
				t.Errorf("%q: takes %d bytes, want %d", tt.header[:n], h.Len, len(tt.header))
			}
		}
	}
}

func TestStreamHeaderDecode(t *testing.T) {
	tests := []struct {
		header string
		size   uint64
		err    error
	}{
		{"\x7e\x00\x05", 5, nil}, // not the shortest form, but the reference accepts it
		{"\x7f\x00\x00\x00\x00\x00\x00\x00\x05", 5, nil},
		{"\x7f\x00\x1f\xff\xff\xff\xff\xff\xff", 1<<53 - 1, nil},
		{"\x7f\x00\x20\x00\x00\x00\x00\x00\x00", 0, parser.ErrLength},
		{"\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 0, parser.ErrLength},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff", 0, parser.ErrLength},
		{"\x00", 0, parser.ErrEmpty},
		{"\x7e\x00\x00", 0, parser.ErrEmpty},
		{"\x7f\x00\x00\x00\x00\x00\x00\x00\x00", 0, parser.ErrEmpty},
		{"\xfe\x00\x00", 0, nil},
	}
	for _, tt := range tests {
		h, ok, err := parser.DecodeStreamHeader([]byte(tt.header))
		if h.Size != tt.size || ok != (tt.err == nil) || !errors.Is(err, tt.err) {
			t.Errorf("%q: %+v, ok %v, error %v; want %d, %v", tt.header, h, ok, err, tt.size, tt.err)
		}
		if tt.err != nil && !errors.Is(err, parser.ErrMalformed) {
			t.Errorf("%q: %v is not ErrMalformed", tt.header, err)
		}
	}
}

func TestStreamPacket(t *testing.T) {
	tests := []struct {
		packet parser.Packet
		want   string
	}{
		{text(parser.Open, "{}"), "\x030{}"},
		{text(parser.Ping, ""), "\x012"},
		{binary(), "\x80"},
		{binary(4, 5), "\x82\x04\x05"},
		{binary(bytes.Repeat([]byte{7}, 126)...), "\xfe\x00\x7e" + string(bytes.Repeat([]byte{7}, 126))},
	}
	for _, tt := range tests {
		if out := parser.AppendStreamPacket([]byte("before"), tt.packet); string(out) != "before"+tt.want {
			t.Errorf("%v: %q, want %q", tt.packet, out, tt.want)
		}
	}
}

func TestStreamTruncations(t *testing.T) {
	packets := []parser.Packet{text(parser.Open, "{}"), binary(1, 2, 3), text(parser.Message, string(make([]byte, 200)))}
	whole := appendStream(packets)
	for n := range whole {
		got, err := decodeStream(bytes.Clone(whole[:n]))
		if err != nil && !errors.Is(err, errShortStream) {
			t.Errorf("%d bytes: %v", n, err)
		}
		comparePackets(t, got, packets[:len(got)])
	}
}
