package integration_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/goengineio/engineio/core"
)

// hostileRequests are rows about requests as such: their query, method, path and framing.
var hostileRequests = []hostile{
	{
		name: "odd transports", advisory: "CVE-2023-31125 (GHSA-q9mw-68c2-j6m5), engine.io",
		input: "`transport` missing, `__proto__`, `constructor`, repeated, `transport[]=`, with NUL, in capitals",
		holds: "400 with code 0 or 3, on upgrades as text; no session", also: "TestSuite/Errors",
		run: oddTransports,
	},
	{
		name: "reset during refusal", advisory: "CVE-2022-41940 (GHSA-r7qp-cfhv-p84w), engine.io",
		input: "invalid upgrades whose connection is reset while the error is written",
		holds: "no panic, nothing in the log above debug", run: resetDuringRefusal,
	},
	{
		name: "request behind a refused upgrade", advisory: "CVE-2022-41940 (GHSA-r7qp-cfhv-p84w), engine.io",
		input: "a second request in the same segment as an upgrade that is refused",
		holds: "the connection is closed after the refusal, and the second request is not served", run: behindRefusedUpgrade,
	},
	{
		name: "paths", advisory: "GHSA-8r62-w5wh-fc5m, mailpit; CVE-2026-55677, GHSA-pgvm-wxw2-hrv9, echo; golang/vulndb#4950, fasthttp",
		input: "paths that are encoded once or twice, with backslashes, dot segments, double slashes, absolute URLs",
		holds: "the path is compared as it was sent: none of them is served", also: "TestSuite/Paths, TestServesPath", run: oddPaths,
	},
	{
		name: "methods", advisory: "no id",
		input: "PUT, DELETE, PATCH, TRACE, OPTIONS, CONNECT, HEAD and invented methods, with and without a session",
		holds: "4xx, the session goes on, TRACE echoes no header", also: "TestSuite/Errors", run: oddMethods,
	},
	{
		name: "revisions", advisory: "no id", input: "`EIO=5`, `04`, `4.0`, empty, missing, repeated, or different from the session's",
		holds:  "400 with code 5; on a session 400 with code 3, and it goes on",
		config: func(cfg *core.Config) { cfg.AllowEIO3 = false }, run: oddRevisions,
	},
	{
		name: "smuggling", advisory: "CVE-2022-21221 and lax parsing of old fasthttp; request smuggling as such",
		input: "Content-Length twice, as a list, signed, with Transfer-Encoding; folded headers, spaces before the colon, unknown codings, broken chunks, GET with a body",
		holds: "at most one answer: a request hidden in the body of another is never served", run: smuggling,
	},
	{
		name: "smuggling by leniency", advisory: "request smuggling as such", input: "Content-Length together with chunked, a folded Content-Length, `identity`, LF alone as empty line",
		holds: "read as RFC 9112 allows (chunked wins, a fold is a space, LF ends a line): a proxy in front that reads them otherwise, against the RFC, is needed to smuggle",
		run:   lenientSmuggling,
		open:  map[string]string{"": "net/http and fasthttp go on with the connection, so what follows is served; RFC 9112, 6.3 wants it closed"},
	},
	{
		name: "wrong transport of a session", advisory: "no id",
		input: "POST and GET of a session that is on a WebSocket; `transport=websocket` with a polling session's id and no upgrade",
		holds: "400 with code 3, the session goes on", run: wrongTransport,
	},
	{
		name: "overlapping requests", advisory: "no id", input: "two GETs, or two POSTs, of a session at once",
		holds: "400 with code 3 for one of them, the session ends", also: "TestSuite/Polling, TestOverlapClosesTheSession, TestOverlappingPostsAreBothAnswered", run: overlaps,
	},
	{
		name: "guessed ids", advisory: "CVE-2017-16031, socket.io", input: "ids similar to one in use, empty, very long, with NUL and quotes",
		holds: "400 with code 1; ids are 120 bits of crypto/rand, and 100,000 of them differ",
		also:  "TestHostileIDs, TestSessionIDsAreUnique", run: guessedIDs,
	},
	{
		name: "log lines", advisory: "CVE-2020-36567, gin",
		input: "line breaks and escape sequences in query, ids, headers and subprotocols", holds: "each log record stays on one line", run: logLines,
	},
	{
		name: "forged addresses", advisory: "CVE-2020-28483, CVE-2023-29401, gin; CVE-2023-41338, fiber",
		input: "X-Forwarded-For, X-Real-IP, Forwarded, CF-Connecting-IP, True-Client-IP", holds: "Socket.RemoteAddr is the peer of the connection",
		also: "TestUntrustedProxy, TestClientIP", run: forgedAddresses,
	},
}

