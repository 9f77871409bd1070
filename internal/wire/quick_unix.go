//go:build unix

package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// Listen returns a listener whose TCP connections cost an HTTP server less than those of l. They use the
// system calls of this package, and set a timer for a deadline only while a call waits; most calls of a
// server find what they need at once, whereas it sets several deadlines for each request.
//
// Other connections are returned as l accepts them.
func Listen(l net.Listener) net.Listener { return &quickListener{Listener: l} }

// Plain returns what is below a connection accepted by a listener of Listen, and other connections as they
// are. If it is used, nothing but Close may be called above it. It has no deadlines.
func Plain(conn net.Conn) net.Conn {
	if c, ok := conn.(*quickConn); ok {
		return c.tcp
	}
	return conn
}

type quickListener struct {
	net.Listener
	awake awake
}

func (l *quickListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			return newQuickConn(tcp, raw, &l.awake), nil
		}
	}
	return conn, nil
}

// quickConn behaves like the *net.TCPConn that it stands for. It does not embed it: net.Buffers would write
// past it, and past its deadline. What else a *net.TCPConn can do is reached through NetConn.
type quickConn struct {
	tcp    *net.TCPConn
	raw    syscall.RawConn
	awake  *awake
	closed atomic.Bool
	in     direction
	out    direction
}

func newQuickConn(tcp *net.TCPConn, raw syscall.RawConn, a *awake) *quickConn {
	c := &quickConn{tcp: tcp, raw: raw, awake: a}
	c.in.set, c.in.move = tcp.SetReadDeadline, c.readNow
	c.out.set, c.out.move = tcp.SetWriteDeadline, c.writeNow
	return c
}

// NetConn returns the *net.TCPConn, as Plain does.
func (c *quickConn) NetConn() net.Conn { return c.tcp }

func (c *quickConn) LocalAddr() net.Addr { return c.tcp.LocalAddr() }

func (c *quickConn) RemoteAddr() net.Addr { return c.tcp.RemoteAddr() }

func (c *quickConn) Close() error {
	c.closed.Store(true)
	return c.tcp.Close()
}

// CloseWrite is called by net/http.
func (c *quickConn) CloseWrite() error { return c.tcp.CloseWrite() }

// SetKeepAlive is called by fasthttp.
func (c *quickConn) SetKeepAlive(keepAlive bool) error { return c.tcp.SetKeepAlive(keepAlive) }

// SetKeepAlivePeriod is called by fasthttp.
func (c *quickConn) SetKeepAlivePeriod(d time.Duration) error { return c.tcp.SetKeepAlivePeriod(d) }

// SyscallConn implements syscall.Conn.
func (c *quickConn) SyscallConn() (syscall.RawConn, error) { return quickRaw{c}, nil }

func (c *quickConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *quickConn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.in, t) }

func (c *quickConn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.out, t) }

func (c *quickConn) setDeadline(d *direction, t time.Time) error {
	if c.closed.Load() {
		return d.set(t) // which fails
	}
	d.setDeadline(t)
	return nil
}

func (c *quickConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	d := &c.in
	d.begin(p)
	defer d.end()
	if d.expired() {
		return 0, c.failed("read", os.ErrDeadlineExceeded)
	}
	if err := c.raw.Read(d.move); err != nil {
		return 0, renamed("read", err)
	}
	switch {
	case d.errno != 0:
		return 0, c.failed("read", os.NewSyscallError("read", d.errno))
	case d.moved == 0:
		return 0, io.EOF
	}
	return d.moved, nil
}

// readNow reads what there is. It returns false if there is nothing yet.
func (c *quickConn) readNow(fd uintptr) bool {
	d := &c.in
	n, errno := c.awake.receive(fd, d.data)
	for errno == syscall.EINTR {
		n, errno = c.awake.receive(fd, d.data)
	}
	switch errno {
	case 0:
		d.moved = n
	case syscall.EAGAIN:
		d.wait()
		return false
	default:
		d.errno = errno
	}
	return true
}

func (c *quickConn) Write(p []byte) (int, error) {
	d := &c.out
	d.begin(p)
	defer d.end()
	if d.expired() {
		return 0, c.failed("write", os.ErrDeadlineExceeded)
	}
	if err := c.raw.Write(d.move); err != nil {
		return d.moved, renamed("write", err)
	}
	if d.errno != 0 {
		return d.moved, c.failed("write", os.NewSyscallError("write", d.errno))
	}
	return d.moved, nil
}

// writeNow writes what the socket's buffer accepts. It returns false if that is not all.
func (c *quickConn) writeNow(fd uintptr) bool {
	d := &c.out
	for d.moved < len(d.data) {
		n, errno := send(fd, d.data[d.moved:])
		switch errno {
		case 0:
			d.moved += n
		case syscall.EINTR:
		case syscall.EAGAIN:
			d.wait()
			return false
		default:
			d.errno = errno
			return true
		}
	}
	return true
}

// ReadFrom is called by io.Copy; it lets the system copy from files.
func (c *quickConn) ReadFrom(r io.Reader) (int64, error) {
	c.out.arm()
	defer c.out.disarm()
	return c.tcp.ReadFrom(r)
}

func (c *quickConn) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.tcp.LocalAddr(), Addr: c.tcp.RemoteAddr(), Err: err}
}

// renamed makes an error of a RawConn look like one of the connection.
func renamed(op string, err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		e.Op = op
	}
	return err
}

// quickRaw is the socket of a quickConn, to which its deadlines apply.
type quickRaw struct{ c *quickConn }

func (r quickRaw) Control(f func(fd uintptr)) error { return r.c.raw.Control(f) }

func (r quickRaw) Read(f func(fd uintptr) bool) error {
	r.c.in.arm()
	defer r.c.in.disarm()
	return r.c.raw.Read(f)
}

func (r quickRaw) Write(f func(fd uintptr) bool) error {
	r.c.out.arm()
	defer r.c.out.disarm()
	return r.c.raw.Write(f)
}
