package integration_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
)

const (
	chaosMessages = 60 // each way, in every session
	chaosSessions = 4  // of each client in each mode
)

// TestChaos has official clients and the server send numbered messages to each other through a
// network that delays, splits and stalls: every message arrives once and in order, over polling,
// WebSocket and through the upgrade.
func TestChaos(t *testing.T) {
	requireNode(t)
	seed := streamSeed(t)
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			c := newChaos(t, framework.serve, core.Config{
				PingInterval: 500 * time.Millisecond, PingTimeout: patience, UpgradeTimeout: patience,
			}, chaoticNetwork{seed: seed, delay: 3 * time.Millisecond, stall: 0.01})
			c.openAll()
			eventually(t, "all sessions are open", func() bool { return c.opened.Load() == int64(len(c.clients)) })
			for _, client := range c.clients {
				if slices.Equal(client.transports, modes[2].transports) {
					wantUpgraded(t, client.peer.peer)
				}
			}
			eventually(t, "everything has arrived", func() bool { return c.complete() })
			c.closeAll()
			c.wantEnd()
			for _, client := range c.clients {
				if got := client.received.Load(); got != chaosMessages {
					t.Errorf("%s received %d messages", client.name, got)
				}
				if got := c.fromClient(client.name); got != chaosMessages {
					t.Errorf("of %s the server received %d messages", client.name, got)
				}
			}
		})
	}
}

// TestChaosWithCuts does the same in a network that cuts connections, too: either side has received
// what the other one sent up to some message, without a gap, and both are told of the end.
func TestChaosWithCuts(t *testing.T) {
	requireNode(t)
	seed := streamSeed(t)
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			c := newChaos(t, framework.serve, core.Config{
				PingInterval: 500 * time.Millisecond, PingTimeout: time.Second, UpgradeTimeout: time.Second,
			}, chaoticNetwork{seed: seed, delay: 3 * time.Millisecond, stall: 0.01, cut: 0.01})
			c.openAll()
			eventually(t, "some clients have opened a session", func() bool { return c.opened.Load() > int64(len(c.clients))/3 })
			time.Sleep(time.Second) // of chaos; whoever lives then is cut off
			c.proxy.cut()
			c.wantEnd()
			received := make(map[string]int)
			for _, client := range c.clients {
				received["by clients"] += int(client.received.Load())
				received["by the server"] += c.fromClient(client.name)
			}
			t.Logf("%d of %d clients came to open a session; received: %v; the server's reasons: %v",
				c.opened.Load(), len(c.clients), received, c.reasons.all())
		})
	}
}

// A chaos is a server, a bad network and many clients.
type chaos struct {
	t       *testing.T
	engine  *core.Server
	proxy   *proxy
	url     string // through the proxy
	clients []*chaosClient

	over    chan struct{}
	running sync.WaitGroup
	opened  atomic.Int64
	reasons counter[core.CloseReason]

	mu       sync.Mutex
	received map[string]int // by the server, by the client's name
}

func newChaos(t *testing.T, serve func(testing.TB, *core.Server) string, cfg core.Config, network chaoticNetwork) *chaos {
	c := &chaos{t: t, over: make(chan struct{}), received: make(map[string]int)}
	cfg.AllowEIO3 = true
	cfg.WebSocketEngine = &bothEngines{}
	cfg.OnConnection = c.open
	var url string
	c.engine, url = newServer(t, serve, cfg)
	c.proxy, c.url = chaoticProxy(t, strings.TrimPrefix(url, "http://"), network)
	t.Cleanup(func() {
		close(c.over)
		c.running.Wait()
	})
	return c
}

// open is the server's side of a session.
func (c *chaos) open(s *core.Socket) {
	c.opened.Add(1)
	var name string
	received := 0
	s.OnMessage(func(m core.Message) {
		from, err := checkNumbered(m, received)
		if err == nil && name != "" && from != name {
			err = fmt.Errorf("received %s in the session of %s", describe(m), name)
		}
		if err != nil {
			c.t.Errorf("server, of %s: %v", name, err)
			s.CloseNow()
			return
		}
		name, received = from, received+1
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.received[name]++; c.received[name] != received {
			c.t.Errorf("%s is in two sessions", name)
		}
	})
	s.OnClose(func(reason core.CloseReason, _ error) { c.reasons.add(reason) })
	// Not one of those that are waited for: a session may come while they are.
	go c.sendAll(func(m core.Message) { _ = s.Send(m) }, s.ID(), s.Context().Done())
}

// sendAll sends numbered messages, a few at a time, until all are sent or the session has ended.
func (c *chaos) sendAll(send func(core.Message), name string, ended <-chan struct{}) {
	for n := range chaosMessages {
		send(core.Message{Data: fmt.Appendf(nil, "%s %d %s", name, n, strings.Repeat("x", rand.IntN(300))), Binary: n%3 == 2})
		if rand.IntN(3) > 0 {
			continue
		}
		select {
		case <-ended:
			return
		case <-c.over:
			return
		case <-time.After(time.Duration(rand.IntN(30)) * time.Millisecond):
		}
	}
}