func oddTransports(x *target) {
	for query, code := range map[string]string{
		"EIO=4": "{0}", "EIO=4&transport": "{0}", "EIO=4&transport=": "{0}", "EIO=4&transport=__proto__": "{0}", "EIO=4&transport=constructor": "{0}",
		"EIO=4&transport=toString": "{0}", "EIO=4&transport=POLLING": "{0}", "EIO=4&transport=polling%00": "{0}", "EIO=4&transport=%20polling": "{0}",
		"EIO=4&transport[]=polling": "{0}", "EIO=4&transport[]=websocket": "{0}", "EIO=4&transport[0]=polling&transport[1]=polling": "{0}",
		"EIO=4&transport=webtransport": "{0}", "EIO=4&transport=polling&transport=x": "{0}", "EIO=4&transport=%zz": "{0}",
		"EIO=4&transport=polling&transport=websocket": "{3}",
	} {
		x.wantAnswer(x.do("GET", query, "", ""), 400, code)
		x.wantAnswer(x.do("POST", query, "", "4x"), 400, map[string]string{"{0}": "{0}", "{3}": "{2}"}[code])
		if code == "{0}" {
			_, a := x.switchTo(query, "", "")
			x.wantAnswer(a, 400, "Transport unknown")
		}
	}
	for _, query := range []string{poll4, "EIO=4&transport=websocket&transport=polling"} {
		_, a := x.switchTo(query, "", "")
		x.wantAnswer(a, 400, "Bad request")
	}
	x.wantSessions(0)
}

func (x *target) wantSessions(n int) {
	x.t.Helper()
	if got := x.engine.Len(); got != n {
		x.t.Errorf("%d sessions, want %d", got, n)
	}
}

func resetDuringRefusal(x *target) {
	for i := range 100 {
		query := []string{ws4 + "&sid=nobody", "EIO=4&transport=__proto__", poll4, ws4 + "&sid=" + strings.Repeat("x", 1000)}[i%4]
		a := x.dial()
		_ = a.Conn.(*net.TCPConn).SetLinger(0) // Close sends a reset
		a.send(x.request("GET", query, upgradeHeader, ""))
		if i%8 >= 4 { // while the answer is on its way, and when it is there
			_, _ = a.r.ReadByte()
		}
		_ = a.Close()
	}
	x.wantSessions(0)
}

func behindRefusedUpgrade(x *target) {
	for _, query := range []string{ws4 + "&sid=nobody", "EIO=4", poll4} {
		a := x.dial()
		a.send(x.request("GET", query, upgradeHeader, "") + x.request("GET", poll4+"&smuggled", "", ""))
		if got := a.answer("GET"); got.status != 400 {
			x.t.Errorf("%s: %d", query, got.status)
		}
		a.wantGone()
	}
	x.wantNoSmuggling("a refused upgrade")
}

