package core

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Exchange is one HTTP request and the means to answer it: all that the core asks of a web
// framework. An adapter makes one for each request and hands it to Server.Serve. The core uses it
// from the goroutine that called Serve only, and not after Serve returned.
type Exchange interface {
	// Method returns the request's method.
	Method() string
	// Query returns the raw query string, without the question mark.
	Query() string
	// Header returns the first value of a request header, or "".
	Header(name string) string
	// RemoteAddr returns the client's address, as host:port.
	RemoteAddr() string
	// Request returns a copy of the request, without body, that stays valid after the exchange.
	Request() *http.Request
	// Keep appends the request's head to dst, see AppendHead, and returns what else a session keeps
	// of the request. Package core's Keep does it for those that are a http.Request anyway.
	Keep(dst []byte) (head []byte, kept Kept)
	// Body reads the request's body. It fails with ErrTooLarge, without having read more, when
	// the body exceeds limit bytes, and with another error when it did not arrive by deadline.
	// The slice belongs to the caller.
	Body(limit int64, deadline time.Time) ([]byte, error)

	// ResponseHeader returns the first value of a response header that is set already, or "".
	ResponseHeader(name string) string
	// ResponseHeaders returns a copy of what the application and this exchange have set so far,
	// without what the HTTP server adds by itself.
	ResponseHeaders() http.Header
	// SetHeader replaces a response header; AddHeader adds one more value.
	SetHeader(name, value string)
	AddHeader(name, value string)
	// Respond answers. It is called at most once, and never together with Hijack. The body must
	// not be changed afterwards. An error means that the answer was not handed over.
	Respond(status int, body []byte) error

	// Wait parks the calling goroutine until the waiter is woken, its time is over, or the client
	// has left. When it returns it no longer holds on to the waiter. Woken is for Wake alone: whatever
	// else ends the wait is Expired, and the poll is answered.
	Wait(w *Waiter) WaitResult
	// Hijack takes the connection over and has serve called with it, and with what was read
	// beyond the request, on this goroutine or another one, possibly after Serve returned. What
	// serve returns is called afterwards, unless it is nil, and takes as long as the connection
	// lives: on a fresh goroutine if possible, since a stack that was needed once stays. Serve and
	// what it returns close the connection. An error means that nothing was taken over; the request
	// can be answered still.
	Hijack(serve func(conn net.Conn, buffered []byte) (rest func())) error
}

// WaitResult says why Exchange.Wait returned.
type WaitResult int

// The results of Exchange.Wait.
const (
	Woken   WaitResult = iota // Wake was called
	Gone                      // the client left
	Expired                   // the waiter's time is over
)

// Waiter is a parked request. It has two ways of being woken, for the adapter to choose from: the
// channel C, or a function given to Park.
type Waiter struct {
	c     chan struct{}
	park  func()
	mu    sync.Mutex
	woken bool
	brief bool // the wait takes heldPoll at most

	// Guarded by the socket's mu:
	pausing bool // for an upgrade to arrive
	owed    bool // the session has ended, and what it sent before is this poll's to bring
}

// Expires returns how long the wait may take; zero means no bound.
func (w *Waiter) Expires() time.Duration {
	if w.brief {
		return heldPoll
	}
	return 0
}

// Wake ends the wait. It may be called from anywhere, more than once, and before the wait began.
func (w *Waiter) Wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.woken {
		return
	}
	w.woken = true
	switch {
	case w.park != nil:
		w.park()
	case w.c != nil:
		w.c <- struct{}{}
	}
}

// C returns a channel that receives one value when the waiter is woken and was not parked with Park.
func (w *Waiter) C() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.c == nil {
		w.c = make(chan struct{}, 1)
		if w.woken {
			w.c <- struct{}{}
		}
	}
	return w.c
}

// Park has wake called, once and under the waiter's lock, as soon as the waiter is woken. It
// returns false when that has happened already, and then never calls it.
func (w *Waiter) Park(wake func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.woken {
		return false
	}
	w.park = wake
	return true
}

// Leave ends what Park began and returns whether the waiter was woken. The function given to Park
// is not called after Leave returned.
func (w *Waiter) Leave() (woken bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.park = func() {}
	return w.woken
}

// WithValues returns a context in which the values are found under their keys, before those of ctx.
// Adapters use it to hand on what earlier middleware knows. The map must not be changed afterwards.
func WithValues(ctx context.Context, values map[any]any) context.Context {
	if len(values) == 0 {
		return ctx
	}
	return &valuesContext{ctx, values}
}

type valuesContext struct {
	context.Context //nolint:containedctx // it is a context
	values          map[any]any
}

func (c *valuesContext) Value(key any) any {
	if value, ok := c.values[key]; ok {
		return value
	}
	return c.Context.Value(key)
}
