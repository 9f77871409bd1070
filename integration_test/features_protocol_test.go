package integration_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
)

// TestPingTimeoutIsExtendedOnce: another packet than the pong gives the client its time anew, but
// only the first one after each ping.
func TestPingTimeoutIsExtendedOnce(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{PingInterval: 20 * time.Millisecond, PingTimeout: time.Second})
		c := b.connect(ws4)
		c.wantPackets("2")
		pinged := time.Now()
		for range 2 { // at 0.6 s and at 1.2 s
			<-time.After(600 * time.Millisecond)
			c.send("4x")
			c.wantPackets("4x")
		}
		b.wantEnd(core.PingTimeout)
		if lived := time.Since(pinged); lived < 1500*time.Millisecond || lived > 2100*time.Millisecond {
			t.Errorf("it lived for %v after the ping, want 1.6 s", lived)
		}
	})
}

func TestUnexpectedPongIsHarmless(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{PingInterval: 50 * time.Millisecond, PingTimeout: 500 * time.Millisecond})
		b.overBoth(func(c *session) {
			for range 5 {
				c.send("3")
			}
			c.wantPackets("2") // the heartbeat goes on as if nothing had been
			for range 5 {
				c.send("3")
			}
			c.wantPackets("2")
			b.wantEnd(core.PingTimeout)
		})
	})
}

func TestJSONP(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{AllowEIO3: true})
		for _, tt := range []struct{ query, sent, got string }{
			{poll4, "4a\"b\n</script>\u2028", `4a\"b\n\u003c/script\u003e\u2028`},
			{poll4, "bAQID", "bAQID"},
			{poll3, "3:4aé", "3:4aé"},
			{poll3, "6:b4AQ==", "6:b4AQ=="},
		} {
			a := b.get(tt.query + "&j=1")
			if !strings.HasPrefix(a.body, `___eio[1]("`) || !strings.HasSuffix(a.body, `");`) || a.header.Get("X-Content-Type-Options") != "nosniff" ||
				!strings.HasPrefix(a.header.Get("Content-Type"), "text/javascript") {
				t.Fatalf("handshake: %v %q", a.header, a.body)
			}
			query := tt.query + "&sid=" + await(t, b.sockets, "socket").ID()
			form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
			b.want(b.do(http.MethodPost, query+"&j=2", "d="+url.QueryEscape(strings.ReplaceAll(tt.sent, "\n", `\n`)), form), http.StatusOK, "ok")
			// The index of the call is the handshake's: digits only, it goes into a script.
			b.want(b.get(query+"&j=1"), http.StatusOK, `___eio[1]("`+tt.got+`");`)
		}
		if a := b.get(poll4 + "&j=" + url.QueryEscape("0];alert(1)//")); !strings.HasPrefix(a.body, "___eio[01](") {
			t.Errorf("got %q", a.body)
		}
	})
}

// TestBinaryOverPollingV3 sends and fetches payloads in both forms of revision 3.
func TestBinaryOverPollingV3(t *testing.T) {
	const payload = "\x01\x04\xff\x04\x01\x02\x03" // one binary packet of four bytes
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{AllowEIO3: true})
		b.get(poll3)
		query := poll3 + "&sid=" + await(t, b.sockets, "socket").ID()
		b.want(b.do(http.MethodPost, query, payload, http.Header{"Content-Type": {"application/octet-stream"}}), http.StatusOK, "ok")
		a := b.get(query)
		b.want(a, http.StatusOK, payload)
		if a.header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("content type %q", a.header.Get("Content-Type"))
		}

		c := b.connect(poll3 + "&b64=1")
		b.want(b.post(c.query, "6:b4AQ=="), http.StatusOK, "ok")
		b.want(b.get(c.query), http.StatusOK, "6:b4AQ==")
	})
}

// TestLengthsV3: revision 3 counts UTF-16 units, so that a character beyond the BMP counts twice.
func TestLengthsV3(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{AllowEIO3: true})
		c := b.connect(poll3 + "&b64=1")
		b.want(b.post(c.query, "3:4😀2:4é"), http.StatusOK, "ok")
		got := b.get(c.query).body
		if got == "3:4😀" { // the first reply left alone
			got += b.get(c.query).body
		}
		if got != "3:4😀2:4é" {
			t.Errorf("got %q", got)
		}
	})
}
