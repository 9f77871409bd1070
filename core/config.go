package core

import (
	"compress/flate"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/rs/cors"
)

// Transport is the name of a transport, as it appears in the query of a request.
type Transport string

// The transports a server can offer.
const (
	Polling   Transport = "polling"
	WebSocket Transport = "websocket"
)

// Config holds everything a server can be told. A field left zero has its default; booleans are named so
// that false is the default. NewServer copies the Config and what its pointers refer to: later changes have
// no effect.
type Config struct {
	// PingInterval is the time from the end of one heartbeat to the next (pingInterval of the reference).
	// Default 25 s. It is announced to clients in whole milliseconds. PingInterval and PingTimeout together
	// must not exceed the 24 days that JavaScript timers can handle.
	PingInterval time.Duration
	// PingTimeout is how long the other side may take to answer (pingTimeout). Default 20 s. A session from
	// which nothing is heard ends after PingInterval + PingTimeout at the latest.
	PingTimeout time.Duration
	// UpgradeTimeout bounds an upgrade, from the WebSocket's handshake to its upgrade packet
	// (upgradeTimeout). Default 10 s. When it expires the WebSocket is closed; polling goes on.
	UpgradeTimeout time.Duration
	// MaxPayload limits, in bytes, the body of a POST and a WebSocket message after inflation
	// (maxHttpBufferSize). Default 1,000,000. Clients learn it from the handshake.
	MaxPayload int64
	// MaxBuffered limits the data, in bytes, that may wait to be sent to one session. Default 16 MiB, or 4
	// x MaxPayload if that is more; it must not be less than 4 x MaxPayload. The number of waiting messages
	// is limited, too: to MaxBuffered / 128, or 1,024 if that is more. BufferPolicy says what happens to a
	// session that exceeds a limit.
	MaxBuffered int64
	// BufferPolicy is for clients that read more slowly than messages are sent to them. The default closes
	// their sessions.
	BufferPolicy BufferPolicy
	// WriteTimeout is how long a write to a WebSocket may make no progress before the connection is cut.
	// Default PingInterval + PingTimeout. It also bounds large answers to polls if the
	// HTTP server has no write timeout of its own; a whole answer may take PingInterval + PingTimeout longer.
	WriteTimeout time.Duration
	// MaxSessions limits the number of sessions open at a time; further handshakes are refused with status
	// 503. Default 0: no limit other than memory and file descriptors.
	MaxSessions int

	// Transports lists the enabled transports. Default: Polling and WebSocket.
	Transports []Transport
	// DisableUpgrades stops the handshake from offering an upgrade (allowUpgrades: false).
	DisableUpgrades bool
	// AllowEIO3 serves clients of protocol revision 3 as well (engine.io-client 3 and older).
	AllowEIO3 bool
	// DisableHTTPCompression turns off the compression of poll answers. Otherwise answers of at least
	// HTTPCompressionThreshold bytes are compressed with gzip or deflate if the client accepts that.
	DisableHTTPCompression bool

	// HTTPCompressionThreshold is the minimum size in bytes for an answer to be compressed. Default 1,024.
	HTTPCompressionThreshold int
	// PerMessageDeflate compresses WebSocket messages for clients that offer it. Nil, the default, turns it
	// off: it costs CPU and memory, and most messages are small. MaxPayload applies to messages after
	// inflation.
	PerMessageDeflate *DeflateOptions

	// WebSocketEngine speaks RFC 6455. Nil means the engine that the adapter brings along.
	WebSocketEngine WebSocketEngine

	// AllowRequest accepts or refuses handshakes, over polling and WebSocket, before a session exists
	// (allowRequest). A non-nil error refuses the request with error 4 and the error's text as the message;
	// an empty text means "Forbidden". The function may be called concurrently and may block; the request
	// is a copy.
	AllowRequest func(*http.Request) error

	// CORS adds CORS headers to the answers to cross-origin requests, errors included, and answers
	// preflight requests. Nil adds nothing, and nothing is added if the application's own middleware has
	// already set Access-Control-Allow-Origin. A nil AllowedHeaders allows the headers that the client asks
	// for. NewServer refuses AllowCredentials together with all origins.
	CORS *cors.Options
	// AllowAnyOrigin accepts WebSocket and JSONP requests from every site, as the reference does. Otherwise
	// requests that show a foreign origin are refused with error 4, unless CORS allows it: browsers let any
	// page send such requests with the user's cookies.
	AllowAnyOrigin bool
	// DisableJSONP refuses JSONP requests with error 4. Only engine.io-client 5 and older can send them.
	DisableJSONP bool

	// InitialPacket is a message that is sent together with the handshake (initialPacket), which saves a
	// round trip. Nil sends none.
	InitialPacket *Message
	// Cookie makes handshakes set a cookie with the session id (cookie). Nil sets none.
	Cookie *CookieOptions
	// GenerateID generates session ids (generateId). Nil means 20 URL-safe characters from crypto/rand. A
	// replacement is responsible for security: whoever knows an id owns the session. An error, an empty id,
	// an id in use, or one with characters other than A-Z a-z 0-9 - _ . ~ refuses the handshake with error
	// 3 (context ID_GENERATION_ERROR). The function may be called concurrently; the request is a copy.
	GenerateID func(*http.Request) (string, error)

	// Conflate is given the messages that wait for a client, just before they are sent, and returns the
	// messages to send in their place: the newest of several prices, say. Package conflate has ready-made
	// functions. Other packets are not shown to it and never changed. A message with a callback (see
	// Socket.SendFunc) counts as sent even if it was conflated away. Conflate runs on the sender's
	// goroutine or on one of the session's, one call at a time for each session; while it runs, the
	// session's messages wait. The slice belongs to the function.
	Conflate func(*Socket, []Message) []Message

	// OnInitialHeaders may add headers to the answer to a handshake, OnHeaders to every answer of a session
	// that is not a refusal, handshakes included; the 101 of a WebSocket handshake is passed to both
	// (initial_headers and headers of the reference). They must return quickly.
	OnInitialHeaders func(http.Header, *http.Request)
	OnHeaders        func(http.Header, *http.Request)
	// OnConnectionError is called for every request that is refused before it reaches a session
	// (connection_error), except for handshakes that arrive when the server is already closing. The request
	// is a copy.
	OnConnectionError func(*RequestError, *http.Request)
	// OnFlush and OnDrain are Socket.OnFlush and Socket.OnDrain for all sessions at once. They may run
	// concurrently with callbacks, see Socket.
	OnFlush func(*Socket, []Packet)
	OnDrain func(*Socket)

	// OnConnection is called with each new session, before anything from its client is delivered, so
	// handlers set in it miss nothing; what it sends follows the handshake. It may block: the handshake
	// does not wait for it, and the client is pinged meanwhile. (In revision 3 the client pings. While
	// OnConnection blocks nothing is read from it, so its pings are not answered, and it leaves after
	// PingInterval + PingTimeout.)
	OnConnection func(*Socket)
	// OnMessage is called with the messages of all sessions that have no Socket.OnMessage of their own, to which
	// it is equal in all other respects. It costs a session nothing; a closure takes memory. Without an
	// OnConnection, opening a session takes no goroutine either.
	OnMessage func(*Socket, Message)

	// Logger receives debug records of the protocol, warnings, and errors for callbacks that panic. Nil
	// discards them.
	Logger *slog.Logger
}

