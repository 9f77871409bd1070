package core_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
)

// opening returns a WebSocket whose session is registered, but whose open packet has not been sent: in the
// pause before the open packet.
func opening(t *testing.T, cfg core.Config, during func(*bench)) (first string, closed bool) {
	b := newBench(t, cfg)
	ws, _ := b.WebSocket(ws4)
	synctest.Wait()
	if b.Server.Len() != 1 {
		t.Fatalf("%d sessions", b.Server.Len())
	}
	during(b)
	time.Sleep(time.Second)
	if ws.Waiting() > 0 {
		f, _ := ws.Next()
		first = f.Text
	}
	time.Sleep(time.Minute)
	select {
	case <-ws.Done():
		closed = true
	default:
	}
	ws.Cut()
	b.end()
	return first, closed
}

func TestOpenPacketComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, _ := opening(t, core.Config{}, func(b *bench) { b.Server.Broadcast(core.Text("early")) })
		if !strings.HasPrefix(first, `0{"sid"`) {
			t.Errorf("the first packet is %q", first)
		}
	})
}

func TestClosedBeforeTheOpenPacket(t *testing.T) {
	for name, end := range map[string]func(*bench){
		"Server.Close": func(b *bench) { b.Server.Close() },
		"CloseNow": func(b *bench) {
			for s := range b.Server.All() {
				s.CloseNow()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if _, closed := opening(t, core.Config{}, end); !closed {
					t.Error("a minute later the connection is open")
				}
			})
		})
	}
}

// TestOpenPause: the open packet follows the 101 after a moment, but not in a rush.
func TestOpenPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		defer b.end()
		for range 2 {
			alone, _ := b.WebSocket(ws4)
			synctest.Wait()
			rushed, _ := b.WebSocket(ws4)
			synctest.Wait()
			if alone.Waiting() != 0 || rushed.Waiting() != 1 {
				t.Errorf("%d and %d packets at once", alone.Waiting(), rushed.Waiting())
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if alone.Waiting() != 1 {
				t.Error("no open packet after a millisecond")
			}
		}
	})
}
