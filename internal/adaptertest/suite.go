package adaptertest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/rs/cors"

	"github.com/goengineio/engineio/core"
)

// Framework is one row of the suite's table.
type Framework struct {
	Name string
	// Serve serves srv at /engine.io on a free loopback port until the test ends, beside an application
	// that answers all paths that are not Engine.IO's with 404 or 200 and without "sid" in the body.
	// It returns http://host:port.
	Serve func(t *testing.T, srv *core.Server) string
	// RedirectsDoubleSlash: the router answers /engine.io// with a redirect to /engine.io/ before
	// any handler sees it, as http.ServeMux does.
	RedirectsDoubleSlash bool
	// BuffersBodies: a handler is called only when the whole body has arrived, or too much of it, as in
	// fasthttp.
	BuffersBodies bool
}

// Run runs the suite.
func Run(t *testing.T, f Framework) {
	type test struct {
		name string
		run  func(*testing.T, Framework)
	}
	tests := []test{
		{"Paths", testPaths},
		{"Polling", testPolling},
		{"Bodies", testBodies},
		{"Errors", testErrors},
		{"LeaveDuringPoll", testLeaveDuringPoll},
		{"KeepAlive", testKeepAlive},
		{"CORS", testCORS},
		{"Origins", testOrigins},
		{"WebSocket", testWebSocket},
		{"WebSocketLimits", testWebSocketLimits},
		{"Upgrade", testUpgrade},
		{"Early", testEarlyFrames},
		{"Hostile", testHostileFrames},
		{"Unsent", testUnsent},
		{"Shutdown", testShutdown},
	}
	if !f.BuffersBodies { // otherwise the handler does not see a request whose body is not complete
		tests = append(tests, test{"UnfinishedPosts", testUnfinishedPosts})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, f) })
	}
}

