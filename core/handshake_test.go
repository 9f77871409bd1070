package core_test

import (
	"errors"
	"math"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/cors"

	"github.com/goengineio/engineio/core"
)

func TestHandshakeOpenPacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{AllowEIO3: true, PingInterval: 1500 * time.Millisecond, MaxPayload: 12345})
		defer b.end()
		a := b.Get(poll4).Wait()
		want := regexp.MustCompile(`^0\{"sid":"[\w-]{20}","upgrades":\["websocket"\],"pingInterval":1500,"pingTimeout":20000,"maxPayload":12345\}$`)
		if a.Status != 200 || !want.MatchString(a.Body) {
			t.Errorf("got %d %s", a.Status, a.Body)
		}
		b.want(a.Header.Get("Content-Type"), "text/plain; charset=UTF-8")
		b.want(a.Header.Get("Cache-Control"), "no-store")

		a = b.Get(poll3).Wait()
		if !regexp.MustCompile(`^\d+:0\{`).MatchString(a.Body) {
			t.Errorf("revision 3: %s", a.Body)
		}
		ws, _ := b.WebSocket(ws4)
		f, _ := ws.Next()
		if h := b.parseOpen(f.Text); h.Upgrades == nil || len(h.Upgrades) != 0 {
			t.Errorf("a WebSocket offers upgrades %v in %s", h.Upgrades, f.Text)
		}
	})
}

func TestHandshakeWithoutUpgrades(t *testing.T) {
	for name, cfg := range map[string]core.Config{
		"disabled":     {DisableUpgrades: true},
		"polling only": {Transports: []core.Transport{core.Polling}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, cfg)
				defer b.end()
				if h := b.parseOpen(b.Get(poll4).Wait().Body); len(h.Upgrades) != 0 {
					t.Errorf("upgrades %v", h.Upgrades)
				}
			})
		})
	}
}

func TestSessionIDsAreUnique(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		defer b.end()
		seen := make(map[string]bool)
		for range 1000 {
			sid := b.open(poll4).sid
			if seen[sid] {
				t.Fatalf("%s twice", sid)
			}
			seen[sid] = true
		}
		if n := b.Server.Len(); n != 1000 {
			t.Errorf("Len is %d", n)
		}
	})
}

func TestRefusedRequests(t *testing.T) {
	type request struct {
		name, method, query string
		header              http.Header
		status              int
		body                string
	}
	const (
		unknownTransport = `{"code":0,"message":"Transport unknown"}`
		badMethod        = `{"code":2,"message":"Bad handshake method"}`
		unsupported      = `{"code":5,"message":"Unsupported protocol version"}`
	)
	requests := []request{
		{"no transport", "GET", "EIO=4", nil, 400, unknownTransport},
		{"odd transport", "GET", "EIO=4&transport=__proto__", nil, 400, unknownTransport},
		{"last of several", "GET", "EIO=4&transport=polling&transport=x", nil, 400, unknownTransport},
		{"unknown sid", "GET", poll4 + "&sid=nobody", nil, 400, unknownSID},
		{"escaped sid", "GET", poll4 + "&sid=%00%3Cscript%3E", nil, 400, unknownSID},
		{"POST without sid", "POST", poll4, nil, 400, badMethod},
		{"DELETE without sid", "DELETE", poll4, nil, 400, badMethod},
		{"websocket without upgrade", "GET", ws4, nil, 400, badRequest},
		{"control character in Origin", "GET", poll4, http.Header{"Origin": {"http://x\x01"}}, 400, badRequest},
		{"revision 3", "GET", poll3, nil, 400, unsupported},
		{"no EIO", "GET", "transport=polling", nil, 400, unsupported},
		{"EIO=5", "GET", "EIO=5&transport=polling", nil, 400, unsupported},
		{"forbidden", "GET", poll4 + "&deny=1", nil, 403, `{"code":4,"message":"Forbidden"}`},
		{"forbidden, with a reason", "GET", poll4 + "&deny=no+%22token%22", nil, 403, `{"code":4,"message":"no \"token\""}`},
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{AllowRequest: func(r *http.Request) error {
			switch deny := r.URL.Query().Get("deny"); deny {
			case "":
				return nil
			case "1":
				return errors.New("")
			default:
				return errors.New(deny)
			}
		}})
		defer b.end()
		for _, r := range requests {
			a := b.Do(r.method, r.query, nil, r.header).Wait()
			if a.Status != r.status || a.Body != r.body || a.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: got %d %s %s", r.name, a.Status, a.Body, a.Header)
			}
		}
		if b.Server.Len() != 0 {
			t.Errorf("%d sessions opened", b.Server.Len())
		}
		s := b.open(poll4)
		for name, query := range map[string]string{
			"other transport": "EIO=4&transport=websocket&sid=" + s.sid,
			"other revision":  "EIO=3&transport=polling&sid=" + s.sid,
		} {
			if a := b.Get(query).Wait(); a.Status != 400 || a.Body != badRequest {
				t.Errorf("%s: got %d %s", name, a.Status, a.Body)
			}
		}
		b.wantAnswer(b.Do("PUT", s.query, nil, nil), 400, badRequest)
		b.wantAnswer(s.post("4still here"), 200, "ok")
	})
}

