package core_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/coretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	poll4 = "EIO=4&transport=polling"
	poll3 = "EIO=3&transport=polling"
	ws4   = "EIO=4&transport=websocket"
	ws3   = "EIO=3&transport=websocket"
)

// bench is a server in memory with a log of what its application was told.
type bench struct {
	*coretest.Client
	t       testing.TB
	sockets chan *core.Socket
	events  chan string
}

// newBench makes an echo server, unless the configuration has an OnConnection of its own, which can then
// install handlers itself.
func newBench(t testing.TB, cfg core.Config) *bench {
	t.Helper()
	b := &bench{t: t, sockets: make(chan *core.Socket, 1000), events: make(chan string, 10_000)}
	own := cfg.OnConnection
	cfg.OnConnection = func(s *core.Socket) {
		s.OnMessage(func(m core.Message) { _ = s.Send(m) })
		s.OnClose(func(reason core.CloseReason, _ error) { b.events <- "close: " + string(reason) })
		s.OnUpgrade(func(to core.Transport) { b.events <- "upgrade: " + string(to) })
		if own != nil {
			own(s)
		}
		b.sockets <- s
	}
	srv, err := core.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.Client = &coretest.Client{Server: srv, Engine: coretest.Engine{}}
	return b
}

type handshake struct {
	SID          string
	Upgrades     []string
	PingInterval int
	PingTimeout  int
	MaxPayload   int
}

func (b *bench) parseOpen(packet string) handshake {
	b.t.Helper()
	var h handshake
	if err := json.Unmarshal([]byte(strings.TrimPrefix(packet, "0")), &h); err != nil || packet[0] != '0' {
		b.t.Fatalf("open packet %q: %v", packet, err)
	}
	return h
}

// session is a polling session, seen from its client.
type session struct {
	*bench
	sid    string
	query  string
	socket *core.Socket
}

func (b *bench) open(query string) session {
	b.t.Helper()
	a := b.Get(query).Wait()
	if a.Status != 200 {
		b.t.Fatalf("handshake: %d %s", a.Status, a.Body)
	}
	packet := a.Body
	if strings.Contains(query, "EIO=3") {
		_, packet, _ = strings.Cut(packet, ":")
	}
	h := b.parseOpen(packet)
	return session{b, h.SID, query + "&sid=" + h.SID, <-b.sockets}
}

func (s session) get() *coretest.Answer { return s.Get(s.query) }

func (s session) post(body string) *coretest.Answer { return s.Post(s.query, body) }

// probe opens a WebSocket for an upgrade.
func (s session) probe() *coretest.WebSocket {
	ws, _ := s.WebSocket("EIO=" + s.query[4:5] + "&transport=websocket&sid=" + s.sid)
	return ws
}

// openWS opens a session on a WebSocket.
func (b *bench) openWS(query string) (*coretest.WebSocket, *core.Socket) {
	b.t.Helper()
	ws, a := b.WebSocket(query)
	f, ok := ws.Next()
	if !ok {
		b.t.Fatalf("websocket handshake: %d %s", a.Status, a.Body)
	}
	b.parseOpen(f.Text)
	return ws, <-b.sockets
}

func (b *bench) want(got, want string) {
	b.t.Helper()
	if got != want {
		b.t.Errorf("got %q, want %q", got, want)
	}
}

func (b *bench) wantAnswer(a *coretest.Answer, status int, body string) {
	b.t.Helper()
	a.Wait()
	if a.Status != status || body != "*" && a.Body != body {
		b.t.Errorf("got %d %q, want %d %q", a.Status, a.Body, status, body)
	}
}

func (b *bench) wantFrame(ws *coretest.WebSocket, text string) {
	b.t.Helper()
	f, ok := ws.Next()
	if !ok || f.Text != text || f.Close {
		b.t.Errorf("got frame %+v (%v), want %q", f, ok, text)
	}
}

func (b *bench) wantClosed(ws *coretest.WebSocket, code int) {
	b.t.Helper()
	for {
		f, ok := ws.Next()
		if !ok || f.Close {
			if !ok || f.Code != code {
				b.t.Errorf("got %+v (%v), want a close frame with %d", f, ok, code)
			}
			ws.SendClose(1000)
			<-ws.Done()
			return
		}
	}
}

func (b *bench) wantEvent(want string) {
	b.t.Helper()
	b.want(<-b.events, want)
}

// end closes the server and checks that nothing of a session is left.
func (b *bench) end() {
	b.t.Helper()
	b.Server.Close()
	synctest.Wait() // a session may be about to end by itself
	if n := b.Server.Len(); n != 0 {
		b.t.Errorf("%d sessions left", n)
	}
}

const (
	unknownSID = `{"code":1,"message":"Session ID unknown"}`
	badRequest = `{"code":3,"message":"Bad request"}`
)
