package eiofiber

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/valyala/fasthttp"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/body"
)

// exchange implements core.Exchange. It returns copies, since everything in a fiber.Ctx is reused for
// the next request.
type exchange struct {
	c       *fiber.Ctx
	e       *endpoint
	conn    net.Conn
	query   string
	drained bool // nothing of the request's body is left to read from the connection
	receipt *receipt
	room    [96]byte // for the query, unless it is longer: one allocation for both
}

func newExchange(c *fiber.Ctx, e *endpoint) *exchange {
	_, query := target(c)
	r := c.Request()
	x := &exchange{
		c: c, e: e, conn: c.Context().Conn(),
		drained: !r.IsBodyStream() || r.Header.ContentLength() == 0,
	}
	x.query = utils.UnsafeString(append(x.room[:0], query...))
	return x
}

func (x *exchange) Method() string {
	switch method := x.c.Request().Header.Method(); string(method) {
	case http.MethodGet:
		return http.MethodGet
	case http.MethodPost:
		return http.MethodPost
	default:
		return string(method)
	}
}

func (x *exchange) Query() string { return x.query }

func (x *exchange) Header(name string) string {
	h := &x.c.Request().Header
	var value []byte
	switch name {
	case fiber.HeaderUserAgent: // fasthttp has found this already
		value = h.UserAgent()
	case fiber.HeaderContentType:
		value = h.ContentType()
	default:
		value = h.Peek(name)
	}
	if value != nil || !x.e.anyCase {
		return string(value)
	}
	return peekAnyCase(h, name)
}

func peekAnyCase(h *fasthttp.RequestHeader, name string) string {
	for key, value := range h.All() {
		if strings.EqualFold(string(key), name) {
			return string(value)
		}
	}
	return ""
}

func (x *exchange) RemoteAddr() string {
	if x.e.options.ClientIP {
		if ip := x.c.IP(); ip != "" {
			return strings.Clone(ip)
		}
	}
	return x.conn.RemoteAddr().String()
}

// Request returns a request with the values of the user context, but not its cancellation, and the
// values that Options name.
func (x *exchange) Request() *http.Request {
	h := &x.c.Request().Header
	r := &http.Request{
		Method: x.Method(), RequestURI: string(h.RequestURI()), Host: string(h.Host()),
		Proto: string(h.Protocol()), ProtoMajor: 1,
		Header: make(http.Header, h.Len()), Body: http.NoBody,
		RemoteAddr: x.RemoteAddr(), TLS: x.c.Context().TLSConnectionState(),
	}
	if h.IsHTTP11() {
		r.ProtoMinor = 1
	}
	var err error
	if r.URL, err = url.ParseRequestURI(r.RequestURI); err != nil { // fasthttp is less strict
		path, _ := target(x.c)
		r.URL = &url.URL{Path: strings.Clone(path), RawQuery: x.query}
	}
	for key, value := range h.All() {
		if name := http.CanonicalHeaderKey(string(key)); name != fiber.HeaderHost { // is in r.Host
			r.Header[name] = append(r.Header[name], string(value))
		}
	}
	r = r.WithContext(x.context())
	if pairs := x.pathValues(); len(pairs) > 0 {
		r = core.WithPathValues(r, pairs)
	}
	return r
}

// Keep records what Request would return.
func (x *exchange) Keep(dst []byte) (head []byte, kept core.Kept) {
	head = x.appendHead(dst)
	if x.c.Context().IsTLS() {
		kept.TLS = x.tls()
	}
	if x.c.UserContext() != context.Background() || len(x.e.options.Locals) > 0 || len(x.c.Route().Params) > 0 {
		kept.Context = x.keepContext()
	}
	return head, kept
}

// opening is the exchange of a request that probably opens a session. Fiber and fasthttp take much stack for
// what Keep asks of them, so that is done before the core, further down, calls it: on a connection with a
// waiting poll the stack is as large as the deepest call so far, and 4 KiB are enough if that is not this one.
type opening struct {
	*exchange
	head *[]byte // from endpoint.heads
	kept core.Kept
}

// Keep implements core.Exchange.
func (x *opening) Keep(dst []byte) (head []byte, kept core.Kept) {
	return append(dst, *x.head...), x.kept
}

//go:noinline
func (x *exchange) opening() *opening {
	buffer, ok := x.e.heads.Get().(*[]byte)
	if !ok {
		buffer = new([]byte)
	}
	o := &opening{exchange: x, head: buffer}
	*buffer, o.kept = x.Keep((*buffer)[:0])
	return o
}

// keptHead is the largest capacity of a buffer for heads that is kept for reuse.
const keptHead = 4096

// release ends the use of an exchange that the core no longer refers to.
func (x *opening) release() {
	if cap(*x.head) <= keptHead {
		x.e.heads.Put(x.head)
	}
}

//go:noinline
func (x *exchange) tls() *tls.ConnectionState { return x.c.Context().TLSConnectionState() }

//go:noinline
func (x *exchange) keepContext() context.Context {
	ctx := x.context()
	if pairs := x.pathValues(); len(pairs) > 0 {
		ctx = core.WithPathValues(new(http.Request).WithContext(ctx), pairs).Context()
	}
	return ctx
}

