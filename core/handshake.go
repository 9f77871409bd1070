package core

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goengineio/engineio/parser"
)

// appendNewID appends 20 URL-safe characters (120 bits) from crypto/rand.
func appendNewID(dst []byte) []byte {
	var raw [15]byte
	_, _ = rand.Read(raw[:]) // never fails
	return base64.RawURLEncoding.AppendEncode(dst, raw[:])
}

// handshakePolling opens a session whose first poll is this request.
func (s *Server) handshakePolling(x Exchange, p params) {
	if s.isClosing() {
		s.refuseClosed(x)
		return
	}
	socket, err := s.newSocket(x, p.revision(), !p.more)
	if err == nil {
		socket.answerAs(p)
		err = s.register(socket, Polling)
	}
	if err != nil {
		s.refuseRequest(x, err, false)
		return
	}
	socket.startHeartbeat()
	defer socket.connectLater() // even if the answer panics
	s.answerHandshake(x, socket)
}

// connectLater runs OnConnection on a goroutine of its own, since some frameworks send the answer only when
// the handler returns.
func (s *Socket) connectLater() {
	if s.srv.cfg.OnConnection == nil {
		s.connected()
	} else {
		go s.connected()
	}
}

// answerAs fixes the form of answers to polls.
//
//go:noinline
func (s *Socket) answerAs(p params) {
	if s.base64, s.jsonp = p.base64 || p.jsonp, p.jsonp; p.jsonp {
		s.rare = &rare{index: digits(p.j)}
	}
}

func (s *Server) answerHandshake(x Exchange, socket *Socket) {
	b := s.batches.get()
	socket.beginPolling(b)
	if s.cfg.Cookie != nil {
		x.AddHeader("Set-Cookie", s.cookieFor(socket))
	}
	if err := socket.answerPoll(x, b, true); err == nil {
		socket.mu.Lock()
		socket.noteDrain(b.packets)
		socket.mu.Unlock()
	}
	s.batches.put(b)
}

