package core_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
)

// A client that answers every ping lives on while a callback of its session blocks.
func TestBlockedSessionStaysAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := newBench(t, core.Config{OnConnection: func(s *core.Socket) {
			s.OnMessage(func(core.Message) { <-release })
		}})
		ws, s := b.openWS(ws4)
		ws.SendText("4x")
		go func() {
			for {
				f, ok := ws.Next()
				if !ok {
					return
				}
				if f.Text == "2" {
					ws.SendText("3")
				}
			}
		}()
		time.Sleep(3 * time.Minute)
		if s.ReadyState() != core.StateOpen {
			t.Errorf("the session is %s", s.ReadyState())
		}
		close(release)
		ws.Cut()
		b.end()
	})
}
