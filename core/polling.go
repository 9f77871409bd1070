package core

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/goengineio/engineio/parser"
)

// servePoll answers a GET: at once if something waits to be sent, otherwise as soon as something does.
func (s *Socket) servePoll(x Exchange) {
	w := new(Waiter)
	s.mu.Lock()
	switch {
	case s.state == stateClosed || s.leaving:
		s.mu.Unlock()
		s.srv.respondRefusal(x, &RequestError{Code: UnknownSID})
		return
	case s.timedOut():
		s.finish(PingTimeout, nil, false)
		s.srv.respondRefusal(x, &RequestError{Code: UnknownSID})
		return
	case s.link != nil: // upgraded since the request was verified
		s.mu.Unlock()
		s.srv.respondRefusal(x, &RequestError{Code: BadRequest, Context: "TRANSPORT_MISMATCH"})
		return
	case s.poll != nil:
		s.finish(TransportError, ErrOverlap, false)
		s.srv.respondRefusal(x, &RequestError{Code: BadRequest})
		return
	}
	s.poll = w
	if s.letUpgradeArrive(); s.link != nil && s.state != stateClosed {
		s.poll, s.nudged = nil, false
		s.mu.Unlock()
		s.srv.respondRefusal(x, &RequestError{Code: BadRequest, Context: "TRANSPORT_MISMATCH"})
		return
	}
	// The poll is registered by now, and output that is not seen here wakes it, so no wake-up is lost.
	for {
		switch {
		case s.out != nil || s.state != stateOpen:
		case s.freePoll():
			s.nudged = true
		default:
			if s.probing {
				w.brief = true
			}
			s.mu.Unlock()
			result := x.Wait(w)
			s.mu.Lock()
			if result == Gone && s.state != stateClosed {
				s.poll = nil
				if s.link != nil { // the client no longer needs the poll, see adopt
					s.nudged = false
					s.mu.Unlock()
					return
				}
				s.finish(TransportError, ErrDisconnected, false)
				return
			}
			if result == Gone && w.owed {
				s.owedToNobody()
				return
			}
			s.nudged = s.nudged || result == Expired
		}
		s.conflate()
		if s.out != nil || s.nudged || s.state != stateOpen {
			break
		}
		w = new(Waiter) // the messages it was woken for were conflated away
		s.poll = w
	}
	s.poll, s.nudged = nil, false
	s.bring(x, w.owed)
}

// bring answers a poll with what waits. owed tells whether leaveToPoll has already accounted for that. It
// is called with mu locked and unlocks it. It is not inlined, so that waiting polls do not hold its stack
// frame.
//
//go:noinline
func (s *Socket) bring(x Exchange, owed bool) {
	b, last := s.takeForPoll()
	size := sizeOf(b.packets)
	if s.state != stateClosed {
		s.noteFlush(b.packets)
	}
	if !owed {
		s.inFlight++
	}
	s.answering++
	s.mu.Unlock()

	if s.srv.debugging() {
		s.debug(scopePolling, "poll answered", "packets", len(b.packets))
	}
	err := ErrPanic // unless answerPoll returns
	defer func() {
		s.polled(b.packets, size, last, err)
		s.srv.batches.put(b)
	}()
	err = s.answerPoll(x, b, false)
}

// owedToNobody accounts for what a poll was to deliver if its client has left. It is called with mu locked
// and unlocks it.
func (s *Socket) owedToNobody() {
	s.poll = nil
	s.keepUnsentBefore(s.waiting())
	s.out = nil
	s.inFlight--
	s.endIfDue()
}

// leaveToPoll leaves what was sent before the session ended to a waiting poll: the poll was there to be
// answered when Send was called, and a WebSocket would have written the message. It returns false if no
// poll waits, there is nothing to deliver, or there is a Conflate. A poll that pauses in letUpgradeArrive
// does not count, as OnClose does not wait for it. Called with mu locked.
func (s *Socket) leaveToPoll() bool {
	if s.poll == nil || s.poll.pausing || s.link != nil || s.out == nil || s.srv.cfg.Conflate != nil {
		return false
	}
	s.poll.owed = true
	s.inFlight++
	s.traffic.out.add(len(s.out.packets), sizeOf(s.out.packets))
	s.noteFlush(s.out.packets)
	return true
}