// beginPolling puts the first packets of a session into b. Like cookieFor it is not inlined, so that its
// stack frame does not add to those of later calls: the stack of a connection's goroutine is as large as
// its deepest call has been, also while it parks in Exchange.Wait.
//
//go:noinline
func (s *Socket) beginPolling(b *batch) {
	b.frame = appendOpening(b.frame[:0], s.ID(), s.srv.opening.polling)
	b.packets = append(b.packets, openPacket(b.frame))
	if m := s.srv.cfg.InitialPacket; m != nil {
		b.packets = append(b.packets, outgoing{Packet: messagePacket(*m), compress: !m.NoCompress})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flushObserved() {
		b.packets[0].Data = bytes.Clone(b.frame) // hooks may keep it
	}
	s.noteFlush(b.packets)
	if s.state != stateClosed {
		s.traffic.out.add(len(b.packets), sizeOf(b.packets))
	}
}

//go:noinline
func (s *Server) cookieFor(socket *Socket) string {
	return s.cfg.Cookie.cookie(socket.ID()).String()
}

// handshakeWebSocket opens a session on a WebSocket.
func (s *Server) handshakeWebSocket(x Exchange, engine WebSocketEngine, p params) {
	if s.isClosing() {
		s.refuseClosed(x)
		return
	}
	socket, refused := s.newSocket(x, p.revision(), !p.more)
	if refused != nil {
		s.refuseRequest(x, refused, true)
		return
	}
	s.takeOver(x, engine, socket, true, func(link *duplex) bool {
		if err := s.register(socket, WebSocket); err != nil {
			// The server is closing, or the id or the last free place has just been taken.
			s.refusedTooLate(err, socket)
			s.dismiss(link, err.closeCode())
			return false
		}
		link.base64 = p.base64
		s.pauseOpening(link)
		socket.startDuplex(link)
		socket.connected()
		return true
	})
}

// pauseOpening sends the 101 ahead of the open packet, see openPause. Only one connection at a time gets
// this: in a rush of clients the two leave in one write, which saves a tenth of what a connection costs.
func (s *Server) pauseOpening(link *duplex) {
	if !s.pausing.CompareAndSwap(false, true) {
		return
	}
	defer s.pausing.Store(false)
	_, _ = link.conn.Flush(true) // if it fails, so does the next Flush
	time.Sleep(openPause)
}

// takeOver hijacks the request's connection, makes it a WebSocket and passes it to begin; the answer to the
// opening handshake then still waits to be flushed. If begin returns true, the connection is the session's
// from then on, and readLoop follows; otherwise begin has closed it.
func (s *Server) takeOver(x Exchange, engine WebSocketEngine, socket *Socket, initial bool, begin func(*duplex) bool) {
	t := s.newTakeover(x, engine, socket, initial, begin)
	if err := x.Hijack(t.serve); err != nil {
		t.failed()
		s.warn(scopeWS, "websocket upgrade impossible", "error", err)
		refuseUpgrade(x, http.StatusInternalServerError, "Internal Server Error")
	}
}

// takeover is a connection that is about to become a WebSocket.
type takeover struct {
	engine  WebSocketEngine
	socket  *Socket
	initial bool // the session begins with this connection
	request *http.Request
	options WebSocketOptions
	begin   func(*duplex) bool

	conn     net.Conn
	accepted bool // the engine has returned
}

// newTakeover collects what outlives the exchange. It is not inlined, so that its stack frame is gone when
// the connection is hijacked, see Keep.
//
//go:noinline
func (s *Server) newTakeover(x Exchange, engine WebSocketEngine, socket *Socket, initial bool, begin func(*duplex) bool) *takeover {
	t := &takeover{engine: engine, socket: socket, initial: initial, begin: begin}
	t.request = x.Request()
	o := &t.options
	o.Header, o.Subprotocol = switchingHeaders(x), offeredSubprotocol(x)
	o.Deflate, o.MaxMessage, o.WriteTimeout = s.cfg.PerMessageDeflate, s.cfg.MaxPayload, s.cfg.WriteTimeout
	if initial && s.cfg.Cookie != nil {
		o.Header.Add("Set-Cookie", s.cookieFor(socket))
	}
	s.callHeaders(o.Header, t.request, initial)
	return t
}

// serve is called with the hijacked connection. Nothing that it calls before begin may need much stack: on
// the goroutine of a request 4 KiB can suffice.
func (t *takeover) serve(conn net.Conn, buffered []byte) (rest func()) {
	s, link := t.socket.srv, &duplex{socket: t.socket, secure: t.request.TLS != nil}
	s.stay()
	t.options.Events, t.conn = link, conn
	defer t.survive()
	var err error
	link.conn, err = t.engine.Accept(conn, buffered, t.request, t.options)
	t.accepted = true
	if s.debugging() {
		t.describe(err)
	}
	if err == nil && t.begin(link) {
		return link.readLoop
	}
	if err != nil {
		t.giveUp()
	}
	s.leave()
	return nil
}

// survive is deferred around Accept. The engine may be the application's: a panic in it costs the connection.
func (t *takeover) survive() {
	if t.accepted {
		return
	}
	if v := recover(); v != nil {
		t.socket.srv.logPanic(scopeWS, v)
	}
	t.giveUp()
	t.socket.srv.leave()
}

func (t *takeover) giveUp() {
	_ = t.conn.Close()
	t.failed()
}

//go:noinline
func (t *takeover) describe(err error) {
	if err != nil {
		t.socket.srv.debug(scopeWS, "handshake failed", "error", err)
		return
	}
	t.socket.debug(scopeWS, "connection accepted", "deflate", t.options.Deflate != nil, "subprotocol", t.options.Subprotocol)
}

// failed counts an upgrade that has failed.
func (t *takeover) failed() {
	if !t.initial {
		t.socket.srv.counters.upgradesFailed.Add(1)
	}
}

// offeredSubprotocol chooses the first of the subprotocols that a client offers, as the reference does:
// browsers give up a connection for which they offered some and none was chosen.
func offeredSubprotocol(x Exchange) string {
	first, _, _ := strings.Cut(x.Header("Sec-WebSocket-Protocol"), ",")
	first = strings.Trim(first, " \t")
	for i := range len(first) {
		if c := first[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return ""
		}
	}
	return first
}

// newSocket makes a socket that is not registered yet. simple tells whether the request's query has nothing but
// what the protocol asks for.
func (s *Server) newSocket(x Exchange, revision int, simple bool) (*Socket, *RequestError) {
	t := s.originTexts.get()
	defer s.originTexts.put(t)
	id, err := s.appendID(t.id[:0], x)
	if err != nil {
		s.warn(scopeServer, "no session id", "error", err)
		return nil, &RequestError{Code: BadRequest, Context: "ID_GENERATION_ERROR"}
	}
	t.id = id
	socket := &Socket{
		srv:       s,
		revision:  uint8(revision),
		receiving: true, // until OnConnection has returned
	}
	if !t.write(&socket.origin, x, simple) {
		return nil, &RequestError{Code: BadRequest, Message: "Request header too large", Context: "HEADER_TOO_LARGE"}
	}
	socket.hooks.observers = &s.noObservers
	socket.beat.shard = s.clock.place()
	return socket, nil
}

// appendID appends an id that is not in use.
func (s *Server) appendID(dst []byte, x Exchange) ([]byte, error) {
	if s.cfg.GenerateID == nil {
		return appendNewID(dst), nil
	}
	id, err := "", error(ErrPanic)
	s.protect(func() { id, err = s.cfg.GenerateID(x.Request()) })
	if err != nil {
		return nil, err
	}
	if !validID(id) {
		return nil, fmt.Errorf("the id %q has characters that are not allowed in one", id)
	}
	if _, taken := s.sessions.get(id); taken {
		return nil, errTakenID
	}
	return append(dst, id...), nil
}

// validID accepts the characters that RFC 3986 calls unreserved: they have no special meaning in a URL, a
// header, a cookie or JSON.
func validID(id string) bool {
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && strings.IndexByte("-_.~", c) < 0 {
			return false
		}
	}
	return id != ""
}

