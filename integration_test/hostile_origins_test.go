package integration_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rs/cors"

	"github.com/goengineio/engineio/core"
)

// hostileOrigins are rows about requests that a foreign page has a browser send.
var hostileOrigins = []hostile{
	{
		name: "cross-site WebSockets", advisory: "CVE-2019-13611, python-engineio; CVE-2023-49805, CVE-2026-34403, CVE-2026-42283, CVE-2023-0957, applications",
		input: "an upgrade with the victim's cookie and a foreign origin: another port, a name with the same beginning or end, `null`, nonsense",
		holds: "error 4 and no session; no example turns the check off", also: "TestSuite/Origins, TestHostileExamples, TestOriginOfWebSockets", run: foreignOrigins,
	},
	{
		name: "cross-origin reads", advisory: "CVE-2020-28481, socket.io", input: "polls and preflight requests with a foreign Origin under the default options",
		holds: "no Access-Control header at all", run: crossOriginReads,
	},
	{
		name: "origin patterns", advisory: "CVE-2019-25211, gin-contrib/cors; CVE-2018-20744, rs/cors; CVE-2024-25124, fiber",
		input: "origins that a careless check against an allow-list would admit: other scheme, port, suffix, prefix; all origins with credentials",
		holds: "no Access-Control-Allow-Origin, WebSockets refused; NewServer refuses credentials for all origins", also: "TestConfigErrorsNameEveryField, TestCORS", run: originPatterns,
		config: func(cfg *core.Config) {
			cfg.CORS = &cors.Options{AllowedOrigins: []string{"https://friend.example", "https://*.wide.example"}, AllowCredentials: true}
		},
	},
	{
		name: "origins with control characters", advisory: "no id", input: "Origin with NUL, ESC, DEL or a bare CR",
		holds: "400", also: "TestInvalidOriginIsTold", run: controlOrigins,
	},
	{
		name: "foreign JSONP", advisory: "no id", input: "JSONP with a foreign Origin, Referer or Sec-Fetch-Site, also on the client's own session",
		holds: "403 with code 4", also: "TestSuite/Origins, TestDisableJSONP", run: foreignJSONP,
	},
	{
		name: "JSONP injection", advisory: "no id: `j=0];alert(1)//` is printed raw by two other servers",
		input: "script in the index; messages with quotes, `</script>`, U+2028, backslashes",
		holds: "the index in the answer has only digits, each message stays one string literal; nosniff", also: "TestJSONP", run: jsonpInjection,
	},
}

func foreignOrigins(x *target) {
	port := x.host[strings.LastIndexByte(x.host, ':'):]
	sid := x.open()
	for _, origin := range []string{
		"http://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:1", "http://127.0.0.1.evil.example" + port, "http://evil" + x.host,
		"http://" + x.host + ".evil.example", "http://" + x.host + "0", "http://evil.example/" + x.host, "http://evil.example#" + x.host, "http://evil.example?" + x.host,
		x.host, "//" + x.host + "@evil.example", "http://", "http:", "about:blank", "file://", "http://[::1" + port, "http://localhost" + port,
	} {
		for _, query := range []string{ws4, ws4 + "&sid=" + sid} {
			_, a := x.switchTo(query, "Cookie: session=victim\r\nOrigin: "+origin+"\r\n", "")
			if a.status != 400 || a.body != "Forbidden" {
				x.t.Errorf("%s: %d %q", origin, a.status, a.body)
			}
		}
	}
	x.wantSessions(1)
	if _, a := x.switchTo(ws4, "Origin: http://"+x.host+"\r\n", ""); a.status != 101 {
		x.t.Errorf("the own origin: %d", a.status)
	}
}

func crossOriginReads(x *target) {
	sid := x.open()
	const from = "Origin: http://evil.example\r\nCookie: session=victim\r\n"
	for _, a := range []answer{
		x.do("GET", poll4, from, ""), x.do("GET", poll4+"&sid=nobody", from, ""), x.do("POST", poll4+"&sid="+sid, from, "4x"), x.do("GET", poll4+"&sid="+sid, from, ""),
		x.do("OPTIONS", poll4, from+"Access-Control-Request-Method: POST\r\n", ""),
	} {
		for name := range a.header {
			if strings.HasPrefix(name, "Access-Control-") {
				x.t.Errorf("%s: %q", name, a.header[name])
			}
		}
	}
}

