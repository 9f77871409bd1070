package core

import (
	"bytes"
	"net/http"
	"sync/atomic"
)

// Use adds middleware that sees every request of the endpoint before the protocol does, upgrades included,
// under every framework; the first added sees it first. It is called once, at once, with its next handler. Only preflight requests that Config.CORS answers do not reach it. Call it before
// the server serves.
//
// A middleware may set response headers, which are sent with every kind of answer, even the 101 of a
// WebSocket; it may pass on a changed request, whose context Socket.Request then has; and it may refuse the
// request by not calling its next handler. What it writes in that case is the answer; if it writes nothing,
// the answer is error 3 (context MIDDLEWARE_FAILURE). The request has no body, and what is written after
// next was called is lost.
func (s *Server) Use(middleware func(http.Handler) http.Handler) {
	l := new(layer)
	l.handler = middleware(http.HandlerFunc(l.pass))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.innermost == nil {
		s.outermost.Store(l)
	} else {
		s.innermost.next.Store(l)
	}
	s.innermost = l
}

// layer is one middleware. It finds the next one when a request comes, so that each is constructed only once.
type layer struct {
	handler http.Handler
	next    atomic.Pointer[layer] // nil behind the last
}

// pass is the next handler of the layer's middleware.
func (l *layer) pass(w http.ResponseWriter, r *http.Request) {
	if next := l.next.Load(); next != nil {
		next.handler.ServeHTTP(w, r)
	} else if v, ok := r.Context().Value(verdictKey{}).(*verdict); ok {
		v.passed = r
	}
}

type verdictKey struct{}

// verdict is what became of a request in the middleware.
type verdict struct {
	passed *http.Request // as it was passed on; nil if it was not
}

// runMiddleware returns the exchange to go on with, or false if it has answered the request.
func (s *Server) runMiddleware(x Exchange, upgrade bool) (Exchange, bool) {
	outermost := s.outermost.Load()
	if outermost == nil {
		return x, true
	}
	v := &verdict{}
	w := &recorder{header: x.ResponseHeaders()}
	r := x.Request()
	r = r.WithContext(WithValues(r.Context(), map[any]any{verdictKey{}: v}))
	if !s.protect(func() { outermost.handler.ServeHTTP(w, r) }) {
		v.passed = nil
		w.status = http.StatusInternalServerError
		w.body.Reset()
	}
	for name, values := range w.header {
		for i, value := range values {
			if i == 0 {
				x.SetHeader(name, value)
			} else {
				x.AddHeader(name, value)
			}
		}
	}
	switch {
	case v.passed != nil:
		return &replaced{x, v.passed}, true
	case w.status == 0 && w.body.Len() == 0:
		s.refuseRequest(x, &RequestError{Code: BadRequest, Context: "MIDDLEWARE_FAILURE"}, upgrade)
	default:
		w.WriteHeader(http.StatusOK)
		s.refused(&RequestError{Code: BadRequest, Context: "MIDDLEWARE_FAILURE"}, x.RemoteAddr(), x.Request)
		_ = x.Respond(w.status, w.body.Bytes())
	}
	return nil, false
}

// replaced is an exchange whose request went through middleware.
type replaced struct {
	Exchange
	request *http.Request
}

func (x *replaced) Request() *http.Request { return x.request }

func (x *replaced) Keep(dst []byte) ([]byte, Kept) { return Keep(dst, x.request) }

// recorder is a ResponseWriter that keeps what is written to it.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}
