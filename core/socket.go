package core

import (
	"context"
	"fmt"
	"net/http"
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
// may be called from anywhere, callbacks included.
//
// Callbacks of one socket never run concurrently with each other: Config.OnConnection is the first of them,
// OnClose the last, and OnMessage, OnPacket, OnHeartbeat and OnUpgrade come between.
//
// Hooks observe what the session does by itself: OnPacketCreate, OnFlush, OnDrain, OnUpgrading, OnError,
// the function given to SendFunc, Config.OnFlush and Config.OnDrain. They run on a goroutine of
// their own, in the order of events and one at a time, but possibly while a callback runs, OnConnection
// included, so that what both touch needs a lock; never after OnClose. The session does not wait for
// them, but reads nothing more from the client when they are some 2,000 calls behind.
//
// A panic in a callback or hook ends the session. One must not end its goroutine otherwise, as
// runtime.Goexit and FailNow of package testing do.
type Socket struct {
	srv    *Server
	origin origin

	mu    sync.Mutex // guards what follows, but for what the handshake has fixed; see doc.go
	hooks hooks
	rare  *rare // nil until it is needed

	// What waits to be sent. The write token is held while writing is true.
	out      *batch // nil when nothing does
	buffered int64  // bytes in out, or taken from it and not written yet
	traffic  traffic

	// Transports: polling while link is nil.
	poll  *Waiter // the GET that waits
	link  *duplex
	probe *duplex // a WebSocket that may become link

	beat heartbeat

	inFlight uint16 // writes and answers that are under way

	revision uint8 // fixed by the handshake, as is how answers to polls look:
	base64   bool  // the client cannot take binary (revision 3)
	jsonp    bool  // wrapped into a call of a JavaScript function

	state       state
	deaf        bool // the application has closed the session, and is told no more messages
	reason      reason
	closePassed bool // OnClose was called, or is about to be
	leaving     bool // the close packet, or frame, is on its way
	noting      bool // a goroutine calls hooks that observe
	receiving   bool // the receive token is held
	begun       bool // OnConnection has returned

	writing    bool
	blocking   bool // the write token's holder may be waiting for the network
	pongDue    bool
	hold       hold
	holdSet    bool
	conflating bool // the application is asked what to send; messages wait

	nudged    bool   // the waiting GET is to be answered even if there is nothing to say
	answering uint16 // polls that are being answered; a client may send one before the last is accounted for
	posting   bool   // a POST is being read or delivered
	probing   bool   // probe's probe was answered
	free      uint8  // polls that are still answered at once while probing
	upgraded  bool
}

// rare is what most sessions never need. There may be very many of them, most of them idle.
type rare struct {
	index   string // of the JavaScript function, digits only
	data    any
	context context.Context //nolint:containedctx // the application's, made on demand
	cancel  context.CancelFunc
	pong    []byte
	holdT   *time.Timer
	notes   []func()      // calls of hooks that observe, in order
	turn    chan struct{} // closed when the receive token comes free; nil while nobody waits for it
	// callbacks counts the packets in out, or taken from it, whose sender wants to be called back.
	callbacks int

	// Of a closed session:
	err    error      // that ended it, if one did
	unsent []outgoing // messages that were not handed over,
	lost   int        // and how many these were before they were forgotten
}

// more returns what rare points to. Called with mu locked.
func (s *Socket) more() *rare {
	if s.rare == nil {
		s.rare = new(rare)
	}
	return s.rare
}

// codec returns the codec of the session's revision.
func (s *Socket) codec() parser.Codec { return codecFor(int(s.revision)) }

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

	conflated bool   // the application was asked about it
	end       uint32 // where its frame ends in the bytes of one write; see taken
}

// ID returns the session id (sid): 20 URL-safe characters, unless Config.GenerateID makes others. It
// shares memory with what is kept of the handshake: who stores ids for longer than their sessions should
// store clones.
func (s *Socket) ID() string { return s.origin.id() }

// Protocol returns the protocol revision, 3 or 4.
func (s *Socket) Protocol() int { return int(s.revision) }

// Request returns a copy of the handshake request, without body and Sec-WebSocket-Key, with the values of
// its context. It is made anew by every call, from what the session has kept.
func (s *Socket) Request() *http.Request { return s.origin.request() }

// RemoteAddr returns the address the handshake came from, as host:port.
func (s *Socket) RemoteAddr() string { return s.origin.remoteAddr() }

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
	waiting := s.waiting()
	packets := make([]Packet, len(waiting))
	for i := range waiting {
		packets[i] = waiting[i].Packet
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
	if s.rare == nil {
		return nil
	}
	return s.rare.data
}

// SetData keeps a value of the application with the socket.
func (s *Socket) SetData(data any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.more().data = data
}

// Context returns a context that has the values of the handshake request's and ends with the
// session.
func (s *Socket) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.more()
	if r.context == nil {
		r.context, r.cancel = context.WithCancel(s.origin.context())
		if s.state == stateClosed {
			r.cancel()
		}
	}
	return r.context
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

