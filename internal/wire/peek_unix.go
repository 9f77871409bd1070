//go:build (darwin || dragonfly || freebsd || linux || netbsd || openbsd) && !(linux && (amd64 || arm64) && !race && !msan && !asan)

package wire

import "syscall"

// Peek reads without waiting, and leaves what it read to be read again.
func Peek(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, err := syscall.Recvfrom(int(fd), p, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return result(n, err)
}
