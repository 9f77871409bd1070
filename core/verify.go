package core

import (
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/goengineio/engineio/parser"
)

// Serve answers one Engine.IO request. It blocks while a poll waits, and returns when the request is
// answered or its connection was taken over; if Exchange.Hijack calls serve at once, that includes the
// upgrade and OnConnection. engine is used for WebSockets unless Config.WebSocketEngine is set; without
// either, Serve panics at the first WebSocket. Serve may be called concurrently.
func (s *Server) Serve(x Exchange, engine WebSocketEngine) {
	if s.cfg.WebSocketEngine != nil {
		engine = s.cfg.WebSocketEngine
	}
	if s.answerCORS(x) {
		return
	}
	upgrade := isUpgrade(x)
	if upgrade && engine == nil {
		panic("engineio: Serve was given no WebSocketEngine")
	}
	x, ok := s.runMiddleware(x, upgrade)
	if !ok {
		return
	}
	p := parseParams(x.Query())
	socket, refused := s.verify(x, p, upgrade)
	switch {
	case refused != nil:
		s.refuseRequest(x, refused, upgrade)
	case upgrade && socket != nil:
		s.serveProbe(x, engine, p, socket)
	case upgrade:
		s.handshakeWebSocket(x, engine, p)
	case socket == nil:
		s.handshakePolling(x, p)
	case x.Method() == http.MethodGet:
		socket.servePoll(x)
	default:
		socket.servePost(x)
	}
}

// verify decides about a request, in the order of the reference's verify(). The session is nil
// for a handshake.
func (s *Server) verify(x Exchange, p params, upgrade bool) (*Socket, *RequestError) {
	transport := Transport(p.transport)
	if !slices.Contains(s.cfg.Transports, transport) {
		return nil, &RequestError{Code: UnknownTransport}
	}
	if !validHeaderValue(x.Header("Origin")) {
		return nil, &RequestError{Code: BadRequest, Context: "INVALID_ORIGIN"}
	}
	handshake := p.sid == "" && x.Method() == http.MethodGet
	if upgrade && transport != WebSocket || handshake && transport == WebSocket && !upgrade {
		return nil, errOpeningHandshake()
	}
	if upgrade && !s.originAllowed(x) || p.jsonp && !s.jsonpAllowed(x) {
		return nil, &RequestError{Code: Forbidden}
	}
	if p.sid != "" {
		return s.verifySession(x, p, upgrade)
	}

	if x.Method() != http.MethodGet {
		return nil, &RequestError{Code: BadHandshakeMethod}
	}
	if upgrade && !validOpeningHandshake(x) {
		return nil, errOpeningHandshake()
	}
	if allow := s.cfg.AllowRequest; allow != nil {
		err := error(errors.New("")) // unless the function says otherwise
		s.protect(func() { err = allow(x.Request()) })
		if err != nil {
			return nil, &RequestError{Code: Forbidden, Message: err.Error()}
		}
	}
	if p.revision() == 3 && !s.cfg.AllowEIO3 {
		return nil, &RequestError{Code: UnsupportedProtocolVersion}
	}
	if s.full() {
		return nil, errTooManySessions()
	}
	return nil, nil
}

func (s *Server) verifySession(x Exchange, p params, upgrade bool) (*Socket, *RequestError) {
	socket, ok := s.sessions.get(p.sid)
	if !ok {
		return nil, &RequestError{Code: UnknownSID}
	}
	if upgrade && !validOpeningHandshake(x) {
		return nil, errOpeningHandshake()
	}
	if !upgrade && (p.transport != string(Polling) || socket.Transport() != Polling) {
		return nil, &RequestError{Code: BadRequest, Context: "TRANSPORT_MISMATCH"}
	}
	if socket.Protocol() != p.revision() {
		return nil, &RequestError{Code: BadRequest, Context: "PROTOCOL_MISMATCH"}
	}
	if socket.jsonp && !upgrade && !p.jsonp && !s.jsonpAllowed(x) {
		return nil, &RequestError{Code: Forbidden}
	}
	if !upgrade && x.Method() != http.MethodGet && x.Method() != http.MethodPost {
		return nil, &RequestError{Code: BadRequest}
	}
	return socket, nil
}

