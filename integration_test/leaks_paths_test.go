package integration_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
)

const (
	leakPoll4 = "EIO=4&transport=polling"
	leakPoll3 = "EIO=3&transport=polling"
	leakWS4   = "EIO=4&transport=websocket"
	leakWS3   = "EIO=3&transport=websocket"
)

var (
	byClient  = []core.CloseReason{core.TransportClose}
	byError   = []core.CloseReason{core.TransportError}
	byServer  = []core.CloseReason{core.ForcedClose}
	byTimeout = []core.CloseReason{core.PingTimeout}
	byParser  = []core.CloseReason{core.ParseError}
	byCut     = []core.CloseReason{core.TransportClose, core.TransportError} // as it hits a read or a write
)

var closePaths = []closePath{
	{name: "polling, close packet", reasons: byClient, cycle: func(c *cycle) { c.poll(leakPoll4).post("1") }},
	{name: "polling, close packet, with a waiting poll", reasons: byClient, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		waiting := s.wait()
		s.post("1")
		waiting.end() // a noop, or an error if it came too late
	}},
	{name: "polling, close packet, revision 3", reasons: byClient, cycle: func(c *cycle) { c.poll(leakPoll3).post("1:1") }},
	{name: "polling, left during a poll", reasons: byError, cycle: func(c *cycle) { c.poll(leakPoll4).wait().close() }},
	{name: "polling, POST cut off", reasons: append(byTimeout, byError...), patient: true, config: soonTimedOut, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		c.must(s.conn.conn.SetLinger(0))
		_, err := fmt.Fprintf(s.conn.conn, "POST /engine.io/?%s HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n4abc", s.query)
		c.must(err)
		s.conn.close() // Fiber has not called anybody yet, and leaves the end to the heartbeat
	}},
	{name: "polling, overlapping polls", reasons: byError, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		one, two := s.wait(), s.wait()
		one.end()
		two.end()
	}},
	{name: "polling, overlapping POSTs", reasons: byError, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		poll, post := s.wait(), c.dial()
		c.must(post.ask(s.query, "4block"))
		poll.want("4blocked")
		s.tryPost("4x")
	}},
	{name: "polling, not a packet", reasons: byParser, cycle: func(c *cycle) { c.poll(leakPoll4).tryPost("x") }},
	{name: "polling, wrong heartbeat", reasons: byError, cycle: func(c *cycle) { c.poll(leakPoll4).tryPost("2") }},
	{name: "polling, wrong heartbeat, revision 3", reasons: byError, cycle: func(c *cycle) { c.poll(leakPoll3).tryPost("1:3") }},
	{name: "polling, too large a POST, then close packet", reasons: byClient, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		if status := s.tryPost("4" + strings.Repeat("x", 2000)); status != 413 {
			c.fail("a POST of 2,000 bytes was answered with %d", status)
		}
		s.conn = c.dial() // net/http closes the other one
		s.post("1")
	}},
	{name: "polling, buffer overflow", reasons: byError, cycle: func(c *cycle) { c.poll(leakPoll4).tryPost("4flood") }},
	{name: "polling, never polled", reasons: byTimeout, patient: true, config: soonTimedOut, cycle: func(c *cycle) { c.poll(leakPoll4) }},
	{name: "polling, no pong", reasons: byTimeout, patient: true, config: soonTimedOut, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		s.wait().end() // the ping, mostly
		s.wait().end()
	}},
	{name: "polling, no ping, revision 3", reasons: byTimeout, patient: true, config: soonTimedOut, cycle: func(c *cycle) { c.poll(leakPoll3).wait().end() }},
	{name: "polling, Close with a waiting poll", reasons: byServer, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		poll := s.wait()
		s.post("4close elsewhere")
		poll.want("1")
	}},
	{name: "polling, Close without a waiting poll", reasons: byServer, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		s.post("4close elsewhere")
		s.wait().want("1")
	}},
	{name: "polling, Close in OnMessage", reasons: byServer, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		s.post("4last words\x1e4close\x1e4too late")
		s.wait().want("4last words")
		s.wait().want("1")
	}},
	{name: "polling, CloseNow", reasons: byServer, cycle: func(c *cycle) { c.poll(leakPoll4).tryPost("4close now elsewhere") }},
	{name: "polling, CloseNow in OnMessage", reasons: byServer, cycle: func(c *cycle) { c.poll(leakPoll4).post("4close now") }},
	{name: "polling, panic in OnMessage", reasons: byServer, cycle: func(c *cycle) { c.poll(leakPoll4).tryPost("4panic") }},
	{name: "polling, panic in OnConnection", reasons: byServer, cycle: func(c *cycle) { c.poll(leakPoll4 + "&panic=1") }},

	{name: "upgrade, close packet", reasons: byClient, cycle: func(c *cycle) { c.poll(leakPoll4).upgrade().end("1") }},
	{name: "upgrade, cut", reasons: byCut, cycle: func(c *cycle) { c.poll(leakPoll4).upgrade().reset() }},
	{name: "upgrade, revision 3, FIN", reasons: byClient, cycle: func(c *cycle) { c.poll(leakPoll3).upgrade().close() }},
	{name: "upgrade, Close meanwhile", reasons: byServer, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		probe := s.probe()
		s.post("4close elsewhere")
		for s.wait().noop() {
		}
		c.must(probe.untilClosed())
	}},
	{name: "upgrade, CloseNow meanwhile", reasons: byServer, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		probe := s.probe()
		s.tryPost("4close now elsewhere")
		c.must(probe.untilClosed())
	}},
	{name: "upgrade, probe abandoned", reasons: byClient, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		probe := c.dial()
		c.must(probe.upgrade(s.candidate()))
		s.post("1")
		c.must(probe.untilClosed())
	}},
	{name: "upgrade, probe cut", reasons: byClient, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		s.probe().reset()
		s.post("1")
	}},
	{name: "upgrade, wrong probe", reasons: byClient, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		probe := c.dial()
		c.must(probe.upgrade(s.candidate()))
		c.must(probe.send(opText, "2prob"))
		c.must(probe.untilClosed())
		s.post("1")
	}},
	{name: "upgrade, second probe refused", reasons: byClient, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		s.probe()
		second := c.dial()
		c.must(second.upgrade(s.candidate()))
		c.must(second.untilClosed())
		s.post("1")
	}},
	{name: "upgrade, timeout", reasons: byClient, patient: true, config: func(cfg *core.Config) { cfg.UpgradeTimeout = 100 * time.Millisecond }, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		probe := c.dial()
		c.must(probe.upgrade(s.candidate()))
		c.must(probe.untilClosed())
		s.post("1")
	}},
	{name: "upgrade, ping timeout meanwhile", reasons: byTimeout, patient: true, config: soonTimedOut, cycle: func(c *cycle) {
		s := c.poll(leakPoll4)
		if probe := c.dial(); probe.upgrade(s.candidate()) == nil { // otherwise it is over already
			c.must(probe.untilClosed())
		}
	}},

	{name: "websocket, close packet", reasons: byClient, cycle: func(c *cycle) { c.websocket(leakWS4).end("1") }},
	{name: "websocket, close frame", reasons: byClient, cycle: func(c *cycle) {
		ws := c.websocket(leakWS4)
		c.must(ws.send(opClose, "\x03\xe8"))
		c.must(ws.untilClosed())
	}},
	{name: "websocket, cut", reasons: byCut, cycle: func(c *cycle) { c.websocket(leakWS4).reset() }},
	{name: "websocket, FIN without close frame", reasons: byClient, cycle: func(c *cycle) { c.websocket(leakWS4).close() }},
	{name: "websocket, revision 3, close packet", reasons: byClient, cycle: func(c *cycle) { c.websocket(leakWS3).end("1") }},
	{name: "websocket, cut during the handshake", reasons: byCut, refused: true, cycle: func(c *cycle) {
		ws := c.dial()
		c.must(ws.askUpgrade(leakWS4))
		ws.reset()
	}},
	{name: "websocket, cut after 101", reasons: byCut, cycle: func(c *cycle) {
		ws := c.dial()
		c.must(ws.upgrade(leakWS4))
		ws.reset()
	}},
	{name: "websocket, one id for two", reasons: byClient, cycle: func(c *cycle) {
		var both sync.WaitGroup
		for _, ws := range []*rawConn{c.dial(), c.dial()} {
			both.Go(func() {
				if ws.upgrade(fmt.Sprintf("%s&id=same-%d", leakWS4, c.n)) != nil {
					return // refused before the 101
				}
				if op, _, err := ws.next(); err == nil && op == opText {
					c.try(ws.send(opText, "4x")) // so that the other one comes before the end
					_, _, err = ws.next()
					c.try(err)
				}
				_ = ws.send(opClose, "\x03\xe8")
				c.try(ws.untilClosed())
			})
		}
		both.Wait()
	}, refused: true},
	{name: "websocket, not a packet", reasons: byParser, cycle: func(c *cycle) { c.websocket(leakWS4).end("x") }},
	{name: "websocket, wrong heartbeat", reasons: byError, cycle: func(c *cycle) { c.websocket(leakWS4).end("2") }},
	{name: "websocket, too large a message", reasons: byError, cycle: func(c *cycle) {
		c.websocket(leakWS4).end("4" + strings.Repeat("x", 2000))
	}},
	{name: "websocket, invalid UTF-8", reasons: byError, cycle: func(c *cycle) { c.websocket(leakWS4).end("4\xff") }},
	{name: "websocket, invalid frame", reasons: byError, cycle: func(c *cycle) {
		ws := c.websocket(leakWS4)
		c.must(ws.send(0x3, "")) // there is no such opcode
		c.must(ws.untilClosed())
	}},
	{name: "websocket, buffer overflow", reasons: byError, cycle: func(c *cycle) {
		ws := c.websocket(leakWS4)
		c.must(ws.conn.SetReadBuffer(4 << 10))
		c.must(ws.send(opText, "4flood")) // and reads nothing
		for _, open := c.engine.Get(ws.sid); open; _, open = c.engine.Get(ws.sid) {
			time.Sleep(time.Millisecond)
		}
	}},
	{name: "websocket, no pong", reasons: byTimeout, patient: true, config: soonTimedOut, cycle: func(c *cycle) { c.must(c.websocket(leakWS4).untilClosed()) }},
	{name: "websocket, no ping, revision 3", reasons: byTimeout, patient: true, config: soonTimedOut, cycle: func(c *cycle) { c.must(c.websocket(leakWS3).untilClosed()) }},
	{name: "websocket, cut while OnMessage blocks", reasons: append(byTimeout, byCut...), patient: true, config: soonTimedOut, cycle: func(c *cycle) {
		ws := c.websocket(leakWS4)
		c.must(ws.send(opText, "4block"))
		_, _, err := ws.next()
		c.must(err)
		ws.reset()
	}},
	{name: "websocket, Close", reasons: byServer, cycle: func(c *cycle) { c.websocket(leakWS4).end("4close elsewhere") }},
	{name: "websocket, Close in OnMessage", reasons: byServer, cycle: func(c *cycle) { c.websocket(leakWS4).end("4close") }},
	{name: "websocket, Close, and the client cuts", reasons: append(byServer, byCut...), cycle: func(c *cycle) {
		ws := c.websocket(leakWS4)
		c.must(ws.send(opText, "4close elsewhere"))
		_, _, _ = ws.next()
		ws.reset()
	}},
	{name: "websocket, CloseNow", reasons: byServer, cycle: func(c *cycle) { c.websocket(leakWS4).end("4close now elsewhere") }},
	{name: "websocket, CloseNow in OnMessage", reasons: byServer, cycle: func(c *cycle) { c.websocket(leakWS4).end("4close now") }},
	{name: "websocket, panic in OnMessage", reasons: byServer, cycle: func(c *cycle) { c.websocket(leakWS4).end("4panic") }},
	{name: "websocket, panic in OnConnection", reasons: byServer, cycle: func(c *cycle) {
		ws := c.dial()
		c.must(ws.upgrade(leakWS4 + "&panic=1"))
		c.must(ws.untilClosed())
	}},

	{name: "Server.Close", reasons: byServer, cycle: (*cycle).anything, end: func(engine *core.Server) error {
		engine.Close()
		return nil
	}},
	{name: "Server.Shutdown", reasons: append(byServer, byError...), cycle: (*cycle).anything, end: func(engine *core.Server) error {
		// Polling sessions without a poll have 30 s to come, so that this ends with a deadline.
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if err := engine.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return nil
	}},
}

