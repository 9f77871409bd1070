package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rs/cors"

	"github.com/goengineio/engineio/core"
)

// clientScript opens a session for each case, one after the other, has a message echoed, and tells how
// it went. It runs in js/.
const clientScript = `
import { clients } from "./clients.mjs";
const { url, cases } = JSON.parse(process.argv[1]);
for (const { version, path, options } of cases) {
  await new Promise((done) => {
    const session = clients[version](url + (path || ""), options);
    session.on("open", () => session.send("x".repeat(2000)));
    session.on("message", (data) => {
      console.log(JSON.stringify({ transport: session.transport.name, size: data.length }));
      session.close();
    });
    session.on("error", (error) => console.log(JSON.stringify({ error: String(error) })));
    session.on("close", done);
  });
}
`

// clientCase is a client with options, and what the server sees of it.
type clientCase struct {
	Version int            `json:"version"`
	Path    string         `json:"path"`
	Options map[string]any `json:"options"`

	transport string
	check     func(t *testing.T, s *core.Socket)
}

type options = map[string]any

// TestClientOptions runs official clients with every option that a server can notice.
func TestClientOptions(t *testing.T) {
	header := func(name, want string) func(*testing.T, *core.Socket) {
		return func(t *testing.T, s *core.Socket) {
			if got := s.Request().Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
	query := func(name, want string) func(*testing.T, *core.Socket) {
		return func(t *testing.T, s *core.Socket) {
			if got := s.Request().URL.Query().Get(name); got != want && (want != "*" || got == "") {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
	polling, ws := []string{"polling"}, []string{"websocket"}
	cases := []clientCase{
		{6, "", options{"transports": polling, "path": "/engine.io"}, "polling", nil},
		{6, "", options{"transports": polling, "path": "/engine.io/", "addTrailingSlash": false}, "polling", nil},
		{6, "", options{"transports": ws, "addTrailingSlash": false}, "websocket", nil},
		{6, "?room=a%20b", options{"transports": polling}, "polling", query("room", "a b")},
		{6, "", options{"transports": polling, "query": options{"token": "t&1"}}, "polling", query("token", "t&1")},
		{6, "", options{"transports": ws, "query": options{"token": "é"}}, "websocket", query("token", "é")},
		{6, "", options{"transports": polling, "timestampRequests": true, "timestampParam": "ts"}, "polling", query("ts", "*")},
		{6, "", options{"transports": polling, "timestampRequests": false}, "polling", query("t", "")},
		{6, "", options{"transports": []string{"websocket", "polling"}}, "websocket", nil},
		{6, "", options{"upgrade": false}, "polling", nil},
		{6, "", options{"transports": polling, "extraHeaders": options{"X-Token": "abc"}}, "polling", header("X-Token", "abc")},
		{6, "", options{"transports": ws, "extraHeaders": options{"X-Token": "abc"}}, "websocket", header("X-Token", "abc")},
		{6, "", options{"transports": polling, "requestTimeout": 20_000}, "polling", nil},
		{6, "", options{"transports": polling, "withCredentials": true}, "polling", nil},
		{6, "", options{"transports": ws, "protocols": []string{"chat", "superchat"}}, "websocket", header("Sec-Websocket-Protocol", "chat,superchat")},
		{6, "", options{"transports": ws, "perMessageDeflate": options{"threshold": 100}}, "websocket", nil},
		{6, "", options{"transports": ws, "perMessageDeflate": false}, "websocket", nil},
		{6, "", options{"transports": polling, "useNativeTimers": true, "autoUnref": false, "closeOnBeforeunload": false}, "polling", nil},
		{3, "", options{"transports": polling, "forceBase64": true}, "polling", query("b64", "1")},
		{3, "", options{"transports": ws, "forceBase64": true}, "websocket", query("b64", "1")},
		{3, "", options{"transports": polling, "extraHeaders": options{"X-Token": "abc"}}, "polling", header("X-Token", "abc")},
	}
	requireNode(t)
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			b := newBench(t, framework.serve, core.Config{AllowEIO3: true, PerMessageDeflate: &core.DeflateOptions{}})
			input, err := json.Marshal(map[string]any{"url": strings.TrimSuffix(b.url, "/engine.io/"), "cases": cases})
			if err != nil {
				t.Fatal(err)
			}
			_, lines := startScript(t, "--input-type=module", "-e", clientScript, string(input))
			for i, tt := range cases {
				t.Run(fmt.Sprintf("%d %v", tt.Version, tt.Options), func(t *testing.T) {
					var got struct {
						Transport, Error string
						Size             int
					}
					line := await(t, lines, "result")
					if err := json.Unmarshal(line, &got); err != nil || got.Error != "" || got.Transport != tt.transport || got.Size != 2000 {
						t.Fatalf("case %d: %s", i, line)
					}
					s := await(t, b.sockets, "socket")
					if tt.check != nil {
						tt.check(t, s)
					}
					if e := await(t, b.ended, "end"); e.reason != core.TransportClose {
						t.Errorf("ended with %q %v", e.reason, e.err)
					}
				})
			}
		})
	}
}

// TestTryAllTransports: a client that may not open a WebSocket falls back to polling.
func TestTryAllTransports(t *testing.T) {
	cases := []clientCase{{Version: 6, Options: options{"transports": []string{"websocket", "polling"}, "tryAllTransports": true}}}
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			b := newBench(t, framework.serve, core.Config{Transports: []core.Transport{core.Polling}})
			input, _ := json.Marshal(map[string]any{"url": strings.TrimSuffix(b.url, "/engine.io/"), "cases": cases})
			_, lines := startScript(t, "--input-type=module", "-e", clientScript, string(input))
			if line := await(t, lines, "result"); !strings.Contains(string(line), `"polling"`) {
				t.Errorf("got %s", line)
			}
		})
	}
}

// TestClientSlicesByMaxPayload: a client of version 6 keeps each POST within what the handshake announced.
func TestClientSlicesByMaxPayload(t *testing.T) {
	clients := startNode(t)
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			accepted := make(chan *peer, 1)
			_, url := newServer(t, framework.serve, core.Config{MaxPayload: 1000, OnConnection: func(s *core.Socket) { accepted <- serverPeer(s) }})
			client := clients.open(6, url, []string{"polling"})
			server := await(t, accepted, "session")
			if got := await(t, client.opened, "open"); got != "polling" {
				t.Errorf("opened over %s", got)
			}
			message := core.Text(strings.Repeat("x", 300))
			for range 10 { // 3,000 bytes at once
				client.send(message)
			}
			for range 10 {
				want(t, server, message)
			}
			client.close()
			wantClosed(t, server, "transport close")
		})
	}
}

// TestBrowserClientOptions: withCredentials and extraHeaders make a browser ask before each request.
func TestBrowserClientOptions(t *testing.T) {
	const origin = "https://app.example.com"
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		b := start(core.Config{CORS: &cors.Options{AllowedOrigins: []string{origin}, AllowCredentials: true}})
		for _, headers := range []string{"x-token", "content-type,x-token"} {
			a := b.do(http.MethodOptions, poll4, "", http.Header{
				"Origin": {origin}, "Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Headers": {headers},
			})
			if a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Origin") != origin ||
				a.header.Get("Access-Control-Allow-Credentials") != "true" || a.header.Get("Access-Control-Allow-Headers") != headers {
				t.Errorf("%s: %d %v", headers, a.status, a.header)
			}
		}
	})
}
