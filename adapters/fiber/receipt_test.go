package eiofiber_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/compress"
	"github.com/gofiber/fiber/v2/middleware/etag"
	"github.com/gofiber/fiber/v2/middleware/recover"

	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	"github.com/goengineio/engineio/core"
)

const latePath = "/engine.io/late"

// lateBody returns 8 MB of text that cannot be compressed much.
var lateBody = sync.OnceValue(func() string {
	random := make([]byte, 6<<20)
	_, _ = rand.Read(random)
	return base64.StdEncoding.EncodeToString(random)
})

// late is a bench with a handler that answers with a body that the network does not take at once.
type late struct {
	*bench
	body string
	done chan error
}

// lateSetup configures a late; every field is optional.
type lateSetup struct {
	setup
	size    int
	front   []fiber.Handler // middleware in front of the handler
	between func()          // see eiofiber.AnswerLate
}

func newLate(t *testing.T, s lateSetup) *late {
	t.Helper()
	l := &late{body: lateBody(), done: make(chan error, 10)}
	if s.size > 0 {
		l.body = l.body[:s.size]
	}
	s.build = func(app *fiber.App, srv *core.Server) {
		app.Get("/other", func(c *fiber.Ctx) error { return c.SendString("other") })
		for _, h := range s.front {
			app.Use(h)
		}
		app.All(latePath, eiofiber.AnswerLate(srv, []byte(l.body), func(err error) { l.done <- err }, s.between))
	}
	l.bench = newBench(t, s.setup)
	return l
}

// ask sends a request on a new connection that has so much room for the answer.
func (l *late) ask(header string, room int) *raw {
	l.t.Helper()
	c := l.raw()
	if err := c.Conn.(*net.TCPConn).SetReadBuffer(room); err != nil {
		l.t.Fatal(err)
	}
	c.sendf("GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", latePath, header)
	return c
}

// stuck checks that the answer counts as under way, although the handler has returned.
func (l *late) stuck(c *raw) {
	l.t.Helper()
	if _, err := c.r.Peek(1); err != nil {
		l.t.Fatal(err)
	}
	select {
	case err := <-l.done:
		l.t.Errorf("the answer was not read, and done was called with %v", err)
	case <-time.After(50 * time.Millisecond):
	}
}

// ended checks that done is called, and only once.
func (l *late) ended(check func(error) bool) {
	l.t.Helper()
	if err := await(l.t, l.done); !check(err) {
		l.t.Errorf("done was called with %v", err)
	}
	select {
	case err := <-l.done:
		l.t.Errorf("done was called again, with %v", err)
	case <-time.After(20 * time.Millisecond):
	}
}

func sent(err error) bool { return err == nil }

func lost(err error) bool { return errors.Is(err, core.ErrDisconnected) }

func stalled(err error) bool { return lost(err) && errors.Is(err, os.ErrDeadlineExceeded) }

// readers are middlewares that read the answer, each in its own way.
var readers = map[string]fiber.Handler{
	"no middleware": func(c *fiber.Ctx) error { return c.Next() },
	"compress":      compress.New(),
	"etag":          etag.New(),
	"Body": func(c *fiber.Ctx) error {
		err := c.Next()
		_ = c.Response().Body()
		return err
	},
	"BodyWriteTo": func(c *fiber.Ctx) error {
		err := c.Next()
		var text strings.Builder
		err = errors.Join(err, c.Response().BodyWriteTo(&text))
		c.Response().SetBodyString(text.String())
		return err
	},
	"Read": func(c *fiber.Ctx) error {
		err := c.Next()
		if !c.Response().IsBodyStream() {
			return err
		}
		text, errRead := io.ReadAll(c.Response().BodyStream())
		c.Response().SetBodyRaw(text)
		return errors.Join(err, errRead)
	},
}

