package eiohttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/body"
	"github.com/goengineio/engineio/internal/wire"
)

// exchange implements core.Exchange.
type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	limits *limits

	hijacked *hijacked // nil until Hijack
	values   [2]string // of the header fields that SetHeader was first called for: no allocation for each
	set      int       // how many of them
}

// hijacked is a connection that is served when Server.Serve has returned.
type hijacked struct {
	serve    func(conn net.Conn, buffered []byte) (rest func())
	conn     net.Conn
	buffered []byte
}

// limits bound the time of large answers if the http.Server does not.
type limits struct {
	write  time.Duration // without progress, see core.Config.WriteTimeout
	answer time.Duration // of a whole answer; a client that takes longer hears nothing of the heartbeat meanwhile
}

func limitsOf(srv *core.Server) *limits {
	cfg := srv.Config()
	return &limits{write: cfg.WriteTimeout, answer: cfg.WriteTimeout + cfg.PingInterval + cfg.PingTimeout}
}

func (x *exchange) Method() string { return x.r.Method }

func (x *exchange) Query() string { return x.r.URL.RawQuery }

func (x *exchange) Header(name string) string { return x.r.Header.Get(name) }

func (x *exchange) RemoteAddr() string { return x.r.RemoteAddr }

func (x *exchange) ResponseHeader(name string) string { return x.w.Header().Get(name) }

func (x *exchange) ResponseHeaders() http.Header { return x.w.Header().Clone() }

func (x *exchange) SetHeader(name, value string) {
	if x.set == len(x.values) {
		x.w.Header().Set(name, value)
		return
	}
	field := x.values[x.set : x.set+1 : x.set+1]
	x.set++
	field[0] = value
	x.w.Header()[http.CanonicalHeaderKey(name)] = field
}

func (x *exchange) AddHeader(name, value string) { x.w.Header().Add(name, value) }

// Request returns a copy with the values of the context but not its cancellation. Path values are
// kept.
func (x *exchange) Request() *http.Request {
	r := x.r.WithContext(context.WithoutCancel(x.r.Context()))
	r.Body = http.NoBody
	return r
}

func (x *exchange) Keep(dst []byte) ([]byte, core.Kept) { return core.Keep(dst, x.r) }

func (x *exchange) Body(limit int64, deadline time.Time) ([]byte, error) {
	if x.r.ContentLength > limit {
		return nil, core.ErrTooLarge
	}
	if server := x.server(); server == nil || server.ReadTimeout == 0 {
		control := http.NewResponseController(x.w)
		if control.SetReadDeadline(deadline) == nil {
			defer func() {
				if x.bodyRead() { // if left set, the deadline would end the connection during a later wait
					_ = control.SetReadDeadline(time.Time{})
				}
			}()
		}
	}
	data, err := body.Read(x.r.Body, x.r.ContentLength, limit)
	if err == nil {
		x.r.Body = http.NoBody
	}
	return data, err
}

// bodyRead reports whether nothing of the request's body is left.
func (x *exchange) bodyRead() bool { return x.r.Body == http.NoBody }

const (
	// unwanted is how many bytes of an unwanted body are read and discarded: a client that is still
	// sending when its connection is closed may never see the answer.
	unwanted = 64 << 20
	// patience is how long discarding them may take.
	patience = time.Second
)

// discardBody reads what is left of the request's body, for a limited time. net/http itself would do
// so before it answers, for as long as the client keeps sending a byte now and then.
func (x *exchange) discardBody() {
	if x.bodyRead() || x.r.ContentLength == 0 || x.r.ProtoMajor != 1 {
		return
	}
	if x.r.ContentLength > 0 && x.r.Header.Get("Expect") != "" { // reading would make net/http ask for the body
		x.w.Header().Set("Connection", "close")
		return
	}
	control := http.NewResponseController(x.w)
	if control.SetReadDeadline(time.Now().Add(patience)) != nil {
		return
	}
	if _, err := io.CopyN(io.Discard, x.r.Body, unwanted); errors.Is(err, io.EOF) {
		_ = control.SetReadDeadline(time.Time{})
		return
	}
	x.w.Header().Set("Connection", "close")
}

func (x *exchange) WhenSent(func(error)) bool { return false }

