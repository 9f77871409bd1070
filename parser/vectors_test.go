package parser_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/goengineio/engineio/parser"
)

// vector is one entry of testdata/vectors/*.json; generate.mjs there describes the fields.
type vector struct {
	By      string
	Base64  bool
	Binary  bool
	Packets []vectorPacket
	Error   bool
	Encoded []byte
	SHA256  string
}

type vectorPacket struct {
	Type   string
	Text   string
	Base64 *[]byte // present, possibly empty, for a binary packet
	Repeat int
}

func (v vector) packets(t *testing.T) []parser.Packet {
	t.Helper()
	var packets []parser.Packet
	for _, vp := range v.Packets {
		p := parser.Packet{Type: typeNamed(t, vp.Type), Data: []byte(vp.Text)}
		if vp.Base64 != nil {
			p.Binary, p.Data = true, *vp.Base64
		}
		if vp.Repeat > 0 {
			p.Data = bytes.Repeat(p.Data, vp.Repeat)
		}
		packets = append(packets, p)
	}
	return packets
}

func typeNamed(t *testing.T, name string) parser.Type {
	t.Helper()
	for typ := parser.Open; typ <= parser.Noop; typ++ {
		if typ.String() == name {
			return typ
		}
	}
	t.Fatalf("no type is named %q", name)
	return 0
}

// TestVectors compares both directions with what the reference implementations do.
func TestVectors(t *testing.T) {
	appendFrame := func(c parser.Codec) func([]parser.Packet, bool) ([]byte, bool) {
		return func(packets []parser.Packet, base64 bool) ([]byte, bool) {
			return c.AppendFrame(nil, packets[0], base64)
		}
	}
	decodeFrame := func(c parser.Codec) func([]byte, bool) ([]parser.Packet, error) {
		return func(data []byte, binary bool) ([]parser.Packet, error) {
			p, err := c.DecodeFrame(data, binary)
			if err != nil {
				return nil, err
			}
			return []parser.Packet{p}, nil
		}
	}
	appendPayload := func(c parser.Codec) func([]parser.Packet, bool) ([]byte, bool) {
		return func(packets []parser.Packet, base64 bool) ([]byte, bool) {
			return c.AppendPayload(nil, packets, base64)
		}
	}
	decodePayload := func(c parser.Codec) func([]byte, bool) ([]parser.Packet, error) {
		return func(data []byte, binary bool) ([]parser.Packet, error) { return collect(c, data, binary) }
	}
	files := []struct {
		name   string
		encode func(packets []parser.Packet, base64 bool) ([]byte, bool)
		decode func(data []byte, binary bool) ([]parser.Packet, error)
	}{
		{"frame-v3", appendFrame(parser.V3), decodeFrame(parser.V3)},
		{"frame-v4", appendFrame(parser.V4), decodeFrame(parser.V4)},
		{"payload-v3", appendPayload(parser.V3), decodePayload(parser.V3)},
		{"payload-v4", appendPayload(parser.V4), decodePayload(parser.V4)},
		{"stream-v4", func(packets []parser.Packet, _ bool) ([]byte, bool) {
			return appendStream(packets), false
		}, func(data []byte, _ bool) ([]parser.Packet, error) { return decodeStream(data) }},
	}
	for _, file := range files {
		for i, v := range readVectors(t, file.name) {
			t.Run(fmt.Sprintf("%s/%d", file.name, i), func(t *testing.T) {
				want := v.packets(t)
				data := v.Encoded
				if v.By != "decoder" {
					out, binary := file.encode(want, v.Base64)
					if v.SHA256 != "" {
						sum := sha256.Sum256(out)
						if hex.EncodeToString(sum[:]) != v.SHA256 {
							t.Fatalf("encoded %d bytes that differ from the reference", len(out))
						}
						data = out
					}
					if !bytes.Equal(out, data) || binary != v.Binary {
						t.Errorf("encoded to\n%q, binary %v; want\n%q, binary %v", out, binary, data, v.Binary)
					}
				}
				got, err := file.decode(bytes.Clone(data), v.Binary)
				if errors.Is(err, parser.ErrMalformed) != v.Error || (err != nil) != v.Error {
					t.Errorf("decoding %q: error %v; want one: %v", data, err, v.Error)
				}
				comparePackets(t, got, want)
			})
		}
	}
}

func readVectors(tb testing.TB, name string) []vector {
	tb.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", "vectors", name+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(file, &vectors); err != nil {
		tb.Fatal(err)
	}
	if len(vectors) < 50 {
		tb.Fatalf("%s has only %d vectors", name, len(vectors))
	}
	return vectors
}

// collect returns the packets of a payload, and the error that ended it, if any.
func collect(c parser.Codec, payload []byte, binary bool) ([]parser.Packet, error) {
	var packets []parser.Packet
	var failed error
	for p, err := range c.Packets(payload, binary) {
		if failed != nil {
			panic("iteration goes on after an error")
		}
		if err != nil {
			failed = err
			continue
		}
		packets = append(packets, p)
	}
	return packets, failed
}

func appendStream(packets []parser.Packet) []byte {
	var out []byte
	for _, p := range packets {
		out = parser.AppendStreamPacket(out, p)
	}
	return out
}

var errShortStream = errors.New("stream ends inside a packet")

func decodeStream(data []byte) ([]parser.Packet, error) {
	var packets []parser.Packet
	for len(data) > 0 {
		h, ok, err := parser.DecodeStreamHeader(data)
		if err != nil {
			return packets, err
		}
		if !ok || uint64(len(data)-h.Len) < h.Size {
			return packets, errShortStream
		}
		data = data[h.Len:]
		p, err := parser.V4.DecodeFrame(data[:h.Size], h.Binary)
		if err != nil {
			return packets, err
		}
		packets = append(packets, p)
		data = data[h.Size:]
	}
	return packets, nil
}

func samePacket(a, b parser.Packet) bool {
	return a.Type == b.Type && a.Binary == b.Binary && bytes.Equal(a.Data, b.Data)
}

func comparePackets(t *testing.T, got, want []parser.Packet) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d packets, want %d:\n%v\n%v", len(got), len(want), got, want)
	}
	for i := range got {
		if !samePacket(got[i], want[i]) {
			t.Errorf("packet %d is %v, want %v", i, got[i], want[i])
		}
	}
}