// takeForPoll returns the packets to answer a poll with: those that wait or, if the session is closing and
// none does, the close packet, as in the reference. (If the server is closing, both leave together: the
// next poll may reach another server.) last tells whether the session ends with this answer. If a WebSocket
// has become the transport meanwhile, everything is left to it, and the answer is a noop. Called with mu
// locked.
func (s *Socket) takeForPoll() (b *batch, last bool) {
	if s.link != nil {
		b = s.srv.batches.get()
		b.packets = append(b.packets, outgoing{Packet: parser.Packet{Type: parser.Noop}})
		return b, false
	}
	b = s.takeOut()
	last = s.state == stateClosing && (len(b.packets) == 0 || s.srv.isClosing())
	switch {
	case last, s.state == stateClosed && s.reason != reasonOf(TransportClose): // no other poll will be answered
		s.leaving = true
		b.packets = append(b.packets, outgoing{Packet: parser.Packet{Type: parser.Close}})
	case len(b.packets) == 0: // released for an upgrade, or by a client that closes
		b.packets = append(b.packets, outgoing{Packet: parser.Packet{Type: parser.Noop}})
	}
	return b, last
}

// letUpgradeArrive makes a poll that arrives early in an upgrade pause, see upgradePause. It is called, and
// returns, with mu locked.
func (s *Socket) letUpgradeArrive() {
	if s.probe == nil || s.probing && s.free == 0 {
		return
	}
	w := s.poll
	w.pausing = true
	s.mu.Unlock()
	time.Sleep(upgradePause)
	s.mu.Lock()
	w.pausing = false
}

// freePoll reports whether a poll is to be answered at once so that an upgrade can go on.
// Called with mu locked.
func (s *Socket) freePoll() bool {
	if !s.probing || s.free == 0 {
		return false
	}
	s.free--
	return true
}

// polled accounts for an answered poll.
func (s *Socket) polled(packets []outgoing, size int64, last bool, err error) {
	s.mu.Lock()
	s.inFlight--
	s.answering--
	if s.state == stateClosed {
		if err != nil {
			s.keepUnsentBefore(packets)
		} else if !s.closePassed {
			s.noteDrain(packets)
		}
		s.endIfDue()
		return
	}
	s.buffered -= size
	s.traffic.out.add(len(packets), size)
	if s.link != nil && len(packets) == 1 && packets[0].Type == parser.Noop {
		err = nil // nobody misses a noop
	}
	if err == nil {
		s.noteDrain(packets)
	} else {
		s.keepUnsent(packets)
		s.srv.countStalled(err)
	}
	switch {
	case err != nil:
		s.finish(TransportError, err, false)
	case last:
		s.finish(ForcedClose, nil, false)
	case s.link != nil && !s.writing && s.pending(): // upgraded meanwhile
		s.flush(false)
	default:
		s.mu.Unlock()
	}
}

// packetOverhead is what a packet in a payload usually takes in addition to its data, base64 not counted.
const packetOverhead = 8

// answerPoll answers a poll with the packets of b.
func (s *Socket) answerPoll(x Exchange, b *batch, initial bool) error {
	compress, size := false, 0
	for i := range b.packets {
		b.plain = append(b.plain, b.packets[i].Packet)
		compress = compress || b.packets[i].compress
		size += len(b.packets[i].Data) + packetOverhead
	}
	body, binary := s.codec().AppendPayload(make([]byte, 0, size), b.plain, s.base64)
	switch {
	case s.jsonp:
		body = appendJSONP(make([]byte, 0, len(body)+32), s.rare.index, body)
		x.SetHeader("Content-Type", "text/javascript; charset=UTF-8")
		x.SetHeader("X-Content-Type-Options", "nosniff")
	case binary:
		x.SetHeader("Content-Type", "application/octet-stream")
	default:
		x.SetHeader("Content-Type", "text/plain; charset=UTF-8")
	}
	setPollingHeaders(x)
	if compress && !s.srv.cfg.DisableHTTPCompression {
		body = s.srv.compressBody(x, body)
	}
	s.srv.answerHeaders(x, initial)
	return x.Respond(http.StatusOK, body)
}

