//go:build unix

package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"
)

// quick makes a connection whose near side was accepted by a listener of Listen.
func quick(t *testing.T) (near *quickConn, far *net.TCPConn) {
	t.Helper()
	conn, other := quickPair(t)
	near, far = conn.(*quickConn), other.(*net.TCPConn)
	t.Cleanup(func() {
		_ = near.Close()
		_ = far.Close()
	})
	return near, far
}

func quickPair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return connectTo(t, Listen(listener))
}

// What HTTP servers and others look for, besides net.Conn.
var _ interface {
	io.ReaderFrom
	syscall.Conn
	CloseWrite() error
	NetConn() net.Conn
	SetKeepAlive(bool) error
	SetKeepAlivePeriod(time.Duration) error
} = (*quickConn)(nil)

// TestQuickConn runs the suite for implementations of net.Conn.
func TestQuickConn(t *testing.T) {
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
		near, far := quickPair(t)
		return near, far, func() {
			_ = near.Close()
			_ = far.Close()
		}, nil
	})
}

// TestListenLeavesOthersAlone: what is no TCP connection is returned as it is.
func TestListenLeavesOthersAlone(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	near, far := connectTo(t, Listen(listener))
	defer func() { _, _ = near.Close(), far.Close() }()
	if _, ok := near.(*net.UnixConn); !ok || Plain(near) != near {
		t.Errorf("%T, and below it %T", near, Plain(near))
	}
	listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	if conn, err := Listen(listener).Accept(); conn != nil || !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v, %v", conn, err)
	}
}

// TestQuickErrors: calls fail in the same way as those of a *net.TCPConn.
func TestQuickErrors(t *testing.T) {
	type side = net.Conn
	huge := make([]byte, 64<<20)
	read := func(c side) error {
		_, err := c.Read(make([]byte, 1))
		return err
	}
	write := func(c side) error {
		_, err := c.Write([]byte("x"))
		return err
	}
	closed := func(near side, _ *net.TCPConn) { _ = near.Close() }
	expired := func(near side, _ *net.TCPConn) { _ = near.SetDeadline(time.Unix(1, 0)) }
	soon := func() time.Time { return time.Now().Add(20 * time.Millisecond) }
	reset := func(_ side, far *net.TCPConn) {
		_ = far.SetLinger(0)
		_ = far.Close()
	}
	for _, test := range []struct {
		name   string
		before func(near side, far *net.TCPConn)
		call   func(side) error
		is     error
	}{
		{"read at the end", func(_ side, far *net.TCPConn) { _ = far.Close() }, read, io.EOF},
		{"read after a reset", reset, read, syscall.ECONNRESET},
		{"write after a reset", func(near side, far *net.TCPConn) {
			reset(near, far)
			_ = read(near)
		}, write, syscall.EPIPE},
		{"read after Close", closed, read, net.ErrClosed},
		{"write after Close", closed, write, net.ErrClosed},
		{"Close after Close", closed, side.Close, net.ErrClosed},
		{"SetDeadline after Close", closed, func(c side) error { return c.SetDeadline(soon()) }, net.ErrClosed},
		{"SetReadDeadline after Close", closed, func(c side) error { return c.SetReadDeadline(soon()) }, net.ErrClosed},
		{"SetWriteDeadline after Close", closed, func(c side) error { return c.SetWriteDeadline(soon()) }, net.ErrClosed},
		{"read after the deadline", expired, read, os.ErrDeadlineExceeded},
		{"write after the deadline", expired, write, os.ErrDeadlineExceeded},
		{"read that waits", func(near side, _ *net.TCPConn) { _ = near.SetReadDeadline(soon()) }, read, os.ErrDeadlineExceeded},
		{"write that waits", func(near side, _ *net.TCPConn) { _ = near.SetWriteDeadline(soon()) }, func(c side) error {
			n, err := c.Write(huge)
			if n == 0 || n == len(huge) {
				return fmt.Errorf("%d bytes written, and %w", n, err)
			}
			return err
		}, os.ErrDeadlineExceeded},
		{"copying that waits", func(near side, _ *net.TCPConn) { _ = near.SetWriteDeadline(soon()) }, func(c side) error {
			_, err := c.(io.ReaderFrom).ReadFrom(bytes.NewReader(huge))
			return err
		}, os.ErrDeadlineExceeded},
		{"waiting for the socket", func(near side, _ *net.TCPConn) { _ = near.SetReadDeadline(soon()) }, func(c side) error {
			return Raw(c).Read(func(uintptr) bool { return false })
		}, os.ErrDeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			outcome := func(wrapped bool) string {
				conn, far := quick(t)
				near := net.Conn(conn)
				if !wrapped {
					near = Plain(near)
				}
				test.before(near, far)
				err := test.call(near)
				if !errors.Is(err, test.is) {
					t.Errorf("%v", err)
				}
				return outline(err, near)
			}
			if got, want := outcome(true), outcome(false); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

// outline is the text of an error without the addresses.
func outline(err error, conn net.Conn) string {
	return strings.NewReplacer(conn.LocalAddr().String(), "here", conn.RemoteAddr().String(), "there").Replace(err.Error())
}

// TestQuickDeadlines: a deadline is set on the connection below while a call waits, and only then.
func TestQuickDeadlines(t *testing.T) {
	c, far := quick(t)
	var set []bool // for each call, whether it set one or took it away
	below := c.in.set
	c.in.set = func(t time.Time) error {
		set = append(set, !t.IsZero())
		return below(t)
	}
	receive := func() {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		_ = c.SetReadDeadline(time.Time{})
	}

	waits := make(chan struct{})
	move := c.in.move
	c.in.move = func(fd uintptr) bool {
		done := move(fd)
		if !done && waits != nil {
			close(waits)
			waits = nil
		}
		return done
	}
	go func(waits chan struct{}) {
		<-waits
		_, _ = far.Write([]byte("d"))
	}(waits)
	receive()
	if !slices.Equal(set, []bool{true, false}) {
		t.Error("set by a call that waits:", set)
	}

	_, _ = far.Write([]byte("abc"))
	receive() // may have to wait
	set = nil
	receive()
	receive()
	if len(set) > 0 {
		t.Error("set although there was input:", set)
	}
}

// TestQuickDeadlineWakes: a deadline in the past ends calls that wait already.
func TestQuickDeadlineWakes(t *testing.T) {
	c, _ := quick(t)
	for name, test := range map[string]struct {
		d    *direction
		call func() error
		set  func(time.Time) error
	}{
		"Read": {&c.in, func() error {
			_, err := c.Read(make([]byte, 1))
			return err
		}, c.SetReadDeadline},
		"Write": {&c.out, func() error {
			_, err := c.Write(make([]byte, 64<<20))
			return err
		}, c.SetWriteDeadline},
		"Raw": {&c.in, func() error { return Raw(c).Read(func(uintptr) bool { return false }) }, c.SetReadDeadline},
	} {
		done := make(chan error)
		go func() { done <- test.call() }()
		for waits := false; !waits; runtime.Gosched() { // or will, before long
			test.d.mu.Lock()
			waits = test.d.armed > 0
			test.d.mu.Unlock()
		}
		_ = test.set(time.Unix(1, 0))
		if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		_ = test.set(time.Time{})
	}
}
