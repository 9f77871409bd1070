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
	// Used by the reading goroutine alone:
	adopted bool // the connection is the session's transport
	held    bool // output may be held back
}

// startDuplex makes the link the transport of a new session and sends the open packet.
func (s *Socket) startDuplex(link *duplex) {
	link.adopted = true
	s.mu.Lock()
	s.link = link
	s.queue(outgoing{Packet: s.openPacket(WebSocket)})
	if m := s.srv.cfg.InitialPacket; m != nil {
		s.queue(outgoing{Packet: messagePacket(*m), compress: !m.NoCompress})
	}
	s.kick()
}

// append encodes what was taken into the connection's buffer.
func (d *duplex) append(codec parser.Codec, t *taken) error {
	var scratch [256]byte
	for i := range t.packets {
		p := &t.packets[i]
		if p.prepared != nil && !d.base64 && (!p.compress || d.socket.srv.cfg.PerMessageDeflate == nil) {
			if err := d.conn.AppendFrame(p.prepared.frame(codec)); err != nil {
				return err
			}
			continue
		}
		if p.Binary && !d.base64 && codec.Revision() == 4 {
			if err := d.conn.AppendMessage(p.Data, true, p.compress); err != nil {
				return err
			}
			continue
		}
		frame, binary := codec.AppendFrame(scratch[:0], p.Packet, d.base64)
		if err := d.conn.AppendMessage(frame, binary, p.compress); err != nil {
			return err
		}
	}
	if t.pongDue {
		if err := d.conn.AppendPong(t.pong); err != nil {
			return err
		}
	}
	if t.last {
		return d.conn.AppendClose(t.code, "")
	}
	return nil
}

// farewell tells the client that the session is over. The caller holds the write token for good.
// The reading goroutine closes the connection when the client has answered, or after a while.
func (d *duplex) farewell(code int) {
	_ = d.conn.AppendClose(code, "")
	if done, err := d.conn.Flush(false); err != nil || !done {
		_ = d.conn.Close()
		return
	}
	d.socket.srv.parting(d.conn)
}

// closeCode is the code of the close frame that fits the session's end; 0 means none. Called with mu
// locked, or when the session is closed and its reason fixed.
func (s *Socket) closeCode() int {
	var broken *WebSocketError
	switch {
	case errors.As(s.err, &broken) && !broken.Peer:
		return broken.Code
	case errors.Is(s.err, ErrInvalidUTF8):
		return closeInvalidData
	case s.srv.isClosing():
		return closeGoingAway
	}
	return 0
}

// readLoop delivers what the client sends until the connection ends, and closes it.
func (s *Socket) readLoop(link *duplex) {
	for {
		data, binary, err := link.conn.ReadMessage()
		if err != nil {
			s.readFailed(err)
			s.srv.parted(link.conn)
			return
		}
		if s.srv.debugging() {
			s.debug(scopeWS, "message received", "bytes", len(data), "binary", binary)
		}
		p, err := s.decodeFrame(data, binary)
		if err != nil {
			break
		}
		if !s.acquire(false) {
			break
		}
		link.held = link.conn.Buffered()
		s.hold = holdNext
		if link.held {
			s.hold = holdBoth
		}
		s.handle(p)
		s.releaseHolding(link.held)
	}
	s.srv.linger(link.conn)
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
	due := s.closeDue()
	s.mu.Unlock()
	if due {
		go s.deliverClose()
	}
}

// decodeFrame closes the session when the frame is no packet.
func (s *Socket) decodeFrame(data []byte, binary bool) (parser.Packet, error) {
	if !binary && !utf8.Valid(data) {
		s.close(TransportError, ErrInvalidUTF8)
		return parser.Packet{}, ErrInvalidUTF8
	}
	p, err := s.codec.DecodeFrame(data, binary)
	if err != nil {
		s.close(ParseError, err)
	}
	return p, err
}

// readFailed ends the session for a connection that ended. A connection that is simply gone
// counts as closed by the client, as in the reference.
func (s *Socket) readFailed(err error) {
	var ws *WebSocketError
	if errors.As(err, &ws) && !ws.Peer {
		s.close(TransportError, err)
		return
	}
	s.close(TransportClose, err)
}

// onPing answers a ping frame. Only the latest of several is answered (RFC 6455, 5.5.3).
func (d *duplex) onPing(data []byte) {
	if !d.adopted { // nobody else writes yet
		if d.conn.AppendPong(data) == nil {
			_, _ = d.conn.Flush(true)
		}
		return
	}
	s := d.socket
	s.mu.Lock()
	if s.state != stateOpen {
		s.mu.Unlock()
		return
	}
	s.pong, s.pongDue = append([]byte(nil), data...), true
	s.kick()
}

// beforeRead runs when the input at hand is used up: what was held back leaves now.
func (d *duplex) beforeRead() {
	if !d.held {
		return
	}
	d.held = false
	d.socket.mu.Lock()
	d.socket.letGo()
}
