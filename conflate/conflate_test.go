package conflate_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/goengineio/engineio/conflate"
	"github.com/goengineio/engineio/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// symbol returns the part before "="; messages without "=" have no key.
func symbol(m core.Message) (string, bool) {
	key, _, ok := bytes.Cut(m.Data, []byte("="))
	return string(key), ok
}

func lines(messages []core.Message) core.Message {
	joined := core.Message{Binary: messages[0].Binary}
	for i, m := range messages {
		if i > 0 {
			joined.Data = append(joined.Data, '\n')
		}
		joined.Data = append(joined.Data, m.Data...)
	}
	return joined
}

func isNoise(m core.Message) bool { return !bytes.HasPrefix(m.Data, []byte("#")) }

func TestConflate(t *testing.T) {
	for _, tt := range []struct {
		name     string
		conflate conflate.Func
		in, want string // separated by spaces; ! before a binary one, / for a line break
	}{
		{"latest, none", conflate.LatestByKey(symbol), "", ""},
		{"latest, one", conflate.LatestByKey(symbol), "a=1", "a=1"},
		{"latest stays at its own place", conflate.LatestByKey(symbol), "a=1 b=1 c=1 a=2", "b=1 c=1 a=2"},
		{"latest, without key", conflate.LatestByKey(symbol), "x a=1 x b=1 a=2 x", "x x b=1 a=2 x"},
		{"latest, all of one key", conflate.LatestByKey(symbol), "a=1 a=2 a=3", "a=3"},
		{"latest, an empty key is a key", conflate.LatestByKey(symbol), "=1 =2", "=2"},
		{"filter", conflate.Filter(isNoise), "#1 a #2 b", "a b"},
		{"filter, nothing left", conflate.Filter(isNoise), "#1 #2", ""},
		{"batch, none", conflate.Batch(0, lines), "", ""},
		{"batch, one", conflate.Batch(0, lines), "a", "a"},
		{"batch", conflate.Batch(0, lines), "a b c", "a/b/c"},
		{"batch, text and binary", conflate.Batch(0, lines), "a b !c !d e", "a/b !c/d e"},
		{"batch, limit", conflate.Batch(4, lines), "aa bb cc dddddd e f", "aa/bb cc dddddd e/f"},
		{"chain", conflate.Chain(conflate.Filter(isNoise), conflate.LatestByKey(symbol), conflate.Batch(0, lines)), "#1 a=1 b=1 a=2 #2", "b=1/a=2"},
		{"chain of none", conflate.Chain(), "a b", "a b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var in []core.Message
			for _, text := range strings.Fields(tt.in) {
				data, binary := strings.CutPrefix(text, "!")
				in = append(in, core.Message{Data: []byte(data), Binary: binary})
			}
			var got []string
			for _, m := range tt.conflate(nil, in) {
				text := strings.ReplaceAll(string(m.Data), "\n", "/")
				if m.Binary {
					text = "!" + text
				}
				got = append(got, text)
			}
			if !slices.Equal(got, strings.Fields(tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestJoinIsAlwaysCalled: a receiver gets only messages made by join.
func TestJoinIsAlwaysCalled(t *testing.T) {
	quote := func(messages []core.Message) core.Message {
		return core.Text("[" + string(lines(messages).Data) + "]")
	}
	for _, in := range [][]core.Message{{core.Text("a")}, {core.Text("a"), core.Text("b")}} {
		for _, m := range conflate.Batch(0, quote)(nil, in) {
			if m.Data[0] != '[' {
				t.Errorf("%q was not joined", m.Data)
			}
		}
	}
}
