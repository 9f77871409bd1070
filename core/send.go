package core

import "github.com/goengineio/engineio/parser"

// Unsent returns how many messages were accepted by Send but never handed to the operating system: those
// that were handed over may have arrived, these have not. The number is final when OnClose is called, and 0
// until the session is closed. An answer to a poll counts as handed over when the HTTP server has taken it.
func (s *Socket) Unsent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateClosed || s.rare == nil {
		return 0
	}
	return s.rare.lost
}

// UnsentMessages returns the messages that Unsent counts, in the order of sending, for OnClose to store or
// to send elsewhere. After OnClose has returned they are forgotten, and UnsentMessages returns nil.
func (s *Socket) UnsentMessages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateClosed || s.rare == nil || len(s.rare.unsent) == 0 {
		return nil
	}
	messages := make([]Message, len(s.rare.unsent))
	for i := range messages {
		messages[i] = s.rare.unsent[i].message()
	}
	return messages
}

// Send queues a message and returns; it never waits for the client or for another session. The data must
// not be changed until it has been written; SendFunc tells when that is. Messages leave in the order of the
// Send calls. The error is ErrClosed once the session is closing, or ErrBufferFull, which by default also
// closes the session; see Config.BufferPolicy.
func (s *Socket) Send(m Message) error {
	return s.send(outgoing{Packet: messagePacket(m), compress: !m.NoCompress})
}

// SendFunc is Send with a function that is called when the message was handed to the transport: in the
// order of sending, and never for a message that is dropped. From then on the message's data may be
// changed. The function is a hook and may run concurrently with callbacks, see Socket.
func (s *Socket) SendFunc(m Message, sent func()) error {
	return s.send(outgoing{Packet: messagePacket(m), compress: !m.NoCompress, sent: sent})
}

// SendPrepared is Send for a message that is sent to many sessions.
func (s *Socket) SendPrepared(p *Prepared) error {
	return s.send(outgoing{Packet: messagePacket(p.message), compress: !p.message.NoCompress, prepared: p})
}

// SendVolatile is Send for a message that is worth nothing later, such as a position or a price. If the
// message cannot leave at once it is dropped, with ErrDropped: while anything else waits for a client that
// reads slowly, and between the polls of a polling session.
func (s *Socket) SendVolatile(m Message) error {
	s.mu.Lock()
	if s.hold == holdBoth && s.link != nil && !s.writing && s.out != nil {
		// What waits is held back by the server, not by a slow client.
		s.hold = holdNext
		s.flush(false)
		s.mu.Lock()
	}
	if s.state == stateOpen && !s.ready() {
		s.mu.Unlock()
		s.srv.counters.volatileDropped.Add(1)
		return ErrDropped
	}
	return s.sendLocked(outgoing{Packet: messagePacket(m), compress: !m.NoCompress})
}

// ready reports whether a message would leave at once. Called with mu locked.
func (s *Socket) ready() bool {
	if s.link == nil {
		return s.poll != nil && s.out == nil && !s.conflating
	}
	return !s.blocking && !s.conflating // a write that does not wait is over in a moment
}

func messagePacket(m Message) parser.Packet {
	return parser.Packet{Type: parser.Message, Binary: m.Binary, Data: m.Data}
}

func (p *outgoing) message() Message {
	return Message{Data: p.Data, Binary: p.Binary, NoCompress: !p.compress}
}

func (s *Socket) send(p outgoing) error {
	s.mu.Lock()
	return s.sendLocked(p)
}

// sendLocked is called with mu locked and unlocks it.
func (s *Socket) sendLocked(p outgoing) error {
	if s.state != stateOpen {
		s.mu.Unlock()
		return ErrClosed
	}
	if limit := s.srv.cfg.MaxBuffered; s.buffered+int64(len(p.Data)) > limit ||
		int64(len(s.waiting())) >= max(leastWaiting, limit/bytesPerWaiting) {
		return s.bufferFull()
	}
	s.queue(p)
	s.kick()
	return nil
}

// bufferFull is called with mu locked and unlocks it.
func (s *Socket) bufferFull() error {
	if s.srv.cfg.BufferPolicy == RefuseMessage {
		s.mu.Unlock()
		s.srv.counters.slowRefused.Add(1)
		return ErrBufferFull
	}
	s.finish(TransportError, ErrBufferFull, false)
	s.srv.warn(scopeSocket, "a client that reads too slowly was cut off", "sid", s.ID(), "remote", s.RemoteAddr())
	return ErrBufferFull
}

// keepUnsent records messages that were not handed over, after those already recorded. Called with mu
// locked.
func (s *Socket) keepUnsent(packets []outgoing) {
	for i := range packets {
		if packets[i].Type == parser.Message {
			r := s.more()
			r.unsent = append(r.unsent, packets[i])
			r.lost++
		}
	}
}

// keepUnsentBefore does the same for packets that were taken earlier: it puts them before those already
// recorded. Called with mu locked.
func (s *Socket) keepUnsentBefore(packets []outgoing) {
	if s.rare == nil {
		s.keepUnsent(packets)
		return
	}
	later := s.rare.unsent
	s.rare.unsent = nil
	s.keepUnsent(packets)
	s.rare.unsent = append(s.rare.unsent, later...)
}

func (s *Socket) forgetUnsent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rare != nil {
		s.rare.unsent = nil
	}
}