func soonTimedOut(cfg *core.Config) {
	cfg.PingInterval, cfg.PingTimeout = 150*time.Millisecond, 150*time.Millisecond
}

// A cycle is one session from the handshake to its end, as its client.
type cycle struct {
	t      *testing.T
	engine *core.Server
	url    string
	n      int

	mu    sync.Mutex
	conns []*rawConn
}

// fail ends the cycle, on whose own goroutine it is called.
func (c *cycle) fail(format string, args ...any) {
	c.t.Helper()
	c.t.Errorf("cycle %d: %s", c.n, fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (c *cycle) must(err error) {
	if err != nil {
		c.t.Helper()
		c.fail("%v", err)
	}
}

func (c *cycle) try(err error) {
	if err != nil {
		c.t.Helper()
		c.t.Errorf("cycle %d: %v", c.n, err)
	}
}

func (c *cycle) dial() *rawConn {
	c.t.Helper()
	conn, err := dialRaw(c.url)
	c.must(err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, conn)
	return conn
}

func (c *cycle) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.close()
	}
}

// anything opens one of several kinds of sessions and leaves it open.
func (c *cycle) anything() {
	switch c.n % 5 {
	case 0:
		c.poll(leakPoll4)
	case 1:
		c.poll(leakPoll4).wait()
	case 2:
		c.websocket(leakWS4)
	case 3:
		c.poll(leakPoll4).probe()
	case 4:
		c.poll(leakPoll4).upgrade()
	}
}

