package core_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/coretest"
)

// world is one run of the model test: a server in a bubble of fake time, its application and clients, and
// what is known of all of them.
type world struct {
	*coretest.Client
	setup       setup
	maxBuffered int64
	peers       []*peer
	rests       int  // how often everything has come to rest
	down        bool // Shutdown or Close of the server was called
	background  sync.WaitGroup

	mu       sync.Mutex
	failures []string
}

// run plays actions against a fresh server and returns what went wrong. It does not fail the test itself,
// since a test that fails inside a bubble could not be shrunk.
func run(t *testing.T, s setup, actions []action) (failures []string) {
	defer func() {
		if v := recover(); v != nil { // goroutines are left: the bubble cannot end
			failures = append(failures, fmt.Sprint(v))
		}
	}()
	synctest.Test(t, func(*testing.T) {
		w := &world{setup: s, maxBuffered: 1 << 20}
		defer func() {
			if v := recover(); v != nil {
				w.fail("panic: %v", v)
			}
			failures = w.failures
		}()
		if s.tight {
			w.maxBuffered = 4 * maxPayload
		}
		cfg := core.Config{
			PingInterval: pingInterval, PingTimeout: pingTimeout, UpgradeTimeout: upgradeTimeout,
			MaxPayload: maxPayload, MaxBuffered: w.maxBuffered, AllowEIO3: true, OnConnection: w.connection,
		}
		if s.observed {
			cfg.OnFlush = func(*core.Socket, []core.Packet) {}
			cfg.OnDrain = func(*core.Socket) {}
		}
		if s.conflate {
			cfg.Conflate = func(_ *core.Socket, m []core.Message) []core.Message {
				runtime.Gosched() // gives others time to send meanwhile
				return m
			}
		}
		if s.tight {
			initial := message('.', 0, 10, false)
			cfg.InitialPacket = &initial
		}
		srv, err := core.NewServer(cfg)
		if err != nil {
			panic(err)
		}
		w.Client = &coretest.Client{Server: srv, Engine: coretest.Engine{}}
		w.play(action{kind: open, n: s.first})
		for i, a := range actions {
			if w.play(a); w.failed() {
				w.fail("(that was after action %d, %v)", i, a)
				break
			}
		}
		w.end()
	})
	return failures
}

func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failures = append(w.failures, fmt.Sprintf(format, args...))
}

func (w *world) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.failures) > 0
}

// connection finds the session's model by the number in its query.
func (w *world) connection(s *core.Socket) {
	var n int
	if _, err := fmt.Sscanf(s.Request().URL.RawQuery, "n=%d&", &n); err != nil {
		panic(err)
	}
	w.mu.Lock()
	p := w.peers[n]
	w.mu.Unlock()
	p.connection(s)
}

// settle lets everything happen that can happen without time passing.
func (w *world) settle() {
	for range 10_000 {
		synctest.Wait()
		progress := false
		for _, p := range w.peers {
			progress = p.collect() || progress
			progress = p.pump() || progress
		}
		if !progress {
			w.check()
			return
		}
	}
	w.fail("no rest: something goes round in circles")
}

// advance lets time pass, in steps small enough for the clients to react in time.
func (w *world) advance(d, step time.Duration) {
	for d > 0 && !w.failed() {
		time.Sleep(min(d, step))
		d -= step
		w.settle()
	}
}

// check compares the sessions, at rest, with what is known of them.
func (w *world) check() {
	w.rests++
	sessions := 0
	for _, p := range w.peers {
		p.mu.Lock()
		if p.socket != nil {
			w.checkSession(p)
			if p.socket.ReadyState() != core.StateClosed {
				sessions++
			} else if !p.closed && p.busy.Load() == 0 && p.post == nil && !p.partsSlowly() { // a close packet lets polls arrive first
				w.fail("%v: is closed, and OnClose was not called", p)
			}
		}
		p.mu.Unlock()
	}
	if n := w.Server.Len(); n != sessions {
		w.fail("the server has %d sessions, the model %d", n, sessions)
	}
}

// checkSession is called with the session's app.mu locked.
func (w *world) checkSession(p *peer) {
	state := p.socket.ReadyState()
	buffered := p.socket.Buffered()
	n, waiting := p.toClient.outstanding()
	blocked := p.busy.Load() != 0
	switch {
	case buffered < 0 || buffered > w.maxBuffered:
		w.fail("%v: %d bytes are buffered", p, buffered)
	case state == core.StateClosed && buffered != 0:
		w.fail("%v: closed with %d bytes buffered", p, buffered)
	case state != core.StateClosed && p.open() && buffered != waiting && p.settledWriting():
		w.fail("%v: %d bytes are buffered, %d are on the way", p, buffered, waiting)
	case state == core.StateOpen && n > 0 && p.attentive() && !(blocked && p.held()):
		w.fail("%v: %d messages do not come, though the client reads", p, n)
	case p.closed && state != core.StateClosed || p.gone && state != core.StateClosed || p.refusing && state == core.StateOpen:
		w.fail("%v: is %s after its end", p, state)
	}
	if blocked || p.post != nil {
		p.lastSent = time.Now() // what was sent last may be heard at any time from now on
	}
	if state != core.StateOpen {
		return
	}
	last := p.lastSent
	if p.codec.Revision() == 3 {
		last = maxTime(p.beat, p.lastSent)
	}
	if silent := time.Since(last); silent > pingInterval+pingTimeout+ms {
		w.fail("%v: is open after %v of silence", p, silent)
	}
	idle := p.attentive() && !blocked && p.post == nil && len(p.outbox) == 0
	if age := time.Since(p.beat); p.codec.Revision() == 4 && age > pingInterval+ms && p.owed == 0 && idle {
		w.fail("%v: no ping for %v", p, age)
	}
	// A poll that comes while a candidate is connected waits 2 ms before anything else.
	if waits := time.Since(p.polled); p.answered && p.get != nil && !p.over && (waits > 2*ms && p.polled.Before(p.answeredAt) || waits > 100*ms) {
		w.fail("%v: the poll is not answered, and the upgrade waits for it", p)
	}
	if p.open() && p.onWS && idle && p.socket.Transport() != core.WebSocket && len(p.causes) == 0 {
		w.fail("%v: the client is on WebSocket, the server is not", p)
	}
}