// TestLateAnswersThatAreRead: the connection is good for more answers, and each tells its length.
func TestLateAnswersThatAreRead(t *testing.T) {
	for name, reader := range readers {
		for _, size := range []int{1, 4096, 1 << 20} {
			for _, tune := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " ", size, " ", tune), func(t *testing.T) {
					t.Parallel()
					l := newLate(t, lateSetup{setup: setup{tune: tune}, size: size, front: []fiber.Handler{reader}})
					c := l.raw()
					for range 3 {
						c.sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", latePath)
						a := c.answer()
						l.want(a, 200, l.body)
						if got := a.header.Get("Content-Length"); got != strconv.Itoa(size) {
							t.Errorf("Content-Length %q", got)
						}
						l.ended(sent)
					}
				})
			}
		}
	}
	t.Run("TLS", func(t *testing.T) {
		l := newLate(t, lateSetup{setup: setup{secure: selfSigned(t)}})
		for range 2 {
			l.want(l.get(latePath), 200, l.body)
			l.ended(sent)
		}
	})
	t.Run("compressed", func(t *testing.T) {
		l := newLate(t, lateSetup{front: []fiber.Handler{compress.New()}})
		for _, encoding := range []string{"gzip", "br"} {
			l.want(decoded(t, l.do("GET", latePath, "", http.Header{"Accept-Encoding": {encoding}})), 200, l.body)
			l.ended(sent)
		}
	})
	t.Run("not modified", func(t *testing.T) {
		l := newLate(t, lateSetup{front: []fiber.Handler{etag.New()}})
		tag := l.get(latePath).header.Get("Etag")
		l.ended(sent)
		l.want(l.do("GET", latePath, "", http.Header{"If-None-Match": {tag}}), 304, "")
		l.ended(sent)
	})
	t.Run("pipelined", func(t *testing.T) {
		l := newLate(t, lateSetup{size: 10_000})
		c := l.raw()
		c.sendf("%s", strings.Repeat("GET "+latePath+" HTTP/1.1\r\nHost: x\r\n\r\n", 3))
		for range 3 {
			l.want(c.answer(), 200, l.body)
		}
		for range 3 {
			if err := await(t, l.done); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestLateAnswersThatAreNotRead: done is called when the client goes, or when its time is over.
func TestLateAnswersThatAreNotRead(t *testing.T) {
	const short = time.Second // also for middleware to read 8 MB
	cut := func(c *raw) { _ = c.Close() }
	reset := func(c *raw) {
		_ = c.Conn.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	nothing := func(*raw) {}
	limited := setup{core: core.Config{WriteTimeout: short}}
	tuned := setup{core: core.Config{WriteTimeout: short}, tune: true}
	for _, tt := range []struct {
		name  string
		setup setup
		act   func(*raw)
		want  func(error) bool
	}{
		{"cut", setup{}, cut, lost},
		{"cut, tuned", setup{tune: true}, cut, lost},
		{"reset", setup{}, reset, lost},
		{"WriteTimeout of Engine.IO", limited, nothing, stalled},
		{"WriteTimeout of Engine.IO, tuned", tuned, nothing, stalled},
		{"WriteTimeout of Fiber", setup{fiber: fiber.Config{WriteTimeout: short}}, nothing, stalled},
		{"WriteTimeout of Engine.IO, streamed", setup{core: limited.core, fiber: fiber.Config{StreamRequestBody: true, ReduceMemoryUsage: true}}, nothing, stalled},
	} {
		for name, reader := range readers {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				t.Parallel()
				l := newLate(t, lateSetup{setup: tt.setup, front: []fiber.Handler{reader}})
				encodings, want := "", tt.want
				switch name {
				case "no middleware":
				case "compress":
					encodings, want = "Accept-Encoding: gzip\r\n", lost // the timeout hits the compressed copy
				default:
					want = sent // to the middleware
				}
				c := l.ask(encodings, 4096)
				l.stuck(c)
				tt.act(c)
				l.ended(want)
			})
		}
	}
}

// TestLateAnswersThatDoNotLeave: middleware can decide that the client gets something else.
func TestLateAnswersThatDoNotLeave(t *testing.T) {
	after := func(do func(c *fiber.Ctx) error) []fiber.Handler {
		return []fiber.Handler{func(c *fiber.Ctx) error { return errors.Join(c.Next(), do(c)) }}
	}
	for _, tt := range []struct {
		name   string
		front  []fiber.Handler
		status int
		body   string
	}{
		{"SendString", after(func(c *fiber.Ctx) error { return c.SendString("other") }), 200, "other"},
		{"SetBodyRaw", after(func(c *fiber.Ctx) error { c.Response().SetBodyRaw([]byte("other")); return nil }), 200, "other"},
		{"SendStream", after(func(c *fiber.Ctx) error { return c.SendStream(strings.NewReader("other")) }), 200, "other"},
		{"Reset", after(func(c *fiber.Ctx) error { c.Response().Reset(); return nil }), 200, ""},
		{"an error", after(func(*fiber.Ctx) error { return fiber.ErrTeapot }), 418, "I'm a teapot"},
		{"a panic", append([]fiber.Handler{recover.New()}, after(func(*fiber.Ctx) error { panic("later") })...), 500, "later"},
		{"hijacked", after(func(c *fiber.Ctx) error {
			c.Context().HijackSetNoResponse(true)
			c.Context().Hijack(func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother") })
			return nil
		}), 200, "other"},
		{"no body", after(func(c *fiber.Ctx) error { c.Response().SkipBody = true; return nil }), 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLate(t, lateSetup{front: tt.front})
			if tt.name == "no body" {
				l.want(l.do("HEAD", latePath, "", nil), tt.status, tt.body)
			} else {
				l.want(l.get(latePath), tt.status, tt.body)
			}
			l.ended(lost)
		})
	}
	t.Run("a panic before Respond", func(t *testing.T) {
		l := newLate(t, lateSetup{front: []fiber.Handler{recover.New()}, between: func() { panic("between") }})
		l.want(l.get(latePath), 500, "between")
		l.ended(lost)
	})
	t.Run("TimeoutError", func(t *testing.T) {
		l := newLate(t, lateSetup{front: after(func(c *fiber.Ctx) error { c.Context().TimeoutError("too late"); return nil })})
		l.want(l.get(latePath), 408, "too late")
		l.eventually(func() bool { runtime.GC(); return len(l.done) > 0 }) // fasthttp just forgets the request
		l.ended(lost)
	})
}

// TestLateAnswersLeaveNoDeadline: the connection can still be used after the write timeout has passed.
func TestLateAnswersLeaveNoDeadline(t *testing.T) {
	for name, reader := range readers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const short = 200 * time.Millisecond
			l := newLate(t, lateSetup{setup: setup{core: core.Config{WriteTimeout: short}}, size: 100_000, front: []fiber.Handler{reader}})
			c := l.raw()
			for range 2 {
				c.sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", latePath)
				l.want(c.answer(), 200, l.body)
				<-time.After(2 * short)
				c.sendf("GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
				l.want(c.answer(), 200, "other")
			}
		})
	}
}

