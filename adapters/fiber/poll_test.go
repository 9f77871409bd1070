package eiofiber_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/timeout"

	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	"github.com/goengineio/engineio/core"
)

func TestLongPollsSurviveTheServersTimeouts(t *testing.T) {
	const short = 100 * time.Millisecond
	for name, cfg := range map[string]fiber.Config{
		"ReadTimeout":  {ReadTimeout: short},
		"WriteTimeout": {WriteTimeout: short},
		"IdleTimeout":  {IdleTimeout: short},
		"all":          {ReadTimeout: short, WriteTimeout: short, IdleTimeout: short},
	} {
		for _, tune := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				b := newBench(t, setup{fiber: cfg, core: core.Config{PingInterval: 4 * short}, tune: tune})
				target, _ := b.open("/engine.io/")
				c := b.raw()
				c.sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
				b.want(c.answer(), 200, "2")
				c.sendf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n3", target) // the connection stays
				b.want(c.answer(), 200, "ok")
				select {
				case reason := <-b.closed:
					t.Errorf("closed: %s", reason)
				default:
				}
				if cfg.ReadTimeout+cfg.IdleTimeout > 0 { // what Fiber limits is still limited
					c.closed()
				}
			})
		}
	}
}

// TestNoDeadlineIsLeftOnTheConnection pauses for longer than the time that Tune allows for a body.
func TestNoDeadlineIsLeftOnTheConnection(t *testing.T) {
	b := newBench(t, setup{core: core.Config{PingInterval: 150 * time.Millisecond, PingTimeout: 150 * time.Millisecond}, tune: true})
	for _, request := range []string{"GET %s HTTP/1.1\r\nHost: x\r\n\r\n", "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n6"} {
		target := "/engine.io/" + poll4 + "&sid=nobody"
		c := b.raw()
		for range 2 {
			c.sendf(request, target)
			if a := c.answer(); a.status != 400 {
				t.Fatalf("%s: %d %q %v", target, a.status, a.body, a.err)
			}
			<-time.After(400 * time.Millisecond)
		}
	}
}

func TestClientLeavesDuringAPoll(t *testing.T) {
	for name, leave := range map[string]func(c *raw){
		"close": func(c *raw) { _ = c.Close() },
		"reset": func(c *raw) {
			_ = c.Conn.(interface{ SetLinger(sec int) error }).SetLinger(0)
			_ = c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, setup{})
			target, _ := b.open("/engine.io/")
			c := b.raw()
			c.sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
			b.eventually(func() bool { return waiting() > 0 })
			leave(c)
			if reason := await(t, b.closed); reason != core.TransportError {
				t.Errorf("reason %s", reason)
			}
		})
	}
}

func TestPipelinedRequestDuringAPoll(t *testing.T) {
	b := newBench(t, setup{})
	target, s := b.open("/engine.io/")
	c := b.raw()
	c.sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
	b.eventually(func() bool { return waiting() > 0 })
	c.sendf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n4second", target)
	if waiting() != 1 {
		t.Error("input ended the poll")
	}
	_ = s.Send(core.Text("first"))
	b.want(c.answer(), 200, "4first")
	b.want(c.answer(), 200, "ok")
	c.sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
	b.want(c.answer(), 200, "4second")
}

// TestHeldPolls tests polls with Waiter.Expires set: during an upgrade, the third poll is held for 100 ms.
func TestHeldPolls(t *testing.T) {
	for name, s := range map[string]setup{"TCP": {}, "TLS": {secure: selfSigned(t)}, "pipelined": {}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, s)
			target, s := b.open("/engine.io/")
			poll := b.goGet(target)
			ws, _ := b.dial("/engine.io/?EIO=4&transport=websocket&sid="+s.ID(), nil)
			ws.Send("2probe")
			b.want(await(t, poll), 200, "6")
			b.want(b.get(target), 200, "6")
			b.want(b.get(target), 200, "6")
			begun := time.Now()
			if name == "pipelined" {
				c := b.raw()
				c.sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
				<-time.After(30 * time.Millisecond) // if both were read together, the watch would see nothing
				c.sendf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n6", target)
				b.want(c.answer(), 200, "6")
				b.want(c.answer(), 200, "ok")
			} else {
				b.want(b.get(target), 200, "6")
			}
			if took := time.Since(begun); took < 80*time.Millisecond || took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestPollsEndWithTheUserContext(t *testing.T) {
	limited := func(app *fiber.App, srv *core.Server) {
		app.Use(timeout.NewWithContext(func(c *fiber.Ctx) error {
			_ = c.Next()
			return c.UserContext().Err() // must be nil
		}, 300*time.Millisecond))
		eiofiber.Mount(app, "", srv)
	}
	for name, s := range map[string]setup{"TCP": {build: limited}, "TLS": {build: limited, secure: selfSigned(t)}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, s)
			target, s := b.open("/engine.io/")
			for range 2 {
				b.want(b.get(target), 200, "6")
			}
			_ = s.Send(core.Text("alive"))
			b.want(b.get(target), 200, "4alive")
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := newBench(t, setup{build: func(app *fiber.App, srv *core.Server) {
			app.Use(func(c *fiber.Ctx) error { c.SetUserContext(ctx); return c.Next() }, eiofiber.Middleware(srv))
		}})
		target, s := b.open("/engine.io/")
		poll := b.goGet(target)
		cancel()
		b.want(await(t, poll), 200, "6")
		if err := s.Request().Context().Err(); err != nil {
			t.Errorf("the session's request was cancelled: %v", err)
		}
	})
}

// TestManyPollsOnOneConnection wakes polls at the moment they begin to wait.
func TestManyPollsOnOneConnection(t *testing.T) {
	b := newBench(t, setup{fiber: fiber.Config{IdleTimeout: patience, ReadTimeout: patience}})
	target, s := b.open("/engine.io/")
	c := b.raw()
	for range 500 {
		go func() { _ = s.Send(core.Text("x")) }()
		c.sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
		if a := c.answer(); a.status != http.StatusOK || a.body != "4x" {
			t.Fatalf("%d %q %v", a.status, a.body, a.err)
		}
	}
}
