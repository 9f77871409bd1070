//go:build linux && (amd64 || arm64) && !race && !msan && !asan

package wire

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// The scheduler is not told of the system calls made here. It is told of others because they may take
// long, so that somebody else can have the processor meanwhile; these never wait, whatever mode the
// descriptor is in. And telling it costs more than it seems: on a server with little to do, the watchdog of the
// runtime, a thread (sysmon), sleeps, and every single call wakes it.
//
// It has to be awake while callbacks run, though: it takes the processor from those that compute for
// long, and sees to it that the network is looked at. So the scheduler is told of the first input after a
// pause, and then a timer is set as long as there is more, beyond which the watchdog does not sleep.

// awake keeps the watchdog awake.
type awake struct {
	set   atomic.Bool // a timer is
	input atomic.Bool // since it was set
}

// watchEvery is how often the watchdog looks at what runs, or less.
const watchEvery = 10 * time.Millisecond

// ensure is called when there may be input. It returns false if the scheduler has to be told of the next
// system call.
func (a *awake) ensure() bool {
	if !a.input.Load() { // the others need not wait for the cache line
		a.input.Store(true)
	}
	if a.set.Load() {
		return true
	}
	a.start()
	return false
}

func (a *awake) start() {
	if a.set.CompareAndSwap(false, true) {
		time.AfterFunc(watchEvery, a.check)
	}
}

func (a *awake) check() {
	if a.input.Swap(false) {
		time.AfterFunc(watchEvery, a.check)
		return
	}
	a.set.Store(false)
	if a.input.Load() { // of somebody who has seen it set
		a.start()
	}
}

func (b *Buffers) receive(fd uintptr, p []byte) (int, syscall.Errno) {
	if !b.awake.ensure() {
		return result(syscall.Read(int(fd), p))
	}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		syscall.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// longWrite is as much as the garbage collector, say, should have to wait for being copied.
const longWrite = 16 << 10

func send(fd uintptr, p []byte) (int, syscall.Errno) {
	if len(p) > longWrite {
		return result(syscall.Write(int(fd), p))
	}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}
