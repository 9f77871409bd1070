package core_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
)

func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{AllowEIO3: true, PingInterval: 10 * time.Second})
		defer b.end()
		s := b.open(poll4)
		b.wantAnswer(s.post("4hello\x1ebAAA="), 200, "ok")
		b.wantAnswer(s.get(), 200, "4hello\x1ebAAA=")
		b.Get(poll4 + "&sid=nobody").Wait()
		ws, _ := b.openWS(ws3)
		ws.SendText("4xyz")
		b.wantFrame(ws, "4xyz")

		probe := s.probe()
		probe.SendText("2probe")
		b.wantFrame(probe, "3probe")
		time.Sleep(20 * ms)
		probe.SendText("5")
		b.wantEvent("upgrade: websocket")
		failed := s.probe()
		<-failed.Done()
		b.wantFrame(probe, "2")
		time.Sleep(30 * ms)
		probe.SendText("3")
		probe.Stall(true)
		_ = s.socket.Send(core.Text("four"))
		synctest.Wait()

		was := b.Server.Stats()
		if n := was.Sessions[core.SessionKind{Transport: core.WebSocket, Protocol: 4}]; n != 1 || was.Buffered != 4 {
			t.Errorf("%d sessions of revision 4, %d bytes wait", n, was.Buffered)
		}
		ws.SendText("1")
		b.wantEvent("close: transport close")
		s.socket.CloseNow()
		b.wantEvent("close: forced close")

		stats := b.Server.Stats()
		for what, c := range map[string][2]int64{
			"open sessions":    {stats.Sessions[core.SessionKind{Transport: core.WebSocket, Protocol: 3}], 0},
			"opened by poll":   {stats.Opened[core.SessionKind{Transport: core.Polling, Protocol: 4}], 1},
			"opened by ws":     {stats.Opened[core.SessionKind{Transport: core.WebSocket, Protocol: 3}], 1},
			"unknown ids":      {stats.Refused[core.UnknownSID], 1},
			"upgraded":         {stats.Upgraded, 1},
			"failed upgrades":  {stats.UpgradesFailed, 1},
			"clients' closes":  {stats.Closed[core.TransportClose], 1},
			"own closes":       {stats.Closed[core.ForcedClose], 1},
			"received":         {stats.Received.Packets, 5}, // two, one, a pong, a close packet
			"received bytes":   {stats.Received.Bytes, 5 + 2 + 3},
			"sent":             {stats.Sent.Packets, 6}, // two open packets, two, one, a ping; what was stuck is not
			"pings":            {int64(stats.PingRoundTrip.Count), 1},
			"ping time":        {int64(stats.PingRoundTrip.Sum), int64(30 * ms)},
			"pings up to 25ms": {int64(stats.PingRoundTrip.Counts[4]), 0},
			"pings up to 50ms": {int64(stats.PingRoundTrip.Counts[5]), 1},
			"upgrades":         {int64(stats.UpgradeDuration.Count), 1},
			"upgrade time":     {int64(stats.UpgradeDuration.Sum), int64(20 * ms)},
			"bytes that wait":  {stats.Buffered, 0},
		} {
			if c[0] != c[1] {
				t.Errorf("%s: %d, want %d", what, c[0], c[1])
			}
		}
	})
}