// leakyPolling is a session over polling.
type leakyPolling struct {
	*cycle
	conn  *rawConn
	query string
}

func (c *cycle) poll(query string) *leakyPolling {
	c.t.Helper()
	conn := c.dial()
	c.must(conn.ask(query, ""))
	_, open, err := conn.answer()
	c.must(err)
	sid, err := sidOf(open)
	c.must(err)
	return &leakyPolling{c, conn, query + "&sid=" + sid}
}

func (s *leakyPolling) post(body string) {
	s.t.Helper()
	if status := s.tryPost(body); status != 200 {
		s.fail("POST of %.20q: %d", body, status)
	}
}

func (s *leakyPolling) tryPost(body string) int {
	s.t.Helper()
	s.must(s.conn.ask(s.query, body))
	status, _, err := s.conn.answer()
	s.must(err)
	return status
}

// wait begins a poll, on a connection of its own.
func (s *leakyPolling) wait() *waitingPoll {
	s.t.Helper()
	conn := s.dial()
	s.must(conn.ask(s.query, ""))
	return &waitingPoll{s.cycle, conn}
}

type waitingPoll struct {
	*cycle
	conn *rawConn
}

func (p *waitingPoll) close() { p.conn.close() }

func (p *waitingPoll) end() (body string) {
	p.t.Helper()
	_, body, err := p.conn.answer()
	p.must(err)
	return body
}

