package integration_test

import (
	"bytes"
	"compress/flate"
	"math"
	"strings"

	"github.com/goengineio/engineio/core"
)

// hostileFrames are rows about what comes over a WebSocket, one message at a time.
var hostileFrames = []hostile{
	{
		name: "frames with the handshake", advisory: "CVE-2022-21676 (GHSA-273r-mgr4-v34f), engine.io", input: "RSV bits, unmasked frames, reserved opcodes, in the same segment as the opening handshake",
		holds: "close code 1002; only that session ends", also: "TestSuite/Hostile, TestHostileFrames", frames: true, run: framesWithHandshake,
	},
	{
		name: "lengths of frames", advisory: "CVE-2020-27813 (GHSA-jf24-p9p9-4rjh), gorilla/websocket; CVE-2016-10542, ws",
		input: "lengths of 2^63-1, 2^63, 2^64-1; fragments whose sum overflows; one giant message", holds: "close code 1009, as soon as too large a length is announced; nothing is allocated for it",
		also: "TestSuite/Hostile, TestSuite/WebSocketLimits, TestAnnouncedIsNotHeld", frames: true, run: frameLengths,
	},
	{
		name: "control frames", advisory: "no id", input: "control frames that are fragmented or longer than 125 bytes, close frames of one byte, with codes that must not be sent, with a reason that is not UTF-8",
		holds: "close code 1002", also: "TestSuite/Hostile, TestHostileFrames", frames: true, run: controlFrames,
	},
	{
		name: "fragments out of order", advisory: "no id", input: "a continuation frame without a message, a message inside a message", holds: "close code 1002", also: "TestSuite/Hostile, TestHostileFrames", frames: true, run: fragmentOrder,
	},
	{
		name: "invalid UTF-8 in frames", advisory: "no id", input: "text that is not UTF-8, also where only the whole message shows it", holds: "close code 1007", also: "TestSuite/Hostile", frames: true, run: framesNoUTF8,
	},
	{
		name: "broken packets in frames", advisory: "no id", input: "unknown types, frames without a packet, invalid base64, a ping from the client", holds: "the session ends with a parse or transport error", also: "TestFrameErrors", frames: true, run: framesNoPackets,
	},
	{
		name: "deflate bombs", advisory: "CVE-2026-44545, daphne; centrifuge#584, nats-server#7625", input: "messages of 10 and 60 kB that inflate to 10 and 60 MB, in one frame and in many",
		holds: "close code 1009; no more than MaxPayload is inflated", also: "TestDeflateBomb, TestInflatedLimit", frames: true, run: deflateBombs,
	},
	{
		name: "broken deflate", advisory: "no id", input: "messages marked as compressed that are not, or that end early; RSV1 that was not negotiated, or on control frames and continuations",
		holds: "close code 1002 or 1007", also: "TestHostileFrames", frames: true, run: brokenDeflate,
	},
	{
		name: "floods of fragments", advisory: "CVE-2026-48779 (GHSA-96hv-2xvq-fx4p), ws", input: "a message of 40,000 empty, or one-byte, continuation frames that never ends",
		holds: "the memory held is flat; the session ends after 16,384 frames with close code 1008; one that sends more slowly is ended by the heartbeat after PingInterval + PingTimeout",
		also:  "TestFloodOfFragments", frames: true, run: fragmentFlood,
	},
	{
		name: "floods of pongs", advisory: "CVE-2026-48802 (GHSA-cgwc-pv48-fhj5), python-engineio", input: "10,000 unexpected `3` packets in a POST, 20,000 over a WebSocket, 20,000 pong frames",
		holds: "goroutines, timers and memory do not grow; the session goes on", also: "TestUnexpectedPongsAreHarmless, TestUnexpectedPongIsHarmless", frames: true, run: pongFlood,
	},
	{
		name: "floods of pings", advisory: "no id", input: "20,000 ping frames of 125 bytes from a client that reads no answer", holds: "the latest is answered; goroutines, timers and memory do not grow", frames: true, run: pingFlood,
	},
}