//go:noinline
func (x *exchange) appendHead(dst []byte) []byte {
	h := &x.c.Request().Header
	dst = core.AppendHead(dst, x.Method(), utils.UnsafeString(h.RequestURI()), utils.UnsafeString(h.Protocol()),
		utils.UnsafeString(h.Host()))
	return appendFields(dst, h)
}

// appendFields appends the header as earlier middleware has left it. RawHeaders would show what the client
// sent, including what middleware has removed so that nobody relies on it.
//
//go:noinline
func appendFields(dst []byte, h *fasthttp.RequestHeader) []byte {
	for name, value := range h.All() {
		dst = append(append(dst, name...), ':')
		dst = append(append(dst, value...), '\n')
	}
	return dst
}

func (x *exchange) context() context.Context {
	ctx := x.c.UserContext()
	if ctx != context.Background() {
		ctx = context.WithoutCancel(ctx)
	}
	return core.WithValues(ctx, x.locals())
}

func (x *exchange) pathValues() (pairs []string) {
	if names := x.c.Route().Params; len(names) > 0 {
		pairs = x.valuesOf(names)
	}
	return pairs
}

func (x *exchange) valuesOf(names []string) (pairs []string) {
	for _, name := range names {
		pairs = append(pairs, name, strings.Clone(x.c.Params(name)))
	}
	return pairs
}

func (x *exchange) locals() map[any]any {
	if len(x.e.options.Locals) == 0 {
		return nil
	}
	values := make(map[any]any, len(x.e.options.Locals))
	for _, name := range x.e.options.Locals {
		switch value := x.c.Locals(name).(type) {
		case nil:
		case string:
			values[name] = strings.Clone(value)
		case []byte:
			values[name] = bytes.Clone(value)
		default:
			values[name] = value
		}
	}
	return values
}

// Body returns the body as it was sent, whatever its Content-Encoding. Unless the application streams
// bodies, fasthttp has already read it, up to its own limit.
func (x *exchange) Body(limit int64, deadline time.Time) ([]byte, error) {
	r := x.c.Request()
	size := int64(r.Header.ContentLength())
	if size > limit {
		return nil, core.ErrTooLarge
	}
	if !r.IsBodyStream() {
		data := r.Body()
		if int64(len(data)) > limit {
			return nil, core.ErrTooLarge
		}
		return bytes.Clone(data), nil
	}
	_ = x.conn.SetReadDeadline(deadline)
	defer func() { _ = x.conn.SetReadDeadline(time.Time{}) }()
	data, err := body.Read(r.BodyStream(), size, limit)
	if errors.Is(err, core.ErrTooLarge) {
		return nil, err
	}
	if err == nil && size < 0 && x.broken() {
		err = io.ErrUnexpectedEOF
	}
	x.drained = true
	if err != nil {
		x.c.Response().SetConnectionClose()
	}
	return data, err
}

func (x *exchange) ResponseHeader(name string) string {
	return string(x.c.Response().Header.Peek(name))
}

func (x *exchange) ResponseHeaders() http.Header {
	h := &x.c.Response().Header
	headers := make(http.Header, h.Len())
	for key, value := range h.All() {
		name := http.CanonicalHeaderKey(string(key))
		switch name {
		case fiber.HeaderServer, fiber.HeaderContentType, fiber.HeaderContentLength:
			continue // set by fasthttp itself, or about a body
		}
		headers[name] = append(headers[name], string(value))
	}
	return headers
}

// SetHeader uses fasthttp's shortcuts, since the general way converts the name to its canonical form
// each time.
func (x *exchange) SetHeader(name, value string) {
	h := &x.c.Response().Header
	if name == fiber.HeaderContentType {
		h.SetContentType(value)
		return
	}
	h.Del(name) // otherwise cookies and values that were added would stay
	h.SetCanonical(utils.UnsafeBytes(name), utils.UnsafeBytes(value))
}

func (x *exchange) AddHeader(name, value string) { x.c.Response().Header.Add(name, value) }

// Respond cannot fail: fasthttp sends the answer when the handlers have returned.
func (x *exchange) Respond(status int, body []byte) error {
	response := x.c.Response()
	response.SetStatusCode(status)
	if x.receipt == nil {
		response.SetBodyRaw(body)
	} else {
		x.receipt.send(response, body)
	}
	if !x.drained && !x.drain() { // fasthttp would take the rest of the body for the next request
		response.SetConnectionClose()
	}
	return nil
}

const (
	// unwanted is how many bytes of an unwanted body are read and discarded: a client that is still
	// sending when its connection is closed may never see the answer.
	unwanted = 64 << 20
	// patience is how long discarding them may take.
	patience = time.Second
)

// drain reads the rest of a streamed body and reports whether it came to its end.
func (x *exchange) drain() bool {
	_ = x.conn.SetReadDeadline(time.Now().Add(patience))
	defer func() { _ = x.conn.SetReadDeadline(time.Time{}) }()
	_, err := io.CopyN(io.Discard, x.c.Request().BodyStream(), unwanted)
	return errors.Is(err, io.EOF) && !x.broken()
}

// broken reports whether a streamed body that has come to its end was cut off there: fasthttp takes the
// end of the connection between two chunks for the end of the body. (With TLS, and on systems other than
// Unix, it cannot tell and returns false. A client that closes its side right after the last chunk,
// without waiting for the answer, looks the same as one that was cut off.)
func (x *exchange) broken() bool {
	return x.c.Request().Header.ContentLength() == chunked && departed(x.conn)
}
