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
	// NoCompress exempts a message from compression when it is sent (compress: false).
	NoCompress bool
}

// Text makes a text message. The text should be valid UTF-8: clients fail on anything else.
func Text(text string) Message { return Message{Data: []byte(text)} }

// Binary makes a binary message that refers to data, without copying it.
func Binary(data []byte) Message { return Message{Data: data, Binary: true} }

// Socket is one session with one client, whatever transport carries it at the moment. All methods may be
// called from any goroutine, callbacks included.
//
// Callbacks of one socket never run concurrently with each other: Config.OnConnection is the first of them,
// OnClose the last, and OnMessage, OnPacket, OnHeartbeat and OnUpgrade come between.
//
// Hooks observe what the session does by itself: OnPacketCreate, OnFlush, OnDrain, OnUpgrading, OnError,
// the function given to SendFunc, Config.OnFlush and Config.OnDrain. They run on a goroutine of their own,
// one at a time and in the order of events, and never after OnClose. They may run while a callback runs,
// OnConnection included, so data that both touch needs a lock. The session does not wait for hooks, but
// reads nothing more from the client while they are some 2,000 calls behind.
//
// A panic in a callback or hook ends the session. Callbacks and hooks must not end their goroutine in any
// other way, as runtime.Goexit and FailNow of package testing do.
type Socket struct {
	srv    *Server
	origin origin

	mu    sync.Mutex // guards the fields below, except those fixed by the handshake; see doc.go
	hooks hooks
	rare  *rare // nil until it is needed

	// Packets that wait to be sent. The write token is held while writing is true.
	out      *batch // nil when none waits
	buffered int64  // bytes in out, or taken from it and not written yet
	traffic  traffic

	// The transport is polling while link is nil.
	poll  *Waiter // the waiting GET
	link  *duplex
	probe *duplex // a WebSocket that may become link

	beat heartbeat

	inFlight uint8 // writes and answers that are under way; see mostAnswers

	revision uint8 // fixed by the handshake, as is the form of answers to polls:
	base64   bool  // the client cannot take binary (revision 3)
	jsonp    bool  // answers are wrapped in a call of a JavaScript function

	state       state
	deaf        bool // the application has closed the session and is given no more messages
	reason      reason
	closePassed bool // OnClose was called, or is about to be
	leaving     bool // the close packet, or frame, is on its way
	noting      bool // a goroutine is calling hooks
	receiving   bool // the receive token is held
	begun       bool // OnConnection has returned

	writing    bool
	blocking   bool // the write token's holder may be waiting for the network
	pongDue    bool
	hold       hold
	holdSet    bool
	conflating bool // Config.Conflate is running; messages wait

	nudged    bool  // the waiting GET is to be answered even if nothing waits to be sent
	answering uint8 // polls being answered; a client may send the next before the last is accounted for
	posting   bool  // a POST is being read or delivered
	probing   bool  // probe has received its probe packet
	free      uint8 // how many more polls are answered at once while probing
	upgraded  bool
}

// rare holds what most sessions never need: there may be very many sessions, most of them idle.
type rare struct {
	index   string // of the JSONP callback, digits only
	data    any
	context context.Context //nolint:containedctx // the application's, made on demand
	cancel  context.CancelFunc
	pong    []byte
	holdT   *time.Timer
	notes   []func()      // queued hook calls, in order
	turn    chan struct{} // closed when the receive token comes free; nil while nobody waits for it
	// callbacks counts the packets in out, or taken from it, that have a function to be called when they
	// are sent.
	callbacks int

	// For a closed session:
	err    error      // that ended the session, if any
	unsent []outgoing // messages that were not handed over
	lost   int        // how many these were before they were forgotten
}

// more returns rare, which it makes if there is none. Called with mu locked.
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
	sent     func()    // called when the transport has taken it; mostly nil
	prepared *Prepared // the message's encoded form; mostly nil

	conflated bool   // Conflate has returned it and is not shown it again
	end       uint32 // where its frame ends among the bytes of one write; see taken
}

// ID returns the session id (sid): 20 URL-safe characters, unless Config.GenerateID makes others. The
// string shares memory with what is kept of the handshake; to keep an id for longer than its session, store
// a clone of it.
func (s *Socket) ID() string { return s.origin.id() }

// Protocol returns the protocol revision, 3 or 4.
func (s *Socket) Protocol() int { return int(s.revision) }

// Request returns a copy of the handshake request, without body and Sec-WebSocket-Key, with the values of
// its context. Every call makes a new one from what the session has kept.
func (s *Socket) Request() *http.Request { return s.origin.request() }

