package core

import (
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/goengineio/engineio/parser"
)

// Packet is a packet of the protocol, as hooks see it. Its data must not be changed.
type Packet = parser.Packet

// hooks are a session's callbacks, each nil until the application sets it. They are read and written under
// the socket's mu. Those that few applications set are in observers, which are the server's empty ones
// until one is set.
type hooks struct {
	message func(Message)
	upgrade func(Transport)
	close   func(CloseReason, error)
	*observers
}

type observers struct {
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

func (s *Socket) setObserver(set func(*observers)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hooks.observers == &s.srv.noObservers {
		s.hooks.observers = new(observers)
	}
	set(s.hooks.observers)
}

// OnMessage sets the callback for messages, replacing an earlier one, or Config.OnMessage. The message's data
// belongs to the callback. While the callback runs nothing more is read from this client. It may block, see
// Config.OnConnection.
func (s *Socket) OnMessage(f func(Message)) { s.setHook(func(h *hooks) { h.message = f }) }

// OnUpgrade sets the callback that is called with the new transport after an upgrade.
func (s *Socket) OnUpgrade(f func(Transport)) { s.setHook(func(h *hooks) { h.upgrade = f }) }

// OnClose sets the callback for the end of the session. If it was set before the end, it is called exactly
// once, as the last callback, on a goroutine of its own. The error says more than the reason where there is
// more to say, and may be nil; Unsent and UnsentMessages tell what was never handed over.
//
// The call waits for callbacks and hooks that are running, and for a write that is under way. Such a write
// ends at once if the connection is cut, and within 5 s if the client has closed the session or broken a
// rule and may still read, or if CloseNow ends a session over TLS; an answer to a poll ends within
// Config.WriteTimeout + PingInterval + PingTimeout, unless the HTTP server has a limit of its own.
func (s *Socket) OnClose(f func(CloseReason, error)) { s.setHook(func(h *hooks) { h.close = f }) }

// OnPacket sets the callback for every packet from the client, messages included, before the packet is
// handled. The packet's data is valid only during the call.
func (s *Socket) OnPacket(f func(Packet)) { s.setObserver(func(o *observers) { o.packet = f }) }

// OnHeartbeat sets the callback for every ping (revision 3) or pong (revision 4) from the client.
func (s *Socket) OnHeartbeat(f func()) { s.setObserver(func(o *observers) { o.heartbeat = f }) }

// OnPacketCreate sets the hook for every packet put into the buffer. Like all hooks it may run concurrently
// with callbacks, see Socket.
func (s *Socket) OnPacketCreate(f func(Packet)) {
	s.setObserver(func(o *observers) { o.packetCreate = f })
}

// OnFlush sets the hook for packets that are handed to the transport. To change what is sent, use
// Config.Conflate. The hook may run concurrently with callbacks, see Socket.
func (s *Socket) OnFlush(f func([]Packet)) { s.setObserver(func(o *observers) { o.flush = f }) }

// OnDrain sets the hook that is called when a flush is done: the transport has taken the packets. The hook
// may run concurrently with callbacks, see Socket.
func (s *Socket) OnDrain(f func()) { s.setObserver(func(o *observers) { o.drain = f }) }

// OnUpgrading sets the hook that is called when a probe is answered. The hook may run concurrently with
// callbacks, see Socket.
func (s *Socket) OnUpgrading(f func(Transport)) {
	s.setObserver(func(o *observers) {
		if !s.begun && o.upgrading == nil && (s.probing || s.upgraded) {
			s.note(func() { f(WebSocket) }) // the client was faster than OnConnection
		}
		o.upgrading = f
	})
}

// OnError sets the hook for the error that ends the session, if an error does. OnClose is given the error
// as well. The hook may run concurrently with callbacks, see Socket.
func (s *Socket) OnError(f func(error)) { s.setObserver(func(o *observers) { o.error = f }) }

// mostNotes is how many hook calls may be queued before the session stops reading input that could add
// more.
const mostNotes = 1024

// note queues a hook call for announce to make. Called with mu locked.
func (s *Socket) note(call func()) {
	r := s.more()
	r.notes = append(r.notes, call)
	if !s.noting {
		s.noting = true
		go s.announce()
	}
}

// noteError queues a call of the error hook, which must be set. Called with mu locked.
func (s *Socket) noteError(err error) {
	f := s.hooks.error
	s.note(func() { f(err) })
}

// announce makes the queued hook calls until none is left.
func (s *Socket) announce() {
	for {
		s.mu.Lock()
		notes := s.rare.notes
		s.rare.notes = nil
		if len(notes) >= mostNotes {
			s.passTurn()
		}
		if len(notes) == 0 {
			s.noting = false
			s.endIfDue()
			return
		}
		s.mu.Unlock()
		for _, call := range notes {
			s.guarded(call)
		}
	}
}

// protect calls user code that is about a request, or has no session yet. A panic in it is logged and costs
// at most the request; ok is then false. As in net/http, a panic with http.ErrAbortHandler is not logged
// but passed on: it is meant to abort the request.
func (s *Server) protect(call func()) (ok bool) {
	defer func() {
		v := recover()
		if v == http.ErrAbortHandler { //nolint:errorlint,err113 // compared as net/http does
			panic(v)
		}
		if v != nil {
			s.logPanic(scopeServer, v)
		}
	}()
	call()
	return true
}

func (s *Server) logPanic(scope string, value any, args ...any) {
	args = append([]any{"scope", scope, "panic", fmt.Sprint(value), "stack", string(debug.Stack())}, args...)
	s.log.Error("panic in a callback", args...)
}

func (s *Socket) guarded(call func()) {
	defer s.guard()
	call()
}

// noteFlush queues the hook calls for packets that are about to be handed to the transport. Called with mu
// locked.
func (s *Socket) noteFlush(packets []outgoing) {
	if !s.flushObserved() || len(packets) == 0 {
		return
	}
	own, server := s.hooks.flush, s.srv.cfg.OnFlush
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

// flushObserved reports whether there is a hook for flushes. Called with mu locked.
func (s *Socket) flushObserved() bool { return s.hooks.flush != nil || s.srv.cfg.OnFlush != nil }

// noteDrain queues the hook calls for packets that were handed to the transport, among them the functions
// given to SendFunc. Called with mu locked.
func (s *Socket) noteDrain(packets []outgoing) {
	if s.rare != nil && s.rare.callbacks > 0 {
		for i := range packets {
			if sent := packets[i].sent; sent != nil {
				s.rare.callbacks--
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

// callHeaders lets the application add headers to an answer. initial is set for the answer to a handshake.
func (s *Server) callHeaders(h http.Header, r *http.Request, initial bool) {
	if f := s.cfg.OnInitialHeaders; f != nil && initial {
		s.protect(func() { f(h, r) })
	}
	if f := s.cfg.OnHeaders; f != nil {
		s.protect(func() { f(h, r) })
	}
}

// answerHeaders does the same for an answer that is sent with Respond.
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
