package eiofiber_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/goengineio/engineio/core"
)

func TestShutdown(t *testing.T) {
	for _, tune := range []bool{true, false} {
		for _, cfg := range []fiber.Config{{}, {IdleTimeout: patience, ReadTimeout: patience}} {
			b := newBench(t, setup{tune: tune, fiber: cfg})
			target, _ := b.open("/engine.io/")
			poll := b.goGet(target)
			ws, _ := b.upgrade("/engine.io/")
			direct, _ := b.dial("/engine.io/?EIO=4&transport=websocket", nil)
			_, _ = direct.Next()

			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			begun := time.Now()
			down := make(chan error, 1)
			go func() { down <- errors.Join(b.srv.Shutdown(ctx), b.app.ShutdownWithContext(ctx)) }()
			b.want(await(t, poll), 200, "1")
			ws.WantClosed(1001)
			direct.WantClosed(1001)
			b.client.CloseIdleConnections()
			if err := await(t, down); err != nil {
				t.Error(err)
			}
			if took := time.Since(begun); took > patience/2 {
				t.Errorf("took %v", took)
			}
			for range 3 {
				if reason := await(t, b.closed); reason != core.ForcedClose {
					t.Errorf("reason %s", reason)
				}
			}
			if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", b.addr); err == nil {
				t.Error("the server still listens")
			}
		}
	}
}

func TestShutdownRefusesHandshakes(t *testing.T) {
	b := newBench(t, setup{})
	ws, _ := b.dial("/engine.io/?EIO=4&transport=websocket", nil)
	_, _ = ws.Next()
	down := make(chan error, 1)
	go func() { down <- b.srv.Shutdown(t.Context()) }()
	ws.WantClosed(1001)
	if err := await(t, down); err != nil {
		t.Error(err)
	}
	b.want(b.get("/engine.io/"+poll4), 503, "*")
	if _, a := b.dial("/engine.io/?EIO=4&transport=websocket", nil); a.status != 503 {
		t.Errorf("a WebSocket: %d", a.status)
	}
}

// TestShutdownOfTheAppAlone waits for polls until its context ends, as net/http's does.
func TestShutdownOfTheAppAlone(t *testing.T) {
	b := newBench(t, setup{})
	target, s := b.open("/engine.io/")
	poll := b.goGet(target)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := b.app.ShutdownWithContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	_ = s.Send(core.Text("late"))
	b.want(await(t, poll), 200, "4late")
}
