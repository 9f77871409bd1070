//go:build unix

package wire

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// rawConn does what net.Conn cannot: wait for input without a buffer, and write without waiting.
// It is for plain TCP and Unix sockets; the zero value says that it can do neither.
type rawConn struct {
	conn syscall.RawConn

	buffers  *Buffers
	in       *readBuffer
	readErr  error
	onRead   func(fd uintptr) bool
	out      []byte
	written  int
	writeErr error
	onWrite  func(fd uintptr) bool
}

func (r *rawConn) init(conn net.Conn) {
	var source syscall.Conn
	switch c := conn.(type) {
	case *net.TCPConn:
		source = c
	case *net.UnixConn:
		source = c
	default:
		return
	}
	raw, err := source.SyscallConn()
	if err != nil {
		return
	}
	// The functions are made once: a closure for each call would be an allocation for each message.
	r.conn, r.onRead, r.onWrite = raw, r.readNow, r.writeNow
}

// read waits for input and returns it in a borrowed buffer; nil and nil when it cannot.
func (r *rawConn) read(buffers *Buffers) (*readBuffer, error) {
	if r.conn == nil {
		return nil, nil
	}
	r.buffers = buffers
	if err := r.conn.Read(r.onRead); err != nil {
		return nil, err
	}
	buf, err := r.in, r.readErr
	r.in = nil
	return buf, err
}

func (r *rawConn) readNow(fd uintptr) bool {
	buf := r.buffers.getRead()
	n, err := retry(func() (int, error) { return syscall.Read(int(fd), buf.data[:]) })
	if err == nil && n > 0 {
		buf.r, buf.w = 0, n
		r.in, r.readErr = buf, nil
		return true
	}
	r.buffers.read.Put(buf)
	if errors.Is(err, syscall.EAGAIN) {
		return false
	}
	if err == nil {
		err = io.EOF
	}
	r.in, r.readErr = nil, err
	return true
}

// tryWrite writes what the socket's buffer takes at once.
func (r *rawConn) tryWrite(p []byte) (int, error) {
	if r.conn == nil {
		return 0, nil
	}
	r.out, r.written, r.writeErr = p, 0, nil
	err := r.conn.Write(r.onWrite)
	r.out = nil
	if err == nil {
		err = r.writeErr
	}
	return r.written, err
}

func (r *rawConn) writeNow(fd uintptr) bool {
	n, err := retry(func() (int, error) { return syscall.Write(int(fd), r.out) })
	if n > 0 {
		r.written = n
	}
	if err != nil && !errors.Is(err, syscall.EAGAIN) {
		r.writeErr = err
	}
	return true // whatever happened: never wait
}

func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}
