package core_test

import (
	"container/list"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

// addressLimit bounds how many handshakes come from one address. It remembers only the addresses seen last,
// up to a given number, so that a flood of addresses does not fill the memory.
type addressLimit struct {
	every time.Duration // an address may open one more session after this time
	burst int           // how many handshakes an address may send at once
	keep  int           // how many addresses are remembered

	mu     sync.Mutex
	known  map[netip.Addr]*list.Element
	recent list.List // of *limitedAddress, latest first
}

type limitedAddress struct {
	addr    netip.Addr
	limiter *rate.Limiter
}

// allow is meant for Config.AllowRequest.
func (l *addressLimit) allow(r *http.Request) error {
	addr, err := clientAddress(r.RemoteAddr)
	if err != nil {
		return err
	}
	if !l.limiter(addr).Allow() {
		return errors.New("too many connections")
	}
	return nil
}

func (l *addressLimit) limiter(addr netip.Addr) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.known[addr]; ok {
		l.recent.MoveToFront(e)
		return e.Value.(*limitedAddress).limiter
	}
	if len(l.known) >= l.keep {
		oldest := l.recent.Remove(l.recent.Back()).(*limitedAddress)
		delete(l.known, oldest.addr)
	}
	if l.known == nil {
		l.known = make(map[netip.Addr]*list.Element)
	}
	a := &limitedAddress{addr, rate.NewLimiter(rate.Every(l.every), l.burst)}
	l.known[addr] = l.recent.PushFront(a)
	return a.limiter
}

// clientAddress parses host:port, or an address alone, which some frameworks provide. A single IPv6
// customer has at least 2^64 addresses, so those of one /64 network count as one.
func clientAddress(remote string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(remote)
	if err != nil {
		withPort, err := netip.ParseAddrPort(remote)
		if err != nil {
			return netip.Addr{}, fmt.Errorf("the client has no address: %q", remote)
		}
		addr = withPort.Addr()
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		network, err := addr.Prefix(64)
		if err != nil {
			return netip.Addr{}, err
		}
		addr = network.Addr()
	}
	return addr, nil
}

// A limit for each address, with golang.org/x/time/rate: ten handshakes at once, then one per second, for
// the 10,000 addresses seen last. Behind a proxy every request comes from the proxy: use the header that it
// sets instead, or the adapter's option ClientIP.
func ExampleConfig_limitByAddress() {
	limit := &addressLimit{every: time.Second, burst: 10, keep: 10_000}
	srv, err := core.NewServer(core.Config{AllowRequest: limit.allow})
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	handler := eiohttp.Handler(srv)

	handshake := func(remote string) (status int) {
		r := httptest.NewRequest(http.MethodGet, "/engine.io/?EIO=4&transport=polling", nil)
		r.RemoteAddr = remote
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	for port := range 12 {
		if status := handshake(fmt.Sprint("192.0.2.1:", 4000+port)); status != http.StatusOK {
			fmt.Println("handshake", port+1, "from one address:", status)
		}
	}
	fmt.Println("another address:", handshake("192.0.2.2:4000"))
	// Output:
	// handshake 11 from one address: 403
	// handshake 12 from one address: 403
	// another address: 200
}
