package eiofiber

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

var errUnreadBody = errors.New("eiofiber: the request has a body that does not end")

// Hijack has serve called when the handlers have returned. Nothing of the request is used then.
// With KeepHijackedConns (see Tune) goroutines of our own serve the connection, and fasthttp can use
// the request's memory again; otherwise it is fasthttp's, which closes the connection afterwards, too.
func (x *exchange) Hijack(serve func(net.Conn, []byte) func()) error {
	if !x.drained && !x.drain() { // the rest would be taken for frames
		return errUnreadBody
	}
	x.drained = true
	keep := x.c.App().Server().KeepHijackedConns
	conn := shareable(x.conn, keep)
	x.c.Status(http.StatusSwitchingProtocols) // is not sent, but loggers see it
	x.c.Context().HijackSetNoResponse(true)
	x.c.Context().Hijack(func(reader net.Conn) {
		buffered := takeBuffered(reader)
		if !keep {
			if rest := serve(conn, buffered); rest != nil {
				rest()
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

// takeBuffered reads what the server has read beyond the request, and nothing from the network:
// that fails, since the deadline is over.
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

// shareable returns a connection that may be closed while it is in use, and more than once. Those
// of the standard library may; for others, such as fasthttp's with MaxConnsPerIP, which are used
// again for another client after Close, the promise is kept here. owned says that fasthttp does not
// close it.
func shareable(conn net.Conn, owned bool) net.Conn {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn, *tls.Conn:
		return conn
	}
	return &lastingConn{Conn: conn, owned: owned}
}

// lastingConn leaves the connection alone once it was closed, and closes it when nobody is inside.
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

// Close waits until those inside have noticed, which takes no time.
func (c *lastingConn) Close() error {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	if !again {
		_ = c.Conn.SetDeadline(time.Unix(1, 0))
	}
	c.mu.Unlock()
	if again {
		return nil
	}
	c.inUse.Lock()
	defer c.inUse.Unlock()
	if !c.owned {
		return nil
	}
	return c.Conn.Close()
}
