package integration_test

import (
	"net"
	"strings"
	"time"

	"github.com/goengineio/engineio/core"
)

// hostileSlow are rows about clients that take their time.
var hostileSlow = []hostile{
	{
		name: "slow bodies", advisory: "no id: slowloris", input: "POSTs that send a byte now and then, with a length and in chunks, with and without a session",
		holds: "given up after PingInterval + PingTimeout, and the connection closed", also: "TestSlowPostIsGivenUp, TestSlowBodies", begin: slowBodies, config: quick,
	},
	{
		name: "slow frames", advisory: "CVE-2026-48779 (GHSA-96hv-2xvq-fx4p), ws (time for a message)", input: "a message that arrives a byte now and then, among ping frames, on a session and on a WebSocket that is to upgrade one",
		holds: "given up after PingInterval + PingTimeout, or UpgradeTimeout", also: "TestUpgradeTimeout", frames: true, begin: slowFrames, config: quick,
	},
	{
		name: "slow readers of WebSockets", advisory: "no id", input: "a client that is sent 8 MB and reads nothing",
		holds: "nothing else waits for it; its session and connection are closed after PingInterval + PingTimeout", also: "TestSlowClientIsCutOff, TestMaxBuffered", frames: true, begin: slowReader,
		config: func(cfg *core.Config) { quick(cfg); cfg.MaxBuffered = 32 << 20 },
	},
	{
		name: "echo that nobody reads", advisory: "no id", input: "a client that sends without end and reads none of the answers",
		holds: "closed when more than MaxBuffered bytes wait", also: "TestMaxBuffered", frames: true, run: echoUnread,
	},
	{
		name: "slow readers of polls", advisory: "no id", input: "polls whose 8 MB answer is not read",
		holds: "the session ends after PingInterval + PingTimeout", begin: slowPolls,
		config: func(cfg *core.Config) { quick(cfg); cfg.MaxBuffered = 32 << 20 },
	},
}

// drip sends pieces, one at a time, until the connection is gone, and returns why it ended.
func (a *attacker) drip(piece func(i int) string) (gone chan error) {
	gone = make(chan error, 1)
	_ = a.SetDeadline(time.Now().Add(patience))
	go func() {
		every := time.NewTicker(20 * time.Millisecond)
		defer every.Stop()
		for i := 0; ; i++ {
			if _, err := a.Write([]byte(piece(i))); err != nil {
				gone <- err
				return
			}
			<-every.C
		}
	}()
	return gone
}

// wantGone wants the server to end the sessions and to close their connections.
func (x *target) wantGone(ends []chan error) {
	x.t.Helper()
	for _, gone := range ends {
		if err := await(x.t, gone, "end of the connection"); isTimeout(err) {
			x.t.Error("a slow client's connection stays open")
		}
	}
	eventually(x.t, "the sessions are gone", func() bool { return x.engine.Len() == 0 })
}

func slowBodies(x *target) (finish func()) {
	var ends []chan error
	for i := range 6 {
		a := x.dial()
		header := "Content-Length: 90000\r\n"
		piece := func(int) string { return "4" }
		if i%2 == 1 {
			header = "Transfer-Encoding: chunked\r\n"
			piece = func(int) string { return "1\r\n4\r\n" }
		}
		sid := "nobody"
		if i >= 2 {
			sid = x.open()
		}
		a.send(x.request("POST", poll4+"&sid="+sid, header, ""))
		ends = append(ends, a.drip(piece))
	}
	return func() { x.wantGone(ends) }
}

func slowFrames(x *target) (finish func()) {
	var ends []chan error
	for i := range 4 {
		var a *attacker
		if i < 2 {
			a = x.websocket(ws4, "", "")
		} else {
			a = x.candidate(x.open())
			a.send(frame(text, "2probe"))
		}
		if i%2 == 0 {
			a.send(frameHeader(text, 90_000))
			ends = append(ends, a.drip(func(int) string { return "4" }))
			continue
		}
		a.send(frame(text&more, "4"))
		ends = append(ends, a.drip(func(i int) string {
			if i%2 == 0 {
				return frame(ping, "x")
			}
			return frame(cont&more, "x")
		}))
	}
	return func() { x.wantGone(ends) }
}

func slowReader(x *target) (finish func()) {
	a := x.websocket(ws4, "", "")
	_ = a.Conn.(*net.TCPConn).SetReadBuffer(4096)
	a.send(frame(text, "flood"))
	x.freshClient() // meanwhile
	return func() {
		eventually(x.t, "the sessions are gone", func() bool { return x.engine.Len() == 0 })
	}
}

func echoUnread(x *target) {
	a := x.websocket(ws4, "", "")
	_ = a.Conn.(*net.TCPConn).SetReadBuffer(4096)
	message := frame(text, "4"+strings.Repeat("x", 90_000))
	for {
		if _, err := a.Write([]byte(message)); err != nil {
			break
		}
	}
	e := await(x.t, x.ended, "end of the session")
	if e.reason != core.TransportError {
		x.t.Errorf("ended with %s, %v", e.reason, e.err)
	}
	x.wantHeld("echo that nobody read", 2<<20, 10_000, 2)
}

func slowPolls(x *target) (finish func()) {
	for range 3 {
		sid := x.open()
		a := x.dial()
		_ = a.Conn.(*net.TCPConn).SetReadBuffer(4096)
		x.wantAnswer(x.post(sid, "4flood"), 200, "ok")
		a.send(x.request("GET", poll4+"&sid="+sid, "", ""))
	}
	return func() {
		eventually(x.t, "the sessions are gone", func() bool { return x.engine.Len() == 0 })
		x.wantHeld("poll answers that nobody reads", 20<<20, 1<<20, 1000)
	}
}
