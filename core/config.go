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

// Transport names one way of carrying a session, as it stands in the query of a request.
type Transport string

// The transports a server can offer.
const (
	Polling   Transport = "polling"
	WebSocket Transport = "websocket"
)

// Config holds everything a server can be told. A field left zero means its default; booleans are
// named so that false is the default. NewServer copies it, and what its pointers refer to: later changes
// have no effect.
type Config struct {
	// PingInterval is the time between the end of one heartbeat and the next (pingInterval of the
	// reference). Default 25 s. It is announced to clients in whole milliseconds. Timers of JavaScript
	// take no more than 24 days, PingTimeout included.
	PingInterval time.Duration
	// PingTimeout is how long the other side may take to answer (pingTimeout). Default 20 s.
	// A session of which nothing is heard ends after PingInterval + PingTimeout at the latest.
	PingTimeout time.Duration
	// UpgradeTimeout bounds an upgrade, from the WebSocket's handshake to its upgrade packet
	// (upgradeTimeout). Default 10 s. When it passes the WebSocket is closed; polling goes on.
	UpgradeTimeout time.Duration
	// MaxPayload limits, in bytes, the body of a POST and a WebSocket message after inflation
	// (maxHttpBufferSize). Default 1,000,000. Clients learn it from the handshake.
	MaxPayload int64
	// MaxBuffered limits, in bytes of data, what may wait to be sent to one session. Default 16 MiB,
	// and never less than 4 x MaxPayload. No more messages may wait than one for every 32 of these
	// bytes, or 1,024 if that is more. BufferPolicy says what becomes of a session that exceeds it.
	MaxBuffered int64
	// BufferPolicy is about clients that read more slowly than they are sent to. The default closes
	// their sessions.
	BufferPolicy BufferPolicy
	// WriteTimeout is how long a write to a WebSocket may get no further before the connection is
	// cut. Default PingInterval + PingTimeout. It also bounds large answers to polls under net/http
	// where the http.Server has no WriteTimeout of its own.
	WriteTimeout time.Duration
	// MaxSessions limits the sessions that are open at a time; further handshakes are refused with
	// status 503. Default 0: no limit but memory and descriptors.
	MaxSessions int

	// Transports lists the enabled transports. Default: Polling and WebSocket.
	Transports []Transport
	// DisableUpgrades stops the handshake from offering an upgrade (allowUpgrades: false).
	DisableUpgrades bool
	// AllowEIO3 serves clients of protocol revision 3 as well (engine.io-client 3 and older).
	AllowEIO3 bool
	// DisableHTTPCompression turns off the compression of poll answers. Otherwise answers of
	// 1,024 bytes and more are compressed with gzip or deflate when the client accepts that.
	DisableHTTPCompression bool

	// HTTPCompressionThreshold is the least size in bytes of an answer to be compressed. Default
	// 1,024.
	HTTPCompressionThreshold int
	// PerMessageDeflate compresses WebSocket messages for clients that offer it. Nil, the default,
	// turns it off: it costs CPU and memory, and most of what is sent is small. MaxPayload holds
	// for inflated messages.
	PerMessageDeflate *DeflateOptions

	// WebSocketEngine speaks RFC 6455. Nil takes the one the adapter brings along.
	WebSocketEngine WebSocketEngine

	// AllowRequest decides about handshakes, over polling and WebSocket, before a session exists
	// (allowRequest). A non-nil error refuses with error 4 and the error's text as message; an
	// empty text means "Forbidden". It may run concurrently and may block; the request is a copy.
	AllowRequest func(*http.Request) error

	// CORS has answers to cross-origin requests carry CORS headers, errors included, and answers
	// preflight requests. Nil adds nothing; nor is anything added where the application's own
	// middleware has set Access-Control-Allow-Origin. AllowedHeaders left nil allows the headers
	// asked for. All origins together with AllowCredentials are refused by NewServer.
	CORS *cors.Options
	// AllowAnyOrigin accepts WebSockets and JSONP requests from every site, as the reference does.
	// Otherwise those that show a foreign origin are refused with error 4, unless CORS allows it:
	// browsers let any page open them with the user's cookies.
	AllowAnyOrigin bool
	// DisableJSONP refuses JSONP requests, which only clients up to engine.io-client 5 can send,
	// with error 4.
	DisableJSONP bool

	// InitialPacket is a message that goes out together with the handshake (initialPacket), which
	// saves a round trip. Nil sends none.
	InitialPacket *Message
	// Cookie has handshakes set a cookie with the session id (cookie). Nil sets none.
	Cookie *CookieOptions
	// GenerateID makes session ids (generateId). Nil makes 20 URL-safe characters from crypto/rand,
	// and whoever replaces that decides about security: who knows an id owns the session. An error,
	// an id in use, or one with characters outside A-Z a-z 0-9 - _ . ~ refuses the handshake with
	// error 3 (context ID_GENERATION_ERROR). The function may run concurrently; the request is a
	// copy.
	GenerateID func(*http.Request) (string, error)

	// Conflate sees the messages that wait for a client just before they are taken to be sent, and
	// returns what is to be sent in their place: the newest of several prices, say. Package
	// conflate has ready-made ones. Other packets are not shown and never changed; a message with a
	// callback counts as sent even if it was conflated away. It runs on the sender's goroutine or
	// one of the session's, one call at a time for each session; while it runs, the session's
	// output waits. The slice is the function's own.
	Conflate func(*Socket, []Message) []Message

	// OnInitialHeaders may add headers to the answer of a handshake, OnHeaders to every answer of a
	// session, handshakes included; the 101 of a WebSocket handshake goes through both
	// (initial_headers and headers of the reference). They must be quick.
	OnInitialHeaders func(http.Header, *http.Request)
	OnHeaders        func(http.Header, *http.Request)
	// OnConnectionError is told of every refused request (connection_error). The request is a copy.
	OnConnectionError func(*RequestError, *http.Request)
	// OnFlush and OnDrain are Socket.OnFlush and Socket.OnDrain for all sessions at once. They run beside
	// the callbacks, see Socket.
	OnFlush func(*Socket, []Packet)
	OnDrain func(*Socket)

	// OnConnection announces a session. It runs before anything from this client is delivered,
	// so handlers set in it miss nothing; what it sends follows the handshake. It may block: the
	// handshake does not wait for it, and the client is pinged meanwhile. (In revision 3 it is the
	// client that pings, and one that is not answered, as nothing is read from it, leaves after
	// PingInterval + PingTimeout.)
	OnConnection func(*Socket)

	// Logger receives debug records of the protocol and warnings. Nil discards them.
	Logger *slog.Logger
}