func (p *waitingPoll) want(body string) {
	p.t.Helper()
	if got := p.end(); got != body {
		p.fail("the poll brought %q, want %q", got, body)
	}
}

func (p *waitingPoll) noop() bool { return p.end() == "6" }

// candidate is the query of a WebSocket for an upgrade.
func (s *leakyPolling) candidate() string {
	return strings.Replace(s.query, "polling", "websocket", 1)
}

// probe opens a WebSocket whose probe is answered.
func (s *leakyPolling) probe() *leakyWebSocket {
	s.t.Helper()
	conn := s.dial()
	s.must(conn.upgrade(s.candidate()))
	s.must(conn.send(opText, "2probe"))
	_, answer, err := conn.next()
	s.must(err)
	if answer != "3probe" {
		s.fail("the probe was answered with %q", answer)
	}
	return &leakyWebSocket{rawConn: conn, c: s.cycle}
}

// upgrade returns when the WebSocket is the session's transport.
func (s *leakyPolling) upgrade() *leakyWebSocket {
	s.t.Helper()
	ws := s.probe()
	s.must(ws.send(opText, "5"))
	s.must(ws.send(opText, "4echo"))
	_, echo, err := ws.next()
	s.must(err)
	if echo != "4echo" {
		s.fail("after the upgrade: %q", echo)
	}
	return ws
}

// leakyWebSocket is a session on a WebSocket.
type leakyWebSocket struct {
	*rawConn
	c   *cycle
	sid string
}

func (c *cycle) websocket(query string) *leakyWebSocket {
	c.t.Helper()
	conn := c.dial()
	c.must(conn.upgrade(query))
	_, open, err := conn.next()
	c.must(err)
	sid, err := sidOf(open)
	c.must(err)
	return &leakyWebSocket{conn, c, sid}
}

// end sends the packet that ends the session, and waits for that.
func (ws *leakyWebSocket) end(packet string) {
	ws.c.t.Helper()
	ws.c.must(ws.send(opText, packet))
	ws.c.must(ws.untilClosed())
}