// BufferPolicy says what happens when more than Config.MaxBuffered would wait for a client.
type BufferPolicy uint8

const (
	// CloseSession closes the session with TransportError and ErrBufferFull: the client misses messages,
	// and the end of its session lets it know.
	CloseSession BufferPolicy = iota
	// RefuseMessage makes Send return ErrBufferFull and drop the message; the session goes on.
	RefuseMessage
)

const (
	defaultPingInterval   = 25 * time.Second
	defaultPingTimeout    = 20 * time.Second
	defaultUpgradeTimeout = 10 * time.Second
	defaultMaxPayload     = 1_000_000
	defaultMaxBuffered    = 16 << 20

	compressionThreshold = 1024

	// Limits for the number of waiting messages, which bound what empty ones cost.
	leastWaiting    = 1024
	bytesPerWaiting = 128

	// heldPoll is how long a poll waits at most if it arrives during an upgrade.
	heldPoll = 100 * time.Millisecond
	// upgradePause is how long a poll first pauses if it arrives early in an upgrade: the client may have
	// sent the upgrade packet before it on the other connection, and polls are refused after an upgrade.
	upgradePause = 2 * time.Millisecond
	// closeTimeout bounds a graceful close if the client does not come to fetch the rest.
	closeTimeout = 30 * time.Second
	// longest is the longest delay of a JavaScript timer; a timer with a longer delay fires at once.
	longest = math.MaxInt32 * time.Millisecond
	// mostHead is the largest head of a handshake request, in bytes, since a session keeps it. With HTTP/2, where a
	// field that was sent before takes two bytes, a request could have a megabyte of them for nothing.
	mostHead = 64 << 10
	// mostDigits is the longest index of a JSONP call. Clients count it up from 0.
	mostDigits = 32
	// mostPayload bounds MaxPayload so that sums and multiples of it do not overflow.
	mostPayload = math.MaxInt64 / 8
	// lingerTimeout is how long a closed WebSocket waits for the client's close frame, so that what was
	// sent last is not destroyed by a TCP reset.
	lingerTimeout = 5 * time.Second
	// openPause is the pause between the 101 and the open packet of a WebSocket. Clients that wait for
	// "open" before they listen for messages, like the protocol's own test suites, miss an open packet that
	// they read together with the 101. See Server.pauseOpening.
	openPause = time.Millisecond
	// closePause is how long a client's close packet waits for a poll that the client may have sent before
	// it on another connection, so that the poll is answered with a noop.
	closePause = 10 * time.Millisecond
	// holdBack is how long replies may be held back to leave together with the ones that follow.
	holdBack = 2 * time.Millisecond
	// mostHeld is how many bytes are held back at most: a single write would not send more of them much
	// faster.
	mostHeld = 16 << 10
)

