//go:build amd64 || arm64

package core

import (
	"testing"
	"unsafe"
)

// TestSizes: every session has these, and one byte more takes the next size class of the heap.
func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(Socket{}); n > 240 {
		t.Errorf("a Socket takes %d bytes, which the heap makes 256", n)
	}
	if n := unsafe.Sizeof(duplex{}); n > 32 {
		t.Errorf("a duplex takes %d bytes, which the heap makes 48", n)
	}
	if n := unsafe.Sizeof(Waiter{}); n > 32 {
		t.Errorf("a Waiter takes %d bytes, which the heap makes 48", n)
	}
}
