package core

import "github.com/goengineio/engineio/parser"

// conflate lets the application replace the messages that wait to be sent. It is called with mu locked and
// without the write token, unlocks mu while user code runs, and returns with mu locked. While user code
// runs, only control packets are taken.
func (s *Socket) conflate() {
	f := s.srv.cfg.Conflate
	if f == nil || s.conflating {
		return
	}
	var messages []Message
	var control, earlier, shown []outgoing
	var sent []func()
	var size int64
	for _, p := range s.waiting() {
		if p.Type != parser.Message {
			control = append(control, p)
			continue
		}
		if p.conflated {
			earlier = append(earlier, p)
			continue
		}
		messages, shown = append(messages, p.message()), append(shown, p)
		size += int64(len(p.Data))
		if p.sent != nil {
			sent = append(sent, p.sent)
		}
	}
	if len(messages) == 0 {
		return
	}
	s.setWaiting(control)
	s.conflating = true
	s.mu.Unlock()
	result := s.callConflate(f, messages)
	s.mu.Lock()
	s.conflating = false
	if s.state == stateClosed {
		s.keepUnsentBefore(append(earlier, shown...))
		if s.closeDue() {
			go s.announceEnd() // not before mu is unlocked
		}
		return
	}
	s.srv.conflated.Add(int64(max(0, len(messages)-len(result))))
	s.buffered -= size
	out := append(s.takeControl(nil), earlier...)
	for _, m := range result {
		out = append(out, outgoing{Packet: messagePacket(m), compress: !m.NoCompress, conflated: true})
		s.buffered += int64(len(m.Data))
	}
	if len(sent) > 0 {
		s.rare.callbacks -= len(sent)
	}
	switch n := len(earlier) + len(result); {
	case len(sent) == 0:
	case n == 0:
		for _, call := range sent {
			s.note(call)
		}
	default: // to be called when the last of the remaining messages was sent
		last := &out[len(out)-1]
		s.rare.callbacks++
		if last.sent != nil {
			s.rare.callbacks--
			sent = append([]func(){last.sent}, sent...)
		}
		last.sent = func() {
			for _, call := range sent {
				call()
			}
		}
	}
	s.setWaiting(append(out, s.waiting()...)) // what was sent meanwhile comes last
}

// callConflate returns nil if the function panics. No message is lost by that: the session has ended then,
// and conflate keeps them as unsent.
func (s *Socket) callConflate(f func(*Socket, []Message) []Message, messages []Message) (result []Message) {
	defer s.guard()
	return f(s, messages)
}

// takeControl moves the packets that do not wait for conflation, all but messages, to the end of control.
// Called with mu locked.
func (s *Socket) takeControl(control []outgoing) []outgoing {
	waiting := s.waiting()
	rest := waiting[:0]
	for _, p := range waiting {
		if p.Type == parser.Message {
			rest = append(rest, p)
		} else {
			control = append(control, p)
		}
	}
	clear(waiting[len(rest):])
	s.setWaiting(rest)
	return control
}
