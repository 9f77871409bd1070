package core

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goengineio/engineio/parser"
)

// pollingAnswer is the form that answers to polls have; the handshake's query decides about it.
type pollingAnswer struct {
	base64 bool   // the client cannot take binary (revision 3)
	jsonp  bool   // wrapped into a call of a JavaScript function
	index  string // of that function, digits only
}

// servePoll answers a GET: at once when something waits, else when something comes.
func (s *Socket) servePoll(x Exchange) {
	w := newWaiter()
	s.mu.Lock()
	switch {
	case s.state == stateClosed || s.leaving:
		s.mu.Unlock()
		respondError(x, &RequestError{Code: UnknownSID})
		return
	case s.beat.expired():
		s.finish(PingTimeout, nil, false)
		respondError(x, &RequestError{Code: UnknownSID})
		return
	case s.link != nil: // upgraded since the request was verified
		s.mu.Unlock()
		respondError(x, &RequestError{Code: BadRequest, Context: "TRANSPORT_MISMATCH"})
		return
	case s.poll != nil:
		s.finish(TransportError, ErrOverlap, false)
		respondError(x, &RequestError{Code: BadRequest})
		return
	}
	// "Is there anything?" and "I wait" are one lock section, so that no wake-up is lost.
	for {
		s.poll = w
		switch {
		case len(s.out) > 0 || s.state != stateOpen:
		case s.freePoll():
			s.nudged = true
		default:
			if s.probing {
				w.Expires = heldPoll
			}
			s.mu.Unlock()
			result := x.Wait(w)
			s.mu.Lock()
			if result == Gone && s.state != stateClosed {
				s.poll = nil
				s.finish(TransportError, ErrDisconnected, false)
				return
			}
			s.nudged = s.nudged || result == Expired
		}
		s.conflate()
		if len(s.out) > 0 || s.nudged || s.state != stateOpen {
			break
		}
		w = newWaiter() // the messages it was woken for were conflated away
	}
	s.poll, s.nudged = nil, false

	packets, size := s.out, s.buffered
	if s.state != stateClosed {
		s.out, s.spare = s.spare[:0], nil
	}
	last := s.state == stateClosing
	switch {
	case last, s.state == stateClosed && s.reason != TransportClose:
		s.leaving = true
		packets = append(packets, outgoing{Packet: parser.Packet{Type: parser.Close}})
	case len(packets) == 0: // released for an upgrade, or by a client that closes
		packets = append(packets, outgoing{Packet: parser.Packet{Type: parser.Noop}})
	}
	s.noteFlush(packets)
	s.mu.Unlock()

	if s.srv.debugging() {
		s.debug(scopePolling, "poll answered", "packets", len(packets))
	}
	err := s.answerPoll(x, packets, false)
	s.polled(packets, size, last, err)
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
	if s.state == stateClosed {
		s.mu.Unlock()
		return
	}
	s.buffered -= size
	if err == nil {
		s.noteDrain(packets)
	}
	clear(packets)
	if s.spare == nil && cap(packets) <= 64 {
		s.spare = packets[:0]
	}
	switch {
	case err != nil:
		s.finish(TransportError, err, false)
	case last:
		s.finish(ForcedClose, nil, false)
	default:
		s.mu.Unlock()
	}
}

// answerPoll encodes packets as the body of a poll's answer.
func (s *Socket) answerPoll(x Exchange, packets []outgoing, initial bool) error {
	var list [8]parser.Packet
	plain, compress := list[:0], false
	for _, p := range packets {
		plain = append(plain, p.Packet)
		compress = compress || p.compress
	}
	body, binary := s.codec.AppendPayload(nil, plain, s.polling.base64)
	switch {
	case s.polling.jsonp:
		body = appendJSONP(make([]byte, 0, len(body)+32), s.polling.index, body)
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

// setPollingHeaders sets what goes with every successful polling answer.
func setPollingHeaders(x Exchange) {
	x.SetHeader("Cache-Control", "no-store")
	if ua := x.Header("User-Agent"); strings.Contains(ua, ";MSIE") || strings.Contains(ua, "Trident/") {
		x.SetHeader("X-XSS-Protection", "0")
	}
}

// servePost takes a POST: its packets are delivered before it is answered.
func (s *Socket) servePost(x Exchange) {
	s.mu.Lock()
	switch {
	case s.state == stateClosed:
		s.mu.Unlock()
		respondError(x, &RequestError{Code: UnknownSID})
		return
	case s.link != nil:
		s.mu.Unlock()
		respondError(x, &RequestError{Code: BadRequest, Context: "TRANSPORT_MISMATCH"})
		return
	case s.posting:
		s.finish(TransportError, ErrOverlap, false)
		respondError(x, &RequestError{Code: BadRequest})
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
		x.SetHeader("Content-Type", "text/plain; charset=UTF-8")
		_ = x.Respond(http.StatusRequestEntityTooLarge, nil)
	case err != nil:
		respondError(x, &RequestError{Code: BadRequest})
	default:
		// text/html keeps old browsers from offering the answer as a download.
		x.SetHeader("Content-Type", "text/html")
		setPollingHeaders(x)
		s.srv.answerHeaders(x, false)
		_ = x.Respond(http.StatusOK, []byte("ok"))
	}
}

// post reads and delivers a body. Except for one that is too large, an error has closed the session.
func (s *Socket) post(x Exchange) error {
	mediaType, _, _ := mime.ParseMediaType(x.Header("Content-Type"))
	binary := mediaType == "application/octet-stream"
	if binary && s.codec.Revision() == 4 {
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
	if s.polling.jsonp {
		if body = jsonpData(body); body == nil {
			return nil // no payload at all; the reference takes no offence
		}
	}
	if !binary {
		body = validUTF8(body)
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
	for p, err := range s.codec.Packets(payload, binary) {
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
	if s.state == stateClosed && s.reason == TransportError {
		return s.err
	}
	return nil
}

// letPollArrive waits a moment when no poll does: the client may have sent one before its close
// packet, on another connection. Called, and returns, with mu locked.
func (s *Socket) letPollArrive() {
	if s.poll != nil || s.state != stateOpen {
		return
	}
	s.mu.Unlock()
	time.Sleep(closePause)
	s.mu.Lock()
}

// validUTF8 replaces what is no UTF-8 by U+FFFD, as JavaScript's decoders do: invalid text must
// not travel on to clients that would close their connection over it.
func validUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return []byte(string(bytes.Runes(b)))
}
