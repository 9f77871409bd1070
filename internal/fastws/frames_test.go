package fastws

import (
	"encoding/binary"
	"strings"
	"testing"
)

// masked makes a client's frame with a mask of zeros.
func masked(first byte, n int) string {
	header := []byte{first}
	switch {
	case n < 126:
		header = append(header, 0x80|byte(n))
	case n < 1<<16:
		header = binary.BigEndian.AppendUint16(append(header, 0xfe), uint16(n))
	default:
		header = binary.BigEndian.AppendUint64(append(header, 0xff), uint64(n))
	}
	return string(header) + "\x00\x00\x00\x00" + strings.Repeat("\x88\x81", n)[:n] // looks like frames
}

// However the input is split, frames that break no rule pass, and the input ends after the last of them.
func TestSoundFrames(t *testing.T) {
	stream := masked(0x81, 0) + masked(0x82, 1) + masked(0x89, 125) + masked(0x01, 126) + masked(0x8a, 0) + masked(0x00, 3) + masked(0x80, 300) +
		masked(0xc1, 5) + masked(0x88, 0) + masked(0x88, 2) + masked(0x82, 70_000)
	for cut := range 900 {
		for _, second := range []int{1, 2, 7, 5000} {
			in := new(input)
			for _, piece := range []string{stream[:cut], stream[cut : cut+second], stream[cut+second:]} {
				if n := in.pass([]byte(piece)); n != len(piece) || in.broken != nil {
					t.Fatalf("cut at %d and %d: %d of %d bytes, %v", cut, second, n, len(piece), in.broken)
				}
			}
			if in.payload != 0 || in.have != 0 || in.fragments != 0 {
				t.Fatalf("cut at %d and %d: %+v", cut, second, in)
			}
		}
	}
}

func TestBrokenFrames(t *testing.T) {
	message := masked(0x81, 4)
	begun := masked(0x01, 200) + masked(0x00, 1)
	for name, c := range map[string]struct {
		sound, broken string
		code          int
	}{
		"close frame of one byte": {message + begun, masked(0x88, 1), 1002},
		"RSV1 on a continuation":  {message + begun, masked(0xc0, 5), 1002},
		"RSV1 on a ping":          {message + begun, masked(0xc9, 0), 1002},
		"RSV1 on a close frame":   {message + begun, masked(0xc8, 2), 1002},
		"too many fragments":      {begun + strings.Repeat(masked(0x00, 0)+masked(0x89, 3), maxFragments-2), masked(0x80, 0), 1008},
	} {
		stream := []byte(c.sound + c.broken + message)
		for cut := range 2 + min(300, len(c.sound)) {
			in := new(input)
			n := in.pass(stream[:cut])
			n += in.pass(stream[cut:])
			// If a header came in two pieces, the first one has already passed.
			if in.broken == nil || in.broken.Code != c.code || n != max(cut, len(c.sound)) {
				t.Errorf("%s, cut at %d: %d bytes of %d, %v", name, cut, n, len(c.sound), in.broken)
			}
		}
	}
	in := new(input) // one fragment less than the limit, and then again
	for range 2 {
		if in.pass([]byte(begun + strings.Repeat(masked(0x00, 0), maxFragments-3) + masked(0x80, 0))); in.broken != nil {
			t.Error(in.broken)
		}
	}
}
