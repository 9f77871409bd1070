package integration_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rs/cors"

	"github.com/goengineio/engineio/core"
)

var freshID atomic.Int64

// hostileHeaders are rows about headers: too many, too long, pathological, and those of answers.
var hostileHeaders = []hostile{
	{
		name: "many headers", advisory: "CVE-2024-37890 (GHSA-3h5v-q93c-6h6q), ws", input: "3,000 headers, with and without an upgrade; 2 MB of headers",
		holds: "served or 431; beyond the server's limit 431", run: manyHeaders,
	},
	{
		name: "long lines", advisory: "CVE-2023-43669, tungstenite", input: "header and request lines of 2 MB, a key of 60 KB",
		holds: "400, 414 or 431, and the memory held is bounded", run: longLines,
	},
	{
		name: "extensions and subprotocols", advisory: "GHSA-5v72-xg48-5rpm, CVE-2021-32640, ws",
		input: "Sec-WebSocket-Extensions and -Protocol made of commas, spaces, semicolons, quotes and offers, as long as the server accepts",
		holds: "time and memory proportional to their length", also: "TestHostileOffers", frames: true, run: pathologicalOffers,
	},
	{
		name: "lists in other headers", advisory: "GHSA-5v72-xg48-5rpm, ws (the same in Connection, Upgrade, Accept-Encoding, Cookie)",
		input: "the same lists in Connection, Upgrade, Accept-Encoding and Content-Type", holds: "time proportional to their length", run: pathologicalLists,
	},
	{
		name: "preflight lists", advisory: "CVE-2025-47908 (GHSA-mh55-gqvf-xfwm), rs/cors", input: "Access-Control-Request-Headers of thousands of commas",
		holds: "memory proportional to their length", run: preflightLists,
		config: func(cfg *core.Config) { cfg.CORS = &cors.Options{AllowedOrigins: []string{"http://friend.example"}} },
	},
	{
		name: "ids with line breaks", advisory: "no id", input: "Config.GenerateID returns what the client sent: CR, LF, `;`, quotes, NUL",
		holds: "400 with code 3 and a warning; nothing of it reaches a header or a cookie", run: brokenIDs,
		config: func(cfg *core.Config) {
			cfg.Cookie = &core.CookieOptions{}
			cfg.GenerateID = func(r *http.Request) (string, error) {
				if id := r.URL.Query()["id"]; id != nil {
					return id[0], nil
				}
				n := freshID.Add(1)
				return fmt.Sprintf("%020d", n), nil
			}
		},
	},
	{
		name: "cookie options", advisory: "CVE-2024-47764 (GHSA-pxg6-pf52-xh8x), cookie", input: "cookie names, paths and domains with `;`, CR, LF",
		holds: "NewServer refuses them", also: "TestHostileCookieOptions",
	},
	{
		name: "refused handshakes", advisory: "CVE-2026-48802 (GHSA-cgwc-pv48-fhj5), python-engineio (heartbeat before authorisation)",
		input: "800 handshakes that AllowRequest refuses, over both transports", holds: "no session, goroutine or timer is made for them", run: refusedHandshakes,
		config: func(cfg *core.Config) {
			cfg.AllowRequest = func(r *http.Request) error {
				if r.Header.Get("X-Evil") != "" {
					return errors.New("not you")
				}
				return nil
			}
		},
	},
}

func manyHeaders(x *target) {
	flood := strings.Repeat("X-A: b\r\n", 3000)
	a := x.do("GET", poll4, flood, "")
	if a.status != 200 {
		x.wantRefusal("3,000 headers", a)
	}
	if _, a = x.switchTo(ws4, flood, ""); a.status != 101 {
		x.wantRefusal("3,000 headers of an upgrade", a)
	}
	flood = strings.Repeat("X-A: b\r\n", 250_000)
	x.wantRefusal("2 MB of headers", x.do("GET", poll4, flood, ""))
	_, a = x.switchTo(ws4, flood, "")
	x.wantRefusal("2 MB of headers of an upgrade", a)
}