// RemoteAddr returns the address the handshake came from, as host:port.
func (s *Socket) RemoteAddr() string { return s.origin.remoteAddr() }

// ReadyState returns the state of the session.
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

// Buffered returns the number of bytes of messages that wait for the client: those in the buffer, and those
// that a transport is writing.
func (s *Socket) Buffered() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buffered
}

// Data returns the value set with SetData, or nil.
func (s *Socket) Data() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rare == nil {
		return nil
	}
	return s.rare.data
}

// SetData attaches a value of the application to the socket.
func (s *Socket) SetData(data any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.more().data = data
}

// Context returns a context that has the values of the handshake request's context and is cancelled when
// the session ends.
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

// Close ends the session gracefully: what was sent before goes out first, then the client is told. It
// returns at once; OnClose reports the end, with ForcedClose. A polling client that does not come back to
// fetch the rest is given up after 30 s.
func (s *Socket) Close() {
	s.mu.Lock()
	s.deaf = true
	s.shut()
}

// shut begins a graceful close. It is called with mu locked and unlocks it.
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

// CloseNow ends the session at once and drops what was not sent (close(true) of the reference). A waiting
// poll still delivers what was sent before.
func (s *Socket) CloseNow() { s.close(ForcedClose, nil) }

// close ends the session, unless it has already ended: the first reason counts.
func (s *Socket) close(why CloseReason, err error) {
	s.mu.Lock()
	if s.state == stateClosed {
		s.mu.Unlock()
		return
	}
	s.finish(why, err, false)
}

// finish is the only way to the closed state. It is called with mu locked, in another state, and unlocks
// it. holder tells whether the caller holds the write token.
func (s *Socket) finish(why CloseReason, err error, holder bool) {
	if s.hold != holdNone && s.link != nil && !s.writing && s.pending() {
		s.letGo() // what was only held back still leaves
		s.mu.Lock()
		if s.state == stateClosed {
			s.mu.Unlock()
			return
		}
	}
	reads := clientReads(why, err)
	if s.leaving && s.state == stateClosing {
		why, err = ForcedClose, nil // the client may close its side before we do
	}
	s.state, s.reason = stateClosed, reasonOf(why)
	if err != nil {
		s.more().err = err
	}
	s.srv.clock.forget(s)
	s.buffered = 0
	// If the client may still read, packets that wait behind a write are left to the holder of the write
	// token, unless there is a Conflate, which has not seen them.
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
	s.writing = true // for good: nobody else may write
	// Over TLS every write is one that may wait, which says nothing about the client.
	patient := reads || why == ForcedClose && link != nil && link.secure
	blocking := s.blocking && !holder && !patient
	code := s.closeCode()
	if link != nil && !blocking {
		link.owed, link.reads = true, patient
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
		default: // the token's holder finds the session closed and says farewell, for which parting sets a limit
			s.srv.parting(link)
		}
	}
	if deliver {
		s.announceEnd()
	}
}

// describeEnd is a function of its own, as noteError is, to keep the stack frame of finish small: most
// sessions end on the reading goroutine, for which a stack of 2 KiB can suffice.
//
//go:noinline
func (s *Socket) describeEnd(why CloseReason, err error) {
	s.debug(scopeSocket, "session closed", "reason", string(why), "error", err)
}

// closeDue reports whether OnClose is to be called now. It returns true only once. Called with mu locked.
func (s *Socket) closeDue() bool {
	if s.state != stateClosed || s.receiving || s.noting || s.inFlight > 0 || s.conflating || s.closePassed {
		return false
	}
	s.closePassed = true
	return true
}

// endIfDue starts the call of OnClose if nothing stands in its way any more. It is called with mu locked
// and unlocks it.
func (s *Socket) endIfDue() {
	due := s.closeDue()
	s.mu.Unlock()
	if due {
		s.announceEnd()
	}
}

// announceEnd has OnClose called, on a goroutine of its own, since the caller may hold locks of the
// application.
func (s *Socket) announceEnd() {
	s.mu.Lock()
	f := s.hooks.close
	s.mu.Unlock()
	if f == nil {
		s.forgetUnsent()
		s.srv.leave()
	} else {
		go s.deliverClose(f)
	}
}

func (s *Socket) deliverClose(f func(CloseReason, error)) {
	defer s.srv.leave()
	defer s.guard()
	s.mu.Lock()
	err := s.ending()
	s.mu.Unlock()
	defer s.forgetUnsent()
	f(s.reason.name(), err)
}

// ending returns the error that ended the session, or nil. Called with mu locked.
func (s *Socket) ending() error {
	if s.rare == nil {
		return nil
	}
	return s.rare.err
}

// connected runs OnConnection. The receive token has been held since the socket was made.
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
