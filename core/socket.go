package core

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/goengineio/engineio/parser"
)

// Message is one message of the application, text or binary.
type Message struct {
	Data   []byte
	Binary bool
	// NoCompress exempts a message that is sent from compression (compress: false).
	NoCompress bool
}

// Text makes a text message. The text should be valid UTF-8: clients fail on anything else.
func Text(text string) Message { return Message{Data: []byte(text)} }

// Binary makes a binary message, which refers to data.
func Binary(data []byte) Message { return Message{Data: data, Binary: true} }

// Socket is one session with one client, whatever transport carries it at the moment. All methods
// may be called from anywhere, callbacks included. Callbacks of one socket never run concurrently
// with each other; OnConnection is the first of them and OnClose the last.
type Socket struct {
	srv     *Server
	id      string
	codec   parser.Codec
	request *http.Request
	remote  string
	polling pollingAnswer // how answers to polls look; fixed by the handshake

	mu    sync.Mutex // guards what follows; see doc.go
	state state

	hooks     hooks
	notes     []func() // calls of hooks that observe, in order
	noting    bool     // a goroutine calls them
	callbacks int      // packets in out, or taken from it, whose sender wants to be called back

	// What waits to be sent. The write token is held while writing is true.
	out      []outgoing
	spare    []outgoing // the slice that out alternates with
	buffered int64      // bytes in out, or taken from it and not written yet
	writing  bool
	blocking bool // the token's holder may be waiting for the network
	pong     []byte
	pongDue  bool
	hold     hold
	holdT    *time.Timer
	holdSet  bool

	conflating bool // the application is asked what to send; messages wait

	// Input. The receive token is held while receiving is true.
	receiving bool
	turn      chan struct{} // closed when the token comes free; nil while nobody waits for it

	// Transports: polling while link is nil.
	poll     *Waiter // the GET that waits
	nudged   bool    // that GET is to be answered even if there is nothing to say
	posting  bool    // a POST is being read or delivered
	leaving  bool    // the close packet, or frame, is on its way
	link     *duplex
	probe    *duplex // a WebSocket that may become link
	probing  bool    // its probe was answered
	free     int     // polls that are still answered at once while probing
	upgraded bool

	beat heartbeat

	data    any
	context context.Context //nolint:containedctx // the application's, made on demand
	cancel  context.CancelFunc

	reason      CloseReason
	err         error
	closePassed bool // OnClose was called, or is about to be
}

// ReadyState is the state of a session, in the words of the reference. There is no "opening": a
// socket is open when the application first sees it.
type ReadyState string

// The states a socket can be seen in.
const (
	StateOpen    ReadyState = "open"
	StateClosing ReadyState = "closing"
	StateClosed  ReadyState = "closed"
)

type state uint8

const (
	stateOpen state = iota
	stateClosing
	stateClosed
)

// outgoing is a packet that waits to be sent.
type outgoing struct {
	parser.Packet
	compress bool
	sent     func()    // called when the transport has taken it; nil mostly
	prepared *Prepared // the message's encoded form; nil mostly

	conflated bool // the application was asked about it
}

// ID returns the session id (sid): 20 URL-safe characters.
func (s *Socket) ID() string { return s.id }

// Protocol returns the protocol revision, 3 or 4.
func (s *Socket) Protocol() int { return s.codec.Revision() }

// Request returns a copy of the handshake request, without body. It must not be modified.
func (s *Socket) Request() *http.Request { return s.request }

// RemoteAddr returns the address the handshake came from, as host:port.
func (s *Socket) RemoteAddr() string { return s.remote }

// ReadyState tells how far the session's life has come.
func (s *Socket) ReadyState() ReadyState {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state {
	case stateOpen:
		return StateOpen
	case stateClosing:
		return StateClosing
	case stateClosed:
	}
	return StateClosed
}

// Upgrading reports whether a WebSocket is about to become the session's transport.
func (s *Socket) Upgrading() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.probe != nil
}

// WriteBuffer returns a copy of the packets that no transport has taken yet.
func (s *Socket) WriteBuffer() []Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	packets := make([]Packet, len(s.out))
	for i := range s.out {
		packets[i] = s.out[i].Packet
	}
	return packets
}

// Buffered returns the bytes of messages that wait for the client: those in the buffer, and those
// that a transport is writing.
func (s *Socket) Buffered() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buffered
}

// Data returns what SetData kept.
func (s *Socket) Data() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data
}

// SetData keeps a value of the application with the socket.
func (s *Socket) SetData(data any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = data
}

// Context returns a context that has the values of the handshake request's and ends with the
// session.
func (s *Socket) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.context == nil {
		s.context, s.cancel = context.WithCancel(s.request.Context())
		if s.state == stateClosed {
			s.cancel()
		}
	}
	return s.context
}

// Transport returns the transport in use.
func (s *Socket) Transport() Transport {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != nil {
		return WebSocket
	}
	return Polling
}

// Upgraded reports whether the session began with polling and has moved to WebSocket.
func (s *Socket) Upgraded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.upgraded
}

