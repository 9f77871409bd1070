package integration_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/goengineio/engineio/core"
)

// hostilePayloads are rows about bodies and the packets in them.
var hostilePayloads = []hostile{
	{
		name: "large bodies", advisory: "CVE-2020-36048 (GHSA-j4f2-536g-r55m), engine.io", input: "POSTs of 100 MB, announced, and of unknown length in endless chunks",
		holds: "413 or a closed connection soon after MaxPayload; the memory held is bounded; the session goes on", also: "TestSuite/Bodies, TestOneAnswerToALargeBody", run: largeBodies,
	},
	{
		name: "compressed bodies", advisory: "CVE-2026-44545, daphne; centrifuge#584, nats-server#7625 (over HTTP)", input: "a POST of 100 kB that gzip inflates to 90 MB",
		holds: "bodies are read as they were sent: 400, and nothing is inflated", also: "TestBodiesAreTakenAsSent", run: compressedBodies,
	},
	{
		name: "broken packets", advisory: "no id", input: "unknown types, bad base64, empty packets, a ping from the client in revision 4, a pong in revision 3",
		holds: "400 with code 3, the session ends with a parse or transport error", also: "TestBadPostsCloseTheSession, TestPayloadErrors", run: brokenPackets,
	},
	{
		name: "packets at the wrong moment", advisory: "no id", input: "open, upgrade and noop packets, unexpected pongs", holds: "ignored, the session goes on", run: misplacedPackets,
	},
	{
		name: "octet-stream in revision 4", advisory: "no id: engine.io 6.6.7", input: "POST with `Content-Type: application/octet-stream`", holds: "400 with code 3, the session ends", run: octetStream,
	},
	{
		name: "lengths in revision 3", advisory: "no id", input: "`-1:`, `1e9:`, `99999999999999999999:`, `0:`, lengths beyond the body, inside a surrogate pair, binary headers without 0xFF",
		holds: "400 with code 3, the session ends with a parse error; `0:` is not a packet", also: "TestPayloadErrors", run: lengths3,
	},
	{
		name: "invalid UTF-8 in a POST", advisory: "no id", input: "bytes that are not UTF-8, halves of surrogate pairs, NUL", holds: "invalid bytes are replaced by U+FFFD, so that they do no harm to other clients", run: invalidUTF8,
	},
	{
		name: "separators", advisory: "CVE-2020-36049, socket.io-parser (quadratic time)", input: "a POST of 100,000 bare separators, one of 50,000 noops",
		holds: "400 at the first; time proportional to the size", also: "TestLinear", run: separators,
	},
	{
		name: "ten thousand packets", advisory: "CVE-2026-33151 (GHSA-677m-j7p3-52f9), CVE-2020-36049, socket.io-parser",
		input: "a POST of 10,000 binary messages, each of which is answered", holds: "all are answered in order, in time proportional to their number", run: manyPackets,
	},
	{
		name: "panics", advisory: "CVE-2024-38355, CVE-2023-32695, CVE-2022-2421, socket.io", input: "a message on which the application's callback panics, over both transports",
		holds: "that session ends, the panic is logged with its stack, other sessions go on", also: "TestPanics, TestPanicInAllowRequest", run: panics,
	},
	{
		name: "memory of others", advisory: "CVE-2026-45736, ws (uninitialised memory)", input: "long messages of one client, then short ones of another",
		holds: "of a reused buffer, only what was newly written to it is sent or delivered", also: "TestPooledCompressorsLeakNothing", frames: true, run: memoryOfOthers,
	},
}