// Close ends the session gracefully: what was sent before leaves first, then the client is told.
// It returns at once; OnClose reports the end, with ForcedClose. A polling client that does not
// come back to fetch the rest is given up after 30 s.
func (s *Socket) Close() {
	s.mu.Lock()
	s.deaf = true
	s.shut()
}

// shut is called with mu locked and unlocks it.
func (s *Socket) shut() {
	if s.state != stateOpen {
		s.mu.Unlock()
		return
	}
	s.state = stateClosing
	s.hold = holdNone
	s.closeWithin(closeTimeout)
	s.kick()
}

// CloseNow ends the session at once and drops what was not sent (close(true) of the reference). A poll
// that waits still brings what was sent before.
func (s *Socket) CloseNow() { s.close(ForcedClose, nil) }

// close ends the session, unless it has ended: the first reason counts.
func (s *Socket) close(why CloseReason, err error) {
	s.mu.Lock()
	if s.state == stateClosed {
		s.mu.Unlock()
		return
	}
	s.finish(why, err, false)
}

// finish is the only way to the closed state. It is called with mu locked, in another state, and
// unlocks it. holder says that the caller holds the write token.
func (s *Socket) finish(why CloseReason, err error, holder bool) {
	if s.hold != holdNone && s.link != nil && !s.writing && s.pending() {
		s.letGo() // what was held back only for a better moment
		s.mu.Lock()
		if s.state == stateClosed {
			s.mu.Unlock()
			return
		}
	}
	reads := clientReads(why, err)
	if s.leaving && s.state == stateClosing {
		why, err = ForcedClose, nil // the client may be faster than we are in closing its side
	}
	s.state, s.reason = stateClosed, reasonOf(why)
	if err != nil {
		s.more().err = err
	}
	s.srv.clock.forget(s)
	s.buffered = 0
	// What waits behind a write is the token's holder's to bring, but for what Conflate has not seen.
	behind := reads && s.link != nil && s.writing && !holder && s.srv.cfg.Conflate == nil
	if !behind && !s.leaveToPoll() {
		s.keepUnsent(s.waiting())
		s.out = nil
	}
	account := s.traffic
	if s.hooks.error != nil && err != nil {
		s.noteError(err)
	}
	if s.rare != nil && s.rare.cancel != nil {
		s.rare.cancel()
	}
	poll, link, probe := s.poll, s.link, s.probe
	if s.probe, s.probing = nil, false; probe != nil {
		probe.retire()
	}
	s.passTurn()
	free := holder || !s.writing
	s.writing = true // for good: nobody else shall write
	blocking := s.blocking && !holder && !reads
	code := s.closeCode()
	if link != nil && !blocking {
		link.owed, link.reads = true, reads
	}
	deliver := s.closeDue()
	s.mu.Unlock()

	s.srv.sessions.remove(s, account)
	s.srv.countClose(why, err)
	if s.srv.debugging() {
		s.describeEnd(why, err)
	}
	if poll != nil {
		poll.Wake()
	}
	if probe != nil {
		s.srv.mayLeave(probe)
	}
	if link != nil {
		switch {
		case free:
			link.farewell(code)
		case blocking:
			_ = link.conn.Close()
		default: // the token's holder finds the session closed and says farewell, not after too long
			s.srv.parting(link)
		}
	}
	if deliver {
		go s.deliverClose()
	}
}

// describeEnd is kept apart for its frame, as noteError is: most sessions end on the goroutine that reads,
// whose stack of 2 KiB can do for that.
//
//go:noinline
func (s *Socket) describeEnd(why CloseReason, err error) {
	s.debug(scopeSocket, "session closed", "reason", string(why), "error", err)
}

// closeDue reports, once, that OnClose is to be called now. Called with mu locked.
func (s *Socket) closeDue() bool {
	if s.state != stateClosed || s.receiving || s.noting || s.inFlight > 0 || s.conflating || s.closePassed {
		return false
	}
	s.closePassed = true
	return true
}

// endIfDue has OnClose called if nothing is in its way any more. Called with mu locked and unlocks it.
func (s *Socket) endIfDue() {
	due := s.closeDue()
	s.mu.Unlock()
	if due {
		go s.deliverClose()
	}
}

func (s *Socket) deliverClose() {
	defer s.srv.leave()
	defer s.guard()
	s.mu.Lock()
	f, err := s.hooks.close, s.ending()
	s.mu.Unlock()
	defer s.forgetUnsent()
	if f != nil {
		f(s.reason.name(), err)
	}
}

// ending returns the error that ended the session, if one did. Called with mu locked.
func (s *Socket) ending() error {
	if s.rare == nil {
		return nil
	}
	return s.rare.err
}

// connected runs OnConnection. The receive token is held since the socket was made.
func (s *Socket) connected() {
	defer s.release()
	defer s.begin()
	defer s.guard()
	if f := s.srv.cfg.OnConnection; f != nil {
		f(s)
	}
}

func (s *Socket) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun = true
}

// guard is deferred around callbacks: a panic in one ends its session, not the process.
func (s *Socket) guard() {
	if v := recover(); v != nil {
		s.srv.logPanic(scopeSocket, v, "sid", s.ID())
		s.close(ForcedClose, fmt.Errorf("%w: %v", ErrPanic, v))
	}
}