func testPaths(t *testing.T, f Framework) {
	b := newBench(t, f, core.Config{})
	for path, served := range map[string]bool{
		"/engine.io": true, "/engine.io/": true, "/engine.io/x": true, "/engine.io/x/y": true, "/engine.io//": true,
		"/engine.iox": false, "/ENGINE.IO/": false, "/%65ngine.io/": false, "/engine%2Eio/": false, "/engine.io%2F": false,
		`/%65ngine.io/"`: false, "/engine%2Eio/|": false, "/engine.io%2Fx/^": false,
		"//engine.io/": false, "/x/../engine.io/": false, "/engine.io/../": false, "/engine.io/%2e%2e/": false,
		"/": false, "/x": false,
	} {
		if path == "/engine.io//" && f.RedirectsDoubleSlash {
			continue
		}
		before := b.srv.Len()
		// Raw, since net/http's client cleans paths.
		_, r := b.raw("GET " + path + "?" + poll4 + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		data, _ := io.ReadAll(r)
		ok := strings.HasPrefix(string(data), "HTTP/1.1 200") && strings.Contains(string(data), `0{"sid"`)
		if ok != served || (b.srv.Len() == before+1) != served {
			t.Errorf("%s: served %v, want %v: %.60q", path, ok, served, data)
		}
	}
}

func testPolling(t *testing.T, f Framework) {
	b := newBench(t, f, core.Config{})
	query, s := b.open()
	poll := b.goGet(query)
	b.want(b.post(query, "4hello\x1ebAQID\x1e4€😀"), 200, "ok")
	got := Await(t, poll)
	for strings.Count(got.Body, "\x1e") < 2 { // the first reply may have been sent alone
		more := b.get(query)
		b.want(more, 200, "*")
		got.Body += "\x1e" + more.Body
	}
	b.want(got, 200, "4hello\x1ebAQID\x1e4€😀")
	if got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("Content-Type") != "text/plain; charset=UTF-8" {
		t.Errorf("headers %v", got.Header)
	}
	if s.RemoteAddr() == "" || !strings.HasPrefix(s.RemoteAddr(), "127.0.0.1:") {
		t.Errorf("remote address %q", s.RemoteAddr())
	}
	if r := s.Request(); r.URL.Query().Get("transport") != "polling" || r.Host == "" || r.Method != http.MethodGet ||
		!strings.HasPrefix(r.URL.Path, "/engine.io") || r.Header.Get("User-Agent") == "" {
		t.Errorf("request %+v", r)
	}

	// The overlap of two polls.
	poll = b.goGet(query)
	_ = s.Send(core.Text("settle"))
	b.want(Await(t, poll), 200, "4settle")
	first, second := b.goGet(query), b.goGet(query)
	got1, got2 := Await(t, first), Await(t, second)
	if got1.Status+got2.Status != 600 || got1.Body != "1" && got2.Body != "1" {
		t.Errorf("overlap: %+v and %+v", got1, got2)
	}
	if reason := Await(t, b.closed); reason != core.TransportError {
		t.Errorf("reason %s", reason)
	}
}

func testBodies(t *testing.T, f Framework) {
	b := newBench(t, f, core.Config{MaxPayload: 100_000})
	query, _ := b.open()
	large := "4" + strings.Repeat("a", 99_999)
	b.want(b.post(query, large), 200, "ok")
	b.want(b.get(query), 200, large)
	for _, more := range []int{1, 5_000_000} {
		a := b.post(query, large+strings.Repeat("a", more))
		if cut := a.Err != nil && f.BuffersBodies; a.Status != 413 && !cut {
			t.Errorf("%d bytes over the limit: %d %q %v", more, a.Status, a.Body, a.Err)
		}
	}
	// Chunked, within the limit and beyond.
	for _, c := range []struct{ size, status int }{{99_999, 200}, {100_001, 413}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"?"+query,
			io.MultiReader(strings.NewReader("4"), strings.NewReader(strings.Repeat("b", c.size))))
		if err != nil {
			t.Fatal(err)
		}
		res, err := b.client.Do(r)
		if err != nil {
			if c.status == 200 {
				t.Error(err)
			}
			continue // cut off while it was still sending
		}
		_ = res.Body.Close()
		if res.StatusCode != c.status {
			t.Errorf("chunked, %d bytes: %d", c.size, res.StatusCode)
		}
	}
	a := b.do(http.MethodGet, query, "", http.Header{"Accept-Encoding": {"gzip"}})
	if a.Header.Get("Content-Encoding") != "gzip" || a.Body[:2] != "\x1f\x8b" {
		t.Errorf("compression: %v %.20q", a.Header, a.Body)
	}
}

// testUnfinishedPosts checks that POSTs count before their bodies are complete.
func testUnfinishedPosts(t *testing.T, f Framework) {
	b := newBench(t, f, core.Config{})
	for _, begun := range []string{
		"Content-Length: 10\r\n\r\n4",
		"Transfer-Encoding: chunked\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n2\r\n4a",
		"Transfer-Encoding: chunked\r\n\r\n2\r\n4a\r\n",
	} {
		begin := func(query string) net.Conn {
			conn, _ := b.raw("POST /engine.io/?" + query + " HTTP/1.1\r\nHost: x\r\n" + begun)
			return conn
		}
		query, _ := b.open()
		_ = begin(query).Close()
		if reason := Await(t, b.closed); reason != core.TransportError {
			t.Errorf("%q, cut: %s", begun, reason)
		}

		query, s := b.open()
		conn := begin(query)
		second := b.post(query, "4b")
		for ; second.Status == 200 && s.ReadyState() == core.StateOpen; second = b.post(query, "4b") { // it came first
		}
		b.want(second, 400, "*")
		if reason := Await(t, b.closed); reason != core.TransportError {
			t.Errorf("%q, overlapping: %s", begun, reason)
		}
		_ = conn.Close()
	}
}