func largeBodies(x *target) {
	const clients = 20
	junk := strings.Repeat("4", 64<<10)
	sids := make([]string, clients)
	for i := range sids {
		sids[i] = x.open()
	}
	attackers := make([]*attacker, clients)
	for i, sid := range sids {
		a := x.dial()
		attackers[i] = a
		if i%2 == 0 {
			a.send(fmt.Sprintf("POST /engine.io/?%s&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n", poll4, sid))
			for range 16 { // 1 MiB, ten times the limit
				a.send(junk)
			}
		} else {
			a.send(fmt.Sprintf("POST /engine.io/?%s&sid=%s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", poll4, sid))
			for range 16 {
				a.send("10000\r\n", junk, "\r\n")
			}
		}
	}
	for _, a := range attackers {
		if got := a.answer("POST"); got.status != 413 && got.status != 0 {
			x.t.Errorf("%d %q", got.status, got.body)
		}
		_ = a.Close()
	}
	for _, sid := range sids {
		x.wantAnswer(x.post(sid, "4on"), 200, "ok")
	}
	x.wantHeld("sessions whose bodies were too large", clients*30_000, clients*300, 2)
	// Announced, within the limit, and not sent.
	for _, sid := range sids {
		x.dial().send(fmt.Sprintf("POST /engine.io/?%s&sid=%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", poll4, sid, hostileLimit))
	}
	time.Sleep(50 * time.Millisecond) // let the server read them; if it has not, it holds less
	x.wantHeld("bodies that do not come", clients*(hostileLimit+60_000), clients*600, 3*clients)
}

func compressedBodies(x *target) {
	body := "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" + deflated(90) // nobody gets as far as the checksum
	for _, encoding := range []string{"gzip", "deflate", "br", "gzip, gzip"} {
		sid := x.open()
		x.wantAllocated(encoding, 4<<20, func() {
			x.wantAnswer(x.do("POST", poll4+"&sid="+sid, "Content-Encoding: "+encoding+"\r\n", body), 400, "{3}")
		})
		x.wantEnd(core.ParseError)
	}
}

func brokenPackets(x *target) {
	for body, reason := range map[string]core.CloseReason{
		"9": core.ParseError, "x": core.ParseError, "\x00": core.ParseError, " 4x": core.ParseError, "\ufeff4x": core.ParseError, "4a\x1e\x1e4b": core.ParseError, "4a\x1e": core.ParseError,
		"\x1e4a": core.ParseError, "b=": core.ParseError, "bA": core.ParseError, "bAQ=D": core.ParseError, "bAQID=": core.ParseError, "b====": core.ParseError, "bA Q=": core.ParseError,
		"b_-8=": core.ParseError, "bAQ\r\n==": core.ParseError, "b\xff\xff": core.ParseError, "2": core.TransportError, "2probe": core.TransportError,
	} {
		sid := x.open()
		x.wantAnswer(x.post(sid, body), 400, "{3}")
		x.wantEnd(reason)
		x.wantAnswer(x.poll(sid), 400, "{1}")
	}
	sid := x.open() // a POST without a body is an empty packet
	x.wantAnswer(x.do("POST", poll4+"&sid="+sid, "Content-Length: 0\r\n", ""), 400, "{3}")
	x.wantEnd(core.ParseError)
	sid = x.open3()
	x.wantAnswer(x.do("POST", poll3+"&sid="+sid, "", "1:3"), 400, "{3}")
	x.wantEnd(core.TransportError)
}

func misplacedPackets(x *target) {
	sid := x.open()
	x.wantAnswer(x.post(sid, "0\x1e0{}\x1e5\x1e6\x1e3\x1e3probe\x1e5probe\x1e4on"), 200, "ok")
	x.wantAnswer(x.poll(sid), 200, "4on")
	x.wantSessions(1)
}

func octetStream(x *target) {
	for _, contentType := range []string{"application/octet-stream", "Application/Octet-Stream; x=y", "application/octet-stream ; charset=UTF-8"} {
		sid := x.open()
		x.wantAnswer(x.do("POST", poll4+"&sid="+sid, "Content-Type: "+contentType+"\r\n", "4x"), 400, "{3}")
		x.wantEnd(core.TransportError)
	}
}

