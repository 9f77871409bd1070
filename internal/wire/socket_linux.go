//go:build linux && (amd64 || arm64) && !race && !msan && !asan

package wire

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// The system calls made here are those that the scheduler is not told about. It is told of others because
// they may take long, and somebody else should have the processor meanwhile; these never wait, whatever
// mode the descriptor is in. Telling costs more than it seems: on a server with little to do, the watchdog
// of the runtime (sysmon) sleeps, and is woken by every single call.
//
// It has to be awake, though, while callbacks run: it takes the processor from one that computes for
// long, and has the network looked at. So it is told of the first input after a pause, which wakes it,
// and as long as there is more input, a timer is set, beyond which it does not sleep.

// awake is what keeps the watchdog awake.
type awake struct {
	set   atomic.Bool // the timer is; whoever sets it to true may touch the timer
	input atomic.Bool // since the timer was set
	timer *time.Timer
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
	if !a.set.CompareAndSwap(false, true) {
		return
	}
	if a.timer == nil {
		a.timer = time.AfterFunc(watchEvery, a.check)
	} else {
		a.timer.Reset(watchEvery)
	}
}

func (a *awake) check() {
	if a.input.Swap(false) {
		a.timer.Reset(watchEvery)
		return
	}
	a.set.Store(false)
	if a.input.Load() { // of somebody who has seen the timer set
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
