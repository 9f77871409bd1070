package core_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
)

// TestLargeJSONPAnswersAreSplit: a byte may take six in JSONP, so that all that may wait is too much for one
// answer.
func TestLargeJSONPAnswersAreSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{MaxPayload: 1000})
		b.Get(poll4 + "&j=0").Wait()
		socket := <-b.sockets
		s := session{b, socket.ID(), poll4 + "&j=0&sid=" + socket.ID(), socket}
		for range 5 {
			_ = s.socket.Send(core.Text(strings.Repeat("\x01", 400)))
		}
		for _, n := range []int{2, 2, 1} {
			packets := strings.Repeat(`4`+strings.Repeat(`\u0001`, 400)+`\u001e`, n)
			b.wantAnswer(s.get(), 200, `___eio[0]("`+strings.TrimSuffix(packets, `\u001e`)+`");`)
		}
		for range 3 {
			_ = s.socket.Send(core.Text(strings.Repeat("y", 400)))
		}
		s.socket.Close()
		y := "4" + strings.Repeat("y", 400)
		b.wantAnswer(s.get(), 200, `___eio[0]("`+y+`\u001e`+y+`");`)
		b.wantAnswer(s.get(), 200, `___eio[0]("`+y+`");`)
		b.wantAnswer(s.get(), 200, `___eio[0]("1");`)
		b.end()
	})
}

func TestLongJSONPIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		a := b.Get(poll4 + "&j=" + strings.Repeat("x12", 10_000)).Wait()
		if !strings.HasPrefix(a.Body, "___eio["+strings.Repeat("12", 16)+"](") {
			t.Errorf("answered %.60s", a.Body)
		}
		b.end()
	})
}

// TestLargeHead: a session keeps the head of its first request, so there is a limit.
func TestLargeHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		for size, status := range map[int]int{60 << 10: 200, 70 << 10: 400} {
			a := b.Do(http.MethodGet, poll4, nil, http.Header{"Authorization": {strings.Repeat("x", size)}}).Wait()
			if a.Status != status {
				t.Errorf("%d bytes: %d %s", size, a.Status, a.Body)
			}
		}
		ws, a := b.WebSocket(ws4 + "&x=" + strings.Repeat("x", 70<<10))
		if a.Wait(); a.Status != 400 {
			t.Errorf("WebSocket: %d %s", a.Status, a.Body)
		}
		ws.Cut()
		if n := b.Server.Len(); n != 1 {
			t.Errorf("%d sessions", n)
		}
		b.end()
	})
}

// TestReplacedTextIsLimited: a byte that is not UTF-8 becomes three.
func TestReplacedTextIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{MaxPayload: 1000})
		s := b.open(poll4)
		b.wantAnswer(s.post("4"+strings.Repeat("\xff", 333)), 200, "ok")
		b.wantAnswer(s.post("4"+strings.Repeat("\xff", 334)), 413, "")
		b.wantAnswer(s.get(), 200, "4"+strings.Repeat("\ufffd", 333))
		b.end()
	})
}

// TestSmallMessagesLetThePayloadGo: who keeps a message does not keep what it came with.
func TestSmallMessagesLetThePayloadGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var caps []int
		b := newBench(t, core.Config{AllowEIO3: true, OnConnection: func(s *core.Socket) {
			s.OnMessage(func(m core.Message) { caps = append(caps, cap(m.Data[:len(m.Data):cap(m.Data)])) })
		}})
		text := strings.Repeat("x", 20_000)
		b.wantAnswer(b.open(poll4).post("4a\x1e4"+text), 200, "ok")
		b.wantAnswer(b.open(poll3).post("2:4a20001:4"+text), 200, "ok")
		if len(caps) != 4 || caps[0] > 100 || caps[2] > 100 {
			t.Errorf("capacities %d", caps)
		}
		b.end()
	})
}

// TestBlockedHookHoldsAPayloadBack: hook calls do not pile up within one POST either.
func TestBlockedHookHoldsAPayloadBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const messages = 10_000
		release, handled := make(chan struct{}), 0
		b := newBench(t, core.Config{OnConnection: func(s *core.Socket) {
			s.OnPacketCreate(func(core.Packet) { <-release })
			s.OnMessage(func(m core.Message) { handled++; _ = s.Send(m) })
		}})
		s := b.open(poll4)
		a := s.post(strings.TrimSuffix(strings.Repeat("4x\x1e", messages), "\x1e"))
		time.Sleep(time.Second)
		synctest.Wait()
		if a.Answered() || handled > 2100 {
			t.Errorf("%d messages were handled", handled)
		}
		close(release)
		b.wantAnswer(a, 200, "ok")
		if handled != messages {
			t.Errorf("%d messages were handled in the end", handled)
		}
		b.end()
	})
}

// TestConflateWaitsForTheLastAnswer: what cannot be written yet is conflated when it can, all together.
func TestConflateWaitsForTheLastAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shown := 0
		b := newBench(t, core.Config{Conflate: func(_ *core.Socket, m []core.Message) []core.Message {
			shown += len(m)
			return m[len(m)-1:]
		}})
		s := b.open(poll4)
		first := s.stuckPoll("a", false)
		ws := s.probe()
		ws.SendText("2probe")
		b.wantFrame(ws, "3probe")
		ws.SendText("5")
		b.wantEvent("upgrade: websocket")
		shown = 0
		for range 1000 {
			_ = s.socket.Send(core.Text("b"))
		}
		if shown != 0 {
			t.Errorf("Conflate was shown %d messages", shown)
		}
		first.result <- nil
		b.wantFrame(ws, "4b")
		synctest.Wait()
		if n := ws.Waiting(); n != 0 || shown != 1000 {
			t.Errorf("%d more frames; Conflate was shown %d messages", n, shown)
		}
		ws.Cut()
		b.end()
	})
}
