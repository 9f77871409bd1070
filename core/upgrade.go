package core

import (
	"time"

	"github.com/goengineio/engineio/parser"
)

const probeData = "probe"

// serveProbe takes over a WebSocket that wants to become the transport of a polling session.
func (s *Server) serveProbe(x Exchange, engine WebSocketEngine, p params, socket *Socket) {
	s.takeOver(x, engine, socket, false, func(link *duplex) bool {
		link.base64 = p.base64
		adopted, err := socket.probeUpgrade(link)
		if !adopted {
			s.dismiss(link, closeCodeFor(err))
		}
		return adopted
	})
}

// probeUpgrade serves the candidate until it has become the session's transport or failed to. It touches
// the session only to register the candidate, when the probe comes, and to adopt the candidate or give it
// up.
func (s *Socket) probeUpgrade(link *duplex) (adopted bool, err error) {
	// The upgrade needs no timer: the connection's deadline is its timeout. It is set before the session knows
	// the candidate, since retire moves it when the session ends.
	_ = link.conn.SetDeadline(time.Now().Add(s.srv.cfg.UpgradeTimeout))
	s.mu.Lock()
	if s.state == stateClosed || s.link != nil || s.probe != nil {
		s.mu.Unlock()
		s.srv.counters.upgradesFailed.Add(1)
		return false, nil
	}
	s.probe = link
	s.mu.Unlock()
	began := time.Now()
	upgraded, err := s.answerProbe(link)
	if upgraded && s.adopt(link, began) {
		return true, nil
	}
	s.srv.counters.upgradesFailed.Add(1)
	if s.srv.debugging() {
		s.debug(scopeSocket, "upgrade given up")
	}
	s.endProbing(link)
	return false, err
}

// answerProbe returns true when the client has sent the upgrade packet, or the error that a close frame is to
// tell the client about, if there is one.
func (s *Socket) answerProbe(link *duplex) (upgraded bool, err error) {
	if _, err := link.conn.Flush(true); err != nil { // the answer to the opening handshake
		return false, nil
	}
	for {
		data, binary, err := link.conn.ReadMessage()
		if err != nil {
			return false, err
		}
		p, err := s.codec().DecodeFrame(data, binary)
		switch {
		case err != nil:
			return false, err
		case p.Type == parser.Upgrade:
			return true, nil
		case p.Type != parser.Ping || string(p.Data) != probeData:
			return false, nil
		}
		// This comes before the pong, which the client may answer on both connections at once.
		first, ok := s.beginProbing(link)
		if !ok {
			return false, nil
		}
		pong := append([]byte{'0' + byte(parser.Pong)}, probeData...)
		if link.conn.AppendMessage(pong, false, false) != nil {
			return false, nil
		}
		if _, err := link.conn.Flush(true); err != nil {
			return false, nil
		}
		if first {
			s.mu.Lock()
			s.nudge()
		}
	}
}

// beginProbing lets the next two polls be answered at once, since the client sends the upgrade packet only
// when its last poll is answered. A poll that already waits is released after the pong, or the client would
// send another one. It returns whether this is the first probe, and whether the candidate is still the
// session's.
func (s *Socket) beginProbing(link *duplex) (first, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.probe != link || s.probing {
		return false, s.probe == link
	}
	s.probing, s.free = true, 2
	if f := s.hooks.upgrading; f != nil {
		s.note(func() { f(WebSocket) })
	}
	return true, true
}

// endProbing gives the candidate up; polling goes on as if nothing had happened.
func (s *Socket) endProbing(link *duplex) {
	s.mu.Lock()
	if s.probe != link {
		s.mu.Unlock()
		return
	}
	began := s.probing
	s.probe, s.probing = nil, false
	if !began { // the waiting poll was not affected
		s.mu.Unlock()
		return
	}
	s.nudge()
}

// retire ends a candidate whose session has ended: its reading goroutine, which alone writes to it, wakes
// and sends the close frame. Called with the socket's mu locked.
func (d *duplex) retire() { _ = d.conn.SetDeadline(time.Unix(1, 0)) }

// adopt makes the candidate, which came at the given time, the session's transport. It returns false if the
// session is ending or has given the candidate up.
func (s *Socket) adopt(link *duplex, came time.Time) bool {
	s.mu.Lock()
	if s.probe != link || s.leaving {
		s.mu.Unlock()
		return false
	}
	_ = link.conn.SetDeadline(time.Time{})
	link.adopted = true
	s.probe, s.probing = nil, false
	s.link, s.upgraded = link, true
	s.nudge()
	s.srv.counters.upgraded.Add(1)
	s.srv.counters.upgrades.observe(time.Since(came))
	if s.srv.debugging() {
		s.debug(scopeSocket, "upgraded")
	}

	s.mu.Lock()
	if s.state != stateClosed && !s.writing && s.pending() {
		s.flush(false)
	} else {
		s.mu.Unlock()
	}
	if s.acquire(false) {
		f := s.hooks.upgrade
		s.mu.Unlock()
		if f != nil {
			s.announceUpgrade(f)
		}
		s.release()
	}
	return true
}

func (s *Socket) announceUpgrade(f func(Transport)) {
	defer s.guard()
	f(WebSocket)
}

// nudge releases a waiting poll, with a noop if nothing waits to be sent. It is called with mu locked and
// unlocks it.
func (s *Socket) nudge() {
	poll := s.poll
	s.nudged = poll != nil
	s.mu.Unlock()
	if poll != nil {
		poll.Wake()
	}
}
