//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package eiofiber

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/wire"
)

// watch waits and watches the connection meanwhile, since fasthttp does not tell when the client leaves.
// It works on plain TCP and Unix sockets; on others it does nothing and returns false.
func watch(conn net.Conn, w *core.Waiter, expires time.Duration) (core.WaitResult, bool) {
	raw := wire.Raw(conn) // nil with TLS, where the raw bytes tell nothing
	if raw == nil {
		return 0, false
	}
	var deadline time.Time
	if expires > 0 {
		deadline = time.Now().Add(expires)
	}
	// The read deadline is what wakes this goroutine. It replaces the one set by the server, which would
	// end the watch.
	_ = conn.SetReadDeadline(deadline)
	defer func() { _ = conn.SetReadDeadline(time.Time{}) }() // the connection is to serve more requests
	if !w.Park(func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) }) {
		return core.Woken, true
	}
	var seen sight
	err := raw.Read(func(fd uintptr) bool {
		seen = look(fd)
		return seen != nothing
	})
	woken := w.Leave()
	switch {
	case seen == theEnd:
		return core.Gone, true
	case woken:
		return core.Woken, true
	case seen == input:
		return unwatched(w, deadline), true
	case errors.Is(err, os.ErrDeadlineExceeded):
		return core.Expired, true
	}
	return core.Gone, true // closed on this side
}

// unwatched goes on waiting after input has arrived, such as the next request, which hides whether the
// client leaves.
func unwatched(w *core.Waiter, deadline time.Time) core.WaitResult {
	woken := make(chan struct{})
	if !w.Park(func() { close(woken) }) {
		return core.Woken
	}
	defer w.Leave()
	var expires time.Duration
	if !deadline.IsZero() {
		expires = max(time.Until(deadline), time.Nanosecond)
	}
	return wait(woken, expires)
}

// sight is what there is to read on a connection.
type sight uint8

const (
	nothing sight = iota
	input
	theEnd
)

// look peeks at the input without consuming it.
func look(fd uintptr) sight {
	var b [1]byte
	for {
		n, errno := wire.Peek(fd, b[:])
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return nothing
		case errno == 0 && n > 0:
			return input
		default:
			return theEnd
		}
	}
}

// departed reports whether the client is known to have closed its side of the connection.
func departed(conn net.Conn) bool {
	seen := nothing
	if raw := wire.Raw(conn); raw != nil {
		_ = raw.Control(func(fd uintptr) { seen = look(fd) })
	}
	return seen == theEnd
}
