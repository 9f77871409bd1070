package integration_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
)

// crowdSize is how many clients there are, of whom one stops reading.
const crowdSize = 1000

// TestSlowClient: while one client of a thousand has stopped reading, with megabytes waiting for it,
// all messages reach the others, in order.
func TestSlowClient(t *testing.T) {
	const rounds = 20
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			c := newAudience(t, framework.serve)
			c.join(crowdSize - 1)
			slow := c.joinAndStall()
			within(t, "Broadcast waits for a client", func() {
				for n := range rounds {
					if taken := c.engine.Broadcast(core.Text(strconv.Itoa(n) + strings.Repeat(" ", 1000))); taken != crowdSize {
						t.Errorf("message %d was taken for %d of %d sessions", n, taken, crowdSize)
					}
				}
			})
			for _, client := range c.clients {
				for n := range rounds {
					if got, err := client.message(); err != nil || got != n {
						t.Fatalf("received %d (%v), want %d", got, err, n)
					}
				}
			}
			if slow.ReadyState() != core.StateOpen || slow.Buffered() < rounds*1000 {
				t.Errorf("the slow client is %s and %d bytes wait for it: it was not slow", slow.ReadyState(), slow.Buffered())
			}
		})
	}
}

// within runs f, which should not take long.
func within(t testing.TB, otherwise string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal(otherwise)
	}
}

// A audience is a server with many clients on WebSockets.
type audience struct {
	t       testing.TB
	engine  *core.Server
	url     string
	clients []*crowdClient
	opened  chan *core.Socket
}

type crowdClient struct{ *rawConn }

func newAudience(t *testing.T, serve func(testing.TB, *core.Server) string) *audience {
	c := &audience{t: t, opened: make(chan *core.Socket, 2*crowdSize)}
	c.engine, c.url = newServer(t, serve, core.Config{
		PingInterval: time.Hour, PingTimeout: time.Hour,
		WebSocketEngine: &bothEngines{},
		OnConnection:    func(s *core.Socket) { c.opened <- s },
	})
	return c
}

// join adds clients.
func (c *audience) join(n int) {
	c.t.Helper()
	var mu sync.Mutex
	var joining sync.WaitGroup
	free := make(chan struct{}, 32)
	for range n {
		free <- struct{}{}
		joining.Go(func() {
			defer func() { <-free }()
			conn, err := dialRaw(c.url)
			if err == nil {
				err = conn.upgrade("EIO=4&transport=websocket")
			}
			if err == nil {
				_, _, err = conn.next() // the open packet
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				c.t.Error(err)
				return
			}
			c.clients = append(c.clients, &crowdClient{conn})
		})
	}
	joining.Wait()
	for range n {
		<-c.opened
	}
	c.t.Cleanup(func() {
		for _, client := range c.clients {
			client.close()
		}
	})
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// joinAndStall adds a client that reads nothing beyond its open packet, and fills its connection
// until its messages wait in the session.
func (c *audience) joinAndStall() *core.Socket {
	c.t.Helper()
	conn, err := dialRaw(c.url)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(conn.close)
	if err := conn.conn.SetReadBuffer(4 << 10); err != nil {
		c.t.Fatal(err)
	}
	if err := conn.upgrade("EIO=4&transport=websocket"); err != nil {
		c.t.Fatal(err)
	}
	slow := <-c.opened
	within(c.t, "Send waits for the client", func() {
		for range 10 { // of the 16 MiB that may wait; what the system buffers is less
			if err := slow.Send(core.Binary(make([]byte, 1<<20))); err != nil {
				c.t.Error(err)
			}
		}
	})
	return slow
}

// message reads the next message and returns the number in front of it.
func (client *crowdClient) message() (int, error) {
	_, packet, err := client.next()
	if err != nil {
		return 0, err
	}
	number, _, _ := strings.Cut(strings.TrimPrefix(packet, "4"), " ")
	return strconv.Atoi(number)
}
