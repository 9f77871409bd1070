package core

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Exchange is one HTTP request and the means to answer it: all that the core asks of a web framework. An
// adapter makes one for each request and passes it to Server.Serve. The core uses it only on the goroutine
// that called Serve, and not after Serve has returned.
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
	// Keep appends the request's head to dst, see AppendHead, and returns what else a session keeps of the
	// request. The function Keep of this package does it for adapters that have an http.Request anyway.
	Keep(dst []byte) (head []byte, kept Kept)
	// Body reads the request's body. If the body exceeds limit bytes it fails with ErrTooLarge, without
	// reading more; if the body has not arrived by the deadline it fails with another error. The slice
	// belongs to the caller.
	Body(limit int64, deadline time.Time) ([]byte, error)

	// ResponseHeader returns the first value of a response header that has already been set, or "".
	ResponseHeader(name string) string
	// ResponseHeaders returns a copy of the response headers set so far by the application and this
	// exchange, without those that the HTTP server adds by itself.
	ResponseHeaders() http.Header
	// SetHeader replaces a response header; AddHeader adds one more value.
	SetHeader(name, value string)
	AddHeader(name, value string)
	// Respond sends the answer. It is called at most once, and never after Hijack has taken the connection
	// over. The body must not be changed afterwards. An error means that the answer was not handed over.
	Respond(status int, body []byte) error

	// WhenSent is for adapters whose Respond returns before the body was handed to the network. It arranges
	// for done to be called once, on any goroutine and possibly after Serve has returned: when the body of
	// the answer that follows has been handed over, or with an error when it never will be. It returns false
	// if Respond itself takes that long and reports that; done is not called then.
	WhenSent(done func(error)) bool

	// Wait parks the calling goroutine until the waiter is woken, its time is over, or the client has left.
	// After it has returned it keeps no reference to the waiter. It returns Woken only if Wake was called.
	// If anything else ends the wait, except the client's leaving, it returns Expired, and the poll is
	// answered.
	Wait(w *Waiter) WaitResult
	// Hijack takes the connection over. It calls serve with the connection and what was read beyond the
	// request, on this goroutine or another one, possibly after Serve has returned. If serve returns a
	// function, that is called next and runs as long as the connection lives: on a fresh goroutine if
	// possible, since a goroutine keeps the stack it has once needed. serve and the function it returns
	// close the connection. An error means that nothing was taken over; the request can still be answered.
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

// Waiter is a parked request. It can be woken in two ways, of which the adapter chooses one: through the
// channel C, or through a function given to Park.
type Waiter struct {
	c     chan struct{}
	park  func()
	mu    sync.Mutex
	woken bool
	brief bool // the wait takes at most heldPoll

	// Guarded by the socket's mu:
	pausing bool // waits for an upgrade packet, see letUpgradeArrive
	owed    bool // the session has ended, and this poll is to deliver what was sent before
}

// Expires returns how long the wait may take; zero means no bound.
func (w *Waiter) Expires() time.Duration {
	if w.brief {
		return heldPoll
	}
	return 0
}

// Wake ends the wait. It may be called from any goroutine, more than once, and before the wait has begun.
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

// C returns a channel that receives one value when the waiter is woken, unless it was parked with Park.
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

// Park arranges for wake to be called, once and under the waiter's lock, as soon as the waiter is woken. If
// that has already happened it returns false, and wake is never called.
func (w *Waiter) Park(wake func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.woken {
		return false
	}
	w.park = wake
	return true
}

// Leave undoes Park and reports whether the waiter was woken. The function given to Park is not called
// after Leave has returned.
func (w *Waiter) Leave() (woken bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.park = func() {}
	return w.woken
}

// WithValues returns a context with the given values, which take precedence over those of ctx. Adapters use
// it to pass on what earlier middleware knows. The map must not be changed afterwards.
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