func errOpeningHandshake() *RequestError {
	return &RequestError{Code: BadRequest, Context: "TRANSPORT_HANDSHAKE_ERROR"}
}

// refused logs a refusal and tells the application.
func (s *Server) refused(e *RequestError, remote string, request func() *http.Request) {
	if s.debugging() {
		s.debug(scopeServer, "request refused", "error", e, "remote", remote)
	}
	if e.status() == http.StatusServiceUnavailable {
		s.counters.unavailable.Add(1)
	} else {
		s.counters.refused[e.Code].Add(1)
	}
	switch {
	case e.Code == UnsupportedProtocolVersion:
		s.warn(scopeServer, "a client of protocol revision 3 was refused; Config.AllowEIO3 serves it")
	case e.Context == tooManySessions:
		s.warn(scopeServer, "handshakes are refused: Config.MaxSessions is reached", "sessions", s.Len())
	}
	if f := s.cfg.OnConnectionError; f != nil {
		s.protect(func() { f(e, request()) })
	}
}

// refusedTooLate is refused for a handshake whose connection is already a WebSocket: there is no request
// left that http.ErrAbortHandler could abort.
func (s *Server) refusedTooLate(e *RequestError, socket *Socket) {
	defer func() { _ = recover() }()
	s.refused(e, socket.RemoteAddr(), socket.Request)
}

func (s *Server) refuseRequest(x Exchange, e *RequestError, upgrade bool) {
	s.refused(e, x.RemoteAddr(), x.Request)
	if upgrade {
		status := http.StatusBadRequest // even where it is Forbidden, as in the reference
		if e.status() == http.StatusServiceUnavailable {
			status = http.StatusServiceUnavailable
		}
		if x.Header("Sec-WebSocket-Version") != webSocketVersion { // RFC 6455, 4.2.2
			x.SetHeader("Sec-WebSocket-Version", webSocketVersion)
		}
		refuseUpgrade(x, status, e.text())
		return
	}
	respondError(x, e)
}

// refuseUpgrade answers as the reference's abortUpgrade() does: with the bare text, never JSON.
func refuseUpgrade(x Exchange, status int, text string) {
	x.SetHeader("Content-Type", "text/html")
	x.SetHeader("X-Content-Type-Options", "nosniff") // the text may be the application's
	x.SetHeader("Connection", "close")
	_ = x.Respond(status, []byte(text))
}

// respondRefusal refuses a request that verify has accepted.
func (s *Server) respondRefusal(x Exchange, e *RequestError) {
	s.counters.refused[e.Code].Add(1)
	respondError(x, e)
}

func respondError(x Exchange, e *RequestError) {
	x.SetHeader("Content-Type", "application/json")
	body := append([]byte(`{"code":`), byte('0'+e.Code))
	body = append(body, `,"message":`...)
	body = appendJSONString(body, e.text())
	_ = x.Respond(e.status(), append(body, '}'))
}

func codecFor(revision int) parser.Codec {
	if revision == 3 {
		return parser.V3
	}
	return parser.V4
}

// isUpgrade reports whether the request asks to leave HTTP.
func isUpgrade(x Exchange) bool {
	return x.Header("Upgrade") != "" && hasToken(x.Header("Connection"), "upgrade")
}

// validOpeningHandshake checks what RFC 6455, section 4.2.1 requires of a client, so that a bad request can
// still be answered.
func validOpeningHandshake(x Exchange) bool {
	key, err := base64.StdEncoding.DecodeString(x.Header("Sec-WebSocket-Key"))
	return err == nil && len(key) == 16 &&
		x.Method() == http.MethodGet &&
		hasToken(x.Header("Upgrade"), "websocket") &&
		x.Header("Sec-WebSocket-Version") == webSocketVersion
}

const webSocketVersion = "13"

// hasToken reports whether a comma-separated header value has the token, whatever its case.
func hasToken(value, token string) bool {
	for part := range strings.SplitSeq(value, ",") {
		if strings.EqualFold(strings.Trim(part, " \t"), token) {
			return true
		}
	}
	return false
}

// validHeaderValue reports whether the value has no control characters other than tabs.
func validHeaderValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
