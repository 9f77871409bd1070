package core

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goengineio/engineio/parser"
)

// newID returns 20 URL-safe characters, 120 bits, of crypto/rand.
func newID() string {
	var raw [15]byte
	_, _ = rand.Read(raw[:]) // never fails
	var id [20]byte
	base64.RawURLEncoding.Encode(id[:], raw[:])
	return string(id[:])
}

// handshakePolling opens a session whose first poll is this request.
func (s *Server) handshakePolling(x Exchange, p params) {
	if s.isClosing() {
		refuseClosed(x)
		return
	}
	socket, err := s.newSocket(x, p)
	if err == nil {
		socket.polling = pollingAnswer{base64: p.base64 || p.jsonp, jsonp: p.jsonp, index: digits(p.j)}
		err = s.register(socket)
	}
	if err != nil {
		s.refuseRequest(x, err, false)
		return
	}
	packets := []outgoing{{Packet: socket.openPacket(Polling)}}
	if m := s.cfg.InitialPacket; m != nil {
		packets = append(packets, outgoing{Packet: messagePacket(*m), compress: !m.NoCompress})
	}
	if s.cfg.Cookie != nil {
		x.AddHeader("Set-Cookie", s.cfg.Cookie.cookie(socket.id).String())
	}
	socket.mu.Lock()
	socket.noteFlush(packets)
	socket.mu.Unlock()
	if err := socket.answerPoll(x, packets, true); err == nil {
		socket.mu.Lock()
		socket.noteDrain(packets)
		socket.mu.Unlock()
	}
	// On a goroutine of its own, since some frameworks send the answer when the handler returns.
	go socket.connected()
}

// handshakeWebSocket opens a session on a WebSocket.
func (s *Server) handshakeWebSocket(x Exchange, engine WebSocketEngine, p params) {
	if s.isClosing() {
		refuseClosed(x)
		return
	}
	socket, refused := s.newSocket(x, p)
	if refused != nil {
		s.refuseRequest(x, refused, true)
		return
	}
	s.takeOver(x, engine, socket, true, func(link *duplex) {
		if err := s.register(socket); err != nil {
			// The server is closing, or somebody just took the same id.
			_ = link.conn.AppendClose(closeGoingAway, "")
			_, _ = link.conn.Flush(false)
			s.linger(link.conn)
			return
		}
		link.base64 = p.base64
		time.Sleep(openPause)
		socket.startDuplex(link)
		socket.connected()
		socket.readLoop(link)
	})
}

// takeOver hijacks the request's connection, makes it a WebSocket and hands it to serve, on a
// goroutine where nothing of the request is left.
func (s *Server) takeOver(x Exchange, engine WebSocketEngine, socket *Socket, initial bool, serve func(*duplex)) {
	request, header := x.Request(), switchingHeaders(x)
	if initial && s.cfg.Cookie != nil {
		header.Add("Set-Cookie", s.cfg.Cookie.cookie(socket.id).String())
	}
	s.callHeaders(header, request, initial)
	subprotocol := offeredSubprotocol(x)
	err := x.Hijack(func(conn net.Conn, buffered []byte) {
		s.stay()
		defer s.leave()
		link := &duplex{socket: socket}
		ws, err := engine.Accept(conn, buffered, request, WebSocketOptions{
			Header:       header,
			Subprotocol:  subprotocol,
			Deflate:      s.cfg.PerMessageDeflate,
			MaxMessage:   s.cfg.MaxPayload,
			WriteTimeout: s.cfg.PingInterval + s.cfg.PingTimeout,
			OnPing:       link.onPing,
			BeforeRead:   link.beforeRead,
		})
		if err != nil {
			s.debug(scopeWS, "handshake failed", "error", err)
			_ = conn.Close()
			return
		}
		link.conn = ws
		if s.debugging() {
			socket.debug(scopeWS, "connection accepted", "deflate", s.cfg.PerMessageDeflate != nil, "subprotocol", subprotocol)
		}
		if _, err := ws.Flush(true); err != nil {
			_ = ws.Close()
			return
		}
		serve(link)
	})
	if err != nil {
		s.log.Warn("websocket upgrade impossible", "scope", scopeWS, "error", err)
		refuseUpgrade(x, http.StatusInternalServerError, "Internal Server Error")
	}
}