// BufferPolicy says what happens when more than Config.MaxBuffered would wait for a client.
type BufferPolicy uint8

const (
	// CloseSession closes the session with TransportError and ErrBufferFull: its client has missed
	// something, and knows it.
	CloseSession BufferPolicy = iota
	// RefuseMessage has Send return ErrBufferFull and forget the message; the session goes on.
	RefuseMessage
)

const (
	defaultPingInterval   = 25 * time.Second
	defaultPingTimeout    = 20 * time.Second
	defaultUpgradeTimeout = 10 * time.Second
	defaultMaxPayload     = 1_000_000
	defaultMaxBuffered    = 16 << 20

	compressionThreshold = 1024

	// How many messages may wait: a bound for what empty ones cost.
	leastWaiting    = 1024
	bytesPerWaiting = 32

	// heldPoll is how long a poll waits that arrives while an upgrade is under way.
	heldPoll = 100 * time.Millisecond
	// upgradePause is how long one waits before that, early in an upgrade, in case the upgrade packet was
	// sent before it on the other connection: after an upgrade polls are refused.
	upgradePause = 2 * time.Millisecond
	// closeTimeout bounds a graceful close whose client does not come to fetch the rest.
	closeTimeout = 30 * time.Second
	// longest is what a timer of JavaScript takes; one that is given more fires at once.
	longest = math.MaxInt32 * time.Millisecond
	// mostPayload leaves room for what is added to it, and multiplied.
	mostPayload = math.MaxInt64 / 8
	// lingerTimeout is how long a closed WebSocket waits for the client's close frame, so that
	// what was sent last is not destroyed by a TCP reset.
	lingerTimeout = 5 * time.Second
	// openPause is between the 101 and the open packet of a WebSocket. Clients that await "open"
	// before they listen for messages, like the protocol's own test suites, miss an open packet
	// that they read together with the 101. See Server.pauseOpening.
	openPause = time.Millisecond
	// closePause is how long a client's close packet waits for a poll that was sent before it, on
	// another connection, and is to be answered with a noop.
	closePause = 10 * time.Millisecond
	// holdBack is how long replies may wait to leave together with the following ones.
	holdBack = 2 * time.Millisecond
	// mostHeld is how many bytes are held back at most: one write takes no more of them much faster.
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

// validate returns one error that names every bad field.
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