func lengths3(x *target) {
	for _, body := range []string{
		"-1:4x", "1e9:4x", "99999999999999999999:4x", "4294967298:4x", "18446744073709551618:4x", "3:4x", "1:4x", "2:4x3", ":4x", "2", "2;4x", " 2:4x", "+2:4x", "0x2:4x", "2 :4x",
		"2:4x:", "2:4x0", "0:0", "2:9x", "2:4\U0001f600", "00000000002:4x", strings.Repeat("9", 50_000),
	} {
		sid := x.open3()
		x.wantAnswer(x.do("POST", poll3+"&sid="+sid, "", body), 400, "{3}")
		x.wantEnd(core.ParseError)
	}
	for _, body := range []string{
		"\x00\x02", "\x00\x024x", "\x00\x02\xfe4x", "\x02\x02\xff4x", "\x00\xff4x", "\x00\x09\x09\xff4x", "\x00\x02\xff4x\x00", "\x00\x0a\xff4x", "\x01\x01\xff\x09", "\xff", "\x004x",
		"\x00" + strings.Repeat("\x09", 20) + "\xff4x", "\x00\x00\xff",
	} {
		sid := x.open3()
		x.wantAnswer(x.do("POST", poll3+"&sid="+sid, "Content-Type: application/octet-stream\r\n", body), 400, "{3}")
		x.wantEnd(core.ParseError)
	}
	sid := x.open3()
	x.wantAnswer(x.do("POST", poll3+"&sid="+sid, "", "0:2:4x0:"), 200, "ok")
	x.wantAnswer(x.do("GET", poll3+"&sid="+sid, "", ""), 200, "2:4x")
}

func invalidUTF8(x *target) {
	sid := x.open()
	x.wantAnswer(x.post(sid, "4a\xff\xfeb\xed\xa0\x80c\xc0\xafd\x00"), 200, "ok")
	x.wantAnswer(x.poll(sid), 200, "4a\ufffd\ufffdb\ufffd\ufffd\ufffdc\ufffd\ufffdd\x00")
}

func separators(x *target) {
	x.wantAllocated("bare separators", 2<<20, func() {
		sid := x.open()
		x.wantAnswer(x.post(sid, strings.Repeat("\x1e", hostileLimit)), 400, "{3}")
	})
	x.wantEnd(core.ParseError)
	x.wantLinear("noops", 12_500, func(n int) {
		sid := x.open()
		x.wantAnswer(x.post(sid, strings.TrimSuffix(strings.Repeat("6\x1e", n), "\x1e")), 200, "ok")
	})
}

func manyPackets(x *target) {
	x.wantLinear("messages", 2500, func(n int) {
		sid := x.open()
		body := strings.TrimSuffix(strings.Repeat("bAQID\x1e", n), "\x1e")
		x.wantAnswer(x.post(sid, body), 200, "ok")
		if s, _ := x.engine.Get(sid); s.Buffered() != int64(3*n) {
			x.t.Errorf("%d bytes are waiting", s.Buffered())
		}
		if a := x.poll(sid); a.body != body {
			x.t.Errorf("answered with %d bytes, want %d: %.50q", len(a.body), len(body), a.body)
		}
	})
}

func panics(x *target) {
	other := x.open()
	sid := x.open()
	_ = x.post(sid, "4panic")
	x.expectWarnings(1, "a callback that panics")
	x.wantEnd(core.ForcedClose)
	x.wantAnswer(x.poll(sid), 400, "{1}")
	a := x.websocket(ws4, "", "")
	a.send(frame(text, "4panic"))
	a.wantClose(0)
	x.expectWarnings(1, "a callback that panics")
	x.wantEnd(core.ForcedClose)
	x.wantAnswer(x.post(other, "4on"), 200, "ok")
	x.wantAnswer(x.poll(other), 200, "4on")
}

func memoryOfOthers(x *target) {
	secret := "4" + strings.Repeat("secret ", 10_000)
	victim, other := x.websocket(ws4, "", ""), x.websocket(ws4, deflateOffer, "")
	victims, others := x.open(), x.open()
	for i := range 50 {
		victim.send(frame(text, secret))
		victim.want(text, secret)
		short := "4" + strings.Repeat("x", i*7)
		other.send(frame(text, short))
		other.want(text, short)
		x.wantAnswer(x.post(victims, secret), 200, "ok")
		x.wantAnswer(x.poll(victims), 200, secret)
		x.wantAnswer(x.post(others, short), 200, "ok")
		x.wantAnswer(x.poll(others), 200, short)
	}
}
