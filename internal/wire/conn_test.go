package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func wrap(conn net.Conn, buffered []byte, events Events) *Conn {
	c := new(Conn)
	c.Init(conn, buffered, new(Buffers), time.Minute, events)
	return c
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counter counts reads from the network.
type counter int

func (*counter) OnPing([]byte) {}

func (c *counter) BeforeRead() { *c++ }

// pairs makes connections with and without a descriptor.
func pairs(t *testing.T) map[string]func() (near, far net.Conn) {
	return map[string]func() (net.Conn, net.Conn){
		"tcp":  func() (net.Conn, net.Conn) { return connect(t, "tcp", "127.0.0.1:0") },
		"unix": func() (net.Conn, net.Conn) { return connect(t, "unix", filepath.Join(t.TempDir(), "socket")) },
		"pipe": net.Pipe,
	}
}

func connect(t *testing.T, network, address string) (near, far net.Conn) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	return connectTo(t, listener)
}

// connectTo makes one connection to the listener, and closes it.
func connectTo(t *testing.T, listener net.Listener) (near, far net.Conn) {
	t.Helper()
	defer func() { _ = listener.Close() }()
	far, err := new(net.Dialer).DialContext(t.Context(), listener.Addr().Network(), listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err = listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return near, far
}

func each(t *testing.T, test func(t *testing.T, c *Conn, far net.Conn, reads *int)) {
	for name, pair := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			near, far := pair()
			defer func() { _, _ = near.Close(), far.Close() }()
			var reads int
			test(t, wrap(near, []byte("early "), (*counter)(&reads)), far, &reads)
		})
	}
}

func TestRead(t *testing.T) {
	each(t, func(t *testing.T, c *Conn, far net.Conn, reads *int) {
		go func() {
			_, _ = far.Write([]byte("hello"))
			_, _ = far.Write(bytes.Repeat([]byte("x"), 3*readSize))
			_ = far.Close()
		}()
		small := make([]byte, 11)
		if _, err := io.ReadFull(c, small); err != nil || string(small) != "early hello" {
			t.Fatalf("%q %v", small, err)
		}
		if *reads != 1 {
			t.Errorf("%d reads of the network", *reads)
		}
		rest, err := io.ReadAll(c)
		if err != nil || len(rest) != 3*readSize || !errors.Is(c.ReadErr(), io.EOF) {
			t.Errorf("%d bytes, %v, %v", len(rest), err, c.ReadErr())
		}
		if c.in != nil {
			t.Error("an idle connection holds a buffer")
		}
	})
}

func TestManyEarlyBytes(t *testing.T) {
	near, far := net.Pipe()
	defer func() { _, _ = near.Close(), far.Close() }()
	early := bytes.Repeat([]byte("abc"), readSize)
	c := wrap(near, early, new(counter))
	got := make([]byte, len(early))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, early) {
		t.Errorf("%v, or not the same bytes", err)
	}
}

func TestWritesAreCollected(t *testing.T) {
	each(t, func(t *testing.T, c *Conn, far net.Conn, _ *int) {
		for range 10 {
			_, _ = c.Write([]byte("0123456789"))
		}
		got := make(chan int, 1)
		go func() {
			buf := make([]byte, 1000)
			n, _ := far.Read(buf)
			got <- n
		}()
		done, err := c.Flush(false)
		if err == nil && !done { // without a descriptor it cannot write without waiting
			done, err = c.Flush(true)
		}
		if err != nil || !done {
			t.Fatalf("%v %v", done, err)
		}
		if n := <-got; n != 100 {
			t.Errorf("the first read brought %d bytes", n)
		}
		if done, err := c.Flush(false); err != nil || !done {
			t.Errorf("nothing to flush: %v %v", done, err)
		}
	})
}

func TestFlushDoesNotWait(t *testing.T) {
	each(t, func(t *testing.T, c *Conn, far net.Conn, _ *int) {
		sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // more than a socket accepts
		_, _ = c.Write(sent)
		if done, err := c.Flush(false); err != nil || done {
			t.Fatalf("%v %v", done, err)
		}
		_, _ = c.Write([]byte("and then"))
		go func() {
			_, _ = c.Flush(true)
			_ = c.Close()
		}()
		got, _ := io.ReadAll(far)
		if !bytes.Equal(got, append(sent, "and then"...)) {
			t.Errorf("%d bytes arrived, in disorder or incomplete", len(got))
		}
	})
}

func TestBlockingFlushLeavesNoDeadline(t *testing.T) {
	each(t, func(t *testing.T, c *Conn, far net.Conn, _ *int) {
		go func() { _, _ = io.Copy(io.Discard, far) }()
		c.timeout = 100 * time.Millisecond
		_, _ = c.Write([]byte("a"))
		if _, err := c.Flush(true); err != nil {
			t.Fatal(err)
		}
		timer := time.NewTimer(2 * c.timeout)
		<-timer.C
		_, _ = c.Write([]byte("b"))
		if _, err := c.Flush(false); err != nil {
			t.Errorf("the deadline of the earlier flush is in force: %v", err)
		}
	})
}

func TestStalledFlushTimesOut(t *testing.T) {
	each(t, func(t *testing.T, c *Conn, _ net.Conn, _ *int) {
		c.timeout = 10 * time.Millisecond
		_, _ = c.Write(make([]byte, 16<<20))
		if done, err := c.Flush(true); err == nil || done {
			t.Errorf("%v %v", done, err)
		}
	})
}

func TestUnread(t *testing.T) {
	each(t, func(t *testing.T, c *Conn, far net.Conn, _ *int) {
		buf := make([]byte, 6)
		_, _ = c.Read(buf) // "early "
		c.Consumed(6)
		if c.Unread() {
			t.Error("nothing is left")
		}
		go func() { _, _ = far.Write([]byte("12345678")) }()
		_, _ = c.Read(buf[:4])
		c.Consumed(4)
		if !c.Unread() {
			t.Error("four bytes are left")
		}
	})
}
