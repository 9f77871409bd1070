package core

import (
	"errors"
	"unicode/utf8"

	"github.com/goengineio/engineio/parser"
)

// duplex is a connection on which both sides can speak at any time.
type duplex struct {
	socket *Socket
	conn   WebSocketConn
	base64 bool // the client cannot take binary
	parted bool // nothing more is read, and it is closed soon; guarded by the server's mu
	// Guarded by the socket's mu:
	owed  bool // somebody is about to say farewell, who may have to wait for the network
	reads bool // the client has ended the session, or broken a rule, and may well read what it is sent
	left  bool // the reading goroutine has left, and whoever owes the farewell closes the connection
	// Used by the reading goroutine alone:
	ended   error // what ended a candidate
	adopted bool  // the connection is the session's transport
	held    bool  // output may be held back
}

// startDuplex makes the link the transport of a new session and sends the open packet.
func (s *Socket) startDuplex(link *duplex) {
	link.adopted = true
	s.mu.Lock()
	if s.state == stateClosed {
		code := s.closeCode()
		s.mu.Unlock()
		link.farewell(code)
		return
	}
	s.link = link
	early := s.out // the session can be found since it was registered
	s.out = nil
	s.queue(outgoing{Packet: s.openPacket(WebSocket)})
	if m := s.srv.cfg.InitialPacket; m != nil {
		s.queue(outgoing{Packet: messagePacket(*m), compress: !m.NoCompress})
	}
	if early != nil {
		s.out.packets = append(s.out.packets, early.packets...)
	}
	s.beginBeating() // behind the open packet, whatever the interval
	s.kick()
}

// append encodes what was taken into the connection's buffer.
func (d *duplex) append(codec parser.Codec, t *taken) error {
	t.end, t.refused = 0, false
	for i := range t.batch.packets {
		p := &t.batch.packets[i]
		if err := d.appendPacket(codec, p, &t.batch.frame); err != nil {
			return err
		}
		end := d.conn.Unflushed()
		if end == t.end { // after a close frame nothing else is taken; the session is about to end
			t.refused = true
			break
		}
		p.end, t.end = uint32(end), end
	}
	if t.pongDue {
		if err := d.conn.AppendPong(t.pong); err != nil {
			return err
		}
	}
	if t.last {
		if err := d.conn.AppendClose(t.code, ""); err != nil {
			return err
		}
	}
	if t.pongDue || t.last {
		t.end = d.conn.Unflushed()
	}
	return nil
}

func (d *duplex) appendPacket(codec parser.Codec, p *outgoing, scratch *[]byte) error {
	if p.prepared != nil && !d.base64 && (!p.compress || d.socket.srv.cfg.PerMessageDeflate == nil) {
		return d.conn.AppendFrame(p.prepared.frame(codec))
	}
	if p.Binary && !d.base64 && codec.Revision() == 4 {
		return d.conn.AppendMessage(p.Data, true, p.compress)
	}
	frame, binary := codec.AppendFrame((*scratch)[:0], p.Packet, d.base64)
	*scratch = frame
	return d.conn.AppendMessage(frame, binary, p.compress)
}

// farewell tells the client that the session is over. The caller holds the write token for good.
// The reading goroutine closes the connection when the client has answered, or after a while.
func (d *duplex) farewell(code int) {
	waiting := d.conn.Unflushed() > 0
	_ = d.conn.AppendClose(code, "")
	done, err := d.conn.Flush(false)
	switch {
	case done || err != nil || waiting: // waiting is what a client does not take, and was said not to get
		d.saidFarewell(done)
	default: // there may be no telling without waiting, as with TLS
		d.socket.mu.Lock()
		d.owed = true
		d.socket.mu.Unlock()
		go d.farewellInTime()
	}
}

// farewellInTime is the rest of a farewell that has to wait for the network: not for longer than the reading
// goroutine waits for the client, or has somebody else wait.
func (d *duplex) farewellInTime() {
	d.socket.srv.parting(d)
	_, err := d.conn.Flush(true)
	d.saidFarewell(err == nil)
}

// saidFarewell is called when nothing more will be written. It cuts the connection if the farewell failed.
func (d *duplex) saidFarewell(done bool) {
	s := d.socket
	s.mu.Lock()
	d.owed = false
	left := d.left
	s.mu.Unlock()
	switch {
	case left:
		s.srv.parted(d)
		_ = d.conn.Close()
		s.srv.leave()
	case !done:
		_ = d.conn.Close()
	default:
		s.srv.parting(d)
	}
}

