package core_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
)

// A client that answers every ping, and expects to be pinged itself, keeps its session while a callback
// blocks.
func TestBlockedSessionStaysAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := newBench(t, core.Config{OnConnection: func(s *core.Socket) {
			s.OnMessage(func(core.Message) { <-release })
		}})
		ws, s := b.openWS(ws4)
		ws.SendText("4x")
		var pinged atomic.Int64 // when last
		pinged.Store(time.Now().UnixNano())
		go func() {
			for {
				f, ok := ws.Next()
				if !ok {
					return
				}
				if f.Text == "2" {
					pinged.Store(time.Now().UnixNano())
					ws.SendText("3")
				}
			}
		}()
		for range 12 {
			time.Sleep(15 * time.Second)
			synctest.Wait()
			if unheard := time.Since(time.Unix(0, pinged.Load())); unheard > 45*time.Second {
				t.Errorf("not pinged for %s", unheard)
			}
		}
		if s.ReadyState() != core.StateOpen {
			t.Errorf("the session is %s", s.ReadyState())
		}
		close(release)
		ws.Cut()
		b.end()
	})
}

// Calls of a hook that blocks do not pile up without limit, however much the client sends.
func TestBlockedHookHoldsTheClientBack(t *testing.T) {
	const pings = 10_000
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var handled atomic.Int64
		b := newBench(t, core.Config{AllowEIO3: true, OnConnection: func(s *core.Socket) {
			s.OnPacketCreate(func(core.Packet) { <-release })
			s.OnHeartbeat(func() { handled.Add(1) })
		}})
		ws, s := b.openWS("EIO=3&transport=websocket")
		go func() {
			for range pings {
				ws.SendText("2")
			}
		}()
		time.Sleep(3 * time.Minute)
		if n := handled.Load(); n == 0 || n > 2100 {
			t.Errorf("%d pings were handled", n)
		}
		if s.ReadyState() != core.StateOpen {
			t.Errorf("the session is %s", s.ReadyState())
		}
		close(release)
		synctest.Wait()
		if n := handled.Load(); n != pings {
			t.Errorf("%d pings were handled in the end", n)
		}
		ws.Cut()
		b.end()
	})
}
