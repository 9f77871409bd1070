//go:build unix && !(linux && (amd64 || arm64) && !race && !msan && !asan)

package wire

import "syscall"

type awake struct{}

func (*awake) receive(fd uintptr, p []byte) (int, syscall.Errno) {
	return result(syscall.Read(int(fd), p))
}

func send(fd uintptr, p []byte) (int, syscall.Errno) { return result(syscall.Write(int(fd), p)) }
