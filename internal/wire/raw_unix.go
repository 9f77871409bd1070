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
	conn   syscall.RawConn
	onRead func(fd uintptr) bool // made once: a closure for each call would be an allocation
}

func (r *rawConn) init(c *Conn, conn net.Conn) {
	var source syscall.Conn
	switch conn := conn.(type) {
	case *net.TCPConn:
		source = conn
	case *net.UnixConn:
		source = conn
	default:
		return
	}
	raw, err := source.SyscallConn()
	if err != nil {
		return
	}
	r.conn, r.onRead = raw, c.readNow
}

// read waits for input and puts it into a borrowed buffer, c.in. It is not done when it cannot.
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

// readNow leaves an error in c.err.
func (c *Conn) readNow(fd uintptr) bool {
	buf := c.buffers.getRead()
	n, err := syscall.Read(int(fd), buf.data[:])
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), buf.data[:])
	}
	if err == nil && n > 0 {
		buf.r, buf.w = 0, n
		c.in = buf
		return true
	}
	c.buffers.read.Put(buf)
	if errors.Is(err, syscall.EAGAIN) {
		return false
	}
	if err == nil {
		err = io.EOF
	}
	c.err = err
	return true
}

// tryWrite writes what the socket's buffer takes at once of c.flight.
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

// writeNow adds to sent, and leaves an error in err.
func (b *writeBuffer) writeNow(fd uintptr) bool {
	n, err := syscall.Write(int(fd), b.data[b.sent:])
	for err == syscall.EINTR {
		n, err = syscall.Write(int(fd), b.data[b.sent:])
	}
	if n > 0 {
		b.sent += n
	}
	if err != nil && !errors.Is(err, syscall.EAGAIN) {
		b.err = err
	}
	return true // whatever happened: never wait
}
