package core

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// WebSocketEngine speaks RFC 6455 on raw connections: the wsEngine of the reference. The core has
// checked the opening handshake before it calls Accept.
type WebSocketEngine interface {
	// Accept answers the opening handshake with status 101 and speaks WebSocket from there. The
	// answer may leave with the first Flush, which always follows.
	// buffered is what was read from conn beyond the request; r is a copy of the request. The
	// engine owns conn on success; on error the caller closes it.
	Accept(conn net.Conn, buffered []byte, r *http.Request, options WebSocketOptions) (WebSocketConn, error)
}

// WebSocketOptions are the terms of one connection.
type WebSocketOptions struct {
	// Header is sent along with the 101, behind the fields that RFC 6455 asks for, which are the
	// engine's to write. The engine may keep, but not change it.
	Header http.Header
	// Subprotocol is the one of those the client offered that was chosen; "" means none.
	Subprotocol string
	// Deflate allows permessage-deflate (RFC 7692) when the client offers it; nil forbids it.
	Deflate *DeflateOptions
	// MaxMessage limits a message, in bytes and after inflation.
	MaxMessage int64
	// WriteTimeout bounds how long a blocking Flush may get no further.
	WriteTimeout time.Duration
	// Events are to be told of what happens.
	Events WebSocketEvents
}

// WebSocketEvents are called by ReadMessage.
type WebSocketEvents interface {
	// OnPing is called for each ping frame; the engine itself never answers. The data is valid
	// during the call only.
	OnPing(data []byte)
	// BeforeRead is called before it waits for the network.
	BeforeRead()
}

// DeflateOptions are the terms of permessage-deflate. No engine keeps a compression context between
// messages (both directions are negotiated with no_context_takeover): a context costs some 300 KiB
// for each session.
type DeflateOptions struct {
	// Threshold is the least size in bytes of a message that is compressed. Zero means 1,024; a
	// negative number compresses everything.
	Threshold int
	// Level is a level of compress/flate, from HuffmanOnly (-2) to BestCompression (9), with one
	// exception: zero means the engine's default, which is BestSpeed.
	Level int
}

// WebSocketConn is one connection. One goroutine reads; one at a time appends and flushes; the
// other methods may be called from anywhere. Nothing but Flush writes to the network. What RFC 6455
// demands of frames is the engine's to check, but for UTF-8.
type WebSocketConn interface {
	// ReadMessage waits for the next message. The data belongs to the caller. A *WebSocketError
	// tells of close frames and broken rules, which are answered by AppendClose only; any other error
	// means that the connection is gone.
	ReadMessage() (data []byte, binary bool, err error)
	// Buffered reports whether input is left that was read together with the last message.
	Buffered() bool

	// AppendMessage, AppendFrame, AppendPong and AppendClose put a frame behind what waits to be flushed. They
	// copy the data. compress allows compression where it was negotiated. Code 0 makes a close
	// frame without a code; after a close frame everything else is dropped.
	AppendMessage(data []byte, binary, compress bool) error
	// AppendFrame puts a complete, unmasked, uncompressed data frame there, as it is.
	AppendFrame(frame []byte) error
	AppendPong(data []byte) error
	AppendClose(code int, reason string) error
	// Flush hands all that was appended to the network in one write. With block false it does
	// only what can be done without waiting and returns false when something is left.
	Flush(block bool) (done bool, err error)

	// Unflushed returns the bytes that were appended and not handed to the network yet. It is
	// called by the goroutine that appends and flushes.
	Unflushed() int

	// SetReadDeadline bounds ReadMessage; the zero time means no bound.
	SetReadDeadline(t time.Time) error
	// Close cuts the connection. It makes ReadMessage and Flush return. It may be called again.
	Close() error
}

// WebSocketError ends a connection by the rules of RFC 6455.
type WebSocketError struct {
	// Peer is true when the client sent a close frame with this code (1005 when it had none),
	// false when the client broke a rule and is to be told this code.
	Peer bool
	Code int
	Text string
	Err  error // the cause, if it is one that has a name here
}

// Error returns side, code and text.
func (e *WebSocketError) Error() string {
	if e.Peer {
		return fmt.Sprintf("websocket: closed by the client with %d %q", e.Code, e.Text)
	}
	return fmt.Sprintf("websocket: %s (%d)", e.Text, e.Code)
}

// Unwrap returns Err.
func (e *WebSocketError) Unwrap() error { return e.Err }

// The close codes of RFC 6455 that the core and its engines use.
const (
	closeGoingAway     = 1001
	closeNoStatus      = 1005 // stands for a close frame without code
	closeInvalidData   = 1007
	closeTryAgainLater = 1013
)