func originPatterns(x *target) {
	for origin, allowed := range map[string]bool{
		"https://friend.example": true, "https://a.wide.example": true, "https://friend.example.evil.example": false, "https://friend.example:8443": false, "http://friend.example": false,
		"https://notfriend.example": false, "https://friendxexample": false, "https://friend.example@evil.example": false, "https://wide.example": false, "https://a.wide.example.evil.example": false,
		"http://a.wide.example": false, "https://a.wide.example:8443": false, "https://evilwide.example": false, "null": false, "*": false,
	} {
		a := x.do("GET", poll4, "Origin: "+origin+"\r\n", "")
		if got := a.header.Get("Access-Control-Allow-Origin"); a.status != 200 || (got == origin) != allowed || !allowed && got != "" {
			x.t.Errorf("%s: %d %q", origin, a.status, got)
		}
		_, a = x.switchTo(ws4, "Origin: "+origin+"\r\n", "")
		if (a.status == 101) != allowed {
			x.t.Errorf("%s: a WebSocket is answered with %d", origin, a.status)
		}
	}
}

func controlOrigins(x *target) {
	for _, c := range []string{"\x00", "\x01", "\x1b", "\x7f", "\r"} {
		for _, query := range []string{poll4, ws4} {
			header := "Origin: http://" + x.host + c + "\r\n"
			a := x.do("GET", query, header, "")
			if a.status != 400 {
				x.t.Errorf("%q: %d %q", c, a.status, a.body)
			}
			if _, a = x.switchTo(query, header, ""); a.status != 400 {
				x.t.Errorf("%q: an upgrade is answered with %d %q", c, a.status, a.body)
			}
		}
	}
	x.wantSessions(0)
}

func foreignJSONP(x *target) {
	for _, header := range []string{
		"Origin: http://evil.example\r\n", "Origin: null\r\n", "Referer: http://evil.example/" + x.host + "\r\n", "Referer: http://" + x.host + ".evil.example/\r\n",
		"Referer: nonsense\r\n", "Sec-Fetch-Site: cross-site\r\n",
	} {
		x.wantAnswer(x.do("GET", poll4+"&j=0", header, ""), 403, "{4}")
	}
	x.wantSessions(0)
	a := x.do("GET", poll4+"&j=0", "Referer: http://"+x.host+"/page\r\n", "")
	if a.status != 200 {
		x.t.Fatalf("the own origin: %d %q", a.status, a.body)
	}
	sid := regexp.MustCompile(`sid\\":\\"([\w-]{20})`).FindStringSubmatch(a.body)[1]
	// Leaving j out does not help.
	x.wantAnswer(x.do("GET", poll4+"&sid="+sid, "Origin: http://evil.example\r\n", ""), 403, "{4}")
}

func jsonpInjection(x *target) {
	for j, index := range map[string]string{"0];alert(1)//": "01", "0%5d%3balert(1)%2f%2f": "01", "1%0a2": "12", "%3Cscript%3E": "", "-1": "1", "%e2%80%a83": "3", "constructor": "", "": ""} {
		a := x.do("GET", poll4+"&j="+j, "", "")
		if a.status != 200 || !strings.HasPrefix(a.body, "___eio["+index+`]("0{\"sid\":\"`) || !strings.HasSuffix(a.body, `}");`) ||
			a.header.Get("Content-Type") != "text/javascript; charset=UTF-8" || a.header.Get("X-Content-Type-Options") != "nosniff" {
			x.t.Errorf("%s: %d %q %v", j, a.status, a.body, a.header)
		}
		sid := regexp.MustCompile(`sid\\":\\"([\w-]{20})`).FindStringSubmatch(a.body)[1]
		a = x.do("POST", poll4+"&j=0&sid="+sid, "", "d=4%22%29%3Balert(1)%3C%2Fscript%3E%E2%80%A8%5C%22%00%FF")
		x.wantAnswer(a, 200, "ok")
		a = x.do("GET", poll4+"&j="+j+"&sid="+sid, "", "")
		x.wantAnswer(a, 200, "___eio["+index+`]("4\");alert(1)\u003c/script\u003e\u2028\\\"\u0000`+"\ufffd"+`");`)
	}
}

// TestHostileExamples: what users copy does not admit every origin.
func TestHostileExamples(t *testing.T) {
	careless := regexp.MustCompile(`AllowAnyOrigin:\s*true|CheckOrigin|AllowedOrigins:\s*\[\]string\{"\*"\}`)
	err := filepath.WalkDir("../examples", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if match := careless.Find(text); match != nil && !strings.Contains(path, "examples/echo/") { // which serves the tests, and says so
			t.Errorf("%s has %s", path, match)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile("../README.md")
	if match := careless.Find(text); match != nil || err != nil {
		t.Errorf("README.md has %s %v", match, err)
	}
}
