package eiofiber

import (
	"bufio"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/goengineio/engineio/core"
)

// WhenSent makes Respond hand the body over as a stream, which shows how far fasthttp gets with writing it.
// done is called at the end of the request, when fasthttp has nothing of the answer left to write, even if
// middleware has copied the body and replaced the stream (but then nothing shows whether the copy was
// written). If the body cannot be sent, done is called as soon as that is known.
//
//go:noinline
func (x *exchange) WhenSent(done func(error)) bool {
	x.receipt = &receipt{conn: x.conn, limits: x.e.limits, done: done}
	end := &requestEnd{x.receipt, x.c.Response()}
	x.c.Context().SetUserValue(receiptKey{}, end)
	// fasthttp forgets a request that was answered with RequestCtx.TimeoutError, without an end.
	runtime.AddCleanup(end, (*receipt).lose, x.receipt)
	return true
}

type receiptKey struct{}

// limits bound the time that large answers take if the server does not. The zero value means that it does.
type limits struct {
	write  time.Duration // without progress, see core.Config.WriteTimeout
	answer time.Duration // of a whole answer; a client that takes longer hears nothing of the heartbeat meanwhile
}

func limitsOf(srv *core.Server) limits {
	cfg := srv.Config()
	return limits{write: cfg.WriteTimeout, answer: cfg.WriteTimeout + cfg.PingInterval + cfg.PingTimeout}
}

// receipt is what becomes of the body of an answer. It does not refer to the request, which fasthttp reuses.
type receipt struct {
	conn   net.Conn
	limits limits
	last   time.Time // when limits.answer is over

	mu     sync.Mutex
	done   func(error) // nil once it was called
	handed bool        // all of the body was written, or taken over by middleware
}

// send makes the body that of the response.
func (r *receipt) send(response *fasthttp.Response, body []byte) {
	r.last = time.Now().Add(r.limits.answer)
	r.allowTime() // middleware may send a copy, without calling WriteTo
	response.SetBodyStream(&bodyStream{body, r}, len(body))
}

// allowTime gives the client time to read the next part. The server would wait for ever for one that does
// not.
func (r *receipt) allowTime() {
	if r.limits.write == 0 {
		return
	}
	deadline := time.Now().Add(r.limits.write)
	if deadline.After(r.last) {
		deadline = r.last
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done != nil { // otherwise the connection may serve another request by now, or another client
		_ = r.conn.SetWriteDeadline(deadline)
	}
}

func (r *receipt) handOver() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.handed = true
}

func (r *receipt) wasHanded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.handed
}

// end calls done, unless it was called before.
func (r *receipt) end(err error) {
	r.mu.Lock()
	done := r.done
	r.done = nil
	r.mu.Unlock()
	if done != nil {
		done(err)
	}
}

// lose is called on a goroutine of the runtime, which must not be held up.
func (r *receipt) lose() { go r.end(core.ErrDisconnected) }

// requestEnd is a user value of a request. fasthttp closes it when the answer has been written or failed,
// on the connection's goroutine, before it resets the response.
type requestEnd struct {
	receipt  *receipt
	response *fasthttp.Response
}

func (e *requestEnd) Close() error {
	r := e.receipt
	if r.limits.write != 0 { // the deadline would hit later answers on this connection
		_ = r.conn.SetWriteDeadline(time.Time{})
	}
	e.response.ReleaseBody(progress) // a copy made by middleware would be kept as long as the connection
	if r.wasHanded() {
		r.end(nil)
	} else {
		r.end(core.ErrDisconnected)
	}
	return nil
}

// progress is how many bytes are written at a time, and must leave within the write timeout. It also bounds
// how far ahead of the client middleware can get that compresses the stream.
const progress = 64 << 10

// bodyStream is the body of an answer that has a receipt. It may be read on another goroutine than the one
// that closes it, as it is by fasthttp's compression.
type bodyStream struct {
	rest    []byte
	receipt *receipt
}

// Read is what middleware may call. fasthttp itself prefers WriteTo, which saves it a copy.
func (s *bodyStream) Read(p []byte) (int, error) {
	n := copy(p, s.rest)
	if s.rest = s.rest[n:]; len(s.rest) == 0 {
		s.receipt.handOver()
		return n, io.EOF
	}
	return n, nil
}

// WriteTo flushes the server's buffer, since what is still there has not been handed over. (fasthttp does so
// next, unless another request has arrived meanwhile.)
func (s *bodyStream) WriteTo(w io.Writer) (written int64, err error) {
	for part := range slices.Chunk(s.rest, progress) {
		s.receipt.allowTime()
		n, err := w.Write(part)
		written += int64(n)
		if err != nil {
			s.receipt.end(errors.Join(core.ErrDisconnected, err))
			return written, err
		}
	}
	if buffer, ok := w.(*bufio.Writer); ok {
		if err := buffer.Flush(); err != nil {
			s.receipt.end(errors.Join(core.ErrDisconnected, err))
			return written, err
		}
	}
	s.rest = nil
	s.receipt.handOver()
	return written, nil
}

// Close is called by fasthttp when the body was written, could not be written, was copied or is replaced.
func (s *bodyStream) Close() error {
	if !s.receipt.wasHanded() {
		s.receipt.end(core.ErrDisconnected)
	}
	return nil
}