// TestLateAnswersTakeTheirTime: the timeout is for clients that do not read, not for those that read slowly.
func TestLateAnswersTakeTheirTime(t *testing.T) {
	const patience = time.Second
	l := newLate(t, lateSetup{setup: setup{core: core.Config{WriteTimeout: patience}}})
	c := l.ask("", 100_000)
	l.stuck(c)
	for range 10 {
		if _, err := io.CopyN(io.Discard, c.r, 700_000); err != nil {
			t.Fatal(err)
		}
		<-time.After(patience / 4)
	}
	c.sendf("GET /other HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	c.closed()
	l.ended(sent)
}

// TestLateAnswersThatTrickle: a client that reads a little now and then makes progress, but does not keep the
// answer for as long as it likes.
func TestLateAnswersThatTrickle(t *testing.T) {
	l := newLate(t, lateSetup{setup: setup{core: core.Config{
		WriteTimeout: time.Second, PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond,
	}}})
	c := l.ask("", 100_000)
	l.stuck(c)
	for len(l.done) == 0 {
		if _, err := io.CopyN(io.Discard, c.r, 200_000); err != nil {
			break // all of it would take 4 s
		}
		<-time.After(100 * time.Millisecond)
	}
	l.ended(stalled)
}

// TestShutdownWithAStuckAnswer: the app's shutdown does not cut connections; the write timeout does.
func TestShutdownWithAStuckAnswer(t *testing.T) {
	for _, tune := range []bool{false, true} {
		l := newLate(t, lateSetup{setup: setup{tune: tune, core: core.Config{WriteTimeout: 500 * time.Millisecond}}})
		l.stuck(l.ask("", 4096))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := l.app.ShutdownWithContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		l.ended(stalled)
	}
}

// TestCopiesOfLateAnswersAreNotKept: fasthttp keeps the buffer into which it copies a body for middleware,
// as long as the connection lasts.
func TestCopiesOfLateAnswersAreNotKept(t *testing.T) {
	before := heap()
	l := newLate(t, lateSetup{front: []fiber.Handler{readers["Body"]}})
	conns := make([]*raw, 8)
	for i := range conns {
		conns[i] = l.raw()
		conns[i].sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", latePath)
		if a := conns[i].answer(); a.body != l.body {
			t.Fatal(a.status, a.err)
		}
		l.ended(sent)
	}
	if held := heap() - before; held > 3*len(l.body) {
		t.Errorf("%d connections hold %d bytes", len(conns), held)
	}
	runtime.KeepAlive(conns)
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestStalledAnswerIsCut: what a client does not read in time is reported as unsent.
func TestStalledAnswerIsCut(t *testing.T) {
	for _, tune := range []bool{false, true} {
		unsent := make(chan string, 1)
		b := newBench(t, setup{tune: tune, core: core.Config{WriteTimeout: 500 * time.Millisecond}})
		target, s := b.open("/engine.io/")
		s.OnClose(func(_ core.CloseReason, err error) {
			unsent <- fmt.Sprint(s.Unsent(), " unsent, stalled ", stalled(err))
		})
		for range 15 {
			_ = s.Send(core.Text(strings.Repeat("x", 1_000_000)))
		}
		c := b.raw()
		c.sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
		if got := await(t, unsent); got != "15 unsent, stalled true" {
			t.Error(got)
		}
		if n := b.srv.Stats().SlowClosed; n != 1 {
			t.Errorf("%d sessions counted as slow", n)
		}
	}
}

// TestUnreadAnswers: a client that polls on without reading gets no second answer.
func TestUnreadAnswers(t *testing.T) {
	for name, reader := range readers {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, setup{tune: true, core: core.Config{DisableHTTPCompression: true}, build: func(app *fiber.App, srv *core.Server) {
				app.Use(func(c *fiber.Ctx) error { // middleware for answers that are streams
					if strings.Contains(c.OriginalURL(), "sid=") {
						return reader(c)
					}
					return c.Next()
				})
				eiofiber.Mount(app, "", srv)
			}})
			target, s := b.open("/engine.io/")
			_ = s.Send(core.Text(lateBody()))
			first := b.raw()
			first.sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
			if _, err := first.r.Peek(1); err != nil {
				t.Fatal(err)
			}
			_ = s.Send(core.Text("second"))
			second := b.goGet(target)
			select {
			case a := <-second:
				t.Errorf("got %d %.20q", a.status, a.body)
			case <-time.After(50 * time.Millisecond):
			}
			if n := s.Buffered(); n < int64(len(lateBody())) {
				t.Errorf("%d bytes count", n)
			}
			b.want(first.answer(), 200, "4"+lateBody())
			b.want(await(t, second), 200, "4second")
			if n := s.Buffered(); n != 0 {
				t.Errorf("%d bytes are left", n)
			}
		})
	}
}
