package core_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/goengineio/engineio/core"
)

func TestRepliesToOneReadLeaveTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		b := newBench(t, core.Config{OnConnection: func(s *core.Socket) {
			s.OnMessage(func(m core.Message) { <-gate; _ = s.Send(m) })
		}})
		defer b.end()
		ws, _ := b.openWS(ws4)
		ws.SendText("4first") // while it is handled, the others arrive
		synctest.Wait()
		before := ws.Flushes()
		for i := range 16 {
			ws.SendText(fmt.Sprintf("4%d", i))
		}
		close(gate)
		b.wantFrame(ws, "4first")
		for i := range 16 {
			b.wantFrame(ws, fmt.Sprintf("4%d", i))
		}
		if n := ws.Flushes() - before; n > 2 { // one for the first, which is alone when it is handled
			t.Errorf("17 replies took %d writes", n)
		}
	})
}

// What a callback sends beyond the size of the buffer leaves while the callback runs, even with more input
// at hand.
func TestHeldRepliesDoNotFillTheBuffer(t *testing.T) {
	for _, c := range []struct {
		name, data string
		n          int
	}{{"bytes", strings.Repeat("x", 1000), 64}, {"messages", "", 2000}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				b := newBench(t, core.Config{MaxPayload: 2000, MaxBuffered: 8000, OnConnection: func(s *core.Socket) {
					s.OnMessage(func(m core.Message) {
						if string(m.Data) == "wait" {
							<-gate
							return
						}
						for i := range c.n {
							if err := s.Send(core.Text(c.data)); err != nil {
								t.Errorf("message %d of %d: %v", i, c.n, err)
								return
							}
						}
					})
				}})
				defer b.end()
				ws, _ := b.openWS(ws4)
				ws.SendText("4wait")
				synctest.Wait()
				ws.SendText("4one")
				ws.SendText("4another")
				close(gate)
				for range 2 * c.n {
					b.wantFrame(ws, "4"+c.data)
				}
			})
		})
	}
}

func TestPingFramesAreAnsweredInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		defer b.end()
		ws, _ := b.openWS(ws4)
		ws.Ping("abc")
		if f, _ := ws.Next(); !f.Pong || f.Text != "abc" {
			t.Errorf("got %+v", f)
		}
		ws.Stall(true) // a flood that is not read leaves one pong, not thousands
		for range 10_000 {
			ws.Ping("x")
		}
		synctest.Wait()
		ws.Stall(false)
		synctest.Wait()
		if n := ws.Waiting(); n > 3 {
			t.Errorf("%d pongs", n)
		}
	})
}

func TestBase64OnWebSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{AllowEIO3: true})
		defer b.end()
		for query, want := range map[string]string{ws4 + "&b64=1": "bAQID", ws3 + "&b64=1": "b4AQID", ws4: "\x01\x02\x03", ws3: "\x04\x01\x02\x03"} {
			ws, s := b.openWS(query)
			_ = s.Send(core.Binary([]byte{1, 2, 3}))
			f, _ := ws.Next()
			if f.Text != want || f.Binary == (want[0] == 'b') {
				t.Errorf("%s: got %+v", query, f)
			}
		}
	})
}

// Many goroutines send at once; each one's messages arrive once and in order.
func TestConcurrentSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		defer b.end()
		ws, s := b.openWS(ws4)
		const senders, each = 16, 200
		var group sync.WaitGroup
		for i := range senders {
			group.Go(func() {
				for k := range each {
					_ = s.Send(core.Text(fmt.Sprintf("%d %d", i, k)))
				}
			})
		}
		next := make([]int, senders)
		for range senders * each {
			f, _ := ws.Next()
			var i, k int
			if _, err := fmt.Sscanf(f.Text, "4%d %d", &i, &k); err != nil {
				t.Fatalf("frame %q: %v", f.Text, err)
			}
			if next[i] != k {
				t.Fatalf("sender %d: got %d, want %d", i, k, next[i])
			}
			next[i]++
		}
		group.Wait()
	})
}