// leave is the end of the reading goroutine of a connection that is, or was, a session's. The connection is
// closed now, unless the client still waits for a farewell, and somebody owes it.
func (d *duplex) leave(err error) {
	s := d.socket
	s.mu.Lock()
	d.left = d.owed && mayBeAnswered(err)
	if d.left {
		s.srv.remain(d)
	}
	left := d.left
	s.mu.Unlock()
	if !left {
		_ = d.conn.Close()
	}
}

// clientReads reports whether the session's end is the doing of a client that may be there still.
func clientReads(why CloseReason, err error) bool {
	return why == ParseError || why == TransportClose && err == nil || mayBeAnswered(err) ||
		errors.Is(err, ErrInvalidUTF8) || errors.Is(err, ErrHeartbeat)
}

// mayBeAnswered reports whether what ended a connection leaves it open for a close frame in answer.
func mayBeAnswered(err error) bool {
	_, ok := errors.AsType[*WebSocketError](err)
	return ok
}

// closeCode is the code of the close frame that fits the session's end; 0 means none. Called with mu
// locked.
func (s *Socket) closeCode() int {
	code := closeCodeFor(s.ending())
	if code == 0 && s.srv.isClosing() {
		return closeGoingAway
	}
	return code
}

// closeCodeFor is the code that answers what ended a connection; 0 means none.
func closeCodeFor(err error) int {
	ended, ok := errors.AsType[*WebSocketError](err)
	switch {
	case ok && ended.Code != closeNoStatus:
		return ended.Code
	case errors.Is(err, ErrInvalidUTF8):
		return closeInvalidData
	}
	return 0
}

// readLoop delivers what the client sends until the connection ends, and closes it. It is the one
// goroutine of an idle session, so it keeps its own frame and those below it small: that is what
// the stack has to hold while the session waits.
func (d *duplex) readLoop() {
	s := d.socket
	defer s.srv.leave()
	for {
		data, binary, err := d.conn.ReadMessage()
		if err != nil {
			s.srv.parted(d)
			s.readFailed(err)
			d.leave(err)
			return
		}
		if !d.receive(data, binary) {
			s.srv.linger(d)
			return
		}
	}
}

// receive acts upon one message. It returns false when the session has ended.
func (d *duplex) receive(data []byte, binary bool) bool {
	s := d.socket
	if s.srv.debugging() {
		s.debug(scopeWS, "message received", "bytes", len(data), "binary", binary)
	}
	p, err := s.decodeFrame(data, binary)
	if err != nil || !s.acquire(false) {
		return false
	}
	d.held = d.conn.Buffered()
	s.hold = holdNext
	if d.held {
		s.hold = holdBoth
	}
	s.handle(p)
	s.releaseHolding(d.held)
	return true
}

// releaseHolding returns the receive token; with more input at hand, output stays held back.
func (s *Socket) releaseHolding(more bool) {
	if !more {
		s.release()
		return
	}
	s.mu.Lock()
	s.receiving = false
	s.passTurn()
	s.endIfDue()
}

// decodeFrame closes the session when the frame is no packet.
func (s *Socket) decodeFrame(data []byte, binary bool) (parser.Packet, error) {
	if !binary && !utf8.Valid(data) {
		s.close(TransportError, ErrInvalidUTF8)
		return parser.Packet{}, ErrInvalidUTF8
	}
	p, err := s.codec().DecodeFrame(data, binary)
	if err != nil {
		s.close(ParseError, err)
	}
	return p, err
}

// readFailed ends the session for a connection that ended. A connection that is simply gone
// counts as closed by the client, as in the reference.
func (s *Socket) readFailed(err error) {
	if ws, ok := errors.AsType[*WebSocketError](err); ok && !ws.Peer {
		s.close(TransportError, err)
		return
	}
	s.close(TransportClose, err)
}

// OnPing answers a ping frame. Only the latest of several is answered (RFC 6455, 5.5.3).
func (d *duplex) OnPing(data []byte) {
	if !d.adopted { // nobody else writes yet
		err := d.conn.AppendPong(data)
		if err == nil {
			_, err = d.conn.Flush(true)
		}
		if err != nil {
			_ = d.conn.Close()
		}
		return
	}
	s := d.socket
	s.mu.Lock()
	if s.state != stateOpen {
		s.mu.Unlock()
		return
	}
	s.more().pong, s.pongDue = append([]byte(nil), data...), true
	s.kick()
}

// BeforeRead is called when the input at hand is used up: what was held back leaves now.
func (d *duplex) BeforeRead() {
	if !d.held {
		return
	}
	d.held = false
	d.socket.mu.Lock()
	d.socket.letGo()
}
