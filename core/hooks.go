package core

import (
	"net/http"

	"github.com/goengineio/engineio/parser"
)

// Packet is a packet of the protocol, as hooks see it. Its data must not be changed.
type Packet = parser.Packet

// hooks are a session's callbacks. All are nil until the application sets one. They are read and
// written under the socket's mu.
type hooks struct {
	message      func(Message)
	upgrade      func(Transport)
	close        func(CloseReason, error)
	packet       func(Packet)
	heartbeat    func()
	packetCreate func(Packet)
	flush        func([]Packet)
	drain        func()
	upgrading    func(Transport)
	error        func(error)
}

func (s *Socket) setHook(set func(*hooks)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set(&s.hooks)
}

// OnMessage sets the callback for messages, replacing an earlier one. The message's data belongs
// to the callback. While it runs nothing more is read from this client.
func (s *Socket) OnMessage(f func(Message)) { s.setHook(func(h *hooks) { h.message = f }) }

// OnUpgrade sets the callback that is told of the new transport after an upgrade.
func (s *Socket) OnUpgrade(f func(Transport)) { s.setHook(func(h *hooks) { h.upgrade = f }) }

// OnClose sets the callback for the session's end. It is called exactly once, as the last callback,
// on a goroutine of its own, if it was set before the end. The error says more than the reason
// where there is more to say, and may be nil.
func (s *Socket) OnClose(f func(CloseReason, error)) { s.setHook(func(h *hooks) { h.close = f }) }

// OnPacket sets the callback for every packet of the client, messages included, before it is acted
// upon. The data is valid during the call only.
func (s *Socket) OnPacket(f func(Packet)) { s.setHook(func(h *hooks) { h.packet = f }) }

// OnHeartbeat sets the callback for every ping (revision 3) or pong (revision 4) of the client.
func (s *Socket) OnHeartbeat(f func()) { s.setHook(func(h *hooks) { h.heartbeat = f }) }

// The following hooks observe what the session does by itself. They run on a goroutine of their
// own, in the order of events and one at a time, but possibly while one of the callbacks above
// runs, and never after OnClose. The session does not wait for them.

// OnPacketCreate sets the hook for every packet put into the buffer.
func (s *Socket) OnPacketCreate(f func(Packet)) { s.setHook(func(h *hooks) { h.packetCreate = f }) }

// OnFlush sets the hook for packets that are handed to the transport. To change what is sent, use
// Config.Conflate.
func (s *Socket) OnFlush(f func([]Packet)) { s.setHook(func(h *hooks) { h.flush = f }) }

// OnDrain sets the hook for flushes that are done: the transport has taken the packets.
func (s *Socket) OnDrain(f func()) { s.setHook(func(h *hooks) { h.drain = f }) }

// OnUpgrading sets the hook for a probe that was answered.
func (s *Socket) OnUpgrading(f func(Transport)) { s.setHook(func(h *hooks) { h.upgrading = f }) }

// OnError sets the hook for the error that ends the session, if an error does. OnClose is given it
// as well.
func (s *Socket) OnError(f func(error)) { s.setHook(func(h *hooks) { h.error = f }) }

// note queues a call of a hook. Called with mu locked; announce brings the queue on its way.
func (s *Socket) note(call func()) {
	s.notes = append(s.notes, call)
	if !s.noting {
		s.noting = true
		go s.announce()
	}
}

// announce calls queued hooks until none is left.
func (s *Socket) announce() {
	for {
		s.mu.Lock()
		notes := s.notes
		s.notes = nil
		if len(notes) == 0 {
			s.noting = false
			due := s.closeDue()
			s.mu.Unlock()
			if due {
				s.deliverClose()
			}
			return
		}
		s.mu.Unlock()
		for _, call := range notes {
			s.guarded(call)
		}
	}
}

func (s *Socket) guarded(call func()) {
	defer s.guard()
	call()
}

// noteFlush announces packets that are about to be handed to the transport. Called with mu locked.
func (s *Socket) noteFlush(packets []outgoing) {
	own, server := s.hooks.flush, s.srv.cfg.OnFlush
	if own == nil && server == nil || len(packets) == 0 {
		return
	}
	list := make([]Packet, len(packets))
	for i := range packets {
		list[i] = packets[i].Packet
	}
	s.note(func() {
		if own != nil {
			own(list)
		}
		if server != nil {
			server(s, list)
		}
	})
}

// noteDrain announces that packets were handed to the transport, and calls back those who asked
// for it. Called with mu locked.
func (s *Socket) noteDrain(packets []outgoing) {
	if s.callbacks > 0 {
		for i := range packets {
			if sent := packets[i].sent; sent != nil {
				s.callbacks--
				s.note(sent)
			}
		}
	}
	if own := s.hooks.drain; own != nil && len(packets) > 0 {
		s.note(own)
	}
	if server := s.srv.cfg.OnDrain; server != nil && len(packets) > 0 {
		s.note(func() { server(s) })
	}
}

// callHeaders lets the application add headers to an answer. initial says that it is a handshake's.
func (s *Server) callHeaders(h http.Header, r *http.Request, initial bool) {
	if f := s.cfg.OnInitialHeaders; f != nil && initial {
		f(h, r)
	}
	if f := s.cfg.OnHeaders; f != nil {
		f(h, r)
	}
}

// answerHeaders does the same for an answer that is given by Respond.
func (s *Server) answerHeaders(x Exchange, initial bool) {
	if s.cfg.OnHeaders == nil && (s.cfg.OnInitialHeaders == nil || !initial) {
		return
	}
	h := x.ResponseHeaders()
	s.callHeaders(h, x.Request(), initial)
	for name, values := range h {
		for i, value := range values {
			if i == 0 {
				x.SetHeader(name, value)
			} else {
				x.AddHeader(name, value)
			}
		}
	}
}