func longLines(x *target) {
	long := strings.Repeat("x", 2<<20)
	for what, request := range map[string]string{
		"header":        x.request("GET", poll4, "X-A: "+long+"\r\n", ""),
		"header's name": x.request("GET", poll4, "X-"+long+": a\r\n", ""),
		"query":         x.request("GET", poll4+"&x="+long, "", ""),
		"method":        x.request(long, poll4, "", ""),
		"without end":   long,
	} {
		x.wantAllocated(what, 16<<20, func() { x.wantRefusal(what, x.raw("GET", request)) })
	}
	a := x.do("GET", ws4, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+long[:60_000]+"\r\n", "")
	x.wantRefusal("key", a)
}

// longest is how long a header can be that Fiber, and so all, will take.
const longest = 3500

var pathological = map[string]func(n int) string{
	"commas":             func(n int) string { return strings.Repeat(",", n) },
	"spaces":             func(n int) string { return "a" + strings.Repeat(" ", n) + "b" },
	"tabs and commas":    func(n int) string { return strings.Repeat(" \t,", n/3) },
	"semicolons":         func(n int) string { return "permessage-deflate" + strings.Repeat(";", n) },
	"parameters":         func(n int) string { return "permessage-deflate" + strings.Repeat(";a=b", n/4) },
	"quotes":             func(n int) string { return `permessage-deflate; a="` + strings.Repeat(`\"`, n/2) },
	"unclosed":           func(n int) string { return strings.Repeat(`a;b="`, n/5) },
	"offers":             func(n int) string { return strings.Repeat("permessage-deflate; server_max_window_bits=8, ", n/46) },
	"spaces before each": func(n int) string { return strings.Repeat("a"+strings.Repeat(" ", 99), n/100) },
}

// room is how many bytes of a header the framework takes.
func (x *target) room() int {
	if x.framework == "fiber" {
		return longest
	}
	return 200_000
}

func pathologicalOffers(x *target) {
	for name, value := range pathological {
		for _, header := range []string{"Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"} {
			x.wantLinear(header+" of "+name, x.room()/4, func(n int) {
				a, got := x.switchTo(ws4, header+": "+value(n)+"\r\n", "")
				_ = a.Close()
				if got.status != 101 && got.status != 400 {
					x.t.Errorf("%s of %s: %d %s", header, name, got.status, got.body)
				}
			})
		}
	}
}

func pathologicalLists(x *target) {
	for name, value := range pathological {
		for _, header := range []string{"Connection", "Upgrade", "Accept-Encoding", "Content-Type", "Cookie", "Origin"} {
			x.wantLinear(header+" of "+name, x.room()/4, func(n int) {
				if a := x.do("POST", poll4+"&sid=nobody", header+": "+value(n)+"\r\n", "4x"); a.status != 400 {
					x.t.Errorf("%s of %s: %d %.100q", header, name, a.status, a.body)
				}
			})
		}
	}
}

func preflightLists(x *target) {
	n := x.room()
	for name, value := range pathological {
		x.wantAllocated(name, 40*int64(n)+256<<10, func() {
			a := x.do("OPTIONS", poll4, "Origin: http://friend.example\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: "+value(n)+"\r\n", "")
			if a.status != 204 {
				x.t.Errorf("%s: %d", name, a.status)
			}
		})
	}
}