func TestRefusedUpgrades(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{AllowRequest: func(r *http.Request) error {
			if r.URL.Query().Has("deny") {
				return errors.New("not you")
			}
			return nil
		}})
		defer b.end()
		for query, text := range map[string]string{
			ws4 + "&deny=1":                  "not you",
			ws4 + "&sid=nobody":              "Session ID unknown",
			"EIO=4&transport=polling":        "Bad request",
			"EIO=4":                          "Transport unknown",
			"EIO=4&transport=websocket%00":   "Transport unknown",
			"EIO=4&transport[]=websocket":    "Transport unknown",
			"EIO=3&transport=websocket":      "Unsupported protocol version",
			"EIO=4&transport=constructor":    "Transport unknown",
			"EIO=4&transport=WebSocket&x=%z": "Transport unknown",
		} {
			_, a := b.WebSocket(query)
			a.Wait()
			if a.Status != 400 || a.Body != text || a.Header.Get("Connection") != "close" {
				t.Errorf("%s: got %d %q %v", query, a.Status, a.Body, a.Header)
			}
		}
	})
}

func TestConfigErrorsNameEveryField(t *testing.T) {
	_, err := core.NewServer(core.Config{
		PingInterval: -1, PingTimeout: time.Microsecond, UpgradeTimeout: -1, MaxPayload: -5,
		Transports: []core.Transport{"flash"},
	})
	for _, field := range []string{"PingInterval", "PingTimeout", "UpgradeTimeout", "MaxPayload", "Transports"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
	for _, never := range []core.Config{
		{PingInterval: math.MaxInt64, WriteTimeout: time.Minute},
		{PingInterval: 20 * 24 * time.Hour, PingTimeout: 5 * 24 * time.Hour, WriteTimeout: time.Minute},
	} {
		if _, err := core.NewServer(never); err == nil || strings.Count(err.Error(), "\n") > 0 || !strings.Contains(err.Error(), "PingInterval") {
			t.Errorf("%v: %v", never.PingInterval, err)
		}
	}
	if _, err := core.NewServer(core.Config{MaxPayload: 100, MaxBuffered: 399}); err == nil {
		t.Error("MaxBuffered below four times MaxPayload was accepted")
	}
}

func TestConfigIsCopied(t *testing.T) {
	welcome := core.Text("welcome")
	cookie := core.CookieOptions{Name: "io"}
	origins := cors.Options{AllowedOrigins: []string{"https://a.test"}}
	srv, err := core.NewServer(core.Config{InitialPacket: &welcome, Cookie: &cookie, CORS: &origins})
	if err != nil {
		t.Fatal(err)
	}
	change := func(c core.Config) {
		c.InitialPacket.Data[0] = 'X'
		c.Cookie.Name = "x"
		c.CORS.AllowedOrigins[0] = "https://x.test"
		c.Transports[0] = core.WebSocket
	}
	change(core.Config{
		InitialPacket: &welcome, Cookie: &cookie, CORS: &origins, Transports: []core.Transport{core.Polling},
	})
	change(srv.Config())
	got := srv.Config()
	if string(got.InitialPacket.Data) != "welcome" || got.Cookie.Name != "io" ||
		got.CORS.AllowedOrigins[0] != "https://a.test" || got.Transports[0] != core.Polling {
		t.Errorf("%q %q %q %q", got.InitialPacket.Data, got.Cookie.Name, got.CORS.AllowedOrigins, got.Transports)
	}
}

func TestHandshakeDoesNotWaitForOnConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		b := newBench(t, core.Config{OnConnection: func(s *core.Socket) {
			_ = s.Send(core.Text("first"))
			<-block
			_ = s.Send(core.Text("second"))
		}})
		defer b.end()
		a := b.Get(poll4).Wait()
		sid := b.parseOpen(a.Body).SID
		query := poll4 + "&sid=" + sid
		b.wantAnswer(b.Get(query), 200, "4first")
		post := b.Post(query, "4hello")
		synctest.Wait()
		if post.Answered() {
			t.Error("a message was taken before OnConnection returned")
		}
		poll := b.Get(query)
		time.Sleep(26 * time.Second) // the heartbeat does not wait either
		b.wantAnswer(poll, 200, "2")
		close(block)
		b.wantAnswer(post, 200, "ok")
		b.wantAnswer(b.Get(query), 200, "4second\x1e4hello")
	})
}
