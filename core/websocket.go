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
	// Accept answers the opening handshake with status 101 and speaks WebSocket from there. The answer may
	// be sent with the first Flush, which always follows. buffered is what was read from conn beyond the
	// request; r is a copy of the request. On success the engine owns conn; on error, or if Accept panics,
	// the caller closes it.
	Accept(conn net.Conn, buffered []byte, r *http.Request, options WebSocketOptions) (WebSocketConn, error)
}

// WebSocketOptions are the options of one connection.
type WebSocketOptions struct {
	// Header is sent with the 101, after the fields that RFC 6455 requires, which the engine writes. The
	// engine may keep it but must not change it.
	Header http.Header
	// Subprotocol is the one chosen from the subprotocols that the client offered; "" means none.
	Subprotocol string
	// Deflate allows permessage-deflate (RFC 7692) when the client offers it; nil forbids it.
	Deflate *DeflateOptions
	// MaxMessage limits the size of a message, in bytes after inflation.
	MaxMessage int64
	// WriteTimeout bounds how long a blocking Flush may make no progress.
	WriteTimeout time.Duration
	// Events is told what happens on the connection.
	Events WebSocketEvents
}

// WebSocketEvents are called by ReadMessage.
type WebSocketEvents interface {
	// OnPing is called for each ping frame; the engine itself never answers. The data is valid only during
	// the call.
	OnPing(data []byte)
	// BeforeRead is called before ReadMessage waits for the network.
	BeforeRead()
}

// DeflateOptions are the options of permessage-deflate. No engine keeps a compression context between
// messages (both directions are negotiated with no_context_takeover): a context costs some 300 KiB for each
// session.
type DeflateOptions struct {
	// Threshold is the minimum size in bytes for a message to be compressed. Zero means 1,024; a negative
	// number compresses everything.
	Threshold int
	// Level is a level of compress/flate, from HuffmanOnly (-2) to BestCompression (9), with one
	// exception: zero means the engine's default, which is BestSpeed.
	Level int
}

// WebSocketConn is one connection. One goroutine reads; one at a time appends and flushes; the other
// methods may be called from any goroutine. Only Flush writes to the network. The engine checks what RFC
// 6455 demands of frames, except that text is UTF-8. A panic of its methods is not contained.
type WebSocketConn interface {
	// ReadMessage waits for the next message. The data belongs to the caller. A *WebSocketError reports a
	// close frame or a broken rule, which only AppendClose answers; any other error means that the
	// connection is gone.
	ReadMessage() (data []byte, binary bool, err error)
	// Buffered reports whether input is left that was read together with the last message.
	Buffered() bool

	// AppendMessage, AppendFrame, AppendPong and AppendClose add a frame to what waits to be flushed. They
	// copy the data. compress allows compression if it was negotiated. Code 0 makes a close frame without a
	// code; after a close frame everything else is dropped.
	AppendMessage(data []byte, binary, compress bool) error
	// AppendFrame adds a complete, unmasked, uncompressed data frame as it is.
	AppendFrame(frame []byte) error
	AppendPong(data []byte) error
	AppendClose(code int, reason string) error
	// Flush hands everything that was appended to the network in one write. With block false it does only
	// what can be done without waiting, and returns false if something is left.
	Flush(block bool) (done bool, err error)

	// Unflushed returns how many bytes were appended but not yet handed to the network. It is called by the
	// goroutine that appends and flushes.
	Unflushed() int

	// SetDeadline bounds ReadMessage and Flush; the zero time means no bound, except WriteTimeout's. It takes
	// effect on calls under way, and bounds all that ReadMessage does: over TLS that includes writing. A time in
	// the past makes ReadMessage return at once; a write may get a little more time.
	SetDeadline(t time.Time) error
	// Close cuts the connection. It makes ReadMessage and Flush return. It may be called again, and with locks
	// held: it never waits for the network, which over TLS the end of the connection may do.
	Close() error
}

// WebSocketError is the end of a connection by the rules of RFC 6455.
type WebSocketError struct {
	// Peer is true when the client sent a close frame with this code (1005 when it had none),
	// false when the client broke a rule and is to be told this code.
	Peer bool
	Code int
	Text string
	Err  error // the cause, if this package has an error for it
}

// Error tells the side that ended the connection, the code and the text.
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
