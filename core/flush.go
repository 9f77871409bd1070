package core

import (
	"sync"
	"time"

	"github.com/goengineio/engineio/parser"
)

// batch is a list of packets that wait, or are being sent. Sessions borrow one while there is
// something to send.
type batch struct {
	packets []outgoing
	plain   []parser.Packet // the same, for the codec of payloads
	frame   []byte          // scratch space to encode one of them
}

// batches is the pool that a server's sessions borrow from.
type batches struct{ pool sync.Pool }

// The largest capacities of a list and of a frame that are kept for reuse.
const (
	keptPackets = 64
	keptFrame   = 4096
)

func (p *batches) get() *batch {
	if b, ok := p.pool.Get().(*batch); ok {
		return b
	}
	return new(batch)
}

func (p *batches) put(b *batch) {
	if cap(b.packets) > keptPackets || cap(b.plain) > keptPackets || cap(b.frame) > keptFrame {
		return
	}
	clear(b.packets) // they refer to the application's data
	clear(b.plain)
	b.packets, b.plain = b.packets[:0], b.plain[:0]
	p.pool.Put(b)
}

// waiting returns the packets that no transport has taken. Called with mu locked.
func (s *Socket) waiting() []outgoing {
	if s.out == nil {
		return nil
	}
	return s.out.packets
}

// setWaiting replaces the packets that no transport has taken. Called with mu locked.
func (s *Socket) setWaiting(packets []outgoing) {
	switch {
	case len(packets) == 0:
		s.out = nil
	case s.out == nil:
		s.out = &batch{packets: packets}
	default:
		s.out.packets = packets
	}
}

// hold says whether output on a WebSocket is held back to leave together with what follows.
type hold uint8

const (
	holdNone hold = iota
	holdNext      // the next write goes out, then holding begins
	holdBoth      // everything waits until the input at hand is handled, for 2 ms, or until much waits
)

// holdsBack reports whether what waits is to leave together with what follows. Output that would fill a write
// or half of the buffer is not held back: the client may well be reading, and must not be mistaken for one
// that is too slow. Called with mu locked.
func (s *Socket) holdsBack() bool {
	return s.hold == holdBoth && s.buffered < min(mostHeld, s.srv.cfg.MaxBuffered/2) && len(s.waiting()) < leastWaiting/2
}

// queue appends a packet to those that wait. Called with mu locked.
func (s *Socket) queue(p outgoing) {
	if s.out == nil {
		s.out = s.srv.batches.get()
	}
	s.out.packets = append(s.out.packets, p)
	s.buffered += int64(len(p.Data))
	if p.sent != nil {
		s.more().callbacks++
	}
	if f := s.hooks.packetCreate; f != nil {
		s.note(func() { f(p.Packet) })
	}
}

// sizeOf returns the bytes of data in packets.
func sizeOf(packets []outgoing) (size int64) {
	for i := range packets {
		size += int64(len(packets[i].Data))
	}
	return size
}

// kick makes sure that what waits gets sent. It is called with mu locked and unlocks it.
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
	case s.writing: // the token's holder looks again before returning it
		s.mu.Unlock()
	case s.holdsBack():
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
	if r := s.more(); r.holdT == nil {
		r.holdT = time.AfterFunc(holdBack, s.onHoldTimer)
	} else {
		r.holdT.Reset(holdBack)
	}
}

func (s *Socket) onHoldTimer() {
	s.mu.Lock()
	s.holdSet = false
	if s.link == nil || !s.pending() {
		s.mu.Unlock()
		return
	}
	s.hold = holdNone // a callback that takes longer must not delay output
	if s.writing {
		s.mu.Unlock()
		return
	}
	s.flush(true)
}

// letGo stops holding output back and writes what waits. It is called with mu locked and unlocks it.
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
	if s.answering > 0 { // the answer to the last poll goes first
		return false
	}
	if s.conflating {
		return s.pongDue || s.controlWaits()
	}
	return s.out != nil || s.pongDue || s.state == stateClosing
}

// controlWaits reports whether a packet other than a message waits. Called with mu locked.
func (s *Socket) controlWaits() bool {
	for _, p := range s.waiting() {
		if p.Type != parser.Message {
			return true
		}
	}
	return false
}

// taken is the content of one write to the network. Each packet records where its frame ends among the
// bytes of the write, so that a write that fails can tell which packets it has handed over.
type taken struct {
	link    *duplex
	batch   *batch
	size    int64
	end     int  // where the last frame ends, in bytes
	refused bool // the connection took no more frames
	pong    []byte
	pongDue bool
	last    bool // a close frame follows
	code    int  // of the close frame
}

// take takes what the next write sends out of the buffer: only control packets while Conflate runs,
// otherwise everything. Called with mu locked and the write token held.
func (s *Socket) take() taken {
	s.inFlight++
	if s.conflating {
		t := taken{link: s.link, batch: s.srv.batches.get()}
		t.batch.packets = s.takeControl(t.batch.packets)
		s.takePong(&t)
		s.noteFlush(t.batch.packets)
		return t
	}
	t := taken{link: s.link, batch: s.takeOut(), last: s.state == stateClosing}
	t.size = sizeOf(t.batch.packets)
	s.takePong(&t)
	if t.last {
		s.leaving, t.code = true, s.closeCode()
	}
	s.noteFlush(t.batch.packets)
	return t
}

