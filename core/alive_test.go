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
	const messages = 10_000
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var handled atomic.Int64
		b := newBench(t, core.Config{AllowEIO3: true, OnConnection: func(s *core.Socket) {
			s.OnPacketCreate(func(core.Packet) { <-release })
			s.OnMessage(func(m core.Message) {
				handled.Add(1)
				_ = s.Send(m)
			})
		}})
		ws, s := b.openWS("EIO=3&transport=websocket")
		go func() {
			for range messages {
				ws.SendText("4x")
			}
		}()
		go func() {
			for ok := true; ok; {
				_, ok = ws.Next()
			}
		}()
		time.Sleep(3 * time.Minute)
		if n := handled.Load(); n == 0 || n > 2100 {
			t.Errorf("%d messages were handled", n)
		}
		if s.ReadyState() != core.StateOpen {
			t.Errorf("the session is %s", s.ReadyState())
		}
		close(release)
		synctest.Wait()
		if n := handled.Load(); n != messages {
			t.Errorf("%d messages were handled in the end", n)
		}
		ws.Cut()
		b.end()
	})
}