var errTakenID = errors.New("engine.io: the id is in use")

// register adds the session to the registry. It fails if the server is closing or full, or if the id has
// been taken meanwhile.
func (s *Server) register(socket *Socket, transport Transport) *RequestError {
	if !s.enter() {
		return errServerClosed()
	}
	if !s.sessions.reserve(s.cfg.MaxSessions) {
		s.leave()
		return errTooManySessions()
	}
	if !s.sessions.add(socket) {
		s.leave()
		return &RequestError{Code: BadRequest, Context: "ID_GENERATION_ERROR"}
	}
	s.counters.opened[kindIndex(transport, socket.Protocol())].Add(1)
	if s.debugging() {
		socket.debug(scopeServer, "session opened", "remote", socket.RemoteAddr(), "revision", socket.Protocol())
	}
	if s.isClosing() { // since just now: Close or Shutdown may have missed this session
		s.closeLate(socket)
	}
	return nil
}

func (s *Server) refuseClosed(x Exchange) {
	s.counters.unavailable.Add(1)
	x.SetHeader("Content-Type", "text/plain; charset=UTF-8")
	_ = x.Respond(http.StatusServiceUnavailable, []byte(errServerClosed().Message))
}

// openPackets is what the open packets of a server's sessions have in common: what follows the sid, for
// each transport.
type openPackets struct{ polling, duplex string }

// newOpenPackets uses the reference's key order.
func newOpenPackets(cfg *Config) openPackets {
	upgrades := ""
	if !cfg.DisableUpgrades && slices.Contains(cfg.Transports, WebSocket) {
		upgrades = `"websocket"`
	}
	rest := func(upgrades string) string {
		return fmt.Sprintf(`","upgrades":[%s],"pingInterval":%d,"pingTimeout":%d,"maxPayload":%d}`,
			upgrades, cfg.PingInterval.Milliseconds(), cfg.PingTimeout.Milliseconds(), cfg.MaxPayload)
	}
	return openPackets{polling: rest(upgrades), duplex: rest("")}
}

// appendOpening appends the data of an open packet. An id needs no escapes, see validID.
func appendOpening(dst []byte, id, rest string) []byte {
	const front = `{"sid":"`
	dst = slices.Grow(dst, len(front)+len(id)+len(rest))
	return append(append(append(dst, front...), id...), rest...)
}

func openPacket(data []byte) outgoing {
	return outgoing{Packet: parser.Packet{Type: parser.Open, Data: data}}
}

// appendJSONString appends s as a JSON string that is also safe inside a script: "<", ">", "&", U+2028 and
// U+2029 are escaped, invalid UTF-8 becomes U+FFFD.
func appendJSONString[T string | []byte](dst []byte, s T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			i++
			if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' && c != 0x7f {
				continue
			}
			dst = append(dst, s[start:i-1]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			start = i
			continue
		}
		r, size := decodeRune(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029':
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\u202`...)
			dst = append(dst, hex[r&15])
			start = i + size
		}
		i += size
	}
	return append(append(dst, s[start:]...), '"')
}

func decodeRune[T string | []byte](s T) (rune, int) {
	var head [utf8.UTFMax]byte
	n := copy(head[:], s)
	return utf8.DecodeRune(head[:n])
}
