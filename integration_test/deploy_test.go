package integration_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/goengineio/engineio/core"
)

// instances are two servers as docs/deploy.md has them, one under net/http and one under Fiber, whose
// session ids begin with "a." and "b.".
type instances struct {
	a, b     *core.Server
	addrs    [2]string
	accepted chan *core.Socket
	peers    chan *peer
}

func newInstances(t *testing.T, cfg core.Config) *instances {
	t.Helper()
	both := &instances{accepted: make(chan *core.Socket, 100), peers: make(chan *peer, 100)}
	cfg.Cookie = &core.CookieOptions{Name: "io"}
	cfg.OnConnection = func(s *core.Socket) {
		both.peers <- serverPeer(s)
		both.accepted <- s
	}
	start := func(name, framework string) (*core.Server, string) {
		own := cfg
		own.GenerateID = func(*http.Request) (string, error) { return name + "." + rand.Text(), nil }
		for _, f := range frameworks {
			if f.name == framework {
				engine, url := newServer(t, f.serve, own)
				return engine, strings.TrimPrefix(url, "http://")
			}
		}
		panic(framework)
	}
	both.a, both.addrs[0] = start("a", "nethttp")
	both.b, both.addrs[1] = start("b", "fiber")
	return both
}

func (both *instances) len() int { return both.a.Len() + both.b.Len() }

// settled opens a session of the official client and waits until it has the transport it is to have.
func (both *instances) settled(t *testing.T, clients *node, url string, mode int) (client, server *peer) {
	t.Helper()
	opening := clients.open(6, url, modes[mode].transports)
	server = await(t, both.peers, "session")
	if got := await(t, opening.opened, "open"); got != modes[mode].transports[0] {
		t.Fatalf("opened over %s", got)
	}
	if modes[mode].settled {
		wantUpgraded(t, opening.peer)
		wantUpgraded(t, server)
	}
	return opening.peer, server
}

// settledModes are the indices of the modes that a session can stay in.
var settledModes = []int{0, 1, 3}

// TestDeployedTraffic sends messages both ways through every documented proxy, over every transport,
// small ones and as large as MaxPayload allows. Two instances stand behind, and every request must
// reach the one that knows its session, though the client keeps no cookies.
func TestDeployedTraffic(t *testing.T) {
	for _, proxy := range reverseProxies {
		t.Run(proxy.name, func(t *testing.T) {
			requireProxy(t, proxy.name) // before anything is started
			both := newInstances(t, core.Config{UpgradeTimeout: patience})
			url := startProxy(t, proxy.name, documentedTimeout, both.addrs[0], both.addrs[1])
			clients := startNode(t)
			const large = 999_000
			for _, mode := range settledModes {
				for _, size := range []int{large, 1} { // one session at each instance
					client, server := both.settled(t, clients, url, mode)
					exchange(append(many(), core.Text(strings.Repeat("x", size)))...)(t, client, server)
				}
			}
			seen := make(map[string]int)
			for range 2 * len(settledModes) {
				s := await(t, both.accepted, "session")
				seen[s.ID()[:2]]++
				if got := s.Request().Header.Get("X-Forwarded-For"); got != "127.0.0.1" {
					t.Errorf("X-Forwarded-For: %q", got)
				}
			}
			if seen["a."] == 0 || seen["b."] == 0 {
				t.Errorf("sessions by instance: %v", seen)
			}
			eventually(t, "nothing is left of the sessions", func() bool { return both.len() == 0 })
		})
	}
}

// TestDeployedOrigin: the proxies hand on what the check of the origin compares.
func TestDeployedOrigin(t *testing.T) {
	for _, proxy := range reverseProxies {
		t.Run(proxy.name, func(t *testing.T) {
			requireProxy(t, proxy.name) // before anything is started
			both := newInstances(t, core.Config{})
			url := startProxy(t, proxy.name, documentedTimeout, both.addrs[0], both.addrs[1])
			for origin, want := range map[string]int{url: http.StatusSwitchingProtocols, "http://elsewhere.example": http.StatusBadRequest} {
				ws, res, err := websocket.DefaultDialer.DialContext(t.Context(),
					"ws"+url[4:]+"/engine.io/?EIO=4&transport=websocket", http.Header{"Origin": {origin}})
				if err == nil {
					_ = ws.Close()
				}
				if res == nil || res.StatusCode != want {
					t.Errorf("origin %s: %v %v, want %d", origin, res, err, want)
				}
				if res != nil {
					_ = res.Body.Close()
				}
			}
		})
	}
}

