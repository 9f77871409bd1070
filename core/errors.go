package core

import (
	"errors"
	"net/http"
	"strconv"
)

// ErrorCode is the code of a refused request, as it appears in the JSON body of the answer.
type ErrorCode int

// The codes of the protocol.
const (
	UnknownTransport           ErrorCode = 0
	UnknownSID                 ErrorCode = 1
	BadHandshakeMethod         ErrorCode = 2
	BadRequest                 ErrorCode = 3
	Forbidden                  ErrorCode = 4
	UnsupportedProtocolVersion ErrorCode = 5
)

// String returns the message the reference sends with the code.
func (c ErrorCode) String() string {
	switch c {
	case UnknownTransport:
		return "Transport unknown"
	case UnknownSID:
		return "Session ID unknown"
	case BadHandshakeMethod:
		return "Bad handshake method"
	case BadRequest:
		return "Bad request"
	case Forbidden:
		return "Forbidden"
	case UnsupportedProtocolVersion:
		return "Unsupported protocol version"
	}
	return "Error " + strconv.Itoa(int(c))
}

// RequestError describes a refused request: the code and message that the client sees, and the context,
// which only the server should know.
type RequestError struct {
	Code ErrorCode
	// Message is sent to the client; empty means the code's own text.
	Message string
	// Context names the cause more precisely where the reference does: INVALID_ORIGIN, TRANSPORT_MISMATCH,
	// TRANSPORT_HANDSHAKE_ERROR, PROTOCOL_MISMATCH, ID_GENERATION_ERROR, MIDDLEWARE_FAILURE; and for the
	// refusals with status 503: TOO_MANY_SESSIONS and SERVER_CLOSED. Otherwise it is empty.
	Context string
}

// Error returns code and message, and the context if there is one.
func (e *RequestError) Error() string {
	text := "engine.io: " + strconv.Itoa(int(e.Code)) + " " + e.text()
	if e.Context != "" {
		text += " (" + e.Context + ")"
	}
	return text
}

func (e *RequestError) text() string {
	if e.Message != "" {
		return e.Message
	}
	return e.Code.String()
}

func (e *RequestError) status() int {
	switch {
	case e.Context == tooManySessions, e.Context == serverClosed:
		return http.StatusServiceUnavailable
	case e.Code == Forbidden:
		return http.StatusForbidden
	}
	return http.StatusBadRequest
}

// closeCode returns the close code that stands for the error when it is too late for a status code.
func (e *RequestError) closeCode() int {
	if e.Context == tooManySessions {
		return closeTryAgainLater
	}
	return closeGoingAway
}

func errTooManySessions() *RequestError {
	return &RequestError{Code: BadRequest, Message: "Too many sessions", Context: tooManySessions}
}

func errServerClosed() *RequestError {
	return &RequestError{Code: BadRequest, Message: "engine.io: server is closed", Context: serverClosed}
}

// The contexts of handshakes that exceed Config.MaxSessions, and of those that were under way when the
// server began to close.
const (
	tooManySessions = "TOO_MANY_SESSIONS"
	serverClosed    = "SERVER_CLOSED"
)

// CloseReason says why a session ended, in the words of the reference.
type CloseReason string

// The reasons passed to OnClose.
const (
	// TransportClose: the client ended the session or closed its WebSocket, or a read found the WebSocket's
	// connection gone.
	TransportClose CloseReason = "transport close"
	// TransportError: the client broke the protocol or read too slowly, a write failed, or the connection
	// was lost during a polling request.
	TransportError CloseReason = "transport error"
	// PingTimeout: nothing was heard from the client in time.
	PingTimeout CloseReason = "ping timeout"
	// ParseError: the client sent something that is not a packet.
	ParseError CloseReason = "parse error"
	// ForcedClose: the application, or the server's shutdown, ended the session.
	ForcedClose CloseReason = "forced close"
)

// Errors to compare with errors.Is. Those of the second group are passed to OnClose.
var (
	// ErrClosed is returned by Send once the session is closing or closed.
	ErrClosed = errors.New("engine.io: session is closed")
	// ErrDropped is returned by SendVolatile for a message that could not leave at once.
	ErrDropped = errors.New("engine.io: volatile message dropped")

	// ErrBufferFull: more than Config.MaxBuffered would have waited for a slow client. Send returns it,
	// too.
	ErrBufferFull = errors.New("engine.io: too much unsent data")
	// ErrTooLarge: a message or body exceeds Config.MaxPayload.
	ErrTooLarge = errors.New("engine.io: larger than MaxPayload")
	// ErrOverlap: a client had two polls, or two POSTs, under way at once.
	ErrOverlap = errors.New("engine.io: overlapping requests of one client")
	// ErrHeartbeat: the client sent a ping in revision 4 or a pong in revision 3, which only the server may
	// send.
	ErrHeartbeat = errors.New("engine.io: invalid heartbeat direction")
	// ErrContentType: a POST of revision 4 with the content type application/octet-stream.
	ErrContentType = errors.New("engine.io: invalid content type")
	// ErrDisconnected: the client's connection was lost during a request.
	ErrDisconnected = errors.New("engine.io: connection closed prematurely")
	// ErrInvalidUTF8: a WebSocket text message that is not UTF-8.
	ErrInvalidUTF8 = errors.New("engine.io: invalid UTF-8 in a text message")
	// ErrPanic: a callback panicked; the error that wraps it has the panic value in its text.
	ErrPanic = errors.New("engine.io: panic in a callback")
)
