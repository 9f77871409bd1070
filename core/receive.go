package core

import (
	"time"

	"github.com/goengineio/engineio/parser"
)

// acquire waits for the receive token; a WebSocket also waits for a POST from before the upgrade
// that has not come to take it yet. It returns true with mu locked, or false, with mu unlocked,
// when the session has ended.
func (s *Socket) acquire(posting bool) bool {
	s.mu.Lock()
	for (s.occupied() || s.posting && !posting) && s.state != stateClosed {
		r := s.more()
		if r.turn == nil {
			r.turn = make(chan struct{})
		}
		turn := r.turn
		s.mu.Unlock()
		<-turn
		s.mu.Lock()
	}
	if s.state == stateClosed {
		s.mu.Unlock()
		return false
	}
	s.receiving = true
	return true
}

// occupied reports whether the application is in the way of the client's next packet: a callback runs,
// or hooks that observe have too many calls to catch up with. Called with mu locked.
func (s *Socket) occupied() bool {
	return s.receiving || s.rare != nil && len(s.rare.notes) >= mostNotes
}

// release returns the receive token, and sends what its holder's callbacks left behind.
func (s *Socket) release() {
	s.mu.Lock()
	s.receiving = false
	s.passTurn()
	if s.closeDue() {
		s.mu.Unlock()
		go s.deliverClose()
		return
	}
	if s.hold == holdNone {
		s.mu.Unlock()
		return
	}
	s.letGo()
}

// passTurn wakes those who wait for the receive token. Called with mu locked.
func (s *Socket) passTurn() {
	if r := s.rare; r != nil && r.turn != nil {
		close(r.turn)
		r.turn = nil
	}
}

// handle acts upon one packet. It is called with the receive token and with mu locked, and
// unlocks it.
func (s *Socket) handle(p parser.Packet) {
	if s.state != stateClosed { // otherwise it is accounted for already
		s.traffic.in.add(1, int64(len(p.Data)))
	}
	if f := s.hooks.packet; f != nil && s.state == stateOpen {
		s.mu.Unlock()
		s.guarded(func() { f(p) })
		s.mu.Lock()
	}
	switch {
	case s.state == stateClosed:
		s.mu.Unlock()
		return
	case p.Type == parser.Close:
		s.finish(TransportClose, nil, false)
		return
	case s.state == stateClosing:
		// Nothing is heard of a session that the application has closed. The server's shutdown is
		// not the application's wish to hear no more: what a client has sent by then is delivered.
		if p.Type != parser.Message || s.deaf {
			s.mu.Unlock()
			return
		}
	default:
		if err := s.beat.heard(s, p.Type); err != nil {
			s.finish(TransportError, err, false)
			return
		}
	}
	switch p.Type {
	case parser.Ping: // revision 3 only
		f := s.hooks.heartbeat
		s.queue(outgoing{Packet: parser.Packet{Type: parser.Pong}})
		s.kick()
		if f != nil {
			s.guarded(f)
		}
	case parser.Pong: // revision 4 only
		f := s.hooks.heartbeat
		s.mu.Unlock()
		if f != nil {
			s.guarded(f)
		}
	case parser.Message:
		f := s.hooks.message
		s.mu.Unlock()
		if f != nil {
			s.deliver(f, Message{Data: p.Data, Binary: p.Binary})
		}
	default: // open, upgrade and noop mean nothing here
		s.mu.Unlock()
	}
}

func (s *Socket) deliver(f func(Message), m Message) {
	defer s.guard()
	f(m)
}

// inputDeadline is when a client that has begun to send a body must be done.
func (s *Server) inputDeadline() time.Time {
	return time.Now().Add(s.cfg.PingInterval + s.cfg.PingTimeout)
}