const deflateOffer = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n"

func framesWithHandshake(x *target) {
	for name, early := range map[string]string{
		"RSV1": frame(text|0x40, "4x"), "RSV2": frame(text|0x20, "4x"), "RSV3": frame(text|0x10, "4x"), "all": frame(text|0x70, "4x"), "unmasked": "\x81\x024x", "unmasked, empty": "\x81\x00",
		"opcode 3": frame(0x83, ""), "opcode 7": frame(0x87, "x"), "opcode 11": frame(0x8b, ""), "opcode 15": frame(0x8f, "x"),
	} {
		a, got := x.switchTo(ws4, "", early)
		if got.status != 101 {
			x.t.Errorf("%s: %d", name, got.status)
		}
		a.wantClose(1002)
		x.wantEnd(core.TransportError)
	}
}

func frameLengths(x *target) {
	junk := strings.Repeat("4", hostileLimit+1000)
	for name, frames := range map[string]string{
		"2^63-1":                      frameHeader(text, math.MaxInt64),
		"2^63":                        frameHeader(text, 1<<63),
		"2^64-1":                      frameHeader(bin, math.MaxUint64),
		"2^31":                        frameHeader(text, 1<<31),
		"one too many":                frame(text, junk[:hostileLimit+1]),
		"sum of fragments":            frame(text&more, junk[:hostileLimit/2]) + frame(cont, junk[:hostileLimit/2+1]),
		"sum of fragments, 2^63-1":    frame(text&more, "4x") + frameHeader(cont, math.MaxInt64),
		"sum of fragments, 2^64-1":    frame(text&more, "4x") + frameHeader(cont, math.MaxUint64),
		"in ten thousands of a dozen": frame(text&more, "") + strings.Repeat(frame(cont&more, junk[:12]), hostileLimit/12+10),
	} {
		var a *attacker
		x.wantAllocated(name, 2<<20, func() {
			a = x.websocket(ws4, "", "")
			a.send(frames)
			a.wantClose(1009)
		})
		x.wantEnd(core.TransportError)
	}
	x.attackers = nil
	const clients = 50
	for range clients {
		a := x.websocket(ws4, "", frameHeader(text, hostileLimit)+"4xx")
		a.send(strings.Repeat("x", 100))
	}
	x.wantHeld("messages that are announced", clients*45_000, clients*300, 3*clients)
	x.wantSessions(clients)
}

func controlFrames(x *target) {
	for name, frames := range map[string]string{
		"fragmented ping": frame(ping&more, ""), "fragmented close frame": frame(closing&more, ""), "ping of 126 bytes": frame(ping, strings.Repeat("x", 126)),
		"pong of 64 KB": frame(pong, strings.Repeat("x", 1<<16)), "close frame of one byte": frame(closing, "\x03"), "code 0": frame(closing, "\x00\x00"), "code 999": frame(closing, "\x03\xe7"),
		"code 1005": frame(closing, "\x03\xed"), "code 1006": frame(closing, "\x03\xee"), "code 1015": frame(closing, "\x03\xf7"), "code 5000": frame(closing, "\x13\x88"), "code 65535": frame(closing, "\xff\xff"),
		"reason that is no UTF-8": frame(closing, "\x03\xe8\xff\xfe"), "ping of 2^63-1": frameHeader(ping, math.MaxInt64) + "x",
	} {
		a := x.websocket(ws4, "", frames)
		if !a.wantClose(1002) {
			x.t.Log(name)
		}
		x.wantEnd(core.TransportError)
	}
}

func fragmentOrder(x *target) {
	for name, frames := range map[string]string{
		"continuation of nothing": frame(cont, "4x"), "continuation of nothing, unfinished": frame(cont&more, "4x"), "text inside a message": frame(text&more, "4x") + frame(text, "4y"),
		"binary inside a message": frame(text&more, "4x") + frame(bin&more, "y"), "continuation behind the end": frame(text&more, "4x") + frame(cont, "y") + frame(cont, "z"),
	} {
		if !x.websocket(ws4, "", frames).wantClose(1002) {
			x.t.Log(name)
		}
		x.wantEnd(core.TransportError)
	}
	a := x.websocket(ws4, "", frame(text&more, "4x")+frame(ping, "p")+frame(cont&more, "")+frame(pong, "")+frame(cont, "y"))
	a.want(pong, "p")
	a.want(text, "4xy")
}

