//go:build linux && (amd64 || arm64) && !race && !msan && !asan

package wire

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// The scheduler is not told about the system calls made here. It is told about others because they may
// take long, so that other goroutines can use the processor meanwhile; the calls here never wait, whatever
// mode the descriptor is in. And telling it costs more than it seems: on a server with little to do, the
// runtime's watchdog thread (sysmon) sleeps, and every single call would wake it.
//
// But the watchdog has to be awake while callbacks run: it preempts those that compute for long, and makes
// sure that the network is polled. So the scheduler is told about the first input after a pause, and then,
// for as long as more input comes, a timer is set, beyond which the watchdog does not sleep.

// awake keeps the watchdog awake.
type awake struct {
	set   atomic.Bool // a timer is set
	input atomic.Bool // there was input since it was set
}

// watchEvery is the longest time between two looks of the watchdog at what runs.
const watchEvery = 10 * time.Millisecond

// ensure is called when there may be input. It returns false if the scheduler has to be told about the
// next system call.
func (a *awake) ensure() bool {
	if !a.input.Load() { // check first, so that cores do not compete for the cache line
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
	if a.input.Load() { // from a caller that has seen it set
		a.start()
	}
}

// longest is the most bytes during whose copying others, such as the garbage collector, may have to wait.
const longest = 16 << 10

func (a *awake) receive(fd uintptr, p []byte) (int, syscall.Errno) {
	if !a.ensure() || len(p) > longest {
		return result(syscall.Read(int(fd), p))
	}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		syscall.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// Peek reads without waiting, and leaves what it read to be read again.
func Peek(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		syscall.MSG_DONTWAIT|syscall.MSG_PEEK, 0, 0)
	return int(n), errno
}

func send(fd uintptr, p []byte) (int, syscall.Errno) {
	if len(p) > longest {
		return result(syscall.Write(int(fd), p))
	}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}