func testErrors(t *testing.T, f Framework) {
	b := newBench(t, f, core.Config{})
	for _, c := range []struct{ method, query, body string }{
		{"GET", "EIO=4", `{"code":0,"message":"Transport unknown"}`},
		{"GET", poll4 + "&sid=nobody", `{"code":1,"message":"Session ID unknown"}`},
		{"POST", poll4, `{"code":2,"message":"Bad handshake method"}`},
		{"PUT", poll4, `{"code":2,"message":"Bad handshake method"}`},
		{"DELETE", poll4, `{"code":2,"message":"Bad handshake method"}`},
		{"OPTIONS", poll4, `{"code":2,"message":"Bad handshake method"}`},
		{"GET", "EIO=4&transport=websocket", `{"code":3,"message":"Bad request"}`},
		{"GET", "EIO=3&transport=polling", `{"code":5,"message":"Unsupported protocol version"}`},
	} {
		a := b.do(c.method, c.query, "", nil)
		b.want(a, 400, c.body)
		if !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
			t.Errorf("content type %s", a.Header.Get("Content-Type"))
		}
	}
	b.want(b.do("HEAD", poll4, "", nil), 400, "")
	for query, text := range map[string]string{
		"EIO=4&transport=websocket&sid=nobody": "Session ID unknown",
		"EIO=4&transport=polling":              "Bad request",
		"EIO=4&transport=__proto__":            "Transport unknown",
	} {
		_, a := b.dial(query, nil)
		if a.Status != 400 || a.Body != text {
			t.Errorf("%s: %d %q", query, a.Status, a.Body)
		}
	}
	// An upgrade request that RFC 6455 does not allow is answered, not hijacked.
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for _, c := range []struct{ method, query, header, body, version string }{
		{"GET", "", key + "Sec-WebSocket-Version: 13\r\n", "", ""},
		{"GET", "", "", "Bad request", "13"},
		{"GET", "", key + "Sec-WebSocket-Version: 12\r\n", "Bad request", "13"},
		{"GET", "", "Sec-WebSocket-Version: 13\r\n", "Bad request", ""},
		{"GET", "&sid=nobody", "", "Session ID unknown", "13"},
		{"POST", "", key + "Sec-WebSocket-Version: 13\r\n", "Bad handshake method", ""},
	} {
		_, r := b.raw(c.method + " /engine.io/?EIO=4&transport=websocket" + c.query + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n" +
			"Upgrade: websocket\r\n" + c.header + "\r\n")
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.body == "" {
			if res.StatusCode != 101 {
				t.Errorf("%+v: %d", c, res.StatusCode)
			}
			continue
		}
		body, _ := io.ReadAll(res.Body)
		if version := res.Header.Get("Sec-WebSocket-Version"); res.StatusCode != 400 || string(body) != c.body || version != c.version {
			t.Errorf("%+v: %d %q, version %q", c, res.StatusCode, body, version)
		}
	}
}

func testCORS(t *testing.T, f Framework) {
	const origin = "http://friend.example"
	b := newBench(t, f, core.Config{CORS: &cors.Options{AllowedOrigins: []string{origin}, AllowCredentials: true}})
	query, _ := b.open()
	from := http.Header{"Origin": {origin}}
	preflight := http.Header{
		"Origin": {origin}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"content-type,x-token"},
	}
	for _, c := range []struct {
		method, query, body string
		header              http.Header
		status              int
	}{
		{"GET", poll4, "", from, 200},
		{"POST", query, "4x", from, 200},
		{"GET", query, "", from, 200},
		{"GET", "EIO=4", "", from, 400},
		{"OPTIONS", query, "", preflight, 204},
	} {
		a := b.do(c.method, c.query, c.body, c.header)
		got := a.Header.Values("Access-Control-Allow-Origin")
		if a.Status != c.status || len(got) != 1 || got[0] != origin || a.Header.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%s %s: %d %v", c.method, c.query, a.Status, a.Header)
		}
	}
	if a := b.do("GET", poll4, "", http.Header{"Origin": {"http://evil.example"}}); a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a foreign origin: %v", a.Header)
	}
	_, a := b.dial("EIO=4&transport=websocket", from)
	if got := a.Header.Values("Access-Control-Allow-Origin"); a.Status != 101 || len(got) != 1 {
		t.Errorf("the 101: %d %v", a.Status, a.Header)
	}
}

