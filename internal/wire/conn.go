// Package wire has connections that cost less than those of package net. Conn stands between a WebSocket
// library and the network and controls when I/O happens: what the library writes is collected until Flush
// sends it in one write, and a read buffer is held only while there is something in it. Listen is for the
// HTTP server.
package wire

import (
	"net"
	"sync"
	"time"
)

const (
	readSize  = 4096
	keptWrite = 64 << 10 // larger buffers are left to the garbage collector
	progress  = 64 << 10 // how much must leave within the timeout of a blocking Flush

	patience = time.Second // for writes after a deadline in the past, and for Close
)

// epoch is what deadlines are counted from: as a time.Time each connection's would take 24 bytes, and as Unix
// time it would move whenever the system's clock is set.
var epoch = time.Now()

// Buffers holds the pools that connections borrow from. The connections of an engine share them.
type Buffers struct {
	read  sync.Pool
	write sync.Pool
	awake awake
}

type readBuffer struct {
	data [readSize]byte
	r, w int
}

// writeBuffer also has what is needed to write it without waiting, so that connections that write nothing
// do not have to keep it. The function is made once, since a closure for each call would be an allocation.
type writeBuffer struct {
	data  []byte
	sent  int
	err   error // of a write that does not wait
	write func(fd uintptr) bool
}

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
	buf := new(writeBuffer)
	buf.write = buf.writeNow
	return buf
}

func (b *Buffers) putWrite(buf *writeBuffer) {
	if cap(buf.data) <= keptWrite {
		buf.data, buf.sent = buf.data[:0], 0
		b.write.Put(buf)
	}
}

// Events are the callbacks of a connection, called on the reading goroutine.
type Events interface {
	// OnPing is called by the engine.
	OnPing(data []byte)
	// BeforeRead is called before each read from the network.
	BeforeRead()
}

// Conn is the wrapped connection. Only one goroutine may read. Write may be called from anywhere, since
// it only collects. Flush may be called by one goroutine at a time.
type Conn struct {
	net.Conn
	Events

	buffers *Buffers
	timeout time.Duration // of a blocking Flush
	raw     rawConn

	in     *readBuffer
	unread int   // bytes of the last read that were not consumed
	left   int   // bytes of all reads that were not consumed
	err    error // of the last read

	mu       sync.Mutex
	ended    bool          // the last frame was collected
	waits    bool          // a blocking Flush is writing
	closed   bool          // Close was called
	deadline time.Duration // of writes, since epoch; 0: none
	out      *writeBuffer  // collected
	flight   *writeBuffer  // being flushed; belongs to the flushing goroutine
}

// Init makes c, which is a field of something larger, wrap conn. buffered is input that was already read
// from conn; timeout limits a blocking Flush.
func (c *Conn) Init(conn net.Conn, buffered []byte, buffers *Buffers, timeout time.Duration, events Events) {
	c.Conn, c.Events, c.buffers, c.timeout = conn, events, buffers, timeout
	c.raw.init(c, conn)
	if len(buffered) > 0 {
		c.in = buffers.getRead()
		c.in.r, c.in.w = 0, copy(c.in.data[:], buffered)
		c.unread, c.left = c.in.w, c.in.w
		if rest := buffered[c.in.w:]; len(rest) > 0 {
			c.Conn = &prefixed{Conn: conn, prefix: append([]byte(nil), rest...)}
			c.raw = rawConn{}
		}
	}
}

