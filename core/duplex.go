package core

import (
	"errors"
	"unicode/utf8"

	"github.com/goengineio/engineio/parser"
)

// duplex is a connection on which both sides can send at any time.
type duplex struct {
	socket *Socket
	conn   WebSocketConn
	base64 bool // the client cannot take binary
	secure bool // the connection uses TLS
	parted bool // nothing more is read, and the connection is closed soon; guarded by the server's mu
	// Guarded by the socket's mu:
	owed  bool // a goroutine is about to say farewell, and may have to wait for the network
	reads bool // the session has ended, and the client may still read what it is sent
	left  bool // the reading goroutine has left; the goroutine that owes the farewell closes the connection
	// Used by the reading goroutine alone:
	adopted bool // the connection is the session's transport
	held    bool // output may be held back
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
	s.queueFirst()
	s.beginBeating() // after the open packet, however short the interval
	s.kick()
}

// queueFirst puts the first packets of a session before those that others have sent since it was registered.
// It is not inlined, so that its stack frame is gone when the packets are written, see takeover.serve. Called
// with mu locked.
//
//go:noinline
func (s *Socket) queueFirst() {
	early := s.out
	s.out = nil
	s.queue(openPacket(appendOpening(nil, s.ID(), s.srv.opening.duplex)))
	if m := s.srv.cfg.InitialPacket; m != nil {
		s.queue(outgoing{Packet: messagePacket(*m), compress: !m.NoCompress})
	}
	if early != nil {
		s.out.packets = append(s.out.packets, early.packets...)
	}
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
		if end == t.end { // nothing is taken after a close frame; the session is about to end
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

// farewell sends the close frame. The caller holds the write token for good. The reading goroutine closes
// the connection when the client has answered, or after a while.
func (d *duplex) farewell(code int) {
	waiting := d.conn.Unflushed() > 0
	_ = d.conn.AppendClose(code, "")
	done, err := d.conn.Flush(false)
	switch {
	case done || err != nil || waiting: // waiting: the client does not read what came before, which counts as unsent
		d.saidFarewell(done)
	default: // a write that does not wait may be impossible, as with TLS
		d.socket.mu.Lock()
		d.owed = true
		d.socket.mu.Unlock()
		go d.farewellInTime()
	}
}

// farewellInTime completes a farewell that has to wait for the network. It waits no longer than the
// connection is open: the reading goroutine closes it in time or, if that has left, the timer set by
// Server.bound.
func (d *duplex) farewellInTime() {
	d.socket.srv.parting(d)
	_, err := d.conn.Flush(true)
	d.saidFarewell(err == nil)
}

// saidFarewell is called when nothing more will be written. done tells whether the farewell succeeded; if
// it failed, the connection is cut.
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

// leave ends the reading goroutine of a connection. It closes the connection, unless a farewell is still
// owed to a client that may be waiting for it.
func (d *duplex) leave(err error) {
	s := d.socket
	s.mu.Lock()
	left := d.owed && mayBeAnswered(err)
	if d.left = left; left {
		s.srv.remain(d)
	}
	s.mu.Unlock()
	if left {
		s.srv.bound(d)
	} else {
		_ = d.conn.Close()
	}
}

// clientReads reports whether the session was ended by its client, which may still be there to read.
func clientReads(why CloseReason, err error) bool {
	return why == ParseError || why == TransportClose && err == nil || mayBeAnswered(err) ||
		errors.Is(err, ErrInvalidUTF8) || errors.Is(err, ErrHeartbeat)
}

// mayBeAnswered reports whether the error that ended a connection leaves it open for a close frame in
// answer.
func mayBeAnswered(err error) bool {
	_, ok := errors.AsType[*WebSocketError](err)
	return ok
}

// closeCode returns the code for the session's close frame; 0 means none. Called with mu locked.
func (s *Socket) closeCode() int {
	code := closeCodeFor(s.ending())
	if code == 0 && s.srv.isClosing() {
		return closeGoingAway
	}
	return code
}

// closeCodeFor returns the code for a close frame that answers the error that ended a connection; 0 means
// none.
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

// readLoop delivers what the client sends until the connection ends, and closes it. It runs on the only
// goroutine of an idle session, so its stack frame and those of the functions it calls are kept small: the
// stack has to hold them while the session waits.
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

// receive handles one message. It returns false if the session has ended.
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

// releaseHolding returns the receive token. If more input has already been read, output stays held back.
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

// decodeFrame decodes a frame, and closes the session if it is not a packet.
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

// readFailed ends a session whose connection has ended. A connection that is simply gone counts as closed
// by the client, as in the reference.
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

// BeforeRead is called when all input read so far is used up: what was held back leaves now.
func (d *duplex) BeforeRead() {
	if !d.held {
		return
	}
	d.held = false
	d.socket.mu.Lock()
	d.socket.letGo()
}
