package body_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/body"
)

// TestRead: bodies arrive as they are, and those that were announced in slices of exactly their size.
func TestRead(t *testing.T) {
	for _, size := range []int{0, 1, 4095, 4096, 4097, 16384, 16385, 70_000, 1_000_000} {
		want := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"at once":        func(r io.Reader) io.Reader { return r },
			"byte by byte":   iotest.OneByteReader,
			"by halves":      iotest.HalfReader,
			"EOF with bytes": iotest.DataErrReader,
		} {
			for _, announced := range []int64{int64(size), -1} {
				got, err := body.Read(wrap(bytes.NewReader(want)), announced, 1_000_000)
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%d bytes %s, announced as %d: %d bytes, %v", size, name, announced, len(got), err)
				}
				if announced >= 0 && cap(got) != size {
					t.Errorf("%d bytes %s: capacity %d", size, name, cap(got))
				}
			}
		}
	}
}

// TestReadLeavesTheRest: what follows a body on its connection is not part of it.
func TestReadLeavesTheRest(t *testing.T) {
	r := strings.NewReader(strings.Repeat("x", 10_000) + "rest")
	if got, err := body.Read(r, 10_000, 10_000); err != nil || len(got) != 10_000 || r.Len() != len("rest") {
		t.Errorf("%d bytes, %v, %d left", len(got), err, r.Len())
	}
}

func TestReadTooLarge(t *testing.T) {
	for _, announced := range []int64{101, -1} {
		r := strings.NewReader(strings.Repeat("x", 1000))
		if got, err := body.Read(r, announced, 100); !errors.Is(err, core.ErrTooLarge) || got != nil {
			t.Errorf("announced as %d: %d bytes, %v", announced, len(got), err)
		}
		if read := 1000 - r.Len(); read > 101 {
			t.Errorf("announced as %d: read %d bytes", announced, read)
		}
	}
}

// TestReadCutOff: a body that ends early is not mistaken for a complete one, wherever it ends.
func TestReadCutOff(t *testing.T) {
	for _, arrived := range []int{0, 1, 4095, 4096, 4097, 16384, 99_999} {
		got, err := body.Read(strings.NewReader(strings.Repeat("x", arrived)), 100_000, 100_000)
		if err != io.ErrUnexpectedEOF || got != nil { //nolint:errorlint // as io.ReadFull returns it
			t.Errorf("after %d bytes: %d bytes, %v", arrived, len(got), err)
		}
	}
	broken := errors.New("broken")
	for _, announced := range []int64{100_000, -1} {
		r := io.MultiReader(strings.NewReader("some"), iotest.ErrReader(broken))
		if _, err := body.Read(r, announced, 100_000); !errors.Is(err, broken) {
			t.Errorf("announced as %d: %v", announced, err)
		}
	}
}

// watchful fails if it is asked for more than may be trusted to arrive.
type watchful struct {
	t           *testing.T
	left, given int
}

func (r *watchful) Read(p []byte) (int, error) {
	if room := r.given + len(p); room > max(4096, 4*r.given) {
		r.t.Errorf("%d bytes have arrived, and there is room for %d", r.given, room)
	}
	n := min(r.left, len(p), 1000)
	if n == 0 {
		return 0, io.EOF
	}
	r.left, r.given = r.left-n, r.given+n
	return n, nil
}

// TestReadTakesLittleInAdvance: what is announced but not sent costs the server next to nothing.
func TestReadTakesLittleInAdvance(t *testing.T) {
	for _, sent := range []int{0, 1, 4096, 5000, 100_000, 1_000_000} {
		_, _ = body.Read(&watchful{t: t, left: sent}, 1_000_000, 1_000_000)
	}
}

// TestReadAllocations: a small body costs one allocation, whatever limit there is.
func TestReadAllocations(t *testing.T) {
	for _, size := range []int64{1, 100, 4096} {
		r := bytes.NewReader(make([]byte, size))
		if n := testing.AllocsPerRun(100, func() {
			_, _ = r.Seek(0, io.SeekStart)
			if _, err := body.Read(r, size, 1_000_000); err != nil {
				t.Error(err)
			}
		}); n != 1 {
			t.Errorf("%d bytes: %v allocations", size, n)
		}
	}
}