// Read returns buffered input, or waits for input. It borrows a buffer only when the connection has
// become readable.
func (c *Conn) Read(p []byte) (int, error) {
	if c.in == nil {
		if len(p) >= readSize { // a large message: read straight into its slice
			c.BeforeRead()
			n, err := c.Conn.Read(p)
			c.unread += n
			c.left += n
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

// Await waits until there is input for Read.
func (c *Conn) Await() error {
	if c.in != nil {
		return nil
	}
	err := c.fill()
	if err != nil {
		c.err = err
	}
	return err
}

func (c *Conn) fill() error {
	c.BeforeRead()
	done, err := c.raw.read(c)
	if !done { // there is no descriptor to wait for
		err = c.fillWaiting()
	}
	if err == nil {
		c.unread = c.in.w
		c.left += c.in.w
	}
	return err
}

// fillWaiting holds a buffer while it waits.
func (c *Conn) fillWaiting() error {
	buf := c.buffers.getRead()
	n, err := c.Conn.Read(buf.data[:])
	if n == 0 && err != nil {
		c.buffers.read.Put(buf)
		return err
	}
	buf.r, buf.w = 0, n
	c.in = buf
	return nil
}

// Consumed tells c that a message, with its header, has used up at least n bytes of input.
func (c *Conn) Consumed(n int) {
	c.unread -= n
	c.left -= n
}

// Unread reports whether input is left from the last read. It is a hint: after frames that Consumed was
// not told about, it returns true until the next read.
func (c *Conn) Unread() bool { return c.unread > 0 }

// Left reports whether there may be input that was not consumed, including input in a buffer of the
// library. If Consumed is told too little, Left always returns true from then on; it never returns false
// wrongly.
func (c *Conn) Left() bool { return c.left > 0 }

// ReadErr returns the error with which reading ended, which is the network's or that given to Fail, or nil.
func (c *Conn) ReadErr() error { return c.err }

// Fail notes the error for which the engine reads no more. It is kept here so that the engine needs no field
// of its own for it.
func (c *Conn) Fail(err error) { c.err = err }

// Write collects p for the next Flush, unless the last frame was collected already.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.collect(p)
	}
	return len(p), nil
}

// WriteFrame is Write for a frame. Nothing is collected after one that is last.
func (c *Conn) WriteFrame(head, payload []byte, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended = last
	c.collect(head)
	c.collect(payload)
}

// collect is called with mu locked.
func (c *Conn) collect(p []byte) {
	if c.out == nil {
		c.out = c.buffers.getWrite()
	}
	c.out.data = append(c.out.data, p...)
}

// SetDeadline bounds Read and Flush; the zero time means no bound, except the timeout of a blocking Flush. It
// may be called from any goroutine, and takes effect on calls under way.
//
// Over TLS it bounds writes even while nothing is flushed, because Read writes, too: it answers the client's
// requests for new keys, holding a lock that Flush needs, and would wait for ever if the client read nothing.
//
// A time in the past makes Read return at once, but leaves writes a second, since a TLS connection is lost
// with the first write that fails.
func (c *Conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	return c.setDeadline(t)
}

// setDeadline is called with mu locked.
func (c *Conn) setDeadline(t time.Time) error {
	c.deadline = 0
	if !t.IsZero() {
		write := t
		if now := time.Now(); t.Before(now) {
			write = now.Add(patience)
		}
		c.deadline = write.Sub(epoch)
	}
	if c.waits || c.readMayWrite() {
		c.boundWrites()
	}
	return c.Conn.SetReadDeadline(t)
}

// readMayWrite tells whether Read may write to the network. On plain sockets it does not: a deadline for
// writes, which costs as much as one for reads, is set there only when Flush has to wait.
func (c *Conn) readMayWrite() bool { return !c.raw.works() }

// boundWrites sets the write deadline: the connection's own or, if that comes earlier, a blocking Flush's.
// Called with mu locked, so that of two calls at once the later one has seen all there is to see.
func (c *Conn) boundWrites() {
	var t time.Time
	if c.deadline != 0 && (c.waits || c.readMayWrite()) {
		t = epoch.Add(c.deadline)
	}
	if c.waits {
		if own := time.Now().Add(c.timeout); t.IsZero() || own.Before(t) {
			t = own
		}
	}
	_ = c.Conn.SetWriteDeadline(t)
}

// SetWriteDeadline does nothing: SetDeadline and Flush set it.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// Close ends Read and Flush. It never waits for the network, may be called from any goroutine, with locks
// held, and again.
//
// A TCP or Unix socket is closed when it returns. Others are closed by a goroutine: a tls.Conn waits for the
// lock of its output, which a Read may hold that waits for the client, and then up to five seconds to tell the
// client that it ends. Here that takes a second at most, after which the connection below is closed.
func (c *Conn) Close() error {
	conn := c.Conn
	if p, ok := conn.(*prefixed); ok {
		conn = p.Conn
	}
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
		return conn.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		_ = c.setDeadline(time.Now().Add(patience)) // if the type is unknown, there may be TLS inside
		go closeInTime(conn)
	}
	return nil
}

// closeInTime closes a connection that may wait for the network before it closes.
func closeInTime(conn net.Conn) {
	if layer, ok := conn.(interface{ NetConn() net.Conn }); ok { // as tls.Conn
		below := layer.NetConn()
		cut := time.AfterFunc(patience, func() { _ = below.Close() })
		defer cut.Stop()
	}
	_ = conn.Close()
}

// Unflushed returns how many bytes were collected and not sent yet. It is called by the goroutine that
// flushes.
func (c *Conn) Unflushed() int {
	n := 0
	if c.flight != nil {
		n = len(c.flight.data) - c.flight.sent
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out != nil {
		n += len(c.out.data)
	}
	return n
}

// Flush sends what was collected. If block is false it writes only as much as the network accepts at
// once, and reports whether that was everything.
func (c *Conn) Flush(block bool) (done bool, err error) {
	for {
		left := c.flight != nil // left by an earlier call
		if !left {
			c.mu.Lock()
			c.flight, c.out = c.out, nil
			c.mu.Unlock()
			if c.flight == nil {
				return true, nil
			}
		}
		err = c.raw.tryWrite(c)
		if err == nil && block {
			err = c.writeAll() // the rest
		}
		if err != nil {
			return false, err
		}
		if c.flight.sent < len(c.flight.data) {
			return false, nil
		}
		c.buffers.putWrite(c.flight)
		c.flight = nil
		if !left {
			return true, nil
		}
	}
}

// writeAll writes for as long as the other side keeps reading.
func (c *Conn) writeAll() (err error) {
	b := c.flight
	if b.sent == len(b.data) {
		return nil
	}
	for b.sent < len(b.data) && err == nil {
		c.setWaits(true)
		var n int
		n, err = c.Conn.Write(b.data[b.sent:min(len(b.data), b.sent+progress)])
		b.sent += n
	}
	c.setWaits(false) // the timeout would affect the next tryWrite
	return err
}

// setWaits puts the timeout of a blocking Flush in force, anew if it is already, or ends it.
func (c *Conn) setWaits(waits bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = waits
	c.boundWrites()
}

// prefixed is a connection with input that was already read from it.
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
