package core

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
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
	case s.poll != nil || s.answering >= mostAnswers:
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
		case s.deliverable():
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
		if s.answering == 0 {
			s.conflate()
		}
		if s.nudged || s.deliverable() {
			break
		}
		w = new(Waiter) // what it was woken for was conflated away, or comes after an answer that is not sent yet
		s.poll = w
	}
	s.poll, s.nudged = nil, false
	s.bring(x, w.owed)
}

// mostAnswers is how many polls of a session may be being answered at once. There are only ever a few: beside the
// first, noops for an upgrade.
const mostAnswers = 100

// deliverable reports whether a poll has something to bring. While the answer before it is being sent it has
// not: a client that polls on without reading would get around MaxBuffered otherwise. Called with mu locked.
func (s *Socket) deliverable() bool {
	return s.state == stateClosed || s.answering == 0 && (s.out != nil || s.state != stateOpen)
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
	if payloadSize(b.packets) >= largeAnswer && x.WhenSent(func(err error) { s.sent(b, size, last, err) }) {
		_ = s.answerPoll(x, b, false) // WhenSent reports the error
		return
	}
	err := ErrPanic // unless answerPoll returns
	defer func() { s.sent(b, size, last, err) }()
	err = s.answerPoll(x, b, false)
}

// sent ends what bring began, when the answer has left or never will.
func (s *Socket) sent(b *batch, size int64, last bool, err error) {
	s.polled(b.packets, size, last, err)
	s.srv.batches.put(b)
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
	if s.poll == nil || s.poll.pausing || s.answering > 0 || s.link != nil || s.out == nil || s.srv.cfg.Conflate != nil {
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
// has become the transport meanwhile, everything is left to it, and the answer is a noop; so it is if this poll
// was released while the answer to an earlier one is still being sent. Called with mu locked.
func (s *Socket) takeForPoll() (b *batch, last bool) {
	if s.link != nil || s.answering > 0 && s.state != stateClosed {
		b = s.srv.batches.get()
		b.packets = append(b.packets, outgoing{Packet: parser.Packet{Type: parser.Noop}})
		return b, false
	}
	b = s.takeOut()
	if s.jsonp && s.state != stateClosed {
		s.split(b)
	}
	last = s.state == stateClosing && s.out == nil && (len(b.packets) == 0 || s.srv.isClosing())
	switch {
	case last, s.state == stateClosed && s.reason != reasonOf(TransportClose): // no other poll will be answered
		s.leaving = true
		b.packets = append(b.packets, outgoing{Packet: parser.Packet{Type: parser.Close}})
	case len(b.packets) == 0: // released for an upgrade, or by a client that closes
		b.packets = append(b.packets, outgoing{Packet: parser.Packet{Type: parser.Noop}})
	}
	return b, last
}

// split leaves what does not fit into one answer of JSONP, in which a byte may take six, to the next poll. Called
// with mu locked.
func (s *Socket) split(b *batch) {
	size := int64(0)
	for i := range b.packets {
		if size += int64(len(b.packets[i].Data)); size > s.srv.cfg.MaxPayload && i > 0 {
			s.out = &batch{packets: slices.Clone(b.packets[i:])}
			clear(b.packets[i:])
			b.packets = b.packets[:i]
			return
		}
	}
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
		poll := s.poll
		if !s.deliverable() {
			poll = nil
		}
		s.mu.Unlock()
		if poll != nil { // it has waited for this answer to leave
			poll.Wake()
		}
	}
}

const (
	// packetOverhead is what a packet in a payload usually takes in addition to its data, base64 not counted.
	packetOverhead = 8
	// largeAnswer is the size from which on an answer may take long to leave.
	largeAnswer = 4 << 10
)

// payloadSize estimates the size of a payload.
func payloadSize(packets []outgoing) int64 {
	return sizeOf(packets) + packetOverhead*int64(len(packets))
}

// answerPoll answers a poll with the packets of b.
func (s *Socket) answerPoll(x Exchange, b *batch, initial bool) error {
	compress := false
	for i := range b.packets {
		b.plain = append(b.plain, b.packets[i].Packet)
		compress = compress || b.packets[i].compress
	}
	body, binary := s.codec().AppendPayload(make([]byte, 0, payloadSize(b.packets)), b.plain, s.base64)
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
		// Clients that invalid text is passed on to would close their connections.
		if body = parser.ToValidUTF8(body); int64(len(body)) > s.srv.cfg.MaxPayload {
			return ErrTooLarge
		}
	}
	if s.srv.debugging() {
		s.debug(scopePolling, "data received", "bytes", len(body))
	}
	return s.deliverPayload(body, binary)
}

// mostKept is how many times its own size of a payload a message may keep in memory.
const mostKept = 8

func (s *Socket) deliverPayload(payload []byte, binary bool) error {
	if !s.acquire(true) {
		return ErrClosed
	}
	s.mu.Unlock()
	defer s.release()
	codec := s.codec()
	for rest, more := payload, true; more; more = rest != nil {
		var p parser.Packet
		var err error
		p, rest, err = codec.Next(rest, binary)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			s.close(ParseError, err)
			return err
		}
		if copied := p.Binary && !binary; !copied && len(p.Data) < cap(payload)/mostKept {
			p.Data = bytes.Clone(p.Data) // or the application would keep the whole payload with it
		}
		s.mu.Lock()
		s.letHooksCatchUp()
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
