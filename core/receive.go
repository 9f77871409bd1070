package core

import (
	"time"

	"github.com/goengineio/engineio/parser"
)

// acquire waits for the receive token. With posting false, as for a WebSocket, it also waits for a POST
// from before the upgrade that has not taken the token yet. It returns true with mu locked, or false, with
// mu unlocked, if the session has ended.
func (s *Socket) acquire(posting bool) bool {
	s.mu.Lock()
	for (s.occupied() || s.posting && !posting) && s.state != stateClosed {
		s.awaitTurn()
	}
	if s.state == stateClosed {
		s.mu.Unlock()
		return false
	}
	s.receiving = true
	return true
}

// awaitTurn waits for passTurn. It is called, and returns, with mu locked.
func (s *Socket) awaitTurn() {
	r := s.more()
	if r.turn == nil {
		r.turn = make(chan struct{})
	}
	turn := r.turn
	s.mu.Unlock()
	<-turn
	s.mu.Lock()
}

// occupied reports whether the client's next packet has to wait for the application: a callback is running,
// or too many hook calls are queued. Called with mu locked.
func (s *Socket) occupied() bool {
	return s.receiving || s.behind()
}

// behind reports whether too many hook calls are queued. Called with mu locked.
func (s *Socket) behind() bool { return s.rare != nil && len(s.rare.notes) >= mostNotes }

// letHooksCatchUp waits, with the receive token held, while too many hook calls are queued. It is called, and
// returns, with mu locked.
func (s *Socket) letHooksCatchUp() {
	for s.behind() && s.state != stateClosed {
		s.awaitTurn()
	}
}

// release returns the receive token and sends output that was held back while the callbacks ran.
func (s *Socket) release() {
	s.mu.Lock()
	s.receiving = false
	s.passTurn()
	if s.closeDue() {
		s.mu.Unlock()
		s.announceEnd()
		return
	}
	if s.hold == holdNone {
		s.mu.Unlock()
		return
	}
	s.letGo()
}

// passTurn wakes the goroutines that wait for the receive token. Called with mu locked.
func (s *Socket) passTurn() {
	if r := s.rare; r != nil && r.turn != nil {
		close(r.turn)
		r.turn = nil
	}
}

// handle handles one packet. It is called with the receive token held and mu locked, and unlocks mu.
func (s *Socket) handle(p parser.Packet) {
	if s.state != stateClosed { // a closed session's traffic is accounted for already
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
		// A session that the application has closed delivers nothing more. The server's shutdown is
		// different: what a client has sent by then is still delivered.
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
		if !s.pongsWait() {
			s.queue(outgoing{Packet: parser.Packet{Type: parser.Pong}})
		}
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
		s.deliver(f, Message{Data: p.Data, Binary: p.Binary})
	default: // open, upgrade and noop mean nothing here
		s.mu.Unlock()
	}
}

// deliver calls f, which may be nil, or the callback for all sessions.
func (s *Socket) deliver(f func(Message), m Message) {
	defer s.guard()
	if f != nil {
		f(m)
	} else if f := s.srv.cfg.OnMessage; f != nil {
		f(s, m)
	}
}

// mostPongs is how many pongs wait at most for a client of revision 3 that pings and does not read.
const mostPongs = 64

// pongsWait reports whether that many pongs, and nothing behind them, wait to be sent. Called with mu locked.
func (s *Socket) pongsWait() bool {
	waiting := s.waiting()
	if len(waiting) < mostPongs {
		return false
	}
	for _, p := range waiting[len(waiting)-mostPongs:] {
		if p.Type != parser.Pong {
			return false
		}
	}
	return true
}

// inputDeadline returns the time by which a client that has begun to send a body must be done.
func (s *Server) inputDeadline() time.Time {
	return time.Now().Add(s.cfg.PingInterval + s.cfg.PingTimeout)
}
