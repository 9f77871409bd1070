package core

import (
	"time"

	"github.com/goengineio/engineio/parser"
)

// hold says whether output on a WebSocket is held back to leave together with what follows.
type hold uint8

const (
	holdNone hold = iota
	holdNext      // the next write goes out, and holding begins
	holdBoth      // everything waits until the input at hand is handled, or for 2 ms
)

// queue appends a packet to what waits. Called with mu locked.
func (s *Socket) queue(p outgoing) {
	s.out = append(s.out, p)
	s.buffered += int64(len(p.Data))
	if p.sent != nil {
		s.callbacks++
	}
	if f := s.hooks.packetCreate; f != nil {
		s.note(func() { f(p.Packet) })
	}
}

// kick sees to it that what waits gets on its way. It is called with mu locked and unlocks it.
func (s *Socket) kick() {
	if s.link == nil {
		poll := s.poll
		s.mu.Unlock()
		if poll != nil {
			poll.Wake()
		}
		return
	}
	switch {
	case s.writing: // whoever holds the token looks again before returning it
		s.mu.Unlock()
	case s.hold == holdBoth:
		s.holdForAWhile()
		s.mu.Unlock()
	default:
		if s.hold == holdNext {
			s.hold = holdBoth
		}
		s.flush(false)
	}
}

// holdForAWhile makes sure that held output leaves in time even if a callback does not return.
// Called with mu locked.
func (s *Socket) holdForAWhile() {
	if s.holdSet {
		return
	}
	s.holdSet = true
	if s.holdT == nil {
		s.holdT = time.AfterFunc(holdBack, s.onHoldTimer)
	} else {
		s.holdT.Reset(holdBack)
	}
}

func (s *Socket) onHoldTimer() {
	s.mu.Lock()
	s.holdSet = false
	if s.hold != holdBoth || !s.pending() {
		s.mu.Unlock()
		return
	}
	s.hold = holdNone // a callback that takes longer holds nobody up
	if s.writing {
		s.mu.Unlock()
		return
	}
	s.flush(true)
}

// letGo ends the holding back. It is called with mu locked and unlocks it.
func (s *Socket) letGo() {
	s.hold = holdNone
	if s.link == nil || s.writing || !s.pending() {
		s.mu.Unlock()
		return
	}
	s.flush(false)
}

// pending reports whether there is something to write. Called with mu locked.
func (s *Socket) pending() bool {
	if s.conflating {
		return s.pongDue || s.controlWaits()
	}
	return len(s.out) > 0 || s.pongDue || s.state == stateClosing
}

// controlWaits reports whether a packet waits that is no message. Called with mu locked.
func (s *Socket) controlWaits() bool {
	for i := range s.out {
		if s.out[i].Type != parser.Message {
			return true
		}
	}
	return false
}

// taken is what one write brings to the network.
type taken struct {
	link    *duplex
	packets []outgoing
	size    int64
	pong    []byte
	pongDue bool
	last    bool // the close frame follows
	code    int  // of that
}

// take empties the buffer. Called with mu locked and the write token held.
func (s *Socket) take() taken {
	if s.conflating {
		t := taken{link: s.link, packets: s.takeControl(), pong: s.pong, pongDue: s.pongDue}
		s.pong, s.pongDue = nil, false
		s.noteFlush(t.packets)
		return t
	}
	t := taken{
		link: s.link, packets: s.out, size: s.buffered,
		pong: s.pong, pongDue: s.pongDue, last: s.state == stateClosing,
	}
	s.out, s.spare = s.spare[:0], nil
	s.pong, s.pongDue = nil, false
	if t.last {
		s.leaving, t.code = true, s.closeCode()
	}
	s.noteFlush(t.packets)
	return t
}

// flush takes the write token and writes. It is called with mu locked, the token free and a link
// in place, and unlocks mu. With block false it does not wait for the network; what is left then
// goes out on a goroutine that lives as long as there is work.
func (s *Socket) flush(block bool) {
	s.conflate()
	if s.writing || s.state == stateClosed || !s.pending() {
		s.mu.Unlock()
		return
	}
	s.writing, s.blocking = true, block
	t := s.take()
	s.mu.Unlock()
	s.write(t, block)
}

// write brings t and what comes up meanwhile to the network, then returns the write token.
func (s *Socket) write(t taken, block bool) {
	for round := 1; ; round++ {
		err := t.link.append(s.codec, &t)
		done := false
		if err == nil {
			done, err = t.link.conn.Flush(block)
		}
		if err == nil && !done {
			s.goBlocking(func() {
				_, err := t.link.conn.Flush(true)
				if s.written(&t, err) {
					s.write(t, true)
				}
			})
			return
		}
		if !s.written(&t, err) {
			return
		}
		if !block && round == 4 { // others keep sending: the caller has waited long enough
			s.goBlocking(func() { s.write(t, true) })
			return
		}
	}
}

// goBlocking hands the write token to a goroutine that may wait for the network.
func (s *Socket) goBlocking(work func()) {
	s.mu.Lock()
	s.blocking = true
	closed := s.state == stateClosed
	link := s.link
	s.mu.Unlock()
	if closed {
		_ = link.conn.Close() // the client does not read; a close frame would not reach it
		return
	}
	go work()
}

// written accounts for a write. It returns true with the next one in t, or false after it returned
// the write token.
func (s *Socket) written(t *taken, err error) bool {
	s.mu.Lock()
	if s.state == stateClosed {
		code := s.closeCode()
		s.mu.Unlock()
		t.link.farewell(code) // on behalf of whoever closed the session
		return false
	}
	s.buffered -= t.size
	if err == nil {
		s.noteDrain(t.packets)
	}
	clear(t.packets)
	if s.spare == nil && cap(t.packets) <= 64 {
		s.spare = t.packets[:0]
	}
	switch {
	case err != nil:
		s.finish(TransportError, err, true)
	case t.last:
		s.finish(ForcedClose, nil, true)
	case s.pending() && s.hold != holdBoth:
		if s.srv.cfg.Conflate != nil { // user code: not under the token
			s.writing = false
			s.conflate()
			if s.writing || s.state == stateClosed || !s.pending() {
				s.mu.Unlock()
				return false
			}
			s.writing = true
		}
		*t = s.take()
		s.mu.Unlock()
		return true
	default:
		if s.pending() {
			s.holdForAWhile()
		}
		s.writing, s.blocking = false, false
		s.mu.Unlock()
	}
	return false
}
