package core_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
)

// The initial packet must not overtake the open packet.
func TestConflateLeavesTheOpenPacketFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		initial := core.Text("hello")
		b := newBench(t, core.Config{
			InitialPacket: &initial,
			Conflate:      func(_ *core.Socket, m []core.Message) []core.Message { return m },
		})
		ws, _ := b.WebSocket(ws4)
		f, _ := ws.Next()
		if f.Text == "" || f.Text[0] != '0' {
			t.Errorf("first packet %q", f.Text)
		}
		b.end()
		ws.Cut()
	})
}

// A message that has been through Conflate is not shown to it again.
func TestConflateSeesEachMessageOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		release := make(chan struct{})
		b := newBench(t, core.Config{Conflate: func(_ *core.Socket, m []core.Message) []core.Message {
			if calls.Add(1) == 1 {
				<-release
			}
			return []core.Message{core.Text("[" + string(m[0].Data) + "]")}
		}})
		ws, s := b.openWS(ws4)
		ws.Stall(true)
		go s.Send(core.Text("x"))                     // waits in Conflate
		time.Sleep(25*time.Second + time.Millisecond) // a ping takes the write token and gets stuck
		synctest.Wait()
		close(release)
		synctest.Wait()
		ws.Stall(false)
		b.wantFrame(ws, "2")
		b.wantFrame(ws, "4[x]")
		b.end()
		ws.Cut()
	})
}

// What was lost with a panic was not conflated.
func TestConflatedCountsNoPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{Conflate: func(_ *core.Socket, m []core.Message) []core.Message {
			if string(m[0].Data) == "x" {
				panic("by design")
			}
			return m[len(m)-1:]
		}})
		s := b.open(poll4)
		_, _ = s.socket.Send(core.Text("a")), s.socket.Send(core.Text("b"))
		b.wantAnswer(s.get(), 200, "4b")
		_ = s.socket.Send(core.Text("x"))
		s.get().Wait()
		b.wantEvent("close: forced close")
		if n := b.Server.Stats().Conflated; n != 1 || s.socket.Unsent() != 1 {
			t.Errorf("%d messages conflated, %d unsent", n, s.socket.Unsent())
		}
		b.end()
	})
}
