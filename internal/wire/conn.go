// Package wire puts a net.Conn between a WebSocket library and the network so that the library
// never does I/O on its own terms: what it writes is collected until Flush brings it out in one
// write, and a read buffer is held only while there is something in it.
package wire

import (
	"net"
	"sync"
	"time"
)

const (
	readSize  = 4096
	keptWrite = 64 << 10 // larger buffers are left to the garbage collector
)

// Buffers are the pools that connections borrow from. Connections of one server share them.
type Buffers struct {
	read  sync.Pool
	write sync.Pool
}

type readBuffer struct {
	data [readSize]byte
	r, w int
}

type writeBuffer struct{ data []byte }

func (b *Buffers) getRead() *readBuffer {
	if buf, ok := b.read.Get().(*readBuffer); ok {
		return buf
	}
	return new(readBuffer)
}

func (b *Buffers) getWrite() *writeBuffer {
	if buf, ok := b.write.Get().(*writeBuffer); ok {
		return buf
	}
	return new(writeBuffer)
}

func (b *Buffers) putWrite(buf *writeBuffer) {
	if cap(buf.data) <= keptWrite {
		buf.data = buf.data[:0]
		b.write.Put(buf)
	}
}

// Conn is the wrapped connection. One goroutine reads. Write may be called from anywhere, since it
// only collects; Flush by one goroutine at a time.
type Conn struct {
	net.Conn
	buffers    *Buffers
	beforeRead func()
	timeout    time.Duration // of a blocking Flush
	raw        rawConn

	in     *readBuffer
	unread int
	err    error // of the last read

	mu     sync.Mutex
	out    *writeBuffer // collected
	flight *writeBuffer // being flushed; belongs to the flushing goroutine
	sent   int          // of flight
}

// New wraps conn. buffered is what was read from it already. beforeRead is called each time before
// the network is read; timeout bounds a blocking Flush.
func New(conn net.Conn, buffered []byte, buffers *Buffers, timeout time.Duration, beforeRead func()) *Conn {
	c := &Conn{Conn: conn, buffers: buffers, beforeRead: beforeRead, timeout: timeout}
	c.raw.init(conn)
	if len(buffered) > 0 {
		c.in = buffers.getRead()
		c.in.r, c.in.w = 0, copy(c.in.data[:], buffered)
		c.unread = len(buffered)
		if rest := buffered[c.in.w:]; len(rest) > 0 {
			c.Conn = &prefixed{Conn: conn, prefix: append([]byte(nil), rest...)}
			c.raw = rawConn{}
		}
	}
	return c
}

// Read returns what is there already, or waits. It waits for the connection to become readable
// first and borrows a buffer then.
func (c *Conn) Read(p []byte) (int, error) {
	if c.in == nil {
		if len(p) >= readSize { // a large message: straight into its place
			c.beforeRead()
			n, err := c.Conn.Read(p)
			c.unread += n
			c.err = err
			return n, err
		}
		if err := c.fill(); err != nil {
			c.err = err
			return 0, err
		}
	}
	n := copy(p, c.in.data[c.in.r:c.in.w])
	c.in.r += n
	if c.in.r == c.in.w {
		c.buffers.read.Put(c.in)
		c.in = nil
	}
	return n, nil
}

func (c *Conn) fill() error {
	c.beforeRead()
	buf, err := c.raw.read(c.buffers)
	if buf == nil && err == nil { // no descriptor to wait for
		buf = c.buffers.getRead()
		buf.r = 0
		buf.w, err = c.Conn.Read(buf.data[:])
		if buf.w > 0 {
			err = nil
		}
	}
	if err != nil {
		if buf != nil {
			c.buffers.read.Put(buf)
		}
		return err
	}
	c.in, c.unread = buf, buf.w
	return nil
}

// Consumed tells that n bytes of input were a whole message with its header; see Unread.
func (c *Conn) Consumed(n int) { c.unread -= n }

// Unread reports whether input is left from the last read. It is a hint: frames that were not
// announced to Consumed make it say yes until the next read.
func (c *Conn) Unread() bool { return c.unread > 0 }

// ReadErr returns the error of the network that reading ended with, nil if there was none.
func (c *Conn) ReadErr() error { return c.err }

// Write collects p for the next Flush.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out == nil {
		c.out = c.buffers.getWrite()
	}
	c.out.data = append(c.out.data, p...)
	return len(p), nil
}

// SetWriteDeadline does nothing: Flush sets its own.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// Flush brings out what was collected. With block false it writes only as much as the network
// takes at once, and reports whether that was all.
func (c *Conn) Flush(block bool) (done bool, err error) {
	for {
		if c.flight == nil {
			c.mu.Lock()
			c.flight, c.out = c.out, nil
			c.mu.Unlock()
			if c.flight == nil {
				return true, nil
			}
			c.sent = 0
		}
		rest := c.flight.data[c.sent:]
		var n int
		switch {
		case block:
			_ = c.Conn.SetWriteDeadline(time.Now().Add(c.timeout))
			n, err = c.Conn.Write(rest)
			_ = c.Conn.SetWriteDeadline(time.Time{}) // it would hit the next tryWrite
		default:
			n, err = c.raw.tryWrite(rest)
		}
		c.sent += n
		if err != nil {
			return false, err
		}
		if c.sent < len(c.flight.data) {
			return false, nil
		}
		c.buffers.putWrite(c.flight)
		c.flight = nil
	}
}

// prefixed is a connection with input that was read from it before.
type prefixed struct {
	net.Conn
	prefix []byte
}

func (c *prefixed) Read(p []byte) (int, error) {
	if len(c.prefix) > 0 {
		n := copy(p, c.prefix)
		c.prefix = c.prefix[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