// takeOut takes all packets out of the buffer. Called with mu locked.
func (s *Socket) takeOut() *batch {
	b := s.out
	if s.out = nil; b == nil {
		b = s.srv.batches.get()
	}
	return b
}

func (s *Socket) takePong(t *taken) {
	if s.pongDue {
		t.pong, t.pongDue = s.rare.pong, true
		s.rare.pong, s.pongDue = nil, false
	}
}

// flush takes the write token and writes. It is called with mu locked, the write token free and a link in
// place, and unlocks mu. With block false it does not wait for the network; what is left then is written by
// a goroutine that lives as long as there is work.
func (s *Socket) flush(block bool) {
	if s.answering == 0 { // else nothing is written yet, and Conflate should see it all together
		s.conflate()
	}
	if s.writing || s.state == stateClosed || !s.pending() {
		s.mu.Unlock()
		return
	}
	s.writing, s.blocking = true, block
	t := s.take()
	s.mu.Unlock()
	s.write(&t, block)
}

// write writes t, and whatever else has come up by then, and returns the write token.
func (s *Socket) write(t *taken, block bool) {
	for round := 1; ; round++ {
		err := t.link.append(s.codec(), t)
		done := false
		if err == nil {
			done, err = t.link.conn.Flush(block)
		}
		if err == nil && !done {
			s.goBlocking(t, true)
			return
		}
		if !s.written(t, err) {
			return
		}
		if !block && round == 4 { // others keep sending: the caller has waited long enough
			s.goBlocking(t, false)
			return
		}
	}
}

// goBlocking hands the write token and t to a goroutine that may wait for the network. appended tells
// whether t is already in the connection's buffer. If the session is closed and its client is not known to
// read, goBlocking ends the connection instead.
func (s *Socket) goBlocking(t *taken, appended bool) {
	s.mu.Lock()
	s.blocking = true
	closed, code, reads := s.state == stateClosed, s.closeCode(), t.link.reads
	s.mu.Unlock()
	switch {
	case !closed || reads:
		go s.writeBlocking(*t, appended)
	case appended:
		_ = t.link.conn.Close() // the client does not read; a close frame would not reach it
		s.settle(t)
		t.link.saidFarewell(false)
	default:
		s.settle(t)
		t.link.farewell(code)
	}
}

func (s *Socket) writeBlocking(t taken, appended bool) {
	if appended {
		_, err := t.link.conn.Flush(true)
		if !s.written(&t, err) {
			return
		}
	}
	s.write(&t, true)
}

// settle accounts for what was taken by a write that found the session closed.
func (s *Socket) settle(t *taken) {
	s.mu.Lock()
	s.inFlight--
	s.keepUnsentBefore(t.unwritten())
	s.endIfDue()
}

// unwritten returns the packets that a write has not handed to the network, or the connection has not
// taken. It is called by the write token's holder when the write is over.
func (t *taken) unwritten() []outgoing {
	handed := t.end - t.link.conn.Unflushed()
	for i, p := range t.batch.packets {
		if p.end == 0 || int64(p.end) > int64(handed) {
			return t.batch.packets[i:]
		}
	}
	return nil
}

// written accounts for a write. It returns true with the next write in t, or false when nothing is left for
// the caller to write: the write token was returned, or the session has ended.
func (s *Socket) written(t *taken, err error) bool {
	s.mu.Lock()
	if s.state == stateClosed {
		code := s.closeCode()
		if s.out != nil && err == nil && !t.refused && !t.last { // finish has left these packets to us
			s.inFlight--
			s.noteDrain(t.batch.packets)
			s.srv.batches.put(t.batch)
			*t = s.take()
			s.mu.Unlock()
			return true
		}
		s.keepUnsent(s.waiting())
		s.out = nil
		s.mu.Unlock()
		s.settle(t)
		t.link.farewell(code) // on behalf of the goroutine that closed the session
		return false
	}
	s.inFlight--
	s.buffered -= t.size
	s.traffic.out.add(len(t.batch.packets), t.size)
	handed := t.batch.packets
	if err != nil || t.refused {
		unwritten := t.unwritten()
		handed = handed[:len(handed)-len(unwritten)]
		s.keepUnsent(unwritten)
		s.srv.countStalled(err)
	}
	if err == nil {
		s.noteDrain(handed)
	}
	s.srv.batches.put(t.batch)
	switch {
	case err != nil:
		s.finish(TransportError, err, true)
	case t.last:
		s.finish(ForcedClose, nil, true)
	case s.pending() && !s.holdsBack():
		if s.srv.cfg.Conflate != nil { // user code must not run under the write token
			blocking := s.blocking
			s.writing, s.blocking = false, false
			s.conflate()
			if s.writing || s.state == stateClosed || !s.pending() {
				s.mu.Unlock()
				return false
			}
			s.writing, s.blocking = true, blocking
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
