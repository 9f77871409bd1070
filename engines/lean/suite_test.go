package lean_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/engines/lean"
	"github.com/goengineio/engineio/internal/adaptertest"
)

// TestSuite runs the suite of the adapters with this engine. The suite makes the server itself, and the
// adapters use the default engine, so this test has an adapter of its own.
func TestSuite(t *testing.T) {
	adaptertest.Run(t, adaptertest.Framework{Name: "lean", Serve: func(t *testing.T, srv *core.Server) string {
		engine := lean.New()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if core.ServesPath("/engine.io", core.SentPath(r.URL)) {
				srv.Serve(&exchange{w, r}, engine)
			}
		}))
		t.Cleanup(server.Close)
		return server.URL
	}})
}

// exchange implements core.Exchange.
type exchange struct {
	w http.ResponseWriter
	r *http.Request
}

func (x *exchange) Method() string                    { return x.r.Method }
func (x *exchange) Query() string                     { return x.r.URL.RawQuery }
func (x *exchange) Header(name string) string         { return x.r.Header.Get(name) }
func (x *exchange) RemoteAddr() string                { return x.r.RemoteAddr }
func (x *exchange) ResponseHeader(name string) string { return x.w.Header().Get(name) }
func (x *exchange) ResponseHeaders() http.Header      { return x.w.Header().Clone() }
func (x *exchange) SetHeader(name, value string)      { x.w.Header().Set(name, value) }
func (x *exchange) AddHeader(name, value string)      { x.w.Header().Add(name, value) }

func (x *exchange) Request() *http.Request {
	return x.r.WithContext(context.WithoutCancel(x.r.Context()))
}

func (x *exchange) Body(limit int64, _ time.Time) ([]byte, error) {
	if x.r.ContentLength > limit {
		return nil, core.ErrTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(x.r.Body, limit+1))
	if int64(len(body)) > limit {
		return nil, core.ErrTooLarge
	}
	return body, err
}

func (x *exchange) WhenSent(func(error)) bool { return false }

func (x *exchange) Respond(status int, body []byte) error {
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	_, err := x.w.Write(body)
	return err
}

func (x *exchange) Wait(w *core.Waiter) core.WaitResult {
	var expired <-chan time.Time
	if w.Expires() > 0 {
		timer := time.NewTimer(w.Expires())
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-w.C():
		return core.Woken
	case <-expired:
		return core.Expired
	case <-x.r.Context().Done():
		return core.Gone
	}
}

func (x *exchange) Keep(dst []byte) ([]byte, core.Kept) { return core.Keep(dst, x.r) }

func (x *exchange) Hijack(serve func(net.Conn, []byte) func()) error {
	conn, rw, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return err
	}
	_ = conn.SetDeadline(time.Time{})
	peeked, _ := rw.Reader.Peek(rw.Reader.Buffered())
	go func() {
		if rest := serve(conn, append([]byte(nil), peeked...)); rest != nil {
			rest()
		}
	}()
	return nil
}