// Send queues a message and returns; it never waits for the client or for another session. The
// data must not be changed until it has been written. Messages leave in the order of the Send
// calls. The error is ErrClosed once the session is closing, or ErrBufferFull, which also closes
// the session.
func (s *Socket) Send(m Message) error {
	return s.send(outgoing{Packet: messagePacket(m), compress: !m.NoCompress})
}

// SendFunc is Send with a callback for when the message was handed to the transport: in the order
// of sending, and never for a message that is dropped. It runs like the hooks that observe, see
// OnFlush.
func (s *Socket) SendFunc(m Message, sent func()) error {
	return s.send(outgoing{Packet: messagePacket(m), compress: !m.NoCompress, sent: sent})
}

// SendPrepared is Send for a message that many receive.
func (s *Socket) SendPrepared(p *Prepared) error {
	return s.send(outgoing{Packet: messagePacket(p.message), compress: !p.message.NoCompress, prepared: p})
}

func messagePacket(m Message) parser.Packet {
	return parser.Packet{Type: parser.Message, Binary: m.Binary, Data: m.Data}
}

func (s *Socket) send(p outgoing) error {
	s.mu.Lock()
	if s.state != stateOpen {
		s.mu.Unlock()
		return ErrClosed
	}
	if s.buffered+int64(len(p.Data)) > s.srv.cfg.MaxBuffered {
		s.finish(TransportError, ErrBufferFull, false)
		return ErrBufferFull
	}
	s.queue(p)
	s.kick()
	return nil
}

// Close ends the session gracefully: what was sent before leaves first, then the client is told.
// It returns at once; OnClose reports the end, with ForcedClose. A polling client that does not
// come back to fetch the rest is given up after 30 s.
func (s *Socket) Close() {
	s.mu.Lock()
	if s.state != stateOpen {
		s.mu.Unlock()
		return
	}
	s.state = stateClosing
	s.hold = holdNone
	s.beat.closeWithin(closeTimeout)
	s.kick()
}

// CloseNow ends the session at once and drops what was not sent (close(true) of the reference).
func (s *Socket) CloseNow() { s.close(ForcedClose, nil) }

// close ends the session, unless it has ended: the first reason counts.
func (s *Socket) close(reason CloseReason, err error) {
	s.mu.Lock()
	if s.state == stateClosed {
		s.mu.Unlock()
		return
	}
	s.finish(reason, err, false)
}

// finish is the only way to the closed state. It is called with mu locked, in another state, and
// unlocks it. holder says that the caller holds the write token.
func (s *Socket) finish(reason CloseReason, err error, holder bool) {
	if s.leaving && s.state == stateClosing {
		reason, err = ForcedClose, nil // the client may be faster than we are in closing its side
	}
	s.state, s.reason, s.err = stateClosed, reason, err
	s.beat.stop()
	s.out, s.spare, s.pong, s.buffered = nil, nil, nil, 0
	if f := s.hooks.error; f != nil && err != nil {
		s.note(func() { f(err) })
	}
	if s.cancel != nil {
		s.cancel()
	}
	poll, link, probe := s.poll, s.link, s.probe
	s.probe, s.probing = nil, false
	s.passTurn()
	free := holder || !s.writing
	s.writing = true // for good: nobody else shall write
	blocking := s.blocking && !holder
	deliver := s.closeDue()
	s.mu.Unlock()

	s.srv.sessions.remove(s)
	if s.srv.debugging() {
		s.debug(scopeSocket, "session closed", "reason", string(reason), "error", err)
	}
	if poll != nil {
		poll.Wake()
	}
	if probe != nil {
		_ = probe.conn.Close()
	}
	if link != nil {
		switch {
		case free:
			link.farewell(s.closeCode())
		case blocking:
			_ = link.conn.Close()
		} // otherwise the token's holder finds the session closed and says farewell
	}
	if deliver {
		go s.deliverClose()
	}
}

// closeDue reports, once, that OnClose is to be called now. Called with mu locked.
func (s *Socket) closeDue() bool {
	if s.state != stateClosed || s.receiving || s.noting || s.closePassed {
		return false
	}
	s.closePassed = true
	return true
}

func (s *Socket) deliverClose() {
	defer s.srv.leave()
	defer s.guard()
	s.mu.Lock()
	f := s.hooks.close
	s.mu.Unlock()
	if f != nil {
		f(s.reason, s.err)
	}
}

// connected runs OnConnection. The receive token is held since the socket was made.
func (s *Socket) connected() {
	defer s.release()
	defer s.guard()
	if f := s.srv.cfg.OnConnection; f != nil {
		f(s)
	}
}

// guard is deferred around callbacks: a panic in one ends its session, not the process.
func (s *Socket) guard() {
	if v := recover(); v != nil {
		s.srv.log.Error("panic in a callback", "scope", scopeSocket, "sid", s.id,
			"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		s.close(ForcedClose, fmt.Errorf("%w: %v", ErrPanic, v))
	}
}