func brokenIDs(x *target) {
	for _, id := range []string{"a%0d%0aSet-Cookie:%20evil=1", "a%0aX-Evil:%201", "a%3bDomain=evil", "a%22b", "a%00", "a%20b", "a%2fb", "%e2%82%ac", ""} {
		a := x.do("GET", poll4+"&id="+id, "", "")
		x.wantAnswer(a, 400, "{3}")
		x.wantNoHeader(a, "Set-Cookie", "X-Evil")
		_, a = x.switchTo(ws4+"&id="+id, "", "")
		x.wantAnswer(a, 400, "Bad request")
		x.wantNoHeader(a, "Set-Cookie", "X-Evil")
	}
	x.wantSessions(0)
	a := x.do("GET", poll4+"&id=fine-._~1", "", "")
	if cookie := a.header.Get("Set-Cookie"); a.status != 200 || cookie != "io=fine-._~1; Path=/; HttpOnly; SameSite=Lax" {
		x.t.Errorf("%d %q", a.status, cookie)
	}
}

func (x *target) wantNoHeader(a answer, names ...string) {
	x.t.Helper()
	for _, name := range names {
		if values := a.header.Values(name); len(values) > 0 {
			x.t.Errorf("%s: %q", name, values)
		}
	}
}

func refusedHandshakes(x *target) {
	const handshakes = 400
	a := x.dial()
	for range handshakes {
		a.send(x.request("GET", poll4, "X-Evil: 1\r\n", ""))
		x.wantAnswer(a.answer("GET"), 403, `{"code":4,"message":"not you"}`)
	}
	_ = a.Close()
	for range handshakes {
		a, got := x.switchTo(ws4, "X-Evil: 1\r\n", "")
		x.wantAnswer(got, 400, "not you")
		_ = a.Close()
	}
	x.attackers = nil
	x.wantHeld("refused handshakes", 1<<20, handshakes/4, 2)
	x.wantSessions(0)
}

// TestHostileCookieOptions: what would break out of the cookie is refused when the server is made.
func TestHostileCookieOptions(t *testing.T) {
	for _, o := range []core.CookieOptions{
		{Name: "a;b"}, {Name: "a\r\nX-Evil: 1"}, {Name: "a b"}, {Name: "a=b"}, {Name: "a\x00"}, {Name: "a,b"},
		{Path: "/;Domain=evil.example"}, {Path: "/\r\nX-Evil: 1"}, {Domain: "evil.example;x"}, {Domain: "a\r\nb"}, {Domain: "a b"},
	} {
		if srv, err := core.NewServer(core.Config{Cookie: &o}); err == nil {
			srv.Close()
			t.Errorf("%+v is accepted", o)
		} else if !strings.Contains(err.Error(), "Config.Cookie") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestHostileIDs: a hundred thousand ids differ, as do their beginnings.
func TestHostileIDs(t *testing.T) {
	srv, err := core.NewServer(core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	const count = 100_000
	seen := make(map[string]bool, count)
	for range count {
		w := &handshakeOnly{query: poll4}
		srv.Serve(w, nil)
		sid := string(w.body[len(`0{"sid":"`):][:20])
		if strings.Trim(sid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("id %q", sid)
		}
		// Ten characters are 60 bits: two of 100,000 are the same with a probability of 4e-9.
		for _, half := range []string{"<" + sid[:10], sid[10:] + ">"} {
			if seen[half] {
				t.Fatalf("%q twice", half)
			}
			seen[half] = true
		}
		s, _ := srv.Get(sid)
		s.CloseNow()
	}
}

// handshakeOnly is a core.Exchange for handshakes over polling.
type handshakeOnly struct {
	core.Exchange
	query string
	body  []byte
}

func (x *handshakeOnly) Method() string                      { return http.MethodGet }
func (x *handshakeOnly) Query() string                       { return x.query }
func (x *handshakeOnly) Header(string) string                { return "" }
func (x *handshakeOnly) RemoteAddr() string                  { return "" }
func (x *handshakeOnly) SetHeader(string, string)            {}
func (x *handshakeOnly) ResponseHeader(string) string        { return "" }
func (x *handshakeOnly) Request() *http.Request              { return &http.Request{} }
func (x *handshakeOnly) Keep(dst []byte) ([]byte, core.Kept) { return dst, core.Kept{} }
func (x *handshakeOnly) Respond(_ int, b []byte) error       { x.body = b; return nil }
