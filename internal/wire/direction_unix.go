//go:build unix

package wire

import (
	"sync"
	"syscall"
	"time"
)

// direction is what a quickConn keeps for its reads, and once more for its writes.
type direction struct {
	// Both are made once, since a closure for each call would be an allocation.
	move func(fd uintptr) bool          // does what it can without waiting
	set  func(deadline time.Time) error // of the connection below

	// The following belong to the call whose turn it is.
	turn  sync.Mutex
	data  []byte
	moved int // bytes
	errno syscall.Errno
	waits bool

	mu       sync.Mutex
	deadline time.Time
	armed    int  // how many calls want it to be set below
	isSet    bool // it is
}

// begin waits for the call's turn.
func (d *direction) begin(p []byte) {
	d.turn.Lock()
	d.data, d.moved, d.errno = p, 0, 0
}

func (d *direction) end() {
	if d.waits {
		d.waits = false
		d.disarm()
	}
	d.data = nil
	d.turn.Unlock()
}

// wait is called before the call whose turn it is waits, possibly more than once.
func (d *direction) wait() {
	if !d.waits {
		d.waits = true
		d.arm()
	}
}

// expired tells whether the deadline has passed. The connection below, which does not know the deadline,
// cannot tell.
func (d *direction) expired() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.deadline.IsZero() && !time.Now().Before(d.deadline)
}

func (d *direction) setDeadline(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deadline = t
	if d.armed > 0 {
		d.isSet = !t.IsZero()
		_ = d.set(t) // fails if the connection is closed, which ends the calls
	}
}

// arm sets the deadline below until disarm.
func (d *direction) arm() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed++
	if !d.isSet && !d.deadline.IsZero() {
		d.isSet = true
		_ = d.set(d.deadline)
	}
}

func (d *direction) disarm() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed--
	if d.armed == 0 && d.isSet {
		d.isSet = false
		_ = d.set(time.Time{})
	}
}