func (x *exchange) Respond(status int, body []byte) error {
	x.discardBody()
	if len(body) >= knownLength || len(body) == 0 {
		x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	x.w.WriteHeader(status)
	if len(body) == 0 || x.r.Method == http.MethodHead {
		return nil
	}
	switch {
	case len(body) < largeAnswer && x.r.ProtoMajor == 1 || x.serverLimits():
	case len(body) >= largeAnswer:
		return x.writePatiently(body)
	default: // a window of HTTP/2 can hold up even the first byte; the deadline ends with the request
		_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(x.limits.write))
	}
	_, err := x.w.Write(body)
	return err
}

// serverLimits reports whether the http.Server bounds the time of answers.
func (x *exchange) serverLimits() bool {
	server := x.server()
	return server != nil && server.WriteTimeout != 0
}

const (
	// largeAnswer is the size from which an answer to a slow client may have to wait for the network.
	// Smaller answers fit into net/http's own buffer of 4 KiB.
	largeAnswer = 2 << 10
	// progress is how many bytes must leave within the write timeout.
	progress = 64 << 10
)

// writePatiently writes for as long as the client keeps reading, within limits. The http.Server would wait for
// ever.
func (x *exchange) writePatiently(body []byte) error {
	control := http.NewResponseController(x.w)
	if control.SetWriteDeadline(time.Time{}) != nil { // not supported, as behind http.TimeoutHandler
		_, err := x.w.Write(body)
		return err
	}
	last := time.Now().Add(x.limits.answer)
	for chunk := range slices.Chunk(body, progress) {
		deadline := time.Now().Add(x.limits.write)
		if deadline.After(last) {
			deadline = last
		}
		_ = control.SetWriteDeadline(deadline)
		if _, err := x.w.Write(chunk); err != nil {
			return err
		}
	}
	if err := control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return control.SetWriteDeadline(time.Time{}) // it would hit later answers on this connection
}

// knownLength is the size from which net/http does not determine the Content-Length by itself.
const knownLength = 2048

// nearDeadline is how long before a request's deadline its poll is answered.
const nearDeadline = 500 * time.Millisecond

func (x *exchange) Wait(w *core.Waiter) core.WaitResult {
	expires := w.Expires()
	within := func(left time.Duration) { // answer before something else ends the request
		left -= min(left/2, nearDeadline)
		if expires == 0 || left < expires {
			expires = max(left, time.Nanosecond)
		}
	}
	server := x.server()
	control := http.NewResponseController(x.w)
	if server != nil && server.ReadTimeout > 0 && control.SetReadDeadline(time.Time{}) != nil {
		// If it expired, net/http would take the client for gone.
		within(server.ReadTimeout)
	}
	if server != nil && server.WriteTimeout > 0 && control.SetWriteDeadline(time.Time{}) != nil {
		within(server.WriteTimeout)
	}
	ctx := x.r.Context()
	if deadline, ok := ctx.Deadline(); ok { // set by middleware
		within(time.Until(deadline))
	}
	var expired <-chan time.Time
	if expires > 0 {
		timer := time.NewTimer(expires)
		defer timer.Stop()
		expired = timer.C
	}
	result := core.Woken
	select {
	case <-w.C():
	case <-expired:
		result = core.Expired
	case <-ctx.Done():
		return core.Gone
	}
	if server != nil && server.WriteTimeout > 0 {
		_ = control.SetWriteDeadline(time.Now().Add(server.WriteTimeout))
	}
	return result
}

func (x *exchange) server() *http.Server {
	server, _ := x.r.Context().Value(http.ServerContextKey).(*http.Server)
	return server
}

func (x *exchange) Hijack(serve func(net.Conn, []byte) func()) error {
	if x.r.ProtoMajor != 1 {
		return fmt.Errorf("a WebSocket needs HTTP/1.1, the request came over %s", x.r.Proto)
	}
	conn, rw, err := http.NewResponseController(x.w).Hijack()
	if errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("the response writer %s cannot be hijacked: mount Engine.IO outside the middleware it belongs to", inTheWay(x.w))
	}
	if err != nil {
		return err
	}
	_ = conn.SetDeadline(time.Time{})
	x.hijacked = &hijacked{serve: serve, conn: wire.Plain(conn)}
	if n := rw.Reader.Buffered(); n > 0 {
		peeked, _ := rw.Reader.Peek(n)
		x.hijacked.buffered = bytes.Clone(peeked)
	}
	return nil
}

// inTheWay returns the name of the type that neither hijacks nor unwraps.
func inTheWay(w http.ResponseWriter) string {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return fmt.Sprintf("%T", w)
		}
		w = wrapper.Unwrap()
	}
}
