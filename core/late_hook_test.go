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
