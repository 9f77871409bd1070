package integration_test

import (
	"net"
	"net/http"
	"strings"

	"github.com/goengineio/engineio/core"
)

// hostileUpgrades are rows about the way from polling to WebSocket.
var hostileUpgrades = []hostile{
	{
		name: "broken probes", advisory: "no id", input: "a probe with wrong data, a message before the probe, a pong, a close packet, binary, an invalid packet, a close frame, the end of the connection without anything",
		holds: "that WebSocket is closed, the session goes on over polling", also: "TestFailedProbesLeavePollingAlone, TestUpgradeTimeout", frames: true, run: brokenProbes,
	},
	{
		name: "probes twice", advisory: "no id", input: "many probes on one WebSocket, and a second WebSocket that probes at the same time",
		holds: "each probe is answered, the second WebSocket is closed, the upgrade succeeds", also: "TestSecondProbeIsRefused", frames: true, run: probesTwice,
	},
	{
		name: "upgrade without a probe", advisory: "no id", input: "the upgrade packet as the first one, without a probe", holds: "accepted, as in the reference: it is the client that chose not to wait; nothing is lost", frames: true, run: upgradeWithoutProbe,
	},
	{
		name: "upgrade of what is upgraded", advisory: "no id", input: "another WebSocket for a session that already uses one",
		holds: "it is closed, the session goes on", frames: true, run: upgradeTwice,
	},
	{
		name: "upgrade while closing", advisory: "no id", input: "an upgrade of a session that the application or the client is closing or has closed",
		holds: "the WebSocket is closed, or refused with code 1", also: "TestCloseWhileUpgrading", frames: true, run: upgradeWhileClosing,
	},
	{
		name: "reset while upgrading", advisory: "CVE-2022-41940 (GHSA-r7qp-cfhv-p84w), engine.io", input: "the WebSocket of an upgrade is reset before, during and after its probe",
		holds: "the session goes on over polling; nothing in the log above debug", frames: true, run: resetWhileUpgrading,
	},
}

func brokenProbes(x *target) {
	sid := x.open()
	for _, frames := range []string{
		frame(text, "2wrong"), frame(text, "2"), frame(text, "4message"), frame(text, "3probe"), frame(text, "1"), frame(text, "x"), frame(text, ""), frame(bin, "2probe"),
		frame(text, "2probe\xff"), frame(text, "2probe") + frame(text, "4x"), frame(text, "2probe") + frame(text, "2again"), frame(closing, ""), frame(text|0x20, "2probe"),
		frame(text, "2probe"+strings.Repeat("x", hostileLimit)), "",
	} {
		a := x.candidate(sid)
		a.send(frames)
		if frames == "" {
			_ = a.Conn.(*net.TCPConn).CloseWrite()
		} else {
			_, _, _ = a.next()
			_ = a.Conn.(*net.TCPConn).CloseWrite()
		}
		a.wantGone()
		x.stillPolling(sid)
	}
}

// stillPolling: the session works over polling, and no candidate is left.
func (x *target) stillPolling(sid string) {
	x.t.Helper()
	eventually(x.t, "the candidate is given up", func() bool {
		s, ok := x.engine.Get(sid)
		return !ok || !s.Upgrading()
	})
	x.wantAnswer(x.post(sid, "4on"), 200, "ok")
	x.wantAnswer(x.poll(sid), 200, "4on")
}

func probesTwice(x *target) {
	sid := x.open()
	first := x.candidate(sid)
	first.send(frame(text, "2probe"))
	first.want(text, "3probe")
	for range 100 {
		first.send(frame(text, "2probe"))
		first.want(text, "3probe")
	}
	second := x.candidate(sid)
	second.send(frame(text, "2probe"))
	second.wantClose(0)
	first.send(frame(text, "5"), frame(text, "4on"))
	first.want(text, "4on")
}

func upgradeWithoutProbe(x *target) {
	sid := x.open()
	x.wantAnswer(x.post(sid, "4before"), 200, "ok")
	a := x.candidate(sid)
	a.send(frame(text, "5"), frame(text, "4on"))
	a.want(text, "4before")
	a.want(text, "4on")
	x.wantAnswer(x.poll(sid), 400, "{3}")
}

func upgradeTwice(x *target) {
	sid := x.open()
	a := x.candidate(sid)
	a.send(frame(text, "2probe"), frame(text, "5"))
	a.want(text, "3probe")
	eventually(x.t, "the upgrade", func() bool { s, _ := x.engine.Get(sid); return s.Upgraded() })
	for _, frames := range []string{frame(text, "2probe"), frame(text, "5"), ""} {
		b := x.candidate(sid)
		b.send(frames)
		b.wantClose(0)
	}
	a.send(frame(text, "2probe")) // over the session itself, it is a ping from the wrong side
	a.wantClose(0)
	x.wantEnd(core.TransportError)
}

func upgradeWhileClosing(x *target) {
	// By the application, gracefully: the rest is waiting for a poll.
	sid := x.open()
	s, _ := x.engine.Get(sid)
	x.wantAnswer(x.post(sid, "4rest"), 200, "ok")
	s.Close()
	a := x.candidate(sid)
	a.send(frame(text, "2probe"))
	a.want(text, "3probe")
	a.send(frame(text, "5"))
	a.want(text, "4rest")
	a.wantClose(0)
	x.wantEnd(core.ForcedClose)

	// By the client, behind the probe.
	sid = x.open()
	a = x.candidate(sid)
	a.send(frame(text, "2probe"))
	a.want(text, "3probe")
	x.wantAnswer(x.post(sid, "1"), 200, "ok")
	a.send(frame(text, "5"))
	a.wantGone()
	x.wantEnd(core.TransportClose)
	_, got := x.switchTo(ws4+"&sid="+sid, "", "")
	x.wantAnswer(got, http.StatusBadRequest, "Session ID unknown")
}

func resetWhileUpgrading(x *target) {
	sid := x.open()
	for i := range 30 {
		a := x.dial()
		_ = a.Conn.(*net.TCPConn).SetLinger(0)
		a.send(x.request("GET", ws4+"&sid="+sid, upgradeHeader, ""))
		if i%3 > 0 {
			if got := a.answer("GET"); got.status != 101 {
				x.t.Fatalf("%d %s", got.status, got.body)
			}
			a.send(frame(text, "2probe"))
		}
		if i%3 > 1 {
			_, _, _ = a.next()
		}
		_ = a.Close()
		eventually(x.t, "the candidate is given up", func() bool {
			s, ok := x.engine.Get(sid)
			return !ok || !s.Upgrading()
		})
	}
	x.stillPolling(sid)
}