func framesNoUTF8(x *target) {
	for _, frames := range []string{
		frame(text, "4\xff"), frame(text, "4\xed\xa0\x80"), frame(text, "4\xc0\xaf"), frame(text, "4\xf4\x90\x80\x80"), frame(text, "4\xe2\x82"), frame(text, "\xff"),
		frame(text&more, "4\xe2") + frame(cont, "\x82"),
	} {
		x.websocket(ws4, "", frames).wantClose(1007)
		x.wantEnd(core.TransportError)
	}
	x.websocket(ws4, "", frame(text&more, "4\xe2")+frame(cont&more, "\x82")+frame(cont, "\xac")).want(text, "4€")
}

func framesNoPackets(x *target) {
	for packet, reason := range map[string]core.CloseReason{
		"": core.ParseError, "9": core.ParseError, "x": core.ParseError, "\x00": core.ParseError, "b": core.ParseError, "b=": core.ParseError, "bAQ=D": core.ParseError,
		"2": core.TransportError, "2probe": core.TransportError, "1": core.TransportClose,
	} {
		if packet == "b" { // no data is fine
			a := x.websocket(ws4, "", frame(text, packet))
			a.want(bin, "")
			continue
		}
		x.websocket(ws4, "", frame(text, packet)).wantClose(0)
		x.wantEnd(reason)
	}
	for _, packet := range []string{"", "\x07x", "4x"} { // revision 3 has types in binary as well
		x.websocket(ws3, "", frame(bin, packet)).wantClose(0)
		x.wantEnd(core.ParseError)
	}
	a := x.websocket(ws4, "", frame(text, "0")+frame(text, "5")+frame(text, "6")+frame(text, "3probe")+frame(text, "4on"))
	a.want(text, "4on")
}

// deflated is a message of n megabytes of zeros as it travels, about a thousandth: what one megabyte
// becomes, again and again, since it ends with a whole byte and refers to nothing but zeros.
func deflated(n int) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	_, _ = w.Write(make([]byte, 1_000_000))
	_ = w.Flush()
	return strings.TrimSuffix(strings.Repeat(b.String(), n), "\x00\x00\xff\xff")
}

func deflateBombs(x *target) {
	small, large := deflated(10), deflated(60)
	var pieces strings.Builder
	pieces.WriteString(frame((bin|rsv1)&more, small[:100]))
	for i := 100; i < len(small); i += 100 {
		pieces.WriteString(frame(cont&more, small[i:min(i+100, len(small))]))
	}
	pieces.WriteString(frame(cont, ""))
	for name, frames := range map[string]string{"10 MB": frame(bin|rsv1, small), "60 MB": frame(bin|rsv1, large), "10 MB as text, in fragments": pieces.String()} {
		x.wantAllocated(name, 2<<20, func() {
			a := x.websocket(ws4, deflateOffer, "")
			a.send(frames)
			a.wantClose(1009)
		})
		x.wantEnd(core.TransportError)
	}
	a := x.websocket(ws4, deflateOffer, frame(text|rsv1, "\x32\xc9\x48\xcd\xc9\xc9\x07\x00")) // "4hello", to compare
	a.want(text, "4hello")
}

