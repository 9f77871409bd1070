package core_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
)

const ms = time.Millisecond

var beat = core.Config{PingInterval: 300 * ms, PingTimeout: 200 * ms, AllowEIO3: true}

func TestServerPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, beat)
		defer b.end()
		ws, _ := b.openWS(ws4)
		began := time.Now()
		for range 5 {
			b.wantFrame(ws, "2")
			ws.SendText("3")
		}
		if took := time.Since(began); took < 1490*ms || took > 1510*ms {
			t.Errorf("five pings took %v", took)
		}
		b.wantFrame(ws, "2") // this one is not answered
		began = time.Now()
		b.wantClosed(ws, 0)
		b.wantEvent("close: ping timeout")
		if took := time.Since(began); took != 200*ms {
			t.Errorf("closed after %v", took)
		}
	})
}

func TestHeartbeatRunsThoughNobodyPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, beat)
		defer b.end()
		s := b.open(poll4)
		time.Sleep(350 * ms)
		b.wantAnswer(s.get(), 200, "2")
		b.wantAnswer(s.post("3"), 200, "ok")
		began := time.Now()
		b.wantEvent("close: ping timeout")
		if took := time.Since(began); took != 500*ms {
			t.Errorf("closed %v after the pong", took)
		}
	})
}

func TestWaitingPollIsToldOfThePingTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, beat)
		defer b.end()
		s := b.open(poll4)
		b.wantAnswer(s.get(), 200, "2")
		b.wantAnswer(s.get(), 200, "1")
		b.wantEvent("close: ping timeout")
	})
}

// TestNothingIsHeardAfterTheTimeout: a packet that comes after the timeout, but before the timer has
// noticed it, does not save the session.
func TestNothingIsHeardAfterTheTimeout(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, beat)
			defer b.end()
			s := b.open(poll3)
			time.Sleep(500 * ms)
			b.wantAnswer(s.post("1:2"), 400, unknownSID)
			b.wantEvent("close: ping timeout")
		})
	}
}

func TestTrafficExtendsThePingTimeoutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, beat)
		defer b.end()
		ws, _ := b.openWS(ws4)
		b.wantFrame(ws, "2")
		began := time.Now()
		for range 3 {
			time.Sleep(90 * ms)
			ws.SendText("4x")
			b.wantFrame(ws, "4x")
		}
		b.wantClosed(ws, 0)
		b.wantEvent("close: ping timeout")
		if took := time.Since(began); took != 290*ms {
			t.Errorf("closed %v after the ping", took)
		}
	})
}

func TestUnexpectedPongsAreHarmless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, beat)
		defer b.end()
		ws, _ := b.openWS(ws4)
		began := time.Now()
		for range 1000 {
			ws.SendText("3")
		}
		b.wantFrame(ws, "2")
		if took := time.Since(began); took > 300*ms {
			t.Errorf("pongs put the ping off by %v", took)
		}
	})
}

func TestClientPingsInRevision3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, beat)
		defer b.end()
		ws, _ := b.openWS(ws3)
		for range 5 {
			time.Sleep(400 * ms)
			ws.SendText("2")
			b.wantFrame(ws, "3")
		}
		began := time.Now()
		b.wantClosed(ws, 0)
		b.wantEvent("close: ping timeout")
		if took := time.Since(began); took != 500*ms {
			t.Errorf("closed %v after the last ping", took)
		}
	})
}

func TestHeartbeatFromTheWrongSide(t *testing.T) {
	for query, packet := range map[string]string{ws4: "2", ws3: "3"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, beat)
			defer b.end()
			ws, _ := b.openWS(query)
			ws.SendText(packet)
			b.wantClosed(ws, 0)
			b.wantEvent("close: transport error")
		})
	}
}

func TestPingDoesNotWaitForACallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		b := newBench(t, core.Config{PingInterval: 300 * ms, PingTimeout: 200 * ms, OnConnection: func(s *core.Socket) {
			s.OnMessage(func(core.Message) {
				_ = s.Send(core.Text("a"))
				_ = s.Send(core.Text("b"))
				<-block
			})
		}})
		defer b.end()
		ws, s := b.openWS(ws4)
		began := time.Now()
		ws.SendText("4x")
		b.wantFrame(ws, "4a")
		b.wantFrame(ws, "4b")
		_ = s.Send(core.Text("another goroutine's"))
		b.wantFrame(ws, "4another goroutine's")
		if took := time.Since(began); took > 5*ms {
			t.Errorf("a blocked callback held messages back for %v", took)
		}
		b.wantFrame(ws, "2")
		close(block)
		ws.SendText("3")
		b.wantFrame(ws, "2")
	})
}
