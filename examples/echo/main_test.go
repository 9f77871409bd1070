package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/goengineio/engineio/core"
)

func TestFlags(t *testing.T) {
	for _, args := range []string{"-unknown", "-framework=rails", "-ws-engine=x", "extra", "-ping-interval=5", "-commands=perhaps"} {
		var output bytes.Buffer
		if _, err := parseFlags(strings.Fields(args), &output); err == nil || output.Len() == 0 {
			t.Errorf("%s: error %v, output %q", args, err, output.String())
		}
	}
	for args, want := range map[string]string{"": "/engine.io/", "-path /x": "/x/", "--path=/x/ -trailing-slash=false": "/x"} {
		if o, err := parseFlags(strings.Fields(args), io.Discard); err != nil || o.path != want {
			t.Errorf("%s: %q %v", args, o.path, err)
		}
	}
}

// TestCommands runs the program under every framework and sends it commands.
func TestCommands(t *testing.T) {
	for framework := range frameworks {
		t.Run(framework, func(t *testing.T) {
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := listener.Addr().String()
			_ = listener.Close() // run listens itself; nobody else is likely to take the port
			o, err := parseFlags([]string{"-addr", addr, "-framework", framework, "-commands", "-broadcast", "-initial-packet", "first"}, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- run(ctx, o) }()
			defer func() {
				began := time.Now()
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it took %v to end", took)
				}
			}()
			ws := connect(t, addr)
			for command, replies := range map[string][]string{
				"hello":              {"hello"},
				"cmd:burst 2 8":      {"n:0:xxxx", "n:1:xxxx"},
				"cmd:binary 3":       {"\x00\x01\x02"},
				"cmd:mixed 2":        {"m:0", "\x01"},
				"cmd:plain 3":        {"ppp"},
				"cmd:stream 2 1":     {"s:0", "s:1"},
				"cmd:after 1 a text": {"a text"},
				"B:all":              {"B:all"},
				"cmd:nonsense":       {"unknown command nonsense"},
			} {
				_ = ws.WriteMessage(websocket.TextMessage, []byte("4"+command))
				for _, want := range replies {
					kind, data, err := ws.ReadMessage()
					if kind == websocket.TextMessage {
						data = bytes.TrimPrefix(data, []byte("4"))
					}
					if err != nil || string(data) != want {
						t.Fatalf("%s: got %q %v, want %q", command, data, err, want)
					}
				}
			}
			_ = ws.WriteMessage(websocket.TextMessage, []byte("4cmd:info"))
			_, data, _ := ws.ReadMessage()
			var info struct {
				ID, Transport, RemoteAddress string
				Protocol                     int
				Query, Headers               map[string]string
			}
			if err := json.Unmarshal(data[1:], &info); err != nil || info.Protocol != 4 || info.Transport != "websocket" ||
				info.Query["token"] != "a b" || info.Headers["host"] != addr || info.RemoteAddress != "127.0.0.1" {
				t.Errorf("info %s %v", data, err)
			}
			_ = ws.WriteMessage(websocket.TextMessage, []byte("4cmd:send-then-close 1"))
			if _, data, _ := ws.ReadMessage(); string(data) != "4bye:0" {
				t.Errorf("got %q", data)
			}
			if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNoStatusReceived) {
				t.Errorf("closed with %v", err)
			}
			for !strings.Contains(get(t, "http://"+addr+"/_test/state"), `"open":0,"opened":1,"upgraded":0,"closed":[{"sid":"`+info.ID+`","reason":"forced close"}]`) {
				time.Sleep(time.Millisecond) // OnClose comes a moment after the close frame
			}
			if body := get(t, "http://"+addr+"/"); body != "app" {
				t.Errorf("GET /: %q", body)
			}
		})
	}
}

// connect opens a session and reads the handshake.
func connect(t *testing.T, addr string) *websocket.Conn {
	t.Helper()
	for {
		ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+addr+"/engine.io/?EIO=4&transport=websocket&token=a+b", nil)
		if err != nil {
			time.Sleep(time.Millisecond) // the program does not listen yet
			continue
		}
		_ = res.Body.Close()
		t.Cleanup(func() { _ = ws.Close() })
		for _, prefix := range []string{"0{", "4first"} {
			if _, data, err := ws.ReadMessage(); err != nil || !strings.HasPrefix(string(data), prefix) {
				t.Fatalf("handshake: %q %v", data, err)
			}
		}
		return ws
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(res.Body)
	return string(body)
}

// TestRecord: the sessions that ended last are reported, the oldest first.
func TestRecord(t *testing.T) {
	var r record
	if text := r.json(0); !strings.Contains(text, `"closed":[]`) {
		t.Error(text)
	}
	for i := range keptClosed + 2 {
		r.close(strconv.Itoa(i), core.TransportClose)
	}
	var told struct{ Closed []closedSession }
	if err := json.Unmarshal([]byte(r.json(0)), &told); err != nil || len(told.Closed) != keptClosed ||
		told.Closed[0].SID != "2" || told.Closed[keptClosed-1].SID != strconv.Itoa(keptClosed+1) {
		t.Errorf("%v, %d sessions from %v on", err, len(told.Closed), told.Closed[:1])
	}
}