// settledWriting reports whether the bytes that wait are exactly those that have not arrived, which is not
// so while a client reads from two transports at once.
func (p *peer) settledWriting() bool { return !p.toClient.unordered }

// held reports whether output on a WebSocket may still be held back to leave together with what a running
// callback may send.
func (p *peer) held() bool { return p.onWS && time.Since(maxTime(p.lastSend, p.resumed)) <= 2*ms }

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// end brings the run to rest with clients that behave, closes the books, and then the server.
func (w *world) end() {
	w.settle()
	for _, p := range w.peers {
		p.setGate(false)
		if p.open() {
			p.behave()
		}
	}
	w.settle()
	w.background.Wait()
	w.settle()
	w.advance(600*ms, 200*ms) // a probe may be under way, and hold polls
	for range 5 {
		if !w.unfinished() {
			break
		}
		w.advance(pingInterval+pingTimeout, 350*ms)
	}
	if w.unfinished() {
		w.advance(graceTime, 350*ms)
	}
	for _, p := range w.peers {
		if !w.failed() {
			w.account(p)
		}
	}
	w.closeAll()
}

// unfinished reports whether some session is open that must end.
func (w *world) unfinished() bool {
	for _, p := range w.peers {
		p.mu.Lock()
		waits := p.socket != nil && !p.closed && (p.mustEnd || p.over)
		p.mu.Unlock()
		if waits {
			return true
		}
	}
	return false
}

// account closes the books of one session.
func (w *world) account(p *peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.socket == nil {
		if !p.refused && p.answers[0].Status != 503 && !w.down {
			w.fail("%v: there was no OnConnection", p)
		}
		return
	}
	if p.mustEnd && !p.closed {
		w.fail("%v: did not end", p)
	}
	attentive := !p.closed && p.open()
	gentle := p.closed && !p.gentle.IsZero() && !p.harsh && p.reason == core.ForcedClose && p.closedAt.Sub(p.gentle) < p.gentleFor
	if err := p.toClient.account(attentive || gentle, p.unsent); err != nil {
		w.fail("%v: to the client: %v", p, err)
	}
	farewell := p.closed && p.closes && p.reason == core.TransportClose && len(p.causes) == 1 && len(p.outbox) == 0
	if err := p.toServer.account(attentive || farewell, nil); err != nil {
		w.fail("%v: to the server: %v", p, err)
	}
	if attentive && p.called != len(p.tracked) {
		w.fail("%v: %d of %d callbacks of SendFunc were called", p, p.called, len(p.tracked))
	}
	if attentive && p.socket.Buffered() != 0 {
		w.fail("%v: %d bytes are buffered in the end", p, p.socket.Buffered())
	}
}

// closeAll ends the server. Nothing may be left then: no session, no request, no connection.
func (w *world) closeAll() {
	w.play(action{kind: shutdown})
	w.settle()
	w.advance(7*time.Second, time.Second) // a client that has gone does not close its side
	w.background.Wait()
	w.settle()
	for _, p := range w.peers {
		if p.body != nil {
			p.dropBody()
		}
		for _, a := range p.answers {
			if !a.Answered() {
				w.fail("%v: a request was never answered", p)
				a.Leave()
			}
		}
		for _, ws := range p.sockets {
			select {
			case <-ws.Done():
			default:
				if ws.refused() {
					break
				}
				w.fail("%v: a WebSocket was left open", p)
				ws.Cut()
			}
		}
		p.mu.Lock()
		if p.socket != nil && !p.closed {
			w.fail("%v: has no OnClose after Shutdown", p)
		}
		p.mu.Unlock()
	}
	if n := w.Server.Len(); n != 0 {
		w.fail("%d sessions are left", n)
	}
}

// down marks the server as closing, and every session as ending with it.
func (w *world) shutdown(within time.Duration) {
	w.down = true
	for _, p := range w.peers {
		if within > 0 {
			p.gently(within)
		} else {
			p.cause(core.ForcedClose, true)
		}
	}
	if within == 0 {
		w.Server.Close()
		return
	}
	w.background.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		_ = w.Server.Shutdown(ctx)
	})
}

func report(s setup, actions []action, failures []string) string {
	return fmt.Sprintf("%s\n%v, []action{\n%s}", strings.Join(failures, "\n"), s, showActions(actions))
}
