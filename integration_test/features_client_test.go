package integration_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/adaptertest"
)

// eachFramework runs a test under every framework, and at the same time as its siblings.
func eachFramework(t *testing.T, run func(t *testing.T, start func(core.Config) *bench)) {
	t.Helper()
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			t.Parallel()
			run(t, func(cfg core.Config) *bench { return newBench(t, framework.serve, cfg) })
		})
	}
}

// bench is an endpoint and a client that speaks the protocol by hand.
type bench struct {
	t       *testing.T
	engine  *core.Server
	url     string // of the endpoint
	http    *http.Client
	sockets chan *core.Socket
	ended   chan ending
	refused chan refusal
}

// ending is what OnClose was told, refusal what OnConnectionError was.
type ending struct {
	reason core.CloseReason
	err    error
}

type refusal struct {
	*core.RequestError
	request *http.Request
}

// newBench starts an engine that sends every message back, unless cfg.OnConnection, which runs
// last, changes that.
func newBench(t *testing.T, serve func(testing.TB, *core.Server) string, cfg core.Config) *bench {
	t.Helper()
	b := &bench{
		t: t, sockets: make(chan *core.Socket, 100), ended: make(chan ending, 100), refused: make(chan refusal, 100),
	}
	own := cfg.OnConnection
	cfg.OnConnection = func(s *core.Socket) {
		s.OnMessage(func(m core.Message) { _ = s.Send(m) })
		s.OnClose(func(reason core.CloseReason, err error) { b.ended <- ending{reason, err} })
		if own != nil {
			own(s)
		}
		b.sockets <- s
	}
	cfg.OnConnectionError = func(e *core.RequestError, r *http.Request) { b.refused <- refusal{e, r} }
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 10}
	b.http = &http.Client{Transport: transport, Timeout: patience}
	t.Cleanup(transport.CloseIdleConnections)
	b.engine, b.url = newServer(t, serve, cfg)
	b.url += "/engine.io/"
	return b
}

// answer is what a request brought.
type answer struct {
	status int
	header http.Header
	body   string
}

func (b *bench) do(method, query, body string, header http.Header) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+"?"+query, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	res, err := b.http.Do(r)
	if err != nil {
		b.t.Errorf("%s %s: %v", method, query, err)
		return answer{header: http.Header{}}
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Errorf("%s %s: %v", method, query, err)
	}
	return answer{res.StatusCode, res.Header, string(data)}
}

func (b *bench) get(query string) answer { return b.do(http.MethodGet, query, "", nil) }

// goGet polls meanwhile.
func (b *bench) goGet(query string) <-chan answer {
	c := make(chan answer, 1)
	go func() { c <- b.get(query) }()
	return c
}

// post has the body taken for text.
func (b *bench) post(query, body string) answer {
	return b.do(http.MethodPost, query, body, http.Header{"Content-Type": {"text/plain;charset=UTF-8"}})
}

func (b *bench) want(a answer, status int, body string) {
	b.t.Helper()
	if a.status != status || a.body != body {
		b.t.Errorf("got %d %q, want %d %q", a.status, a.body, status, body)
	}
}

// wantRefused wants an error that the client sees and the application is told of.
func (b *bench) wantRefused(a answer, status int, code core.ErrorCode, message, context string) {
	b.t.Helper()
	b.want(a, status, fmt.Sprintf(`{"code":%d,"message":%q}`, code, message))
	b.wantTold(code, message, context)
}

func (b *bench) wantTold(code core.ErrorCode, message, context string) {
	b.t.Helper()
	e := await(b.t, b.refused, "connection error")
	told := e.Message
	if told == "" {
		told = e.Code.String()
	}
	if e.Code != code || told != message || e.Context != context || e.request == nil || e.request.Host == "" {
		b.t.Errorf("told %+v, want %d %q %q and the request", e, code, message, context)
	}
}