// offeredSubprotocol chooses the first of the subprotocols a client offers, as the reference does:
// browsers give up a connection where they offered some and none was chosen.
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

func (s *Server) newSocket(x Exchange, p params) (*Socket, *RequestError) {
	socket := &Socket{
		srv:       s,
		codec:     codecFor(p.revision()),
		request:   x.Request(),
		remote:    x.RemoteAddr(),
		receiving: true, // until OnConnection has returned
	}
	var err error
	socket.id, err = s.makeID(socket.request)
	if err != nil {
		s.log.Warn("no session id", "scope", scopeServer, "error", err)
		return nil, &RequestError{Code: BadRequest, Context: "ID_GENERATION_ERROR"}
	}
	return socket, nil
}

// makeID returns an id that is not in use.
func (s *Server) makeID(r *http.Request) (string, error) {
	if s.cfg.GenerateID == nil {
		return newID(), nil
	}
	id, err := s.cfg.GenerateID(r)
	if err != nil {
		return "", err
	}
	if !validID(id) {
		return "", fmt.Errorf("the id %q has characters that are not allowed in one", id)
	}
	if _, taken := s.sessions.get(id); taken {
		return "", errTakenID
	}
	return id, nil
}

// validID allows what RFC 3986 calls unreserved: such an id means nothing in a URL, a header, a
// cookie or JSON.
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

// register makes the session known and starts its heartbeat. It fails when the server closes, or
// when the id has been taken meanwhile.
func (s *Server) register(socket *Socket) *RequestError {
	if !s.enter() {
		return &RequestError{Code: BadRequest, Message: ErrServerClosed.Error()}
	}
	if !s.sessions.add(socket) {
		s.leave()
		return &RequestError{Code: BadRequest, Context: "ID_GENERATION_ERROR"}
	}
	socket.startHeartbeat()
	if s.debugging() {
		socket.debug(scopeServer, "session opened", "remote", socket.remote, "revision", socket.Protocol())
	}
	return nil
}

func refuseClosed(x Exchange) {
	x.SetHeader("Content-Type", "text/plain; charset=UTF-8")
	_ = x.Respond(http.StatusServiceUnavailable, []byte(ErrServerClosed.Error()))
}

// openPacket builds the handshake with the reference's key order.
func (s *Socket) openPacket(transport Transport) parser.Packet {
	cfg := &s.srv.cfg
	b := make([]byte, 0, 128+len(s.id))
	b = append(b, `{"sid":`...)
	b = appendJSONString(b, s.id)
	b = append(b, `,"upgrades":[`...)
	if transport == Polling && !cfg.DisableUpgrades && s.srv.offers(WebSocket) {
		b = append(b, `"websocket"`...)
	}
	b = append(b, `],"pingInterval":`...)
	b = strconv.AppendInt(b, cfg.PingInterval.Milliseconds(), 10)
	b = append(b, `,"pingTimeout":`...)
	b = strconv.AppendInt(b, cfg.PingTimeout.Milliseconds(), 10)
	b = append(b, `,"maxPayload":`...)
	b = strconv.AppendInt(b, cfg.MaxPayload, 10)
	return parser.Packet{Type: parser.Open, Data: append(b, '}')}
}

func (s *Server) offers(transport Transport) bool {
	for _, t := range s.cfg.Transports {
		if t == transport {
			return true
		}
	}
	return false
}

// appendJSONString appends s as a JSON string that is safe inside a script, too: "<", ">", "&",
// U+2028 and U+2029 are escaped, invalid UTF-8 becomes U+FFFD.
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
