package integration_test

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// slowProxy forwards connections to target in pieces of random size, each after a random delay, and
// returns its own address. Connections end with the test.
func slowProxy(t *testing.T, target string, seed uint64) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: target}
	p.running.Go(func() {
		for n := uint64(0); ; n += 2 {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.forward(conn.(*net.TCPConn), seed, n) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		p.cut()
		p.running.Wait()
	})
	return listener.Addr().String()
}

type proxy struct {
	target  string
	running sync.WaitGroup

	mu    sync.Mutex
	over  bool
	conns map[net.Conn]struct{}
}

// forward serves one connection until both directions have ended.
func (p *proxy) forward(client *net.TCPConn, seed, n uint64) {
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
	both.Go(func() { trickle(server, client, rand.New(rand.NewPCG(seed, n))) })
	both.Go(func() { trickle(client, server, rand.New(rand.NewPCG(seed, n+1))) })
	both.Wait()
}

// trickle copies until src ends, and then ends dst in that direction. A connection that is cut on one
// side is cut on the other.
func trickle(dst, src *net.TCPConn, random *rand.Rand) {
	buf := make([]byte, 4<<10)
	for {
		n, err := src.Read(buf[:1+random.IntN(len(buf))])
		if n > 0 {
			time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond) // the delay is the point
			if _, err := dst.Write(buf[:n]); err != nil {
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

func (p *proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		p.conns = make(map[net.Conn]struct{})
	}
	for _, conn := range conns {
		p.conns[conn] = struct{}{}
	}
	return !p.over
}

func (p *proxy) remove(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		delete(p.conns, conn)
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	for conn := range p.conns {
		conn.Close()
	}
}