// dial opens a WebSocket, or tells how it was refused.
func (b *bench) dial(query string, header http.Header, protocols ...string) (*websocket.Conn, answer) {
	b.t.Helper()
	dialer := websocket.Dialer{HandshakeTimeout: patience, Subprotocols: protocols}
	conn, res, err := dialer.DialContext(b.t.Context(), strings.Replace(b.url, "http", "ws", 1)+"?"+query, header)
	if res == nil {
		b.t.Fatalf("websocket %s: %v", query, err)
	}
	defer func() { _ = res.Body.Close() }()
	a := answer{status: res.StatusCode, header: res.Header}
	if err != nil {
		data, _ := io.ReadAll(res.Body)
		a.body = string(data)
		return nil, a
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	return conn, a
}

// raw sends text on a connection of its own.
func (b *bench) raw(text string) (net.Conn, *bufio.Reader) {
	b.t.Helper()
	u, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	return adaptertest.Connect(b.t, u.Host, text)
}

// The requests of a handshake.
const (
	poll4 = "EIO=4&transport=polling"
	poll3 = "EIO=3&transport=polling"
	ws4   = "EIO=4&transport=websocket"
	ws3   = "EIO=3&transport=websocket"
)

// session is the client's end of one.
type session struct {
	*bench
	open    openPacket
	header  http.Header // of the handshake's answer
	socket  *core.Socket
	query   string // of polls
	ws      *websocket.Conn
	packets []string // read, but not asked for yet
}

type openPacket struct {
	SID                                   string
	Upgrades                              []string
	PingInterval, PingTimeout, MaxPayload int
}

// connect opens a session with one of the requests above.
func (b *bench) connect(query string) *session {
	b.t.Helper()
	c := &session{bench: b}
	if strings.Contains(query, "websocket") {
		conn, a := b.dial(query, nil)
		if conn == nil {
			b.t.Fatalf("websocket handshake: %d %s", a.status, a.body)
		}
		c.ws, c.header = conn, a.header
	} else {
		a := b.get(query)
		if a.status != http.StatusOK {
			b.t.Fatalf("handshake: %d %s", a.status, a.body)
		}
		c.header, c.packets = a.header, split(query, a.body)
	}
	packet := c.next()
	if err := json.Unmarshal([]byte(strings.TrimPrefix(packet, "0")), &c.open); err != nil || packet[0] != '0' || c.open.SID == "" {
		b.t.Fatalf("open packet %q: %v", packet, err)
	}
	c.query = query + "&sid=" + c.open.SID
	c.socket = await(b.t, b.sockets, "socket")
	return c
}

// overBoth runs a test over polling and over WebSocket.
func (b *bench) overBoth(run func(c *session)) {
	b.t.Helper()
	for _, query := range []string{poll4, ws4} {
		run(b.connect(query))
	}
}

// split takes a payload apart; in revision 3 it must be text.
func split(query, payload string) (packets []string) {
	if strings.Contains(query, "EIO=4") {
		return strings.Split(payload, "\x1e")
	}
	for payload != "" {
		var size int
		length, rest, _ := strings.Cut(payload, ":")
		if _, err := fmt.Sscan(length, &size); err != nil || size > len(rest) {
			return append(packets, payload)
		}
		packets, payload = append(packets, rest[:size]), rest[size:]
	}
	return packets
}

// next returns the next packet from the server.
func (c *session) next() string {
	c.t.Helper()
	if c.ws != nil {
		_ = c.ws.SetReadDeadline(time.Now().Add(patience))
		_, data, err := c.ws.ReadMessage()
		if err != nil {
			c.t.Fatalf("no packet: %v", err)
		}
		return string(data)
	}
	for len(c.packets) == 0 {
		a := c.get(c.query)
		if a.status != http.StatusOK {
			c.t.Fatalf("poll: %d %s", a.status, a.body)
		}
		c.packets = split(c.query, a.body)
	}
	packet := c.packets[0]
	c.packets = c.packets[1:]
	return packet
}

func (c *session) wantPackets(want ...string) {
	c.t.Helper()
	for _, want := range want {
		if got := c.next(); got != want {
			c.t.Errorf("got packet %q, want %q", got, want)
		}
	}
}

// send sends a text packet.
func (c *session) send(packet string) {
	c.t.Helper()
	if c.ws != nil {
		if err := c.ws.WriteMessage(websocket.TextMessage, []byte(packet)); err != nil {
			c.t.Fatalf("send %q: %v", packet, err)
		}
		return
	}
	if !strings.Contains(c.query, "EIO=4") {
		packet = fmt.Sprintf("%d:%s", len(packet), packet)
	}
	c.want(c.post(c.query, packet), http.StatusOK, "ok")
}

// probe opens a WebSocket that is to take over, and has its probe answered.
func (c *session) probe() *websocket.Conn {
	c.t.Helper()
	conn, a := c.dial(ws4+"&sid="+c.open.SID, nil)
	if conn == nil {
		c.t.Fatalf("probe: %d %s", a.status, a.body)
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	_ = conn.WriteMessage(websocket.TextMessage, []byte("2probe"))
	if _, data, err := conn.ReadMessage(); err != nil || string(data) != "3probe" {
		c.t.Fatalf("probe: %q %v", data, err)
	}
	return conn
}

// upgrade moves the session to WebSocket.
func (c *session) upgrade() {
	c.t.Helper()
	poll := c.goGet(c.query)
	conn := c.probe()
	c.want(await(c.t, poll, "poll"), http.StatusOK, "6")
	_ = conn.WriteMessage(websocket.TextMessage, []byte("5"))
	c.ws = conn
}

// wantEnd waits for OnClose.
func (b *bench) wantEnd(reason core.CloseReason) ending {
	b.t.Helper()
	e := await(b.t, b.ended, "end of the session")
	if e.reason != reason {
		b.t.Errorf("ended with %q (%v), want %q", e.reason, e.err, reason)
	}
	return e
}
