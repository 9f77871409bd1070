package integration_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// attacker is a TCP connection to a target. What goes over it is written by hand, and it buffers
// little, so that what the heap holds is the server's.
type attacker struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func (x *target) dial() *attacker {
	x.t.Helper()
	conn, err := new(net.Dialer).DialContext(x.t.Context(), "tcp", x.host)
	if err != nil {
		x.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	a := &attacker{conn, x.t, bufio.NewReaderSize(conn, 512)}
	x.attackers = append(x.attackers, a)
	return a
}

// hangUp closes all connections.
func (x *target) hangUp() {
	for _, a := range x.attackers {
		_ = a.Close()
	}
	x.attackers = nil
}

// send may fail: a server need not wait for all of what is wrong from the beginning.
func (a *attacker) send(parts ...string) {
	for _, part := range parts {
		for len(part) > 0 {
			n := min(len(part), 64<<10) // no copy of the whole
			if _, err := io.WriteString(a, part[:n]); err != nil {
				return
			}
			part = part[n:]
		}
	}
}

// answer reads the answer to a request of the given method; the status is 0 when there is none.
func (a *attacker) answer(method string) answer {
	r, _ := http.NewRequest(method, "/", nil)
	res, err := http.ReadResponse(a.r, r)
	if err != nil {
		return answer{body: err.Error(), header: http.Header{}}
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return answer{res.StatusCode, res.Header, ""}
	}
	body, _ := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body)}
}

// wantGone wants the server to close the connection; what it sends before does not matter.
func (a *attacker) wantGone() {
	a.t.Helper()
	_ = a.SetDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, a.r); isTimeout(err) {
		a.t.Error("the connection is still open")
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// request writes a request down. header is whole lines; a body has its length announced.
func (x *target) request(method, query, header, body string) string {
	if body != "" {
		header += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	return fmt.Sprintf("%s /engine.io/?%s HTTP/1.1\r\nHost: %s\r\n%s\r\n%s", method, query, x.host, header, body)
}

// do sends a request on a connection of its own.
func (x *target) do(method, query, header, body string) answer {
	x.t.Helper()
	return x.raw(method, x.request(method, query, header, body))
}

// raw sends a request that is written down already.
func (x *target) raw(method, request string) answer {
	x.t.Helper()
	a := x.dial()
	defer func() { _ = a.Close() }()
	a.send(request)
	return a.answer(method)
}

func (x *target) poll(sid string) answer { return x.do("GET", poll4+"&sid="+sid, "", "") }

func (x *target) post(sid, body string) answer { return x.do("POST", poll4+"&sid="+sid, "", body) }

// open makes a polling session.
func (x *target) open() (sid string) {
	x.t.Helper()
	a := x.do("GET", poll4, "", "")
	if a.status != http.StatusOK {
		x.t.Fatalf("handshake: %d %s", a.status, a.body)
	}
	return x.sid(a.body)
}

// open3 makes a polling session of revision 3.
func (x *target) open3() (sid string) {
	x.t.Helper()
	_, packet, _ := strings.Cut(x.do("GET", poll3, "", "").body, ":")
	return x.sid(packet)
}

func (x *target) sid(packet string) string {
	x.t.Helper()
	var open openPacket
	if err := json.Unmarshal([]byte(strings.TrimPrefix(packet, "0")), &open); err != nil || len(open.SID) != 20 {
		x.t.Fatalf("open packet %q: %v", packet, err)
	}
	return open.SID
}

// wantAnswer checks an answer. In a body, {1} stands for the JSON of an error with that code.
func (x *target) wantAnswer(a answer, status int, body string) {
	x.t.Helper()
	if len(body) == len("{1}") && body[0] == '{' {
		body = `{"code":` + body[1:2] + `,"message":"` + [...]string{
			"Transport unknown", "Session ID unknown", "Bad handshake method", "Bad request", "Forbidden", "Unsupported protocol version",
		}[body[1]-'0'] + `"}`
	}
	if a.status != status || a.body != body {
		x.t.Errorf("got %d %.200q, want %d %q", a.status, a.body, status, body)
	}
}

// wantRefusal accepts the statuses of servers that refuse a request before its handler sees it, and
// a connection that is closed without one.
func (x *target) wantRefusal(what string, a answer) {
	x.t.Helper()
	switch a.status {
	case 0, http.StatusBadRequest, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge, http.StatusNotImplemented:
	default:
		x.t.Errorf("%s: got %d %.200q", what, a.status, a.body)
	}
}

// The header of an opening handshake.
const upgradeHeader = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// switchTo sends an opening handshake, and early directly behind it.
func (x *target) switchTo(query, header, early string) (*attacker, answer) {
	x.t.Helper()
	a := x.dial()
	a.send(x.request("GET", query, upgradeHeader+header, "") + early)
	return a, a.answer("GET")
}

// websocket opens a session on a WebSocket and reads its open packet.
func (x *target) websocket(query, header, early string) *attacker {
	x.t.Helper()
	a, got := x.switchTo(query, header, early)
	if got.status != http.StatusSwitchingProtocols {
		x.t.Fatalf("websocket: %d %s", got.status, got.body)
	}
	if first, packet, err := a.next(); err != nil || first != text || !strings.HasPrefix(packet, `0{"sid"`) {
		x.t.Fatalf("open packet: %x %q %v", first, packet, err)
	}
	return a
}

// candidate opens a WebSocket for an upgrade of the session.
func (x *target) candidate(sid string) *attacker {
	x.t.Helper()
	a, got := x.switchTo(ws4+"&sid="+sid, "", "")
	if got.status != http.StatusSwitchingProtocols {
		x.t.Fatalf("candidate: %d %s", got.status, got.body)
	}
	return a
}

// The first bytes of frames: FIN and opcode.
const (
	text    = 0x81
	bin     = 0x82
	closing = 0x88
	ping    = 0x89
	pong    = 0x8a
	rsv1    = 0x40
	more    = 0x7f // without FIN, as a mask
	cont    = 0x80
)

// frame is a client's frame. Its masking key is zero, so that the payload stays as it is.
func frame(first byte, payload string) string {
	return frameHeader(first, uint64(len(payload))) + payload
}

// frameHeader announces n bytes of payload.
func frameHeader(first byte, n uint64) string {
	b := []byte{first}
	switch {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), n)
	}
	return string(append(b, 0, 0, 0, 0))
}

