package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// dated records the deadlines of a connection and can do something while a write is under way.
type dated struct {
	net.Conn
	read, write time.Time
	during      func()
}

func (d *dated) SetReadDeadline(t time.Time) error {
	d.read = t
	return nil
}

func (d *dated) SetWriteDeadline(t time.Time) error {
	d.write = t
	return nil
}

func (d *dated) Write(p []byte) (int, error) {
	if d.during != nil {
		d.during()
	}
	return len(p), nil
}

func (*dated) Close() error { return nil }

// TestDeadlines: which deadline is in force before, during and after a Flush that may wait, whose timeout is a
// minute.
func TestDeadlines(t *testing.T) {
	never := time.Duration(0)
	for _, test := range []struct {
		name                             string
		set, reset                       time.Duration // before and during Flush
		before, during, changed, restore time.Duration // what writes are bound to
	}{
		{name: "none", set: never, reset: never, before: never, during: time.Minute, changed: time.Minute, restore: never},
		{name: "late", set: time.Hour, reset: time.Hour, before: time.Hour, during: time.Minute, changed: time.Minute, restore: time.Hour},
		{name: "soon", set: time.Second, reset: time.Second, before: time.Second, during: time.Second, changed: time.Second, restore: time.Second},
		{name: "sooner", set: time.Hour, reset: time.Second, before: time.Hour, during: time.Minute, changed: time.Second, restore: time.Second},
		{name: "later", set: time.Second, reset: time.Hour, before: time.Second, during: time.Second, changed: time.Minute, restore: time.Hour},
		{name: "lifted", set: time.Second, reset: never, before: time.Second, during: time.Second, changed: time.Minute, restore: never},
		{name: "past", set: -time.Hour, reset: -time.Hour, before: patience, during: patience, changed: patience, restore: patience},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := new(dated)
				c := wrap(conn, nil, new(counter))
				began := time.Now()
				in := func(d time.Duration) time.Time {
					if d == never {
						return time.Time{}
					}
					return began.Add(d)
				}
				want := func(when string, read, write time.Duration) {
					t.Helper()
					if !conn.read.Equal(in(read)) || !conn.write.Equal(in(write)) {
						t.Errorf("%s: reads until %v, writes until %v; want %v and %v", when, conn.read, conn.write, in(read), in(write))
					}
				}
				_ = c.SetDeadline(in(test.set))
				want("before", test.set, test.before)
				conn.during = func() {
					want("during", test.set, test.during)
					_ = c.SetDeadline(in(test.reset))
					want("changed", test.reset, test.changed)
				}
				_, _ = c.Write([]byte("x"))
				if done, err := c.Flush(true); !done || err != nil {
					t.Errorf("%v %v", done, err)
				}
				want("after", test.reset, test.restore)
				_ = c.SetDeadline(time.Time{})
				want("in the end", never, never)
			})
		})
	}
}

// TestDeadlineEndsCalls: it takes effect on calls under way.
func TestDeadlineEndsCalls(t *testing.T) {
	each(t, func(t *testing.T, c *Conn, _ net.Conn, _ *int) {
		_, _ = c.Read(make([]byte, 100)) // what came early
		_, _ = c.Write(make([]byte, 16<<20))
		ended := make(chan error, 2)
		go func() {
			_, err := c.Flush(true)
			ended <- err
		}()
		go func() {
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
		_ = c.SetDeadline(time.Now().Add(20 * time.Millisecond))
		for range 2 {
			if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
		}
	})
}

// TestDeadlineBeforeFlush: it bounds a Flush that begins later, and is over with it.
func TestDeadlineBeforeFlush(t *testing.T) {
	each(t, func(t *testing.T, c *Conn, far net.Conn, _ *int) {
		began := time.Now()
		_ = c.SetDeadline(began.Add(20 * time.Millisecond))
		_, _ = c.Write(make([]byte, 16<<20))
		if _, err := c.Flush(true); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) >= time.Minute {
			t.Errorf("%v after %v; the connection's own timeout is a minute", err, time.Since(began))
		}
		_ = c.SetDeadline(time.Time{})
		go func() { _, _ = io.Copy(io.Discard, far) }()
		if done, err := c.Flush(true); !done || err != nil {
			t.Error(done, err)
		}
	})
}

// TestDeadlineInThePast ends reads. What is flushed afterwards still arrives.
func TestDeadlineInThePast(t *testing.T) {
	each(t, func(t *testing.T, c *Conn, far net.Conn, _ *int) {
		_, _ = c.Read(make([]byte, 100)) // what came early
		_ = c.SetDeadline(time.Unix(1, 0))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		got := make(chan string, 1)
		go func() {
			buf := make([]byte, 100)
			n, _ := far.Read(buf)
			got <- string(buf[:n])
		}()
		_, _ = c.Write([]byte("farewell"))
		if done, err := c.Flush(true); !done || err != nil {
			t.Fatal(done, err)
		}
		if text := <-got; text != "farewell" {
			t.Errorf("%q", text)
		}
	})
}