// setPollingHeaders sets the headers of every successful polling answer.
func setPollingHeaders(x Exchange) {
	x.SetHeader("Cache-Control", "no-store")
	if ua := x.Header("User-Agent"); strings.Contains(ua, ";MSIE") || strings.Contains(ua, "Trident/") {
		x.SetHeader("X-XSS-Protection", "0")
	}
}

// servePost serves a POST, whose packets are delivered before it is answered.
func (s *Socket) servePost(x Exchange) {
	s.mu.Lock()
	switch {
	case s.state == stateClosed:
		s.mu.Unlock()
		s.srv.respondRefusal(x, &RequestError{Code: UnknownSID})
		return
	case s.timedOut():
		s.finish(PingTimeout, nil, false)
		s.srv.respondRefusal(x, &RequestError{Code: UnknownSID})
		return
	case s.link != nil:
		s.mu.Unlock()
		s.srv.respondRefusal(x, &RequestError{Code: BadRequest, Context: "TRANSPORT_MISMATCH"})
		return
	case s.posting:
		s.finish(TransportError, ErrOverlap, false)
		s.srv.respondRefusal(x, &RequestError{Code: BadRequest})
		return
	}
	s.posting = true
	s.mu.Unlock()

	err := s.post(x)

	s.mu.Lock()
	s.posting = false
	s.passTurn()
	s.mu.Unlock()
	switch {
	case errors.Is(err, ErrTooLarge):
		s.srv.counters.refused[BadRequest].Add(1)
		x.SetHeader("Content-Type", "text/plain; charset=UTF-8")
		_ = x.Respond(http.StatusRequestEntityTooLarge, nil)
	case err != nil:
		s.srv.respondRefusal(x, &RequestError{Code: BadRequest})
	default:
		// text/html keeps old browsers from offering the answer as a download.
		x.SetHeader("Content-Type", "text/html")
		setPollingHeaders(x)
		s.srv.answerHeaders(x, false)
		_ = x.Respond(http.StatusOK, []byte("ok"))
	}
}

// post reads and delivers a body. Unless the body is too large, an error has closed the session.
func (s *Socket) post(x Exchange) error {
	mediaType, _, _ := strings.Cut(x.Header("Content-Type"), ";")
	binary := strings.EqualFold(strings.TrimSpace(mediaType), "application/octet-stream")
	if binary && s.revision == 4 {
		s.close(TransportError, ErrContentType)
		return ErrContentType
	}
	body, err := x.Body(s.srv.cfg.MaxPayload, s.srv.inputDeadline())
	if err != nil {
		if !errors.Is(err, ErrTooLarge) {
			s.close(TransportError, errors.Join(ErrDisconnected, err))
		}
		return err
	}
	if s.jsonp {
		if body = jsonpData(body); body == nil {
			return nil // no payload at all, which the reference accepts
		}
	}
	if !binary {
		body = parser.ToValidUTF8(body) // what invalid text is passed on to closes its connection over it
	}
	if s.srv.debugging() {
		s.debug(scopePolling, "data received", "bytes", len(body))
	}
	return s.deliverPayload(body, binary)
}

func (s *Socket) deliverPayload(payload []byte, binary bool) error {
	if !s.acquire(true) {
		return ErrClosed
	}
	s.mu.Unlock()
	defer s.release()
	for p, err := range s.codec().Packets(payload, binary) {
		if err != nil {
			s.close(ParseError, err)
			return err
		}
		s.mu.Lock()
		if p.Type == parser.Close {
			s.letPollArrive()
		}
		s.handle(p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateClosed && s.reason == reasonOf(TransportError) {
		return s.ending()
	}
	return nil
}

// letPollArrive waits a moment if no poll is waiting: the client may have sent one before its close packet,
// on another connection. It is called, and returns, with mu locked.
func (s *Socket) letPollArrive() {
	if s.poll != nil || s.state != stateOpen {
		return
	}
	s.mu.Unlock()
	time.Sleep(closePause)
	s.mu.Lock()
}
