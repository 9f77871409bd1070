package parser_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/goengineio/engineio/parser"
)

var codecs = []parser.Codec{parser.V3, parser.V4}

// mixed returns n packets: ASCII text, text beyond ASCII and, if asked for, binary.
func mixed(n int, withBinary bool) []parser.Packet {
	packets := make([]parser.Packet, n)
	for i := range packets {
		switch {
		case i%3 == 0 && withBinary:
			packets[i] = binary(bytes.Repeat([]byte{byte(i)}, 50)...)
		case i%3 == 1:
			packets[i] = text(parser.Message, strings.Repeat("größer 😀 ", 5))
		default:
			packets[i] = text(parser.Message, strings.Repeat("hello ", 10))
		}
	}
	return packets
}

// TestAllocations holds the codecs to what the package promises.
func TestAllocations(t *testing.T) {
	budget := func(name string, want float64, f func()) {
		t.Helper()
		if got := testing.AllocsPerRun(100, f); got > want {
			t.Errorf("%s: %v allocations, want %v", name, got, want)
		}
	}
	buf := make([]byte, 0, 1<<20)
	scratch := make([]byte, 1<<20)
	hello, data := text(parser.Message, "hello"), binary(bytes.Repeat([]byte{1}, 100)...)
	for _, c := range codecs {
		for _, base64 := range []bool{false, true} {
			name := fmt.Sprintf("v%d, base64 %v: ", c.Revision(), base64)
			for _, p := range []parser.Packet{hello, data} {
				budget(name+"AppendFrame", 0, func() { c.AppendFrame(buf, p, base64) })
				frame, isBinary := c.AppendFrame(nil, p, base64)
				budget(name+"DecodeFrame", 0, func() {
					_, _ = c.DecodeFrame(scratch[:copy(scratch, frame)], isBinary)
				})
			}
			for _, n := range []int{1, 1000} {
				packets := mixed(n, true)
				budget(name+"AppendPayload", 0, func() { c.AppendPayload(buf, packets, base64) })
				payload, isBinary := c.AppendPayload(nil, packets, base64)
				// The budget covers the iterator, the body of the loop and what the loop writes, and
				// nothing per packet.
				budget(name+"Packets", 4, func() {
					count := 0
					for _, err := range c.Packets(scratch[:copy(scratch, payload)], isBinary) {
						if err == nil {
							count++
						}
					}
					if count != n {
						t.Errorf("%d packets of %d", count, n)
					}
				})
				budget(name+"Next", 0, func() {
					count, rest := 0, scratch[:copy(scratch, payload)]
					for ; rest != nil; count++ {
						var err error
						if _, rest, err = c.Next(rest, isBinary); err != nil {
							t.Fatal(err)
						}
					}
					if count != n {
						t.Errorf("%d packets of %d", count, n)
					}
				})
			}
		}
		for _, frame := range []string{"", "7", "b?"} {
			// The standard library allocates its own error for base64 here, which is not passed on.
			budget("error", 1, func() { _, _ = c.DecodeFrame(scratch[:copy(scratch, frame)], false) })
		}
	}
	budget("AppendStreamPacket", 0, func() { parser.AppendStreamPacket(buf, data) })
	budget("DecodeStreamHeader", 0, func() { _, _, _ = parser.DecodeStreamHeader(scratch) })
	budget("UTF16Len", 0, func() { parser.UTF16Len(scratch) })
}

func BenchmarkAppendFrame(b *testing.B) {
	for _, c := range codecs {
		for _, p := range []parser.Packet{text(parser.Message, strings.Repeat("x", 100)), binary(make([]byte, 100)...)} {
			for _, base64 := range []bool{false, true} {
				if base64 && !p.Binary {
					continue
				}
				b.Run(fmt.Sprintf("v%d/binary=%v/base64=%v", c.Revision(), p.Binary, base64), func(b *testing.B) {
					buf := make([]byte, 0, 1024)
					b.SetBytes(int64(len(p.Data)))
					b.ReportAllocs()
					for b.Loop() {
						c.AppendFrame(buf, p, base64)
					}
				})
			}
		}
	}
}

func BenchmarkDecodeFrame(b *testing.B) {
	for _, c := range codecs {
		for _, p := range []parser.Packet{text(parser.Message, strings.Repeat("x", 100)), binary(make([]byte, 100)...)} {
			frame, isBinary := c.AppendFrame(nil, p, true)
			b.Run(fmt.Sprintf("v%d/base64=%v", c.Revision(), p.Binary), func(b *testing.B) {
				buf := make([]byte, len(frame))
				b.SetBytes(int64(len(frame)))
				b.ReportAllocs()
				for b.Loop() {
					copy(buf, frame)
					if _, err := c.DecodeFrame(buf, isBinary); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkAppendPayload(b *testing.B) {
	benchmarkPayload(b, func(b *testing.B, c parser.Codec, packets []parser.Packet, payload []byte, _ bool) {
		buf := make([]byte, 0, 2*len(payload))
		for b.Loop() {
			c.AppendPayload(buf, packets, false)
		}
	})
}

func BenchmarkPackets(b *testing.B) {
	benchmarkPayload(b, func(b *testing.B, c parser.Codec, packets []parser.Packet, payload []byte, isBinary bool) {
		buf := make([]byte, len(payload))
		for b.Loop() {
			copy(buf, payload)
			for _, err := range c.Packets(buf, isBinary) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func benchmarkPayload(b *testing.B, run func(*testing.B, parser.Codec, []parser.Packet, []byte, bool)) {
	for _, c := range codecs {
		for _, n := range []int{1, 100} {
			for _, withBinary := range []bool{false, true} {
				packets := mixed(n, withBinary)
				payload, isBinary := c.AppendPayload(nil, packets, false)
				b.Run(fmt.Sprintf("v%d/packets=%d/binary=%v", c.Revision(), n, withBinary), func(b *testing.B) {
					b.SetBytes(int64(len(payload)))
					b.ReportAllocs()
					run(b, c, packets, payload, isBinary)
				})
			}
		}
	}
}

func BenchmarkUTF16Len(b *testing.B) {
	for name, s := range map[string]string{"ascii": "hello, world ", "latin": "größer café ", "cjk": "日本語", "astral": "😀"} {
		b.Run(name, func(b *testing.B) {
			data := []byte(strings.Repeat(s, 1+1000/len(s)))
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				parser.UTF16Len(data)
			}
		})
	}
}

func BenchmarkStream(b *testing.B) {
	p := binary(make([]byte, 1000)...)
	buf := make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		out := parser.AppendStreamPacket(buf, p)
		if _, ok, err := parser.DecodeStreamHeader(out); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
