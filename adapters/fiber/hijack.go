package eiofiber

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/goengineio/engineio/internal/wire"
)

var errUnreadBody = errors.New("eiofiber: the request has a body that does not end")

// Hijack arranges for serve to be called once the handlers have returned; it must not use the request
// any more. With KeepHijackedConns (see Tune) our own goroutines serve the connection, and fasthttp can
// reuse the request's memory. Otherwise fasthttp's goroutine does, and closes the connection afterwards.
func (x *exchange) Hijack(serve func(net.Conn, []byte) func()) error {
	if !x.drained && !x.drain() { // the rest of the body would be taken for frames
		return errUnreadBody
	}
	x.drained = true
	keep := x.c.App().Server().KeepHijackedConns
	conn := shareable(wire.Plain(x.conn), keep)
	x.c.Status(http.StatusSwitchingProtocols) // not sent, but loggers see it
	x.c.Context().HijackSetNoResponse(true)
	x.c.Context().Hijack(func(reader net.Conn) {
		buffered := takeBuffered(reader)
		if !keep {
			if rest := serve(conn, buffered); rest != nil {
				rest()
			}
			if lasting, ok := conn.(*lastingConn); ok { // may still be in use; from here on it is another client's
				_ = lasting.Close()
			}
			return
		}
		go func() {
			if rest := serve(conn, buffered); rest != nil {
				go rest()
			}
		}()
	})
	return nil
}

// takeBuffered returns the bytes that the server has read beyond the request. It reads nothing from the
// network: such a read fails, because the deadline has passed.
func takeBuffered(reader net.Conn) (buffered []byte) {
	_ = reader.SetReadDeadline(time.Unix(1, 0))
	defer func() { _ = reader.SetReadDeadline(time.Time{}) }()
	var chunk [512]byte
	for {
		n, err := reader.Read(chunk[:])
		buffered = append(buffered, chunk[:n]...)
		if err != nil || n == 0 {
			return buffered
		}
	}
}

// shareable returns a connection that may be closed while it is in use, and more than once. Connections
// of the standard library may be. Others are wrapped, such as those that fasthttp uses with
// MaxConnsPerIP, which are reused for another client after Close. owned says that fasthttp does not
// close the connection.
func shareable(conn net.Conn, owned bool) net.Conn {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn, *tls.Conn:
		return conn
	}
	return &lastingConn{Conn: conn, owned: owned}
}

// lastingConn leaves the connection alone once it was closed, and closes it when no call is using it.
type lastingConn struct {
	net.Conn
	owned  bool
	inUse  sync.RWMutex // held while reading and writing
	mu     sync.Mutex
	closed bool
}

func (c *lastingConn) Read(p []byte) (int, error) { return c.use(p, net.Conn.Read) }

func (c *lastingConn) Write(p []byte) (int, error) { return c.use(p, net.Conn.Write) }

func (c *lastingConn) use(p []byte, do func(net.Conn, []byte) (int, error)) (int, error) {
	c.inUse.RLock()
	defer c.inUse.RUnlock()
	if c.isClosed() {
		return 0, net.ErrClosed
	}
	return do(c.Conn, p)
}

func (c *lastingConn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

func (c *lastingConn) SetDeadline(t time.Time) error { return c.set(t, net.Conn.SetDeadline) }

func (c *lastingConn) SetReadDeadline(t time.Time) error { return c.set(t, net.Conn.SetReadDeadline) }

func (c *lastingConn) SetWriteDeadline(t time.Time) error { return c.set(t, net.Conn.SetWriteDeadline) }

func (c *lastingConn) set(t time.Time, do func(net.Conn, time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	return do(c.Conn, t)
}

// Close waits until reads and writes under way have noticed, which they do at once.
func (c *lastingConn) Close() error {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	if !again {
		_ = c.Conn.SetDeadline(time.Unix(1, 0))
	}
	c.mu.Unlock()
	c.inUse.Lock()
	defer c.inUse.Unlock()
	if again || !c.owned {
		return nil
	}
	return c.Conn.Close()
}
