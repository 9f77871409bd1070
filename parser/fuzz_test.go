package parser_test

import (
	"bytes"
	"errors"
	"testing"
	"unicode/utf16"

	"github.com/goengineio/engineio/parser"
)

// seeds adds the encodings of the golden vectors, valid ones and invalid ones.
func seeds(f *testing.F, file string, add func(v vector)) {
	f.Helper()
	for _, v := range readVectors(f, file) {
		if len(v.Encoded) > 0 {
			add(v)
		}
	}
}

func FuzzDecodeFrameV3(f *testing.F) { fuzzDecodeFrame(f, parser.V3, "frame-v3") }
func FuzzDecodeFrameV4(f *testing.F) { fuzzDecodeFrame(f, parser.V4, "frame-v4") }

func fuzzDecodeFrame(f *testing.F, c parser.Codec, file string) {
	seeds(f, file, func(v vector) { f.Add(v.Encoded, v.Binary) })
	f.Fuzz(func(t *testing.T, data []byte, isBinary bool) {
		input := bytes.Clone(data)
		p, err := c.DecodeFrame(input, isBinary)
		if err != nil {
			checkError(t, err)
			return
		}
		checkPacket(t, c, p)

		// Only base64 has more than one form, so everything else comes back unchanged.
		out, outBinary := c.AppendFrame(nil, p, !isBinary)
		if outBinary != isBinary || (isBinary || !p.Binary) && !bytes.Equal(out, data) {
			t.Fatalf("%q, binary %v became %q, binary %v", data, isBinary, out, outBinary)
		}
		again, err := c.DecodeFrame(bytes.Clone(out), outBinary)
		if err != nil || !samePacket(again, p) {
			t.Fatalf("%v became %q and that %v, error %v", p, out, again, err)
		}
	})
}

func FuzzPacketsV3Text(f *testing.F) {
	seeds(f, "payload-v3", func(v vector) {
		if !v.Binary {
			f.Add(v.Encoded)
		}
	})
	f.Fuzz(func(t *testing.T, payload []byte) { checkPayload(t, parser.V3, payload, false) })
}

func FuzzPacketsV3Binary(f *testing.F) {
	seeds(f, "payload-v3", func(v vector) {
		if v.Binary {
			f.Add(v.Encoded)
		}
	})
	f.Fuzz(func(t *testing.T, payload []byte) { checkPayload(t, parser.V3, payload, true) })
}

func FuzzPacketsV4(f *testing.F) {
	seeds(f, "payload-v4", func(v vector) { f.Add(v.Encoded) })
	f.Fuzz(func(t *testing.T, payload []byte) {
		packets := checkPayload(t, parser.V4, payload, false)
		for _, p := range packets {
			if p.Binary {
				return
			}
		}
		// Without base64 there is only one form. Of an invalid payload only the part before the error is
		// compared.
		out, _ := parser.V4.AppendPayload(nil, packets, false)
		if !bytes.HasPrefix(payload, out) {
			t.Fatalf("%q became %q", payload, out)
		}
	})
}

// checkPayload decodes a payload and checks that its packets survive encoding, in text and in binary, that
// their encoding is canonical, and that decoding one packet has not touched another.
func checkPayload(t *testing.T, c parser.Codec, payload []byte, isBinary bool) []parser.Packet {
	t.Helper()
	var packets, copies []parser.Packet
	for p, err := range c.Packets(bytes.Clone(payload), isBinary) {
		if err != nil {
			checkError(t, err)
			break
		}
		checkPacket(t, c, p)
		packets = append(packets, p)
		copies = append(copies, parser.Packet{Type: p.Type, Binary: p.Binary, Data: bytes.Clone(p.Data)})
	}
	comparePackets(t, packets, copies)
	if len(packets) > len(payload) {
		t.Fatalf("%d packets in %d bytes", len(packets), len(payload))
	}
	if len(packets) == 0 {
		return nil
	}
	for _, base64 := range []bool{false, true} {
		out, outBinary := c.AppendPayload(nil, packets, base64)
		again, err := collect(c, bytes.Clone(out), outBinary)
		if err != nil {
			t.Fatalf("%q became %q: %v", payload, out, err)
		}
		comparePackets(t, again, packets)
		if twice, _ := c.AppendPayload(nil, again, base64); !bytes.Equal(twice, out) {
			t.Fatalf("%q became %q", out, twice)
		}
	}
	return packets
}

// FuzzStream decodes a whole stream, FuzzStreamHeader a header.
func FuzzStream(f *testing.F) {
	seeds(f, "stream-v4", func(v vector) { f.Add(v.Encoded) })
	f.Fuzz(func(t *testing.T, data []byte) {
		packets, err := decodeStream(bytes.Clone(data))
		if err != nil && !errors.Is(err, errShortStream) {
			checkError(t, err)
		}
		again, err := decodeStream(appendStream(packets))
		if err != nil {
			t.Fatal(err)
		}
		comparePackets(t, again, packets)
	})
}

func FuzzStreamHeader(f *testing.F) {
	for _, size := range []int{1, 125, 126, 65535, 65536, 1<<31 - 1} {
		f.Add(parser.AppendStreamHeader(nil, size, false))
		f.Add(parser.AppendStreamHeader(nil, size, true))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, ok, err := parser.DecodeStreamHeader(data)
		switch {
		case err != nil:
			checkError(t, err)
			if ok || h != (parser.StreamHeader{}) {
				t.Fatalf("%q: %+v, ok %v, error %v", data, h, ok, err)
			}
		case !ok:
			if len(data) > 0 && h.Len <= len(data) {
				t.Fatalf("%q is too short for %d", data, h.Len)
			}
		default:
			out := parser.AppendStreamHeader(nil, int(h.Size), h.Binary)
			if len(out) > h.Len || len(out) == h.Len && !bytes.Equal(out, data[:h.Len]) {
				t.Fatalf("%q became %q", data[:h.Len], out)
			}
			again, ok, err := parser.DecodeStreamHeader(out)
			if again.Size != h.Size || again.Binary != h.Binary || !ok || err != nil {
				t.Fatalf("%+v became %+v, ok %v, error %v", h, again, ok, err)
			}
		}
	})
}

func FuzzUTF16Len(f *testing.F) {
	for _, s := range []string{"", "abc", "12345678é😀", "\xff\xf0\x9f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := len(utf16.Encode([]rune(string(parser.ToValidUTF8([]byte(s))))))
		if got := parser.UTF16Len([]byte(s)); got != want {
			t.Fatalf("%q: %d, want %d", s, got, want)
		}
	})
}

func checkError(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, parser.ErrMalformed) {
		t.Fatalf("%v is not ErrMalformed", err)
	}
}

func checkPacket(t *testing.T, c parser.Codec, p parser.Packet) {
	t.Helper()
	if p.Type > parser.Noop || p.Binary && p.Type != parser.Message && c != parser.V3 || cap(p.Data) != len(p.Data) {
		t.Fatalf("v%d: %v with capacity %d", c.Revision(), p, cap(p.Data))
	}
}
