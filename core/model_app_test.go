package core_test

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goengineio/engineio/core"
)

// The timeouts and limits of the model's server.
const (
	pingInterval   = 1000 * ms
	pingTimeout    = 700 * ms
	upgradeTimeout = 400 * ms
	maxPayload     = 1000
	graceTime      = 30 * time.Second // of a graceful close, see core.Socket.Close
)

// app is the application's side of one session: its callbacks, with checks of what they must never see.
type app struct {
	world *world
	peer  *peer
	busy  atomic.Int32 // number of running callbacks, never more than one

	mu        sync.Mutex
	socket    *core.Socket // from OnConnection on
	connected bool         // OnConnection has returned
	refusing  bool         // Close or CloseNow has returned: Send must fail
	gone      bool         // CloseNow has returned
	gate      chan struct{}

	toClient ledger
	lastSend time.Time
	tracked  []int // which messages have a callback
	called   int   // how many of those callbacks were called

	beat time.Time // when the last heartbeat was heard

	causes    map[core.CloseReason]bool // why the session may have ended
	mustEnd   bool
	gentle    time.Time // when a graceful close began
	gentleFor time.Duration
	harsh     bool // there is a cause other than the graceful close
	closed    bool
	closedAt  time.Time
	reason    core.CloseReason
	unsent    []core.Message
}

// connection is the server's OnConnection.
func (a *app) connection(s *core.Socket) {
	a.enter("OnConnection")
	a.mu.Lock()
	if a.socket != nil {
		a.world.fail("session %d: a second OnConnection", a.peer.index)
	}
	a.socket, a.beat = s, time.Now()
	if a.peer.options&optWebSocket != 0 {
		a.beat = a.beat.Add(-ms) // the session is that old: its open packet came a millisecond after the 101
	}
	a.mu.Unlock()
	s.OnMessage(a.message)
	s.OnClose(a.close)
	s.OnHeartbeat(func() {
		a.enter("OnHeartbeat")
		defer a.exit()
		a.mu.Lock()
		defer a.mu.Unlock()
		a.beat = time.Now()
	})
	s.OnUpgrade(func(core.Transport) {
		a.enter("OnUpgrade")
		a.exit()
	})
	if a.world.setup.observed {
		a.observe(s)
	}
	if a.peer.options&optGreets != 0 {
		a.send(30, false, 0)
	}
	if a.peer.options&optSlowConnection != 0 {
		time.Sleep(5 * ms)
	}
	a.exit()
	a.mu.Lock()
	a.connected = true
	a.mu.Unlock()
}

// observe sets the hooks, which only observe.
func (a *app) observe(s *core.Socket) {
	look := func(what string) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.closed {
			a.world.fail("session %d: %s after OnClose", a.peer.index, what)
		}
	}
	s.OnPacket(func(core.Packet) {
		a.enter("OnPacket")
		a.exit()
	})
	s.OnPacketCreate(func(core.Packet) { look("OnPacketCreate") })
	s.OnFlush(func([]core.Packet) { look("OnFlush") })
	s.OnDrain(func() { look("OnDrain") })
	s.OnUpgrading(func(core.Transport) { look("OnUpgrading") })
	s.OnError(func(error) { look("OnError") })
}

// enter and exit enclose every callback.
func (a *app) enter(what string) {
	if a.busy.Add(1) != 1 {
		a.world.fail("session %d: %s runs together with another callback", a.peer.index, what)
	}
	runtime.Gosched() // give a concurrent callback the chance to show up
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		a.world.fail("session %d: %s after OnClose", a.peer.index, what)
	}
	if a.socket == nil && what != "OnConnection" {
		a.world.fail("session %d: %s before OnConnection", a.peer.index, what)
	}
}

func (a *app) exit() { a.busy.Add(-1) }

// message is the session's OnMessage. The first byte of the message tells it what to do.
func (a *app) message(m core.Message) {
	a.enter("OnMessage")
	defer a.exit()
	a.mu.Lock()
	gate := a.gate
	if err := a.peer.toServer.receive(m); err != nil {
		a.world.fail("session %d: the application %v", a.peer.index, err)
	}
	if !a.connected && a.peer.options&optSlowConnection != 0 {
		a.world.fail("session %d: OnMessage before OnConnection returned", a.peer.index)
	}
	a.mu.Unlock()
	directive := byte('.')
	if len(m.Data) > 0 && !m.Binary {
		directive = m.Data[0]
	}
	if directive == 'e' || directive == 'd' {
		a.send(len(m.Data), m.Binary, 0)
	}
	if gate != nil {
		<-gate
	}
	switch directive {
	case 'd':
		a.send(3, true, 1)
	case 'c':
		a.end(false)
	case 'x':
		a.end(true)
	case 'p':
		a.cause(core.ForcedClose, true)
		panic("by design")
	}
}

