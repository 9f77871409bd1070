package eiofiber

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/fastws"
)

// DefaultPath is the path that clients use by default.
const DefaultPath = "/engine.io"

// Options say what information about a request reaches the application. The zero value is ready to use.
type Options struct {
	// Locals names the values, set by earlier middleware with c.Locals(name, value), that
	// socket.Request().Context().Value(name) returns. They are passed on as they are, except that
	// strings and byte slices are copied, since Fiber's own are valid only during the request.
	// (fasthttp closes an io.Closer at the end of the request.)
	Locals []any
	// ClientIP takes the client's address from c.IP(), which depends on the application's ProxyHeader
	// and EnableTrustedProxyCheck; the address then has no port. Otherwise it is the peer's.
	ClientIP bool
}

// Config configures Middleware.
type Config struct {
	Options
	// Next makes the middleware pass a request on, unserved, by returning true. Nil means never.
	Next func(*fiber.Ctx) bool
	// Path of the endpoint as clients send it, prefixes of groups and sub-apps included. It may
	// contain parameters. Default DefaultPath.
	Path string
}

// Handler returns a handler that serves the path of its route, with and without a trailing slash, and
// everything below it, whichever way it is registered:
//
//	app.All("/engine.io/*", eiofiber.Handler(srv))
//	app.Use("/engine.io", eiofiber.Handler(srv))
//
// Registered without a path, it serves every request. A parameter of the route stands for any single
// segment. The path is compared as it was sent: other paths that Fiber matches too, like /engine.iox or
// /ENGINE.IO, go on to the next handler. (Fiber turns the prefix of a mounted sub-app into lower case,
// unless CaseSensitive is set. For sub-apps whose prefix has capitals, use Middleware and its Path.)
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

// isFor reports whether the request is for the route's path, spelled as in the route.
//
//go:noinline
func isFor(c *fiber.Ctx) bool {
	path, _ := target(c)
	return serves(c.Route().Path, path)
}

// Mount serves the path, with and without a trailing slash, and everything below it, on an app or a
// group. An empty path means DefaultPath.
func Mount(r fiber.Router, path string, srv *core.Server, options ...Options) {
	r.Use(cleanPath(path), Handler(srv, options...))
}

// Middleware returns middleware that serves the configured path and everything below it, and passes
// all other requests on.
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
	refused error  // if not nil, why no request is served
	anyCase bool   // header names keep the spelling of the client
	limits  limits // of large answers
	heads   sync.Pool
}

func newEndpoint(srv *core.Server, options Options) *endpoint {
	return &endpoint{srv: srv, engine: fastws.New(), options: options}
}

// serve answers a request. It returns no error of its own, since the client has been told about any.
func (e *endpoint) serve(c *fiber.Ctx) error {
	e.once.Do(func() { e.inspect(c) })
	if e.refused != nil {
		return c.Status(http.StatusInternalServerError).SendString(e.refused.Error())
	}
	if r := c.Request(); hasBody(&r.Header) && !r.IsBodyStream() {
		// The deadline for reading the body must not end the connection later. (The server sets its
		// own deadlines for the next request and for writing the response. Where the body is streamed,
		// the code that reads it removes the deadline when it is done.)
		_ = c.Context().Conn().SetReadDeadline(time.Time{})
	}
	x := newExchange(c, e)
	if strings.Contains(x.query, "sid=") {
		e.srv.Serve(x, e.engine)
		return nil
	}
	o := x.opening()
	e.srv.Serve(o, e.engine)
	o.release()
	return nil
}

var errPrefork = errors.New("eiofiber: fiber.Config.Prefork is set, which spreads the requests of one session over several processes, but only one of them knows it")

// inspect checks the application's configuration, once, on the first request.
func (e *endpoint) inspect(c *fiber.Ctx) {
	cfg := c.App().Config()
	log := e.srv.Config().Logger
	e.anyCase = cfg.DisableHeaderNormalizing
	if cfg.Prefork {
		e.refused = errPrefork
		log.Error("no request is served", "scope", "engine:fiber", "error", errPrefork)
		return
	}
	own := ownConfig(c)
	if own.WriteTimeout <= 0 && c.App().Server().WriteTimeout <= 0 {
		e.limits = limitsOf(e.srv)
	}
	limit, payload := bodyLimit(c, own), e.srv.Config().MaxPayload
	if !cfg.StreamRequestBody && limit < payload {
		log.Warn("Fiber refuses bodies that Engine.IO announces to take: raise fiber.Config.BodyLimit, or call eiofiber.Tune",
			"scope", "engine:fiber", "BodyLimit", limit, "MaxPayload", payload)
	}
}

// ownConfig returns what HeaderReceived of the server says about a request like this.
func ownConfig(c *fiber.Ctx) (config fasthttp.RequestConfig) {
	if f := c.App().Server().HeaderReceived; f != nil {
		config = f(&c.Request().Header)
	}
	return config
}

// bodyLimit returns the largest body, in bytes, with which a request like this reaches its handler.
func bodyLimit(c *fiber.Ctx, own fasthttp.RequestConfig) int64 {
	limit := c.App().Server().MaxRequestBodySize
	if own.MaxRequestBodySize > 0 {
		limit = own.MaxRequestBodySize
	}
	if limit <= 0 {
		limit = fasthttp.DefaultMaxRequestBodySize
	}
	return int64(limit)
}