// next reads a frame of the server's.
func (a *attacker) next() (first byte, payload string, err error) {
	var head [8]byte
	if _, err := io.ReadFull(a.r, head[:2]); err != nil {
		return 0, "", err
	}
	first, n := head[0], uint64(head[1])
	switch n {
	case 126:
		_, err = io.ReadFull(a.r, head[:2])
		n = uint64(binary.BigEndian.Uint16(head[:2]))
	case 127:
		_, err = io.ReadFull(a.r, head[:8])
		n = binary.BigEndian.Uint64(head[:8])
	}
	if err == nil && n > 1<<20 {
		err = fmt.Errorf("a frame of %d bytes", n)
	}
	if err != nil {
		return first, "", err
	}
	data := make([]byte, n)
	_, err = io.ReadFull(a.r, data)
	return first, string(data), err
}

func (a *attacker) want(first byte, payload string) {
	a.t.Helper()
	if gotFirst, got, err := a.next(); err != nil || gotFirst != first || got != payload {
		a.t.Errorf("got frame %x %.200q %v, want %x %.200q", gotFirst, got, err, first, payload)
	}
}

// wantClose reads until the close frame; code 0 is one without a code. Then it lets go.
func (a *attacker) wantClose(code int) (ok bool) {
	a.t.Helper()
	var want string
	if code != 0 {
		want = string(binary.BigEndian.AppendUint16(nil, uint16(code)))
	}
	for {
		first, payload, err := a.next()
		if err != nil {
			a.t.Errorf("want a close frame with code %d: %v", code, err)
			return false
		}
		if first == closing {
			if payload[:min(len(payload), 2)] != want { // a reason may follow
				a.t.Errorf("closed with %x, want code %d", payload, code)
				return false
			}
			_ = a.Close()
			return true
		}
	}
}