// close is the session's OnClose.
func (a *app) close(reason core.CloseReason, err error) {
	if a.busy.Load() != 0 {
		a.world.fail("session %d: OnClose runs together with another callback", a.peer.index)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		a.world.fail("session %d: a second OnClose", a.peer.index)
	}
	a.closed, a.closedAt, a.reason = true, time.Now(), reason
	a.unsent = a.socket.UnsentMessages()
	if n := a.socket.Unsent(); n != len(a.unsent) {
		a.world.fail("session %d: %d messages are unsent, these are %d", a.peer.index, n, len(a.unsent))
	}
	a.harsh = a.harsh || a.late(core.TransportError) // the last write was given up, whatever the reason given
	if !a.causes[reason] && !a.late(reason) {
		a.world.fail("session %d: ended with %q (%v), the causes were %v", a.peer.index, reason, err, slices.Sorted(maps.Keys(a.causes)))
	}
	if sendErr := a.socket.Send(core.Text("x")); !errors.Is(sendErr, core.ErrClosed) {
		a.world.fail("session %d: Send in OnClose: %v", a.peer.index, sendErr)
	}
}

// late reports whether the session may have ended because too much time has passed.
func (a *app) late(reason core.CloseReason) bool {
	const within = pingInterval + pingTimeout
	p := a.peer
	switch reason {
	case core.PingTimeout:
		return a.gentle.IsZero() && time.Since(a.beat) >= within
	case core.TransportError: // a write or a POST that failed
		since := p.idleSince.Load()
		return since != 0 && time.Since(time.Unix(0, since)) >= within
	default:
		return false
	}
}

// cause notes that from now on the session may, or must, end for this reason.
func (a *app) cause(reason core.CloseReason, must bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.note(reason, must)
	a.harsh = true
}

func (a *app) note(reason core.CloseReason, must bool) {
	a.causes[reason] = true
	a.mustEnd = a.mustEnd || must
}

// gently notes that a graceful close begins, which has a time limit.
func (a *app) gently(within time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.socket != nil && a.socket.ReadyState() == core.StateClosed {
		return // though OnClose may wait for a callback
	}
	a.note(core.ForcedClose, true)
	if a.gentle.IsZero() {
		a.gentle, a.gentleFor = time.Now(), graceTime
	}
	a.gentleFor = min(a.gentleFor, time.Since(a.gentle)+within)
}

// end closes the session.
func (a *app) end(now bool) {
	a.mu.Lock()
	s := a.socket
	a.mu.Unlock()
	if s == nil {
		return
	}
	if now {
		a.cause(core.ForcedClose, true)
		s.CloseNow()
	} else {
		a.gently(graceTime)
		s.Close()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refusing, a.gone = true, a.gone || now
}

// send sends the next message in one of three ways. Send never waits, so it may be called with mu locked,
// which fixes the order.
func (a *app) send(size int, binary bool, how int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.socket == nil {
		return
	}
	n := len(a.toClient.sent)
	m := message('.', n, size, binary)
	a.toClient.sent = append(a.toClient.sent, m) // recorded before it can arrive
	a.lastSend = time.Now()
	var err error
	switch how {
	case 1:
		a.tracked = append(a.tracked, n)
		mine := len(a.tracked) - 1
		err = a.socket.SendFunc(m, func() { a.calledBack(mine) })
		if err != nil {
			a.tracked = a.tracked[:mine]
		}
	case 2:
		err = a.socket.SendPrepared(core.Prepare(m))
	default:
		err = a.socket.Send(m)
	}
	if err != nil {
		a.toClient.sent = a.toClient.sent[:n]
	}
	switch {
	case a.refusing && !errors.Is(err, core.ErrClosed):
		a.world.fail("session %d: Send after Close: %v", a.peer.index, err)
	case errors.Is(err, core.ErrBufferFull):
		if _, waiting := a.toClient.outstanding(); waiting+int64(len(m.Data)) <= a.world.maxBuffered {
			a.world.fail("session %d: %v with %d bytes on the way", a.peer.index, err, waiting)
		}
		a.note(core.TransportError, true)
		a.harsh = true
	case errors.Is(err, core.ErrClosed):
		if len(a.causes) == 0 && !a.late(core.PingTimeout) && !a.late(core.TransportError) {
			a.world.fail("session %d: Send says %v, and nothing has ended the session", a.peer.index, err)
		}
	case err != nil:
		a.world.fail("session %d: Send: %v", a.peer.index, err)
	}
}

// calledBack is the function given to SendFunc. It must be called in order, and never after OnClose.
func (a *app) calledBack(i int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i != a.called {
		a.world.fail("session %d: the callback of message %d came as number %d", a.peer.index, i, a.called)
	}
	a.called++
	if a.closed {
		a.world.fail("session %d: SendFunc called back after OnClose", a.peer.index)
	}
}

// setGate makes callbacks for messages block, or lets them go on.
func (a *app) setGate(closed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gate != nil {
		close(a.gate)
		a.gate = nil
	}
	if closed {
		a.gate = make(chan struct{})
	}
}

func (a *app) String() string {
	return fmt.Sprintf("session %d (%s)", a.peer.index, a.peer.query)
}
