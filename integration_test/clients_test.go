package integration_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
)

// clientVersions are the major versions of engine.io-client in js/; 3 speaks protocol revision 3.
var clientVersions = []int{3, 4, 5, 6}

// modes are the ways a session runs, and with a settled one the scenarios wait for the upgrade.
var modes = []struct {
	name       string
	transports []string
	settled    bool
}{
	{"polling", []string{"polling"}, false},
	{"websocket", []string{"websocket"}, false},
	{"upgrading", []string{"polling", "websocket"}, false},
	{"upgraded", []string{"polling", "websocket"}, true},
}

const megabyte = 1 << 20

// scenarios are what every client does in every mode, each in a session of its own. When a scenario
// returns, the session is closed.
var scenarios = []struct {
	name string
	run  func(t *testing.T, client, server *peer)
}{
	{"text", exchange(core.Text("hello"))},
	{"unicode", exchange(core.Text("\x00 \u2028 é € ¬ 日本語 \U0001D11E 👩‍👩‍👧 \\n \" <"))},
	{"binary", exchange(core.Binary(everyByte(256)))},
	{"empty text", exchange(core.Text(""))},
	{"empty binary", exchange(core.Binary([]byte{}))},
	{"1 MB text", exchange(core.Text(strings.Repeat("0123456789abcde€\U0001D11E", megabyte/22)))},
	{"1 MB binary", exchange(core.Binary(everyByte(megabyte)))},
	{"many at once", exchange(many()...)},
	{"closed by the client", func(t *testing.T, client, server *peer) {
		client.close()
		wantClosed(t, server, "transport close")
		wantClosed(t, client, "forced close")
	}},
	{"closed by the server", func(t *testing.T, client, server *peer) {
		server.close()
		wantClosed(t, server, "forced close")
		wantClosed(t, client, "transport close")
	}},
	{"closed by the server with messages under way", func(t *testing.T, client, server *peer) {
		for _, m := range many() {
			server.send(m)
		}
		server.close()
		want(t, client, many()...)
		wantClosed(t, client, "transport close")
		wantClosed(t, server, "forced close")
	}},
}

func TestOfficialClients(t *testing.T) {
	clients := startNode(t)
	for _, framework := range frameworks {
		accepted := make(chan *peer, 1)
		engine, url := newServer(t, framework.serve, core.Config{
			PingTimeout:    patience,
			UpgradeTimeout: patience,
			MaxPayload:     2 * megabyte,
			AllowEIO3:      true,
			OnConnection:   func(s *core.Socket) { accepted <- serverPeer(s) },
		})
		for _, version := range clientVersions {
			for _, mode := range modes {
				for _, scenario := range scenarios {
					t.Run(fmt.Sprintf("%s/client %d/%s/%s", framework.name, version, mode.name, scenario.name), func(t *testing.T) {
						t.Cleanup(func() { closeAll(engine) }) // what a failed scenario left open
						client := clients.open(version, url, mode.transports)
						server := await(t, accepted, "session")
						if got := await(t, client.opened, "open"); got != mode.transports[0] {
							t.Fatalf("opened over %s, want %s", got, mode.transports[0])
						}
						if mode.settled {
							wantUpgraded(t, client.peer)
							wantUpgraded(t, server)
						}
						scenario.run(t, client.peer, server)
						eventually(t, "nothing is left of the session", func() bool { return engine.Len() == 0 })
					})
				}
			}
		}
	}
}

// TestHeartbeat leaves sessions of all clients in all modes idle, under all frameworks at once, much longer than
// one without a heartbeat would live.
func TestHeartbeat(t *testing.T) {
	const (
		interval   = 250 * time.Millisecond
		timeout    = 5 * time.Second
		heartbeats = 2 * int((interval+timeout)/interval)
	)
	clients := startNode(t)
	idle := make(map[string]*nodePeer)
	for _, framework := range frameworks {
		_, url := newServer(t, framework.serve, core.Config{
			PingInterval: interval,
			PingTimeout:  timeout,
			AllowEIO3:    true,
			OnConnection: func(s *core.Socket) { s.OnMessage(func(m core.Message) { _ = s.Send(m) }) },
		})
		for _, version := range clientVersions {
			for _, mode := range modes {
				idle[fmt.Sprintf("%s/client %d/%s", framework.name, version, mode.name)] = clients.open(version, url, mode.transports)
			}
		}
	}
	for name, client := range idle {
		t.Run(name, func(t *testing.T) {
			for range heartbeats {
				select {
				case <-client.heartbeats:
				case reason := <-client.closed:
					t.Fatalf("closed: %s", reason)
				case <-time.After(patience):
					t.Fatal("no heartbeat")
				}
			}
			client.send(core.Text("still here"))
			want(t, client.peer, core.Text("still here"))
		})
	}
}

// exchange sends the messages both ways at once, then has the client close.
func exchange(messages ...core.Message) func(*testing.T, *peer, *peer) {
	return func(t *testing.T, client, server *peer) {
		for _, m := range messages {
			client.send(m)
			server.send(m)
		}
		want(t, server, messages...)
		want(t, client, messages...)
		client.close()
		wantClosed(t, server, "transport close")
		wantClosed(t, client, "forced close")
	}
}

func want(t *testing.T, p *peer, messages ...core.Message) {
	t.Helper()
	for i, want := range messages {
		got := await(t, p.messages, "message")
		if got.Binary != want.Binary || !bytes.Equal(got.Data, want.Data) {
			t.Fatalf("message %d: got %s, want %s", i, describe(got), describe(want))
		}
	}
}

func wantUpgraded(t *testing.T, p *peer) {
	t.Helper()
	if got := await(t, p.upgraded, "upgrade"); got != "websocket" {
		t.Fatalf("upgraded to %s", got)
	}
}

func wantClosed(t *testing.T, p *peer, reason string) {
	t.Helper()
	if got := await(t, p.closed, "close"); got != reason {
		t.Errorf("closed with %q, want %q", got, reason)
	}
	select {
	case m := <-p.messages:
		t.Errorf("one message too many: %s", describe(m))
	default:
	}
}

func describe(m core.Message) string {
	return fmt.Sprintf("%d bytes (binary: %t) %.100q", len(m.Data), m.Binary, m.Data)
}

func everyByte(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i)
	}
	return data
}

// many are ten messages, text and binary in turn.
func many() (messages []core.Message) {
	for i := range 5 {
		messages = append(messages, core.Text(fmt.Sprint("message ", i)), core.Binary([]byte{byte(i), 0xff}))
	}
	return messages
}
