package wire

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/internal/tlstest"
)

// wrapped is a type that this package does not know.
type wrapped struct{ net.Conn }

type connector func(*testing.T) (c *Conn, far net.Conn, client *tlstest.Client)

// eachTLS runs the test with each of the ways in which a tls.Conn may come. The connection is one in memory,
// where every write waits until the other side reads.
func eachTLS(t *testing.T, test func(t *testing.T, connect connector)) {
	for name, in := range map[string]func(net.Conn) (net.Conn, []byte){
		"plain":    func(conn net.Conn) (net.Conn, []byte) { return conn, nil },
		"prefixed": func(conn net.Conn) (net.Conn, []byte) { return conn, make([]byte, 2*readSize) },
		"wrapped":  func(conn net.Conn) (net.Conn, []byte) { return wrapped{conn}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T) (*Conn, net.Conn, *tlstest.Client) {
				t.Helper()
				near, far, client := connectTLS(t)
				conn, early := in(near)
				c := wrap(conn, early, new(counter))
				_, _ = io.ReadFull(c, make([]byte, len(early)))
				return c, far, client
			})
		})
	}
}

func connectTLS(t *testing.T) (near *tls.Conn, far net.Conn, client *tlstest.Client) {
	t.Helper()
	below, far := net.Pipe()
	near = tls.Server(below, tlstest.ServerConfig(t))
	done := make(chan error, 1)
	go func() { done <- near.HandshakeContext(t.Context()) }()
	client = tlstest.NewClient(t, far)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return near, far, client
}

// goRead makes the connection read until it fails.
func goRead(c *Conn) (ended <-chan struct{}) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := c.Read(make([]byte, 10)); err != nil {
				return
			}
		}
	}()
	return done
}

// A client that asks for new keys and does not read the answer would hold the reading goroutine for ever,
// since TLS answers within Read.
func TestDeadlineFreesReader(t *testing.T) {
	eachTLS(t, func(t *testing.T, connect connector) {
		synctest.Test(t, func(t *testing.T) {
			c, far, client := connect(t)
			began := time.Now()
			_ = c.SetDeadline(began.Add(time.Minute))
			ended := goRead(c)
			if err := client.RequestKeys(1); err != nil {
				t.Fatal(err)
			}
			<-ended
			if took := time.Since(began); took != time.Minute {
				t.Errorf("it took %v", took)
			}
			_, _ = c.Close(), far.Close()
		})
	})
}

// The same with a deadline that is set only when the reader is already stuck, and one in the past.
func TestDeadlineFreesStuckReader(t *testing.T) {
	eachTLS(t, func(t *testing.T, connect connector) {
		synctest.Test(t, func(t *testing.T) {
			c, far, client := connect(t)
			ended := goRead(c)
			if err := client.RequestKeys(1); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			began := time.Now()
			_ = c.SetDeadline(time.Unix(1, 0))
			<-ended
			if took := time.Since(began); took != patience {
				t.Errorf("it took %v", took)
			}
			_, _ = c.Close(), far.Close()
		})
	})
}

// Close waits neither for the lock that a stuck reader holds nor for the client. It takes real time, since in a
// bubble time stands still while a goroutine waits for a lock.
func TestCloseWithStuckReader(t *testing.T) {
	eachTLS(t, func(t *testing.T, connect connector) {
		c, far, client := connect(t)
		defer func() { _ = far.Close() }()
		ended := goRead(c)
		if err := client.RequestKeys(1); err != nil {
			t.Fatal(err)
		}
		_, _ = far.Read(nil) // returns when the answer is being written
		began := time.Now()
		_, _ = c.Close(), c.Close()
		if took := time.Since(began); took > patience/2 {
			t.Errorf("Close took %v", took)
		}
		select {
		case <-ended:
		case <-time.After(20 * patience):
			t.Fatal("the reader is still there")
		}
	})
}

// Telling a client that the connection ends is given up after a second if the client does not read, even though
// crypto/tls would wait longer.
func TestCloseWithoutReader(t *testing.T) {
	for _, early := range []int{0, 2 * readSize} {
		synctest.Test(t, func(t *testing.T) {
			near, far, client := connectTLS(t)
			c := wrap(near, make([]byte, early), new(counter))
			_, _ = io.ReadFull(c, make([]byte, early))
			began := time.Now()
			_, _ = c.Close(), c.Close()
			if took := time.Since(began); took != 0 {
				t.Errorf("Close took %v", took)
			}
			if err := c.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
				t.Error("a deadline after Close:", err)
			}
			for {
				if _, err := client.Write([]byte("x")); err != nil {
					break
				}
			}
			if took := time.Since(began); took != patience {
				t.Errorf("closed after %v", took)
			}
			_ = far.Close()
		})
	}
}

// A client that reads is told that the connection ends.
func TestCloseTellsClient(t *testing.T) {
	eachTLS(t, func(t *testing.T, connect connector) {
		synctest.Test(t, func(t *testing.T) {
			c, far, _ := connect(t)
			_ = c.Close()
			alert, err := io.ReadAll(far)
			if len(alert) == 0 || err != nil {
				t.Errorf("%x %v", alert, err)
			}
			_ = far.Close()
		})
	})
}