// checkNumbered checks that a message is the one that is due, and returns its sender.
func checkNumbered(m core.Message, due int) (name string, err error) {
	fields := strings.Fields(string(m.Data))
	if len(fields) < 2 || fields[1] != fmt.Sprint(due) || m.Binary != (due%3 == 2) {
		return "", fmt.Errorf("received %s, due is %d", describe(m), due)
	}
	return fields[0], nil
}

// A chaosClient is the official client's side of a session.
type chaosClient struct {
	name       string
	transports []string
	peer       *nodePeer
	received   atomic.Int64
	ended      chan struct{}
}

func (c *chaos) openAll() {
	driver := startNode(c.t)
	for _, version := range []int{3, 6} {
		for _, mode := range modes[:3] {
			for n := range chaosSessions {
				client := &chaosClient{
					name:       fmt.Sprintf("client-%d-%s-%d", version, mode.name, n),
					transports: mode.transports,
					peer:       driver.open(version, c.url, mode.transports),
					ended:      make(chan struct{}),
				}
				c.clients = append(c.clients, client)
				c.running.Go(func() { client.receive(c) })
				c.running.Go(func() {
					select {
					case <-client.peer.opened:
						c.sendAll(client.peer.send, client.name, client.ended)
					case <-client.ended:
					case <-c.over:
					}
				})
			}
		}
	}
}

// receive goes on until the session has ended.
func (client *chaosClient) receive(c *chaos) {
	sid := ""
	check := func(m core.Message) {
		from, err := checkNumbered(m, int(client.received.Load()))
		if err == nil && sid != "" && from != sid {
			err = fmt.Errorf("received %s in session %s", describe(m), sid)
		}
		if err != nil {
			c.t.Errorf("%s: %v", client.name, err)
			return
		}
		sid = from
		client.received.Add(1)
	}
	for {
		select {
		case m := <-client.peer.messages:
			check(m)
		case <-client.peer.closed:
			for len(client.peer.messages) > 0 {
				check(<-client.peer.messages)
			}
			close(client.ended)
			return
		case <-c.over:
			return
		}
	}
}

func (c *chaos) fromClient(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.received[name]
}

func (c *chaos) complete() bool {
	for _, client := range c.clients {
		if client.received.Load() < chaosMessages || c.fromClient(client.name) < chaosMessages {
			return false
		}
	}
	return true
}

func (c *chaos) closeAll() {
	for _, client := range c.clients {
		client.peer.close()
	}
}

// wantEnd waits until both sides have been told that every session is over.
func (c *chaos) wantEnd() {
	c.t.Helper()
	for _, client := range c.clients {
		select {
		case <-client.ended:
		case <-time.After(patience):
			c.t.Fatalf("%s was not told that its session is over", client.name)
		}
	}
	eventually(c.t, "no session is left", func() bool { return c.engine.Len() == 0 })
	eventually(c.t, "the server was told of every end", func() bool { return int64(c.reasons.total()) == c.opened.Load() })
	if names := slices.Sorted(maps.Keys(c.received)); len(names) > len(c.clients) {
		c.t.Errorf("senders nobody knows: %v", names)
	}
}

// chaoticProxy forwards connections through such a network.
func chaoticProxy(t *testing.T, target string, network chaoticNetwork) (p *proxy, url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p = &proxy{target: target}
	p.running.Go(func() {
		for n := uint64(0); ; n += 2 {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { network.forward(p, conn.(*net.TCPConn), n) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.cut()
		p.running.Wait()
	})
	return p, "http://" + listener.Addr().String()
}

// forward serves one connection until both directions have ended.
func (n chaoticNetwork) forward(p *proxy, client *net.TCPConn, number uint64) {
	defer client.Close()
	dialed, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	server := dialed.(*net.TCPConn)
	defer server.Close()
	if !p.add(client, server) {
		return
	}
	defer p.remove(client, server)
	var both sync.WaitGroup
	both.Go(func() { n.pass(server, client, rand.New(rand.NewPCG(n.seed, number))) })
	both.Go(func() { n.pass(client, server, rand.New(rand.NewPCG(n.seed, number+1))) })
	both.Wait()
}

// A chaoticNetwork says what a proxy does to the connections that go through it.
type chaoticNetwork struct {
	seed  uint64
	delay time.Duration // before each piece, at most
	stall float64       // how likely a piece is held back for a quarter of a second
	cut   float64       // how likely a piece never arrives, and both sides see a reset
}

// pass copies until src ends, and then ends dst in that direction.
func (n chaoticNetwork) pass(dst, src *net.TCPConn, random *rand.Rand) {
	buf := make([]byte, 4<<10)
	for {
		size := 1 + random.IntN(len(buf))
		if random.IntN(4) == 0 {
			size = 1 + random.IntN(8) // through the middle of headers and frames
		}
		got, err := src.Read(buf[:size])
		if got > 0 {
			if random.Float64() < n.cut {
				_ = dst.SetLinger(0)
				_ = src.SetLinger(0)
				_ = dst.Close()
				_ = src.Close()
				return
			}
			wait := time.Duration(random.Int64N(int64(n.delay) + 1))
			if random.Float64() < n.stall {
				wait += 250 * time.Millisecond
			}
			time.Sleep(wait) // the delay is the point
			if _, err := dst.Write(buf[:got]); err != nil {
				src.Close()
				return
			}
		}
		if err != nil {
			_ = dst.CloseWrite()
			return
		}
	}
}
