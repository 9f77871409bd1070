package eiohttp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/engines/lean"
	"github.com/goengineio/engineio/internal/tlstest"
)

// pipes is a listener in memory, on whose connections every write waits until the other side reads.
type pipes struct {
	config *tls.Config
	conns  chan net.Conn
	ended  chan struct{}
	close  func()
}

// servePipes serves over TLS on such a listener.
func servePipes(t *testing.T, srv *core.Server) *pipes {
	t.Helper()
	p := &pipes{config: tlstest.ServerConfig(t), conns: make(chan net.Conn), ended: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.ended) })
	hs := &http.Server{Handler: eiohttp.Handler(srv), ReadHeaderTimeout: patience}
	go func() { _ = hs.Serve(p) }()
	t.Cleanup(func() { _ = hs.Close() })
	return p
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return tls.Server(conn, p.config), nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (*pipes) Addr() net.Addr { return new(net.TCPAddr) }

func (p *pipes) Close() error {
	p.close()
	return nil
}

// dial returns the client's side of a new connection, and what is closed with the server's.
func (p *pipes) dial() (far net.Conn, closed <-chan struct{}) {
	near, far := net.Pipe()
	end := make(chan struct{})
	p.conns <- &telling{near, sync.OnceFunc(func() { close(end) })}
	return far, end
}

// telling tells when it is closed.
type telling struct {
	net.Conn
	closed func()
}

func (c *telling) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

// open opens a session with a poll and returns its id, in a bubble.
func (p *pipes) open(t *testing.T) string {
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			conn, _ := p.dial()
			return tls.Client(conn, &tls.Config{InsecureSkipVerify: true}), nil //nolint:gosec // made up for the test
		},
		DisableKeepAlives: true,
	}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://memory"+poll4, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	time.Sleep(10 * time.Second) // both sides say that they close the connection before they listen
	return sid(t, string(body))
}

// keyAsker is a client that asks for new keys and does not read the answer, so that the server's goroutine is
// stuck in crypto/tls.
type keyAsker struct {
	*tlstest.Client
	conn   net.Conn
	closed <-chan struct{} // by the server
}

// upgrade opens a WebSocket and reads as many records as the server sends at first.
func (p *pipes) upgrade(t *testing.T, query string, records int) *keyAsker {
	t.Helper()
	conn, closed := p.dial()
	t.Cleanup(func() { _ = conn.Close() })
	a := &keyAsker{tlstest.NewClient(t, conn), conn, closed}
	a.write(t, "GET /engine.io/?EIO=4&transport=websocket"+query+upgradeHeaders+"\r\n")
	a.read(t, records)
	return a
}

func (a *keyAsker) read(t *testing.T, records int) {
	t.Helper()
	for range records {
		if _, err := a.conn.Read(make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
	}
}

func (a *keyAsker) write(t *testing.T, data string) {
	t.Helper()
	if _, err := a.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
}

// ask returns when the server is stuck.
func (a *keyAsker) ask(t *testing.T) {
	t.Helper()
	if err := a.RequestKeys(1); err != nil {
		t.Fatal(err)
	}
	_, _ = a.conn.Read(nil) // returns when the answer is being written
}

// lasts returns how long the server keeps the connection.
func (a *keyAsker) lasts() time.Duration {
	began := time.Now()
	<-a.closed
	return time.Since(began)
}

func eachEngine(t *testing.T, test func(*testing.T, core.WebSocketEngine)) {
	for name, engine := range map[string]core.WebSocketEngine{"default": nil, "lean": lean.New()} {
		t.Run(name, func(t *testing.T) { test(t, engine) })
	}
}

// Such a client, whose session it has ended itself, does not hold up Shutdown for longer than its context. The
// test takes real time, since in a bubble time stands still while a goroutine waits for a lock of crypto/tls.
func TestShutdownWithKeyAsker(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine core.WebSocketEngine) {
		srv := newServer(t, core.Config{WebSocketEngine: engine})
		a := servePipes(t, srv).upgrade(t, "", 2) // the 101 and the open packet
		a.write(t, "\x81\x81\x00\x00\x00\x001")   // a close packet
		a.read(t, 1)                              // the close frame
		a.ask(t)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if took := time.Since(began); took > 500*time.Millisecond {
			t.Errorf("Shutdown took %v", took)
		}
		if lasted := a.lasts(); lasted > 4*time.Second {
			t.Errorf("the connection was closed after %v", lasted)
		}
		if err := srv.Shutdown(t.Context()); err != nil { // waits for its goroutines
			t.Error(err)
		}
	})
}

// Without Shutdown it lingers as others do. This takes real time, too.
func TestLingerOfKeyAsker(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine core.WebSocketEngine) {
		t.Parallel()
		srv := newServer(t, core.Config{WebSocketEngine: engine})
		a := servePipes(t, srv).upgrade(t, "", 2)
		a.write(t, "\x81\x81\x00\x00\x00\x001")
		a.read(t, 1)
		a.ask(t)
		if lasted := a.lasts(); lasted > 15*time.Second { // far less than WriteTimeout
			t.Errorf("the connection was closed after %v", lasted)
		}
		if err := srv.Shutdown(t.Context()); err != nil { // waits for its goroutines
			t.Error(err)
		}
	})
}

// As a candidate for an upgrade it ends with UpgradeTimeout.
func TestUpgradeTimeoutOfKeyAsker(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine core.WebSocketEngine) {
		synctest.Test(t, func(t *testing.T) {
			srv := newServer(t, core.Config{WebSocketEngine: engine, UpgradeTimeout: 3 * time.Second})
			p := servePipes(t, srv)
			a := p.upgrade(t, "&sid="+p.open(t), 1)
			a.ask(t)
			if lasted := a.lasts(); lasted != 3*time.Second+time.Second { // the second of Close
				t.Errorf("it lasted %v", lasted)
			}
			synctest.Wait()
			if n := srv.Stats().UpgradesFailed; n != 1 || srv.Len() != 1 {
				t.Errorf("%d upgrades failed, %d sessions", n, srv.Len())
			}
		})
	})
}

// Nor does it outlive the session by much, however long UpgradeTimeout is.
func TestCloseNowWithKeyAsker(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine core.WebSocketEngine) {
		synctest.Test(t, func(t *testing.T) {
			srv := newServer(t, core.Config{WebSocketEngine: engine, UpgradeTimeout: time.Hour})
			p := servePipes(t, srv)
			a := p.upgrade(t, "&sid="+p.open(t), 1)
			a.ask(t)
			for s := range srv.All() {
				s.CloseNow()
			}
			if lasted := a.lasts(); lasted != 2*time.Second { // one for what is being written, and one of Close
				t.Errorf("it lasted %v", lasted)
			}
		})
	})
}
