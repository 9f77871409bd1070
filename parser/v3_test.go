package parser_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/goengineio/engineio/parser"
)

func TestUTF16Len(t *testing.T) {
	tests := map[string]int{
		"": 0, "a": 1, "12345678": 8, "123456789": 9, "é": 1, "€": 1, "😀": 2, "a😀b": 4, "\ufeff": 1, "\uffff": 1,
		"\U00010000": 2, "\U0010ffff": 2, "1234567é12345678😀1": 19,
		"\xff": 1, "\xff\xff": 2, "\xe2\x82": 1, "\xf0\x9f\x98": 1, "\xf0\x9f\x98a": 2, "\xc0\x80": 2,
		"\xed\xa0\x80": 3, "\xf4\x90\x80\x80": 4, // a surrogate, and beyond the last code point
	}
	for s, want := range tests {
		if got := parser.UTF16Len([]byte(s)); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
	// One rune at every position of a text that is counted word by word.
	for _, r := range []string{"é", "€", "😀", "\xff"} {
		for n := range 40 {
			s := strings.Repeat("x", n) + r + strings.Repeat("y", 40-n)
			if got, want := parser.UTF16Len([]byte(s)), len(utf16.Encode([]rune(s))); got != want {
				t.Errorf("%q: %d, want %d", s, got, want)
			}
		}
	}
}

// Lengths are counted alike in both directions, wherever runes of any size are.
func TestLengthsAgree(t *testing.T) {
	runes := []string{"a", "é", "€", "😀", "\xff", "\xe2\x82", "\xf0\x9f\x98", "12345678"}
	for i := range len(runes) * len(runes) * len(runes) * len(runes) {
		var data string
		for ; i > 0; i /= len(runes) {
			data += runes[i%len(runes)]
		}
		want := []parser.Packet{text(parser.Message, data), text(parser.Noop, ""), text(parser.Message, data)}
		payload, _ := parser.V3.AppendPayload(nil, want, true)
		got, err := collect(parser.V3, payload, false)
		if err != nil {
			t.Fatalf("%q: %v", payload, err)
		}
		comparePackets(t, got, want)
	}
}

// Revision 3 can mark every type as binary.
func TestBinaryTypesV3(t *testing.T) {
	var want []parser.Packet
	for typ := parser.Open; typ <= parser.Noop; typ++ {
		want = append(want, parser.Packet{Type: typ, Binary: true, Data: []byte{byte(typ), 0xff}})
	}
	for _, base64 := range []bool{false, true} {
		payload, isBinary := parser.V3.AppendPayload(nil, want, base64)
		if isBinary == base64 {
			t.Errorf("base64 %v: binary %v", base64, isBinary)
		}
		got, err := collect(parser.V3, bytes.Clone(payload), isBinary)
		if err != nil {
			t.Fatal(err)
		}
		comparePackets(t, got, want)
	}
}