// TestDeployedNextInstance: while one instance shuts down, and when it is gone, every handshake finds
// the other one.
func TestDeployedNextInstance(t *testing.T) {
	handshakes := map[string]func(*testing.T, string) string{
		"polling": func(t *testing.T, url string) string { return fetch(t, url+"/engine.io/?EIO=4&transport=polling") },
		"websocket": func(t *testing.T, url string) string {
			ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+url[4:]+"/engine.io/?EIO=4&transport=websocket", nil)
			if err != nil {
				return err.Error()
			}
			_ = res.Body.Close()
			defer func() { _ = ws.Close() }()
			_, open, _ := ws.ReadMessage()
			return string(open)
		},
	}
	for _, proxy := range reverseProxies {
		for transport, handshake := range handshakes {
			for _, gone := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/gone %t", proxy.name, transport, gone), func(t *testing.T) {
					requireProxy(t, proxy.name) // before anything is started
					both := newInstances(t, core.Config{})
					if gone {
						both.addrs[0] = freeAddr(t)
					} else if err := both.a.Shutdown(t.Context()); err != nil {
						t.Fatal(err)
					}
					url := startProxy(t, proxy.name, documentedTimeout, both.addrs[0], both.addrs[1])
					for range 4 {
						if open := handshake(t, url); !strings.Contains(open, `"sid":"b.`) {
							t.Errorf("the handshake was answered with %s", open)
						}
					}
				})
			}
		}
	}
}

// idleSession is one that was left alone behind a proxy.
type idleSession struct {
	proxy, mode string
	*nodePeer
}

// leaveIdle opens sessions of these modes behind every proxy that is installed; all of them are idle
// at the same time.
func leaveIdle(t *testing.T, cfg core.Config, timeout string, idleModes []int) (sessions []idleSession, servers []*instances) {
	t.Helper()
	clients := startNode(t)
	for _, proxy := range reverseProxies {
		if _, installed := lookProxy(proxy.name); !installed {
			t.Run(proxy.name, func(t *testing.T) { requireProxy(t, proxy.name) })
			continue
		}
		both := newInstances(t, cfg)
		servers = append(servers, both)
		url := startProxy(t, proxy.name, timeout, both.addrs[0], both.addrs[1])
		for _, mode := range idleModes {
			for range 2 { // one at each instance
				sessions = append(sessions, idleSession{proxy.name, modes[mode].name, clients.open(6, url, modes[mode].transports)})
			}
		}
	}
	return sessions, servers
}

// TestDeployedIdle leaves sessions idle for longer than the proxies' timeouts: the heartbeat keeps
// them. Heartbeat and timeouts are scaled down, unless EIO_LONG=1 asks for the documented ones and
// more than 60 s.
func TestDeployedIdle(t *testing.T) {
	cfg := core.Config{PingInterval: time.Second, PingTimeout: 5 * time.Second, UpgradeTimeout: patience}
	timeout, heartbeats := "7s", 9
	if os.Getenv("EIO_LONG") == "1" {
		cfg, timeout, heartbeats = core.Config{}, documentedTimeout, 3
	}
	sessions, servers := leaveIdle(t, cfg, timeout, settledModes)
	began := time.Now()
	for i, session := range sessions {
		t.Run(fmt.Sprintf("%s/%s/%d", session.proxy, session.mode, i%2), func(t *testing.T) {
			for n := range heartbeats {
				select {
				case <-session.heartbeats:
				case reason := <-session.closed:
					t.Fatalf("closed after %v and %d heartbeats: %s", time.Since(began), n, reason)
				case <-time.After(patience + cfg.PingInterval):
					t.Fatal("no heartbeat")
				}
			}
		})
	}
	t.Logf("%d sessions, idle for %v", len(sessions), time.Since(began).Round(time.Second))
	for _, both := range servers {
		for range sessions[:len(sessions)/len(servers)] {
			await(t, both.peers, "session").send(core.Text("still here"))
		}
	}
	for _, session := range sessions {
		want(t, session.peer, core.Text("still here"))
	}
}

// TestDeployedTimeoutsCut shows why the timeouts must be longer than the heartbeat takes, and that
// the documented ones are those that count: shorter ones end every session.
func TestDeployedTimeoutsCut(t *testing.T) {
	cfg := core.Config{UpgradeTimeout: patience, PingInterval: 4 * patience}
	sessions, servers := leaveIdle(t, cfg, "1s", settledModes[:2])
	for i, session := range sessions {
		t.Run(fmt.Sprintf("%s/%s/%d", session.proxy, session.mode, i%2), func(t *testing.T) {
			t.Logf("the client sees %q", await(t, session.closed, "close"))
		})
	}
	for _, both := range servers {
		eventually(t, "nothing is left of the sessions", func() bool { return both.len() == 0 })
	}
}

// TestDeployDocsCompile builds the Go programs of docs/deploy.md, and the pieces of one.
func TestDeployDocsCompile(t *testing.T) {
	// Inside the module, so that its own packages are found.
	dir, err := os.MkdirTemp(".", "deploy") //nolint:usetesting // its folder is outside the module
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for i, program := range documented(t, "go") {
		if !strings.HasPrefix(program, "package main\n") {
			program = fmt.Sprintf(docHeader, program)
		}
		folder := filepath.Join(dir, fmt.Sprintf("block%02d", i+1))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	output, err := exec.CommandContext(t.Context(), "go", "vet", "./"+dir+"/...").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}
