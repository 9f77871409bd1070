package parser_test

import (
	"testing"

	"github.com/goengineio/engineio/parser"
)

// The expectations are those of Node's Buffer.toString.
func TestToValidUTF8(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"a€😀":                      "a€😀",
		"a\ufffdb":                 "a\ufffdb",
		"a\xe2\x82":                "a\ufffd",
		"\xe2\x82\xe2\x82\xac":     "\ufffd€",
		"\xf0\x9f\x98":             "\ufffd",
		"\xf0\x9f\x98(":            "\ufffd(",
		"\xc3(":                    "\ufffd(",
		"\xff\xf0\x9f\x98\x80":     "\ufffd😀",
		"\x80\xbf":                 "\ufffd\ufffd",
		"\xc0\xaf":                 "\ufffd\ufffd",
		"\xe0\x80\x9f":             "\ufffd\ufffd\ufffd", // overlong encoding
		"\xed\xa0\x80":             "\ufffd\ufffd\ufffd", // half of a surrogate pair
		"\xf0\x80\x80A":            "\ufffd\ufffd\ufffdA",
		"\xf4\x90\x80\x80":         "\ufffd\ufffd\ufffd\ufffd", // beyond Unicode
		"\xf8\x80\x80\x80\x80":     "\ufffd\ufffd\ufffd\ufffd\ufffd",
		"\xf1\x80\x80\xf1\x80\x80": "\ufffd\ufffd",
	} {
		if got := string(parser.ToValidUTF8([]byte(in))); got != want {
			t.Errorf("%+q: %+q, want %+q", in, got, want)
		}
	}
}
