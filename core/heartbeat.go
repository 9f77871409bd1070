package core

import (
	"time"

	"github.com/goengineio/engineio/parser"
)

// heartbeat is the session's one timer. Its function compares the clock with the deadline and acts
// by phase, so that a firing that comes too early is harmless, and moving the deadline further
// away costs nothing. Its methods are called with the socket's mu locked.
type heartbeat struct {
	timer    *time.Timer
	deadline time.Time
	fires    time.Time // when the timer will fire
	phase    phase
	extended bool // by a packet, once since the last ping
}

type phase uint8

const (
	phaseResting phase = iota // revision 4: until the next ping is due
	phaseWaiting              // for the pong, or in revision 3 for the client's next ping
	phaseClosing              // for a polling client to fetch the rest
)

// startHeartbeat begins with the open packet: the server pings in revision 4, the client in 3.
func (s *Socket) startHeartbeat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	cfg := &s.srv.cfg
	within := cfg.PingInterval
	if s.codec.Revision() == 3 {
		s.beat.phase = phaseWaiting
		within += cfg.PingTimeout
	}
	now := time.Now()
	s.beat.deadline = now.Add(within)
	s.beat.fires = s.beat.deadline
	s.beat.timer = time.AfterFunc(within, s.onTimer)
}

// due moves the deadline. The timer is touched only when it would fire too late.
func (b *heartbeat) due(within time.Duration) {
	now := time.Now()
	b.deadline = now.Add(within)
	if b.timer != nil && b.deadline.Before(b.fires) {
		b.fires = b.deadline
		b.timer.Reset(within)
	}
}

func (b *heartbeat) stop() {
	if b.timer != nil {
		b.timer.Stop()
	}
}

// closeWithin bounds a graceful close.
func (b *heartbeat) closeWithin(within time.Duration) {
	b.phase = phaseClosing
	b.due(within)
}

// heard notes a packet of the client. The error means that it came from the wrong side.
func (b *heartbeat) heard(s *Socket, t parser.Type) error {
	cfg := &s.srv.cfg
	if s.codec.Revision() == 3 {
		switch t {
		case parser.Ping:
			b.due(cfg.PingInterval + cfg.PingTimeout)
		case parser.Pong:
			return ErrHeartbeat
		default:
		}
		return nil
	}
	switch {
	case t == parser.Ping:
		return ErrHeartbeat
	case b.phase != phaseWaiting: // a pong nobody asked for is harmless
	case t == parser.Pong:
		b.phase = phaseResting
		b.due(cfg.PingInterval)
	case !b.extended:
		// The client lives, though its pong may be stuck behind a large message
		// (reference 6.6.10). Once per ping, or it could do without pongs.
		b.extended = true
		b.due(cfg.PingTimeout)
	}
	return nil
}

// expired reports a timeout that the timer has not got round to.
func (b *heartbeat) expired() bool {
	return b.phase == phaseWaiting && !time.Now().Before(b.deadline)
}

func (s *Socket) onTimer() {
	s.mu.Lock()
	if s.state == stateClosed {
		s.mu.Unlock()
		return
	}
	b := &s.beat
	left := time.Until(b.deadline)
	if left > 0 {
		b.fires = b.deadline
		b.timer.Reset(left)
		s.mu.Unlock()
		return
	}
	switch b.phase {
	case phaseResting:
		b.phase, b.extended = phaseWaiting, false
		within := s.srv.cfg.PingTimeout
		// A timer that was a little late does not make the session live longer; one that was very
		// late, as after a suspended machine, does not cost the client its time.
		within -= min(-left, within/8)
		b.deadline = time.Now().Add(within)
		b.fires = b.deadline
		b.timer.Reset(within)
		s.queue(outgoing{Packet: parser.Packet{Type: parser.Ping}})
		s.kick()
	case phaseWaiting:
		s.finish(PingTimeout, nil, false)
	case phaseClosing:
		s.finish(ForcedClose, nil, false)
	}
}
