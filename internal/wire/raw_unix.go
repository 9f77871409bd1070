//go:build unix

package wire

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// rawConn does what net.Conn cannot: wait for input without a buffer, and write without waiting. It works
// for plain TCP and Unix sockets; the zero value can do neither.
type rawConn struct {
	conn   syscall.RawConn
	onRead func(fd uintptr) bool // made once: a closure for each call would be an allocation
}

func (r *rawConn) init(c *Conn, conn net.Conn) {
	if raw := Raw(conn); raw != nil {
		r.conn, r.onRead = raw, c.readNow
	}
}

// works tells whether the connection is one that it works for.
func (r *rawConn) works() bool { return r.conn != nil }

// read waits for input and puts it into a borrowed buffer, c.in. done is false if it cannot wait.
func (r *rawConn) read(c *Conn) (done bool, err error) {
	if r.conn == nil {
		return false, nil
	}
	if err := r.conn.Read(r.onRead); err != nil {
		return true, err
	}
	if c.in == nil {
		return true, c.err
	}
	return true, nil
}

// readNow reads what there is. It leaves an error in c.err, and returns false if there is nothing yet.
func (c *Conn) readNow(fd uintptr) bool {
	buf := c.buffers.getRead()
	n, errno := c.buffers.awake.receive(fd, buf.data[:])
	for errno == syscall.EINTR {
		n, errno = c.buffers.awake.receive(fd, buf.data[:])
	}
	if errno == 0 && n > 0 {
		buf.r, buf.w = 0, n
		c.in = buf
		return true
	}
	c.buffers.read.Put(buf)
	switch errno {
	case syscall.EAGAIN:
		return false
	case 0:
		c.err = io.EOF
	default:
		c.err = errno
	}
	return true
}

// tryWrite writes as much of c.flight as the socket's buffer accepts at once.
func (r *rawConn) tryWrite(c *Conn) error {
	if r.conn == nil {
		return nil
	}
	c.flight.err = nil
	if err := r.conn.Write(c.flight.write); err != nil {
		return err
	}
	return c.flight.err
}

// writeNow writes what it can, adds it to sent, and leaves an error in err.
func (b *writeBuffer) writeNow(fd uintptr) bool {
	n, errno := send(fd, b.data[b.sent:])
	for errno == syscall.EINTR {
		n, errno = send(fd, b.data[b.sent:])
	}
	switch errno {
	case 0:
		b.sent += n
	case syscall.EAGAIN:
	default:
		b.err = errno
	}
	return true // whatever happened: never wait
}

// result converts the result of a system call made by package syscall, whose errors are all of type
// Errno.
func result(n int, err error) (int, syscall.Errno) {
	if err == nil {
		return n, 0
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return n, errno
	}
	return n, syscall.EIO
}

// Raw returns the socket of a connection that is nothing but a TCP or Unix socket, and nil for others. To
// what waits on it, the deadlines of the connection apply.
func Raw(conn net.Conn) syscall.RawConn {
	var source syscall.Conn
	switch conn := conn.(type) {
	case *net.TCPConn:
		source = conn
	case *net.UnixConn:
		source = conn
	case *quickConn:
		source = conn
	default:
		return nil
	}
	raw, err := source.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