func testOrigins(t *testing.T, f Framework) {
	b := newBench(t, f, core.Config{})
	own := http.Header{"Origin": {strings.TrimSuffix(b.url, "/engine.io/")}}
	foreign := http.Header{"Origin": {"http://evil.example"}}
	if _, a := b.dial("EIO=4&transport=websocket", own); a.Status != 101 {
		t.Errorf("a WebSocket of the own origin: %d %s", a.Status, a.Body)
	}
	if _, a := b.dial("EIO=4&transport=websocket", foreign); a.Status != 400 || a.Body != "Forbidden" {
		t.Errorf("a foreign WebSocket: %d %s", a.Status, a.Body)
	}
	_, s := b.open()
	if _, a := b.dial("EIO=4&transport=websocket&sid="+s.ID(), foreign); a.Status != 400 || a.Body != "Forbidden" {
		t.Errorf("a foreign upgrade: %d %s", a.Status, a.Body)
	}
	b.want(b.do("GET", poll4+"&j=0", "", own), 200, "*")
	b.want(b.do("GET", poll4+"&j=0", "", foreign), 403, `{"code":4,"message":"Forbidden"}`)
	b.want(b.do("GET", poll4+"&j=0", "", http.Header{"Sec-Fetch-Site": {"cross-site"}}), 403, "*")
	b.want(b.do("GET", poll4+"&j=0", "", http.Header{"Referer": {"http://evil.example/x"}}), 403, "*")
	b.want(b.do("GET", poll4, "", foreign), 200, "*") // whether the browser lets the page read it is up to CORS
}

func testLeaveDuringPoll(t *testing.T, f Framework) {
	b := newBench(t, f, core.Config{})
	query, _ := b.open()
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.doContext(ctx, http.MethodGet, b.url+"?"+query, "", nil)
	}()
	waitForPoll(b)
	leave()
	<-done
	if reason := Await(t, b.closed); reason != core.TransportError {
		t.Errorf("reason %s", reason)
	}
}

// waitForPoll returns when a poll of the session is waiting on the server. That cannot be seen from
// outside, so it just gives the request a moment.
func waitForPoll(b *bench) {
	b.t.Helper()
	time.Sleep(50 * time.Millisecond)
}

func testKeepAlive(t *testing.T, f Framework) {
	b := newBench(t, f, core.Config{})
	query, s := b.open()
	conn, r := b.raw("")
	for i := range 20 { // polls that wait and polls that do not, and POSTs, on one connection
		text := fmt.Sprint("n", i)
		if i%2 == 0 {
			_ = s.Send(core.Text(text))
		} else {
			time.AfterFunc(2*time.Millisecond, func() { _ = s.Send(core.Text(text)) })
		}
		_, _ = fmt.Fprintf(conn, "GET /engine.io/?%s HTTP/1.1\r\nHost: x\r\n\r\n", query)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("poll %d: %v", i, err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if string(body) != "4"+text {
			t.Fatalf("poll %d: %q", i, body)
		}
		_, _ = fmt.Fprintf(conn, "POST /engine.io/?%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n6", query)
		if res, err = http.ReadResponse(r, nil); err != nil {
			t.Fatalf("POST %d: %v", i, err)
		}
		_ = res.Body.Close()
	}
}

func testShutdown(t *testing.T, f Framework) {
	b := newBench(t, f, core.Config{})
	query, _ := b.open()
	poll := b.goGet(query)
	waitForPoll(b)
	ws, _ := b.dial("EIO=4&transport=websocket", nil)
	_, _ = ws.Next()
	answered := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		answered <- b.srv.Shutdown(ctx)
	}()
	ws.WantClosed(websocket.CloseGoingAway)
	b.want(Await(t, poll), 200, "1")
	if err := Await(t, answered); err != nil {
		t.Error(err)
	}
	b.want(b.get(poll4), 503, "*")
	if _, a := b.dial("EIO=4&transport=websocket", nil); a.Status != 503 {
		t.Errorf("a WebSocket after Shutdown: %d", a.Status)
	}
}