func brokenDeflate(x *target) {
	for name, c := range map[string]struct{ header, frames string }{
		"corrupt":                {deflateOffer, frame(text|rsv1, "\xff\xff\xff")},
		"cut off":                {deflateOffer, frame(text|rsv1, "\x04")},
		"corrupt, in fragments":  {deflateOffer, frame((text|rsv1)&more, "\xff") + frame(cont, "\xff\xff")},
		"stored block too long":  {deflateOffer, frame(text|rsv1, "\x00\xff\xff\x00\x00x")},
		"distance too far":       {deflateOffer, frame(text|rsv1, "\x4b\x04\x42\x00\x00")},
		"not negotiated":         {"", frame(text|rsv1, "\x4b\x04\x00")},
		"on a ping":              {deflateOffer, frame(ping|rsv1, "")},
		"on a continuation":      {deflateOffer, frame((text|rsv1)&more, "x") + frame(cont|rsv1, "")},
		"with RSV2":              {deflateOffer, frame(text|rsv1|0x20, "x")},
		"other extension agreed": {"Sec-WebSocket-Extensions: x-webkit-deflate-frame\r\n", frame(text|rsv1, "x")},
	} {
		a := x.websocket(ws4, c.header, c.frames)
		for {
			first, payload, err := a.next()
			if err != nil || first == closing && !strings.HasPrefix(payload, "\x03\xea") && !strings.HasPrefix(payload, "\x03\xef") {
				x.t.Errorf("%s: %x %x %v", name, first, payload, err)
			}
			if err != nil || first == closing {
				break
			}
		}
		_ = a.Close()
		x.wantEnd(core.TransportError)
	}
}

func fragmentFlood(x *target) {
	for _, piece := range []string{"", "x"} {
		a := x.websocket(ws4, "", frame(text&more, "4"))
		flood := strings.Repeat(frame(cont&more, piece), 1000)
		for range 40 {
			a.send(flood)
		}
		x.wantHeld("unfinished messages", 1<<20, 10_000, 3)
		// A ping frame answered keeps nobody alive, and the flood may go on as long as it can.
		ended := make(chan struct{}, 1)
		go func() {
			defer func() { ended <- struct{}{} }()
			for {
				if _, err := a.Write([]byte(flood)); err != nil {
					return
				}
			}
		}()
		e := await(x.t, x.ended, "end of the session")
		if e.reason != core.TransportError {
			x.t.Errorf("ended with %q (%v)", e.reason, e.err)
		}
		a.wantClose(1008)
		await(x.t, ended, "end of the flood")
	}
}

func pongFlood(x *target) {
	const pongs = 20_000
	sid := x.open()
	body := strings.TrimSuffix(strings.Repeat("3\x1e", pongs/2), "\x1e")
	x.wantAnswer(x.post(sid, body), 200, "ok")
	x.wantAnswer(x.post(sid, "3probe\x1e"+body), 200, "ok")
	x.wantHeld("pongs in POSTs", 1<<20, pongs/4, 3)
	x.wantAnswer(x.post(sid, "4on"), 200, "ok")
	x.wantAnswer(x.poll(sid), 200, "4on")

	for name, frames := range map[string]string{"packets": frame(text, "3"), "frames": frame(pong, "x")} {
		a := x.websocket(ws4, "", "")
		flood := strings.Repeat(frames, 1000)
		for range pongs / 1000 {
			a.send(flood)
		}
		a.send(frame(text, "4on"))
		a.want(text, "4on")
		x.wantHeld("pongs in "+name, 1<<20, pongs/4, 6)
	}
}

func pingFlood(x *target) {
	const pings = 20_000
	a := x.websocket(ws4, "", "")
	payload := strings.Repeat("p", 123)
	flood := strings.Repeat(frame(ping, payload+"no"), 100)
	sent := make(chan struct{}, 1)
	go func() {
		defer func() { sent <- struct{}{} }()
		for range pings / 100 {
			a.send(flood)
		}
		a.send(frame(ping, payload+"ok"), frame(text, "4on"))
	}()
	await(x.t, sent, "end of the flood")
	x.wantHeld("pings", 1<<20, pings/4, 4)
	latest := ""
	for {
		first, payload, err := a.next()
		if err != nil {
			x.t.Fatal(err)
		}
		if first == text {
			break
		}
		latest = payload
	}
	if latest != payload+"ok" {
		if first, payload, _ := a.next(); first != pong || !strings.HasSuffix(payload, "ok") {
			x.t.Errorf("the latest ping was not answered")
		}
	}
}
