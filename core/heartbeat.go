package core

import (
	"time"

	"github.com/goengineio/engineio/parser"
)

// heartbeat is the session's only timer, an entry in the server's clock. onTimer, which the clock calls,
// compares the time with the deadline and acts according to the phase. A call that comes too early is
// therefore harmless, and moving the deadline further away costs nothing. The fields are guarded by the
// socket's mu, except for place, which is the clock's.
type heartbeat struct {
	deadline instant
	pinged   instant
	place    int32
	shard    uint8 // of the clock; never changes
	phase    phase
	extended bool // a packet has moved the deadline since the last ping
}

type phase uint8

const (
	phaseResting phase = iota // revision 4: until the next ping is due
	phaseWaiting              // for the pong, or in revision 3 for the client's next ping
	phaseClosing              // for a polling client to fetch the rest
)

// startHeartbeat starts the heartbeat, which begins with the open packet: the server pings in revision 4,
// the client in revision 3.
func (s *Socket) startHeartbeat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beginBeating()
}

// beginBeating is called with mu locked.
func (s *Socket) beginBeating() {
	if s.state == stateClosed {
		return
	}
	b, cfg, now := &s.beat, &s.srv.cfg, s.srv.now()
	switch {
	case b.phase == phaseClosing: // closed before the open packet; the deadline is set
	case s.revision == 3:
		b.phase = phaseWaiting
		b.deadline = now.after(cfg.PingInterval + cfg.PingTimeout)
	default:
		b.deadline = now.after(cfg.PingInterval)
	}
	s.srv.clock.call(s, b.deadline)
}

// due moves the deadline. Called with mu locked.
func (s *Socket) due(now instant, within time.Duration) {
	s.beat.deadline = now.after(within)
	s.srv.clock.call(s, s.beat.deadline)
}

// closeWithin bounds a graceful close. Called with mu locked.
func (s *Socket) closeWithin(within time.Duration) {
	s.beat.phase = phaseClosing
	s.due(s.srv.now(), within)
}

// heard notes a packet from the client. The error means that the client must not send it.
func (b *heartbeat) heard(s *Socket, t parser.Type) error {
	cfg := &s.srv.cfg
	if s.revision == 3 {
		switch t {
		case parser.Ping:
			s.due(s.srv.now(), cfg.PingInterval+cfg.PingTimeout)
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
		now := s.srv.now()
		s.srv.counters.pings.observe(now.since(b.pinged))
		b.phase = phaseResting
		s.due(now, cfg.PingInterval)
	case !b.extended:
		// The client is alive, though its pong may be stuck behind a large message (reference 6.6.10). This
		// counts once per ping, or the client could do without pongs.
		b.extended = true
		s.due(s.srv.now(), cfg.PingTimeout)
	}
	return nil
}

// timedOut reports whether the client's time is over although the timer has not acted yet. Called with mu
// locked.
func (s *Socket) timedOut() bool {
	return s.beat.phase == phaseWaiting && s.srv.now() >= s.beat.deadline && !s.occupied()
}

// onTimer is called by the clock. It does not wait, since the clock calls other sessions after it.
func (s *Socket) onTimer() {
	s.mu.Lock()
	if s.state == stateClosed {
		s.mu.Unlock()
		return
	}
	b, now := &s.beat, s.srv.now()
	late := now.since(b.deadline)
	switch {
	case late < 0:
		s.srv.clock.call(s, b.deadline)
		s.mu.Unlock()
	case b.phase == phaseResting:
		b.phase, b.extended = phaseWaiting, false
		within := s.srv.cfg.PingTimeout
		// A timer that fires a little late does not make the session live longer; one that fires very late,
		// as after the machine was suspended, does not cost the client its time.
		within -= min(late, within/8)
		b.pinged = now
		s.due(now, within)
		s.queue(outgoing{Packet: parser.Packet{Type: parser.Ping}})
		s.kick()
	case b.phase == phaseWaiting && s.occupied():
		// A callback keeps the pong from being read. The client may be alive, and stays as long as it is
		// pinged.
		s.due(now, s.srv.cfg.PingTimeout)
		if s.revision != 3 && !s.pending() {
			b.pinged = now
			s.queue(outgoing{Packet: parser.Packet{Type: parser.Ping}})
		}
		s.kick()
	default:
		s.mu.Unlock()
		go s.expire()
	}
}

// expire ends the session, unless the deadline has been moved meanwhile.
func (s *Socket) expire() {
	s.mu.Lock()
	switch {
	case s.state == stateClosed:
		s.mu.Unlock()
	case s.beat.deadline.since(s.srv.now()) > 0 || s.beat.phase == phaseResting:
		s.srv.clock.call(s, s.beat.deadline)
		s.mu.Unlock()
	case s.beat.phase == phaseWaiting:
		s.finish(PingTimeout, nil, false)
	default:
		s.finish(ForcedClose, nil, false)
	}
}
