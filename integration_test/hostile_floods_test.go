package integration_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goengineio/engineio/core"
)

// quick has silence noticed soon.
func quick(cfg *core.Config) {
	cfg.PingInterval, cfg.PingTimeout, cfg.UpgradeTimeout = 400*time.Millisecond, 400*time.Millisecond, 400*time.Millisecond
}

// hostileFloods are rows about many sessions.
var hostileFloods = []hostile{
	{
		name: "abandoned sessions", advisory: "no id: 10,000 handshakes a second, then silence",
		input: "handshakes over polling as fast as they are answered, each of which is then abandoned (`EIO_ABANDONED` of them, by default 3,000)",
		holds: "all are gone after PingInterval + PingTimeout, and their memory is released; no id is used twice", run: abandoned, settles: 3 << 20,
		config: func(cfg *core.Config) {
			cfg.PingInterval, cfg.PingTimeout = abandonedFor/2, abandonedFor/2
			cfg.Logger = nil
		},
	},
	{
		name: "abandoned WebSockets", advisory: "no id", input: "100 WebSockets that never answer a ping, half of them for upgrades that are never finished",
		holds: "all are gone after PingInterval + PingTimeout, connections included", frames: true, begin: abandonedWebSockets, config: quick,
	},
	{
		name: "closed as soon as opened", advisory: "no id", input: "300 clients that open a session, over either transport, and leave before the answer arrives",
		holds: "no session stays longer than PingInterval + PingTimeout", begin: hitAndRun, config: quick,
	},
	{
		name: "rebound names", advisory: "no id: google/adk-go#1154, on gorilla's same-origin rule (DNS rebinding)",
		input: "an attacker's name that resolves to this server, in both Host and Origin", holds: "an AllowRequest that knows the server's names refuses it; see the example in package core and SECURITY.md",
		run: reboundNames, config: func(cfg *core.Config) {
			cfg.AllowRequest = func(r *http.Request) error {
				if !strings.HasPrefix(r.Host, "127.0.0.1:") {
					return errors.New("unknown host")
				}
				return nil
			}
		},
	},
}

// abandonedFor is long enough for all handshakes to happen before the first session goes.
const abandonedFor = 1200 * time.Millisecond

func abandoned(x *target) {
	count := 3000
	if n, err := strconv.Atoi(os.Getenv("EIO_ABANDONED")); err == nil {
		count = n
	}
	const clients = 4
	var ids sync.Map
	var twice sync.Once
	request := x.request("GET", poll4, "", "")
	var all sync.WaitGroup
	begin := time.Now()
	for range clients {
		a := x.dial()
		all.Go(func() {
			defer func() { _ = a.Close() }()
			for range count / clients {
				a.send(request)
				got := a.answer("GET")
				if len(got.body) < 30 {
					x.t.Errorf("handshake: %d %q", got.status, got.body)
					return
				}
				if _, taken := ids.LoadOrStore(got.body[9:29], true); taken {
					twice.Do(func() { x.t.Errorf("the id %s twice", got.body[9:29]) })
				}
			}
		})
	}
	all.Wait()
	took := time.Since(begin)
	held := use()
	x.t.Logf("%d handshakes in %v, %.0f per second; %d sessions held %d bytes, client included", count, took, float64(count)/took.Seconds(), x.engine.Len(), held.heap-x.before.heap)
	ids.Clear()
	x.before.heap += int64(count) * 80 // tables of sessions, timers and goroutines keep the size they had
	eventually(x.t, "all sessions are gone", func() bool { return x.engine.Len() == 0 })
	if gone := time.Since(begin); gone > abandonedFor+took+10*time.Second { // generous, on a busy machine
		x.t.Errorf("the last session was gone after %v", gone)
	}
}

func abandonedWebSockets(x *target) (finish func()) {
	const clients = 100
	for i := range clients {
		if i%2 == 0 {
			x.websocket(ws4, "", "")
		} else {
			x.candidate(x.open())
		}
	}
	return func() {
		for _, a := range x.attackers {
			a.t = x.t
			a.wantGone()
		}
		eventually(x.t, "all sessions are gone", func() bool { return x.engine.Len() == 0 })
	}
}

func hitAndRun(x *target) (finish func()) {
	for i := range 300 {
		a := x.dial()
		switch i % 3 {
		case 0:
			a.send(x.request("GET", poll4, "", ""))
		case 1:
			a.send(x.request("GET", ws4, upgradeHeader, ""))
		case 2:
			a.send(x.request("GET", ws4, upgradeHeader, "") + frame(text, "4x"))
		}
		_ = a.Close()
	}
	x.attackers = nil
	return func() {
		eventually(x.t, "all sessions are gone", func() bool { return x.engine.Len() == 0 })
	}
}

func reboundNames(x *target) {
	request := func(header string) string {
		return fmt.Sprintf("GET /engine.io/?%s HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n%s\r\n", map[bool]string{true: ws4, false: poll4}[header != ""], header)
	}
	x.wantAnswer(x.raw("GET", request("")), 403, `{"code":4,"message":"unknown host"}`)
	x.wantAnswer(x.raw("GET", request(upgradeHeader)), 400, "unknown host")
	x.wantSessions(0)
}
