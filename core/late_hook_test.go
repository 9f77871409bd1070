package core_test

import (
	"testing"
	"testing/synctest"

	"github.com/goengineio/engineio/core"
)

// No hook is called after OnClose, not even for the close packet that answers a waiting poll.
func TestNoFlushAfterClose(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			ended, late := false, 0
			b := newBench(t, core.Config{OnConnection: func(s *core.Socket) {
				s.OnClose(func(core.CloseReason, error) { ended = true })
				s.OnFlush(func([]core.Packet) {
					if ended {
						late++
					}
				})
			}})
			s := b.open(poll4)
			poll := s.get()
			synctest.Wait()
			s.socket.CloseNow()
			synctest.Wait()
			b.wantAnswer(poll, 200, "1")
			if late > 0 {
				t.Error("OnFlush came after OnClose")
			}
			b.end()
		})
	}
}

// A hook may keep the packets it is given, those of the handshake included.
func TestFlushedPacketsMayBeKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := map[string]string{} // by the sid at the time of the call
		var packets []core.Packet
		b := newBench(t, core.Config{OnFlush: func(s *core.Socket, flushed []core.Packet) {
			kept[s.ID()] = string(flushed[0].Data)
			packets = append(packets, flushed[0])
		}})
		for range 5 {
			b.open(poll4)
			synctest.Wait()
		}
		for _, p := range packets {
			sid := b.parseOpen("0" + string(p.Data)).SID
			if kept[sid] != string(p.Data) {
				t.Errorf("%q has changed", p.Data)
			}
			delete(kept, sid)
		}
		if len(packets) != 5 || len(kept) > 0 {
			t.Errorf("%d packets, %d sessions without theirs", len(packets), len(kept))
		}
		b.end()
	})
}
