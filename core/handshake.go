package core

import (
	"crypto/rand"
	"encoding/base64"
	"net"
	"net/http"
	"strconv"
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
	socket, ok := s.open(x, p)
	if !ok {
		refuseClosed(x)
		return
	}
	socket.polling = pollingAnswer{base64: p.base64 || p.jsonp, jsonp: p.jsonp, index: digits(p.j)}
	_ = socket.answerPoll(x, []outgoing{{Packet: socket.openPacket(Polling)}})
	// On a goroutine of its own, since some frameworks send the answer when the handler returns.
	go socket.connected()
}

// handshakeWebSocket opens a session on a WebSocket.
func (s *Server) handshakeWebSocket(x Exchange, engine WebSocketEngine, p params) {
	if s.isClosing() {
		refuseClosed(x)
		return
	}
	socket := s.newSocket(x, p)
	s.takeOver(x, engine, socket, func(link *duplex) {
		if !s.register(socket) {
			_ = link.conn.Close()
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
func (s *Server) takeOver(x Exchange, engine WebSocketEngine, socket *Socket, serve func(*duplex)) {
	request, header := x.Request(), switchingHeaders(x)
	err := x.Hijack(func(conn net.Conn, buffered []byte) {
		s.stay()
		defer s.leave()
		link := &duplex{socket: socket}
		ws, err := engine.Accept(conn, buffered, request, WebSocketOptions{
			Header:       header,
			MaxMessage:   s.cfg.MaxPayload,
			WriteTimeout: s.cfg.PingInterval + s.cfg.PingTimeout,
			OnPing:       link.onPing,
			BeforeRead:   link.beforeRead,
		})
		if err != nil {
			s.log.Debug("websocket handshake failed", "scope", "engine:ws", "error", err)
			_ = conn.Close()
			return
		}
		link.conn = ws
		if _, err := ws.Flush(true); err != nil {
			_ = ws.Close()
			return
		}
		serve(link)
	})
	if err != nil {
		s.log.Warn("websocket upgrade impossible", "scope", "engine:ws", "error", err)
		refuseUpgrade(x, http.StatusInternalServerError, "Internal Server Error")
	}
}

// open registers a new session.
func (s *Server) open(x Exchange, p params) (*Socket, bool) {
	socket := s.newSocket(x, p)
	return socket, s.register(socket)
}

func (s *Server) newSocket(x Exchange, p params) *Socket {
	return &Socket{
		srv:       s,
		id:        newID(),
		codec:     codecFor(p.revision()),
		request:   x.Request(),
		remote:    x.RemoteAddr(),
		receiving: true, // until OnConnection has returned
	}
}

// register makes the session known and starts its heartbeat. It fails when the server closes.
func (s *Server) register(socket *Socket) bool {
	if !s.enter() {
		return false
	}
	for !s.sessions.add(socket) {
		socket.id = newID()
	}
	socket.startHeartbeat()
	s.log.Debug("session opened", "scope", "engine", "sid", socket.id, "remote", socket.remote)
	return true
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
