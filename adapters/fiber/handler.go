package eiofiber

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/fastws"
)

// DefaultPath is where clients look for the endpoint unless told otherwise.
const DefaultPath = "/engine.io"

// Options say what of a request reaches the application. The zero value is fine.
type Options struct {
	// Locals names the values, set by earlier middleware with c.Locals(name, value), that
	// socket.Request().Context().Value(name) returns. They are handed on as they are, but for
	// strings and byte slices, which are copied: Fiber's own die with the request. (fasthttp closes
	// an io.Closer at the end of the request.)
	Locals []any
	// ClientIP takes the client's address from c.IP(), which follows the application's ProxyHeader
	// and EnableTrustedProxyCheck; the address has no port then. Otherwise it is the peer's.
	ClientIP bool
}

// Config is what Middleware can be told.
type Config struct {
	Options
	// Next hands a request on unserved when it returns true. Nil means never.
	Next func(*fiber.Ctx) bool
	// Path of the endpoint as clients send it, prefixes of groups and sub-apps included. It may
	// contain parameters. Default DefaultPath.
	Path string
}

// Handler returns a handler that serves the path of its route, with and without trailing slash,
// and everything below it, whichever way it is registered:
//
//	app.All("/engine.io/*", eiofiber.Handler(srv))
//	app.Use("/engine.io", eiofiber.Handler(srv))
//
// Registered without a path it takes every request. A parameter of the route stands for any one
// segment. Other paths that Fiber matches too, like /engine.iox or /ENGINE.IO, go on to the next
// handler, since the path counts as it was sent. (Fiber turns the prefix of a mounted sub-app into
// lower case, unless CaseSensitive is set: Middleware has a Path for sub-apps with another prefix.)
//
// The handler may be registered several times.
func Handler(srv *core.Server, options ...Options) fiber.Handler {
	e := newEndpoint(srv, first(options))
	return func(c *fiber.Ctx) error {
		if isFor(c) {
			return e.serve(c)
		}
		return c.Next()
	}
}

// isFor reports whether the request is for the route's path as it is spelled.
//
//go:noinline
func isFor(c *fiber.Ctx) bool {
	path, _ := target(c)
	return serves(c.Route().Path, path)
}

// Mount serves the path, with and without trailing slash, and everything below it, on an app or a
// group. An empty path means DefaultPath.
func Mount(r fiber.Router, path string, srv *core.Server, options ...Options) {
	r.Use(cleanPath(path), Handler(srv, options...))
}

// Middleware returns a middleware that serves the configured path and everything below it, and
// hands all other requests on.
func Middleware(srv *core.Server, config ...Config) fiber.Handler {
	cfg := first(config)
	mount := cleanPath(cfg.Path)
	e := newEndpoint(srv, cfg.Options)
	return func(c *fiber.Ctx) error {
		if path, _ := target(c); !serves(mount, path) || cfg.Next != nil && cfg.Next(c) {
			return c.Next()
		}
		return e.serve(c)
	}
}

func first[T any](list []T) (v T) {
	if len(list) > 0 {
		v = list[0]
	}
	return v
}

// endpoint is what the requests of one handler share.
type endpoint struct {
	srv     *core.Server
	engine  core.WebSocketEngine
	options Options

	once    sync.Once
	refused error // why no request is served
	anyCase bool  // header names are as clients spelled them
}

func newEndpoint(srv *core.Server, options Options) *endpoint {
	return &endpoint{srv: srv, engine: fastws.New(), options: options}
}

// serve answers a request. Its result is nil: what there is to say the client has been told.
func (e *endpoint) serve(c *fiber.Ctx) error {
	e.once.Do(func() { e.inspect(c) })
	if e.refused != nil {
		return c.Status(http.StatusInternalServerError).SendString(e.refused.Error())
	}
	if r := c.Request(); hasBody(&r.Header) && !r.IsBodyStream() {
		// What limited the reading of the body must not end the connection later. (The server sets
		// its own limits for the next request, and the time a response may take when it writes it.
		// Where the body is streamed, whoever reads it is at its end when the limit goes.)
		_ = c.Context().Conn().SetReadDeadline(time.Time{})
	}
	e.srv.Serve(newExchange(c, e), e.engine)
	return nil
}

var errPrefork = errors.New("eiofiber: fiber.Config.Prefork is set, which spreads the requests of one session over several processes, but only one of them knows it")

// inspect looks at the application's configuration, once, with the first request.
func (e *endpoint) inspect(c *fiber.Ctx) {
	cfg := c.App().Config()
	log := e.srv.Config().Logger
	e.anyCase = cfg.DisableHeaderNormalizing
	if cfg.Prefork {
		e.refused = errPrefork
		log.Error("no request is served", "scope", "engine:fiber", "error", errPrefork)
		return
	}
	limit, payload := bodyLimit(c), e.srv.Config().MaxPayload
	if !cfg.StreamRequestBody && limit < payload {
		log.Warn("Fiber refuses bodies that Engine.IO announces to take: raise fiber.Config.BodyLimit, or call eiofiber.Tune",
			"scope", "engine:fiber", "BodyLimit", limit, "MaxPayload", payload)
	}
}

// bodyLimit is the size of a body, in bytes, up to which a request like this reaches its handler.
func bodyLimit(c *fiber.Ctx) int64 {
	server := c.App().Server()
	limit := server.MaxRequestBodySize
	if server.HeaderReceived != nil {
		if own := server.HeaderReceived(&c.Request().Header).MaxRequestBodySize; own > 0 {
			limit = own
		}
	}
	if limit <= 0 {
		limit = fasthttp.DefaultMaxRequestBodySize
	}
	return int64(limit)
}