func oddPaths(x *target) {
	for _, path := range []string{
		"/engine%2Eio/", "/%65ngine.io/", "/%2565ngine.io/", "/%2Fengine.io/", "/engine.io%2F", "/engine.io%5c", `/engine.io\`, `/\engine.io/`, "/x%2F..%2Fengine.io/",
		"/..%5cengine.io/", `/..\engine.io/`, "/x/../engine.io/", "/x/%2e%2e/engine.io/", "/./engine.io/", "//engine.io/", "/engine.io/..", "/engine.io/../", "/engine.io/%2e%2e/",
		"/engine.io/%2E./x", "/engine.io;/", "/engine.io;x=/", "/engine.io%00/", "/engine.io%20/", "/Engine.io/", "/engine.iox/",
	} {
		a := x.raw("GET", fmt.Sprintf("GET %s?%s HTTP/1.1\r\nHost: %s\r\n\r\n", path, poll4, x.host))
		if a.status == 200 || strings.Contains(a.body, `"sid"`) {
			x.t.Errorf("%s is served", path)
		}
	}
	x.wantSessions(0)
	// Not by way of another form of request target either.
	for _, target := range []string{"*", "http://evil.example/%65ngine.io/?" + poll4, "engine.io/?" + poll4, "x:80", ""} {
		a := x.raw("GET", fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, x.host))
		if a.status == 200 {
			x.t.Errorf("%q is served: %s", target, a.body)
		}
	}
	x.wantSessions(0)
}

func oddMethods(x *target) {
	sid := x.open()
	for _, method := range []string{"PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "HEAD", "FOO", "get", "GETT", "CONNECT", "PRI", "-"} {
		for _, query := range []string{poll4, poll4 + "&sid=" + sid} {
			a := x.do(method, query, "X-Secret: keep-this\r\n", "")
			if a.status != 0 && (a.status < 400 || a.status == 500) || strings.Contains(a.body, "keep-this") {
				x.t.Errorf("%s %s: %d %q", method, query, a.status, a.body)
			}
		}
	}
	x.wantSessions(1)
	x.wantAnswer(x.post(sid, "4on"), 200, "ok")
	x.wantAnswer(x.poll(sid), 200, "4on")
}

func oddRevisions(x *target) {
	for _, eio := range []string{"EIO=5", "EIO=04", "EIO=4.0", "EIO=4%00", "EIO=", "eio=4", "EIO=4&EIO=3", "EIO=4&EIO=", "EIO[]=4", "EIO=-4", "EIO=%34%20"} {
		x.wantAnswer(x.do("GET", "transport=polling&"+eio, "", ""), 400, "{5}")
		_, a := x.switchTo("transport=websocket&"+eio, "", "")
		x.wantAnswer(a, 400, "Unsupported protocol version")
	}
	sid := x.open()
	for _, eio := range []string{"EIO=3", "EIO=5", ""} {
		x.wantAnswer(x.do("POST", "transport=polling&"+eio+"&sid="+sid, "", "4x"), 400, "{3}")
	}
	x.wantAnswer(x.post(sid, "4on"), 200, "ok")
	x.wantAnswer(x.poll(sid), 200, "4on")
}

// wantNoSmuggling: no handshake that was hidden in something else was served.
func (x *target) wantNoSmuggling(what string) {
	x.t.Helper()
	if x.smuggled.Swap(0) > 0 {
		x.t.Errorf("%s: a hidden request was served", what)
	}
}

// smuggling hides a handshake where one of two ways of reading a request finds its body.
func smuggling(x *target) {
	hidden := x.request("GET", poll4+"&smuggled", "", "")
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden)
	behind := "0\r\n\r\n" + hidden
	long := fmt.Sprint(len(hidden))
	for name, form := range map[string]struct{ header, body string }{
		"short length, chunked":       {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", chunk},
		"two lengths":                 {"Content-Length: 0\r\nContent-Length: " + long + "\r\n", hidden},
		"two lengths, reversed":       {"Content-Length: " + long + "\r\nContent-Length: 0\r\n", hidden},
		"list of lengths":             {"Content-Length: 0, " + long + "\r\n", hidden},
		"signed length":               {"Content-Length: +0\r\n", hidden},
		"negative length":             {"Content-Length: -1\r\n", hidden},
		"hexadecimal length":          {"Content-Length: 0x0\r\n", hidden},
		"length beyond 64 bits":       {"Content-Length: 18446744073709551616\r\n", hidden},
		"space before the colon":      {"Content-Length : " + long + "\r\n", hidden},
		"space in the coding's name":  {"Transfer-Encoding : chunked\r\nContent-Length: " + fmt.Sprint(len(behind)) + "\r\n", behind},
		"unknown coding":              {"Transfer-Encoding: xchunked\r\n", behind},
		"chunked, identity":           {"Transfer-Encoding: chunked, identity\r\n", behind},
		"two codings":                 {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", behind},
		"vertical tab":                {"Transfer-Encoding: \x0bchunked\r\nContent-Length: 0\r\n", behind},
		"folded coding":               {"Transfer-Encoding:\r\n chunked\r\nContent-Length: 4\r\n", chunk},
		"LF behind the length":        {"Content-Length: " + long + "\nX: y\r\n", hidden},
		"CR alone":                    {"X: y\rContent-Length: " + long + "\r\n", hidden},
		"NUL":                         {"X: y\x00\r\n", hidden},
		"no colon":                    {"Content-Length\r\n", hidden},
		"chunk size 2^64":             {"Transfer-Encoding: chunked\r\n", "10000000000000000\r\n\r\n" + behind},
		"negative chunk size":         {"Transfer-Encoding: chunked\r\n", "-1\r\n" + behind},
		"chunk size with 0x":          {"Transfer-Encoding: chunked\r\n", "0x0\r\n\r\n" + hidden},
		"chunk size is missing":       {"Transfer-Encoding: chunked\r\n", "\r\n" + behind},
		"chunk longer than its size":  {"Transfer-Encoding: chunked\r\n", "1\r\nxx" + behind},
		"LF inside a chunk extension": {"Transfer-Encoding: chunked\r\n", "1;a\n6\r\n" + behind},
	} {
		for _, query := range []string{poll4 + "&sid=nobody", poll4} {
			x.sendHiding(name, x.request("POST", query, form.header, "")+form.body)
		}
	}
	// Methods that usually have no body.
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "DELETE"} {
		for _, query := range []string{poll4 + "&sid=nobody", "EIO=4"} {
			x.sendHiding(method, x.request(method, query, "", hidden))
			x.sendHiding(method+", chunked", x.request(method, query, "Transfer-Encoding: chunked\r\n", "")+chunk)
		}
	}
	x.sendHiding("GET of a handshake", x.request("GET", poll4, "", hidden))
}

// lenientSmuggling has the forms that net/http and fasthttp read in one of the ways that RFC 9112
// leaves open, where it would rather have them refused, or the connection closed.
func lenientSmuggling(x *target) {
	hidden := x.request("GET", poll4+"&smuggled", "", "")
	behind := "0\r\n\r\n" + hidden
	for name, form := range map[string]struct{ header, body string }{
		"length, chunked":        {"Content-Length: " + fmt.Sprint(len(behind)) + "\r\nTransfer-Encoding: chunked\r\n", behind},
		"chunked, length":        {"Transfer-Encoding: chunked\r\nContent-Length: " + fmt.Sprint(len(behind)) + "\r\n", behind},
		"folded length":          {"X: y\r\n Content-Length: " + fmt.Sprint(len(hidden)) + "\r\n", hidden},
		"identity":               {"Transfer-Encoding: identity\r\nContent-Length: 0\r\n", hidden},
		"LF alone as empty line": {"X: y\n\n" + hidden, ""},
	} {
		x.sendHiding(name, x.request("POST", poll4+"&sid=nobody", form.header, "")+form.body)
	}
}

func (x *target) sendHiding(what, request string) {
	x.t.Helper()
	a := x.dial()
	a.send(request)
	_ = a.Conn.(*net.TCPConn).CloseWrite()
	all, err := io.ReadAll(a.r)
	if isTimeout(err) {
		x.t.Errorf("%s: the connection stays open", what)
	}
	if n := strings.Count(string(all), "HTTP/1.1 200"); n > 1 {
		x.t.Errorf("%s: %d requests were served", what, n)
	}
	_ = a.Close()
	x.wantNoSmuggling(what)
}

func wrongTransport(x *target) {
	a := x.dial()
	a.send(x.request("GET", ws4, upgradeHeader, ""))
	_ = a.answer("GET")
	_, packet, _ := a.next()
	sid := x.sid(packet)
	x.wantAnswer(x.post(sid, "4x"), 400, "{3}")
	x.wantAnswer(x.poll(sid), 400, "{3}")
	x.wantAnswer(x.do("GET", ws4+"&sid="+sid, "", ""), 400, "{3}")
	a.send(frame(text, "4on"))
	a.want(text, "4on")

	sid = x.open()
	x.wantAnswer(x.do("GET", ws4+"&sid="+sid, "", ""), 400, "{3}")
	x.wantAnswer(x.do("POST", ws4+"&sid="+sid, "", "4x"), 400, "{3}")
	x.wantAnswer(x.post(sid, "4on"), 200, "ok")
	x.wantAnswer(x.poll(sid), 200, "4on")
}

func overlaps(x *target) {
	sid := x.open()
	first, second := x.dial(), x.dial()
	first.send(x.request("GET", poll4+"&sid="+sid, "", ""))
	second.send(x.request("GET", poll4+"&sid="+sid, "", ""))
	statuses := first.answer("GET").status + second.answer("GET").status
	if statuses != http.StatusOK+http.StatusBadRequest { // the one that waited is told of the end
		x.t.Errorf("statuses add up to %d", statuses)
	}
	x.wantEnd(core.TransportError)

	sid = x.open()
	first = x.dial()
	first.send(x.request("POST", poll4+"&sid="+sid, "", "4hold"))
	await(x.t, x.holding, "delivery")
	x.wantAnswer(x.post(sid, "4x"), 400, "{3}")
	x.letGo <- struct{}{}
	if a := first.answer("POST"); a.status != 400 {
		x.t.Errorf("the POST that was under way: %d %q", a.status, a.body)
	}
	x.wantEnd(core.TransportError)
	x.wantAnswer(x.poll(sid), 400, "{1}")
}

func guessedIDs(x *target) {
	sid := x.open()
	a := x.dial()
	for i := range 500 {
		guess := sid[:19] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i%26])
		switch i % 5 {
		case 0:
			guess = fmt.Sprint(i)
		case 1:
			guess = sid + "x"
		case 2:
			guess = strings.Repeat("A", i)
		case 3:
			guess = sid + "%00"
		}
		if guess == sid || guess == "" {
			continue
		}
		a.send(x.request("GET", poll4+"&sid="+guess, "", ""))
		x.wantAnswer(a.answer("GET"), 400, "{1}")
	}
	_, got := x.switchTo(ws4+"&sid="+sid[:19], "", "")
	x.wantAnswer(got, 400, "Session ID unknown")
	x.wantAnswer(x.post(sid, "4mine"), 200, "ok")
	x.wantAnswer(x.poll(sid), 200, "4mine")
}

func logLines(x *target) {
	const forged = "%0d%0alevel=ERROR%20msg=forged%1b[31m"
	for _, query := range []string{poll4 + "&sid=" + forged, "EIO=4&transport=" + forged, poll4 + "&j=" + forged, poll4 + "&" + forged + "=1", ws4 + "&sid=" + forged} {
		_ = x.do("GET", query, "X-Forwarded-For: 1.2.3.4 level=ERROR\r\nUser-Agent: \"a\tb\x1b[0m\r\nOrigin: x\t\"y\"\r\n", "")
		_, _ = x.switchTo(query, "Sec-WebSocket-Protocol: a\tb\"c\r\n", "")
	}
	sid := x.open()
	x.wantAnswer(x.post(sid, "\r\nlevel=ERROR msg=forged"), 400, "{3}")
	x.wantEnd(core.ParseError)
	a := x.websocket(ws4, "", "")
	a.send(frame(text, "x\r\nlevel=ERROR msg=forged"))
	a.wantClose(0)
	x.wantEnd(core.ParseError)
	a = x.websocket(ws4, "", "")
	a.send(frame(closing, "\x0f\xa0\r\nlevel=ERROR msg=forged\x1b[31m"))
	a.wantClose(4000)
	x.wantEnd(core.TransportClose)
}

func forgedAddresses(x *target) {
	a := x.dial()
	a.send(x.request("GET", poll4, "X-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nCF-Connecting-IP: 6.6.6.6\r\nTrue-Client-IP: 6.6.6.6\r\nX-Appengine-Remote-Addr: 6.6.6.6\r\n", ""))
	sid := x.sid(a.answer("GET").body)
	if s, _ := x.engine.Get(sid); s == nil || s.RemoteAddr() != a.LocalAddr().String() {
		x.t.Errorf("address %q, want %s", s.RemoteAddr(), a.LocalAddr())
	}
}