func (c Config) withDefaults() Config {
	if c.PingInterval == 0 {
		c.PingInterval = defaultPingInterval
	}
	if c.PingTimeout == 0 {
		c.PingTimeout = defaultPingTimeout
	}
	if c.UpgradeTimeout == 0 {
		c.UpgradeTimeout = defaultUpgradeTimeout
	}
	if c.MaxPayload == 0 {
		c.MaxPayload = defaultMaxPayload
	}
	c.MaxPayload = min(c.MaxPayload, mostPayload)
	if c.MaxBuffered == 0 {
		c.MaxBuffered = max(defaultMaxBuffered, 4*c.MaxPayload)
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = c.PingInterval + c.PingTimeout
	}
	if len(c.Transports) == 0 {
		c.Transports = []Transport{Polling, WebSocket}
	}
	if c.HTTPCompressionThreshold == 0 {
		c.HTTPCompressionThreshold = compressionThreshold
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c = c.clone()
	if deflate := c.PerMessageDeflate; deflate != nil {
		if deflate.Threshold == 0 {
			deflate.Threshold = compressionThreshold
		}
		if deflate.Level == 0 {
			deflate.Level = flate.BestSpeed
		}
	}
	return c
}

// clone returns a copy that shares no memory with c.
func (c Config) clone() Config {
	c.Transports = slices.Clone(c.Transports)
	c.PerMessageDeflate = copyOf(c.PerMessageDeflate)
	c.Cookie = copyOf(c.Cookie)
	if c.CORS = copyOf(c.CORS); c.CORS != nil {
		c.CORS.AllowedOrigins = slices.Clone(c.CORS.AllowedOrigins)
		c.CORS.AllowedMethods = slices.Clone(c.CORS.AllowedMethods)
		c.CORS.AllowedHeaders = slices.Clone(c.CORS.AllowedHeaders)
		c.CORS.ExposedHeaders = slices.Clone(c.CORS.ExposedHeaders)
	}
	if c.InitialPacket = copyOf(c.InitialPacket); c.InitialPacket != nil {
		c.InitialPacket.Data = slices.Clone(c.InitialPacket.Data)
	}
	return c
}

func copyOf[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// validate returns one error that names every invalid field.
func (c Config) validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("engine.io: Config.%s: %s", field, fmt.Sprintf(format, args...)))
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"PingInterval", c.PingInterval}, {"PingTimeout", c.PingTimeout}, {"UpgradeTimeout", c.UpgradeTimeout}, {"WriteTimeout", c.WriteTimeout}} {
		switch {
		case d.value < time.Millisecond:
			bad(d.field, "%v is less than a millisecond", d.value)
		case d.value > longest:
			bad(d.field, "%v is more than timers of JavaScript take, %v", d.value, longest)
		}
	}
	if sum := c.PingInterval + c.PingTimeout; max(c.PingInterval, c.PingTimeout) <= longest && sum > longest {
		bad("PingInterval", "%v with PingTimeout is more than timers of JavaScript take, %v", sum, longest)
	}
	if c.MaxPayload < 1 {
		bad("MaxPayload", "%d bytes; it must be positive", c.MaxPayload)
	} else if c.MaxBuffered < 4*c.MaxPayload {
		bad("MaxBuffered", "%d bytes is less than four times MaxPayload (%d)", c.MaxBuffered, c.MaxPayload)
	}
	if c.BufferPolicy > RefuseMessage {
		bad("BufferPolicy", "unknown policy %d", c.BufferPolicy)
	}
	if c.MaxSessions < 0 {
		bad("MaxSessions", "%d", c.MaxSessions)
	}
	for _, t := range c.Transports {
		if t != Polling && t != WebSocket {
			bad("Transports", "unknown transport %q", t)
		}
	}
	if c.Cookie != nil {
		if err := c.Cookie.cookie("x").Valid(); err != nil {
			bad("Cookie", "%v", err)
		}
	}
	if c.HTTPCompressionThreshold < 0 {
		bad("HTTPCompressionThreshold", "%d bytes", c.HTTPCompressionThreshold)
	}
	if d := c.PerMessageDeflate; d != nil && (d.Level < flate.HuffmanOnly || d.Level > flate.BestCompression) {
		bad("PerMessageDeflate", "level %d is not between %d and %d", d.Level, flate.HuffmanOnly, flate.BestCompression)
	}
	if c.CORS != nil {
		for _, origin := range c.CORS.AllowedOrigins {
			if openEnded(origin) {
				bad("CORS", "the origin %q also allows hosts that only begin like it", origin)
			}
		}
	}
	if c.CORS != nil && reflectsAnyOrigin(c.CORS) {
		bad("CORS", "AllowCredentials with all origins would hand every site the user's session")
	}
	return errors.Join(errs...)
}
