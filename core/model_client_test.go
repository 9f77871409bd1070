package core_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/coretest"
	"github.com/goengineio/engineio/parser"
)

// The options of a session: bits of the number that open takes.
const (
	optRevision3 = 1 << iota
	optWebSocket
	optBase64
	optJSONP
	optIdle           // it does not poll by itself
	optGreets         // OnConnection sends
	optSlowConnection // OnConnection takes its time
)

// peer is a client that behaves like the official ones unless an action makes it misbehave: one poll and
// one POST at a time, pings answered, and an upgrade that waits for both requests. All of it runs in
// collect and pump, on the goroutine that plays the actions.
type peer struct {
	*app
	index   int
	options int
	codec   parser.Codec
	query   string
	refused bool // the handshake was refused

	sid    string
	onWS   bool
	over   bool // nothing more is done on the client's side
	closes bool // a close packet was sent: no more requests after that

	get, post *coretest.Answer
	answers   []*coretest.Answer // all of them
	sockets   []opened
	body      *slowBody
	ws        *coretest.WebSocket
	probe     *opened
	probed    time.Time
	asked     bool // the probe was sent,
	answered  bool // and answered
	upgrading bool // it upgrades as soon as no request is under way

	autoPoll, withhold, stalled bool

	waiting    int // messages that waited when the poll was sent
	polled     time.Time
	pollRest   int // the world's rests when the poll was sent
	probeRest  int // the world's rests when an upgrade was last under way
	answeredAt time.Time
	resumed    time.Time // when it resumed reading
	parting    time.Time // when a close frame, or what is answered by one, was sent

	outbox   []parser.Packet
	toServer ledger // guarded by app.mu, like what the application knows

	owed, pings int       // unanswered pings from the server; all pings
	lastPing    time.Time // sent by the client, in revision 3
	lastSent    time.Time // anything that counts as a sign of life
	idleSince   atomic.Int64
}

// opened is a WebSocket and the answer to its request.
type opened struct {
	*coretest.WebSocket
	answer *coretest.Answer
}

func (o opened) refused() bool { return o.answer.Answered() && o.answer.Status != 0 }

func newPeer(w *world, index, options int) *peer {
	p := &peer{index: index, options: options, codec: parser.V4, autoPoll: options&optIdle == 0}
	p.app = &app{world: w, peer: p, causes: map[core.CloseReason]bool{}}
	if w.setup.tight { // the initial packet
		p.toClient.sent = append(p.toClient.sent, message('.', 0, 10, false))
	}
	revision := 4
	if options&optRevision3 != 0 {
		p.codec, revision = parser.V3, 3
	}
	p.query = fmt.Sprintf("n=%d&EIO=%d", index, revision)
	if options&optBase64 != 0 {
		p.query += "&b64=1"
	}
	p.lastPing, p.lastSent = time.Now(), time.Now()
	if options&optWebSocket != 0 {
		ws, a := w.WebSocket(p.query + "&transport=websocket")
		p.ws, p.onWS = ws, true
		p.answers, p.sockets = append(p.answers, a), append(p.sockets, opened{ws, a})
		p.get = a // answered when it is refused, or taken over
		return p
	}
	p.query += "&transport=polling"
	if p.jsonp() {
		p.query += "&j=0"
	}
	p.get = p.do(http.MethodGet, nil, nil)
	return p
}

func (p *peer) jsonp() bool {
	return p.options&optJSONP != 0 && p.options&optWebSocket == 0
}

func (p *peer) open() bool { return p.sid != "" && !p.over }

// attentive reports whether the client receives everything that the server sends at once.
func (p *peer) attentive() bool {
	if p.onWS {
		return p.open() && !p.stalled
	}
	// A poll that comes early in an upgrade pauses before anything else happens.
	return p.open() && p.get != nil && time.Since(p.polled) > 2*time.Millisecond
}

func (p *peer) do(method string, body coretest.Reader, header http.Header) *coretest.Answer {
	query := p.query
	if p.sid != "" {
		query += "&sid=" + p.sid
	}
	a := p.world.Do(method, query, body, header)
	p.answers = append(p.answers, a)
	return a
}

// collect processes what has arrived. It returns whether there was anything.
func (p *peer) collect() (progress bool) {
	if p.get != nil && p.get.Answered() {
		a := p.get
		p.get, progress = nil, true
		p.pollAnswered(a)
	}
	if p.post != nil && p.post.Answered() {
		a := p.post
		p.post, progress = nil, true
		p.postAnswered(a)
	}
	if p.probe != nil {
		progress = p.collectProbe() || progress
	}
	for p.ws != nil && !p.over {
		if p.ws.Waiting() == 0 {
			select {
			case <-p.ws.Done():
				if p.ws.Waiting() == 0 {
					p.ends("its connection was closed")
				}
			default:
			}
			break
		}
		progress = true
		f, _ := p.ws.Next()
		p.frame(f)
	}
	return progress
}

func (p *peer) frame(f coretest.Frame) {
	switch {
	case f.Close:
		p.ws.SendClose(1000)
		p.ends(fmt.Sprintf("got a close frame with %d", f.Code))
	case f.Pong:
	default:
		packet, err := p.codec.DecodeFrame([]byte(f.Text), f.Binary)
		if err != nil {
			p.world.fail("%v: the client got the frame %+v: %v", p, f, err)
			return
		}
		p.packet(packet)
	}
}

func (p *peer) pollAnswered(a *coretest.Answer) {
	switch {
	case a.Status == 0: // taken over as a WebSocket
	case a.Status != http.StatusOK && p.sid == "":
		p.refused, p.over = true, true
		if !p.world.down {
			p.world.fail("%v: the handshake was answered %d %s", p, a.Status, a.Body)
		}
	case p.over || p.onWS && a.Status == http.StatusBadRequest:
	case a.Status != http.StatusOK:
		p.ends(fmt.Sprintf("a poll was answered %d %s", a.Status, a.Body))
	default:
		body := []byte(a.Body)
		if p.jsonp() {
			var text string
			script, _ := strings.CutPrefix(a.Body, "___eio[0](")
			if err := json.Unmarshal([]byte(strings.TrimSuffix(script, ");")), &text); err != nil {
				p.world.fail("%v: a poll was answered %q", p, a.Body)
				return
			}
			body = []byte(text)
		}
		for packet, err := range p.codec.Packets(body, strings.HasPrefix(a.Header.Get("Content-Type"), "application/octet-stream")) {
			if err != nil {
				p.world.fail("%v: a poll was answered %q: %v", p, a.Body, err)
				return
			}
			p.packet(packet)
		}
	}
}

func (p *peer) postAnswered(a *coretest.Answer) {
	if p.body != nil { // an answer before the end of the body ends the body
		p.dropBody()
	}
	if p.closes && len(p.outbox) == 0 {
		p.over = true
	}
	// After a hasty upgrade this tells the client nothing: the session lives, or ends, on the WebSocket.
	if a.Status != http.StatusOK && a.Status != http.StatusRequestEntityTooLarge && !p.over && !p.onWS {
		p.ends(fmt.Sprintf("a POST was answered %d %s", a.Status, a.Body))
	}
}

// ends notes that the server has ended the session, which it may only do for a cause.
func (p *peer) ends(how string) {
	p.over = true
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.causes) == 0 && !p.late(core.PingTimeout) && !p.late(core.TransportError) {
		p.world.fail("%v: %s, and nothing has ended the session", p, how)
	}
}

func (p *peer) packet(packet parser.Packet) {
	switch packet.Type {
	case parser.Open:
		var h handshake
		if err := json.Unmarshal(packet.Data, &h); err != nil || p.sid != "" {
			p.world.fail("%v: open packet %s", p, packet.Data)
		}
		p.sid = h.SID
	case parser.Message:
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.over {
			return
		}
		if err := p.toClient.receive(core.Message{Data: packet.Data, Binary: packet.Binary}); err != nil {
			p.world.fail("%v: the client %v", p, err)
		}
	case parser.Ping:
		p.owed++
		p.pings++
	case parser.Close:
		p.ends("got a close packet")
	case parser.Noop:
		p.mu.Lock()
		defer p.mu.Unlock()
		switch {
		case p.onWS, len(p.causes) > 0:
		case p.waiting > 0:
			p.world.fail("%v: a noop, though %d messages waited when the poll was sent", p, p.waiting)
		case p.probe == nil && p.probeRest < p.pollRest:
			p.world.fail("%v: a noop without need", p)
		}
	default:
	}
}

// pump does what a client does on its own.
func (p *peer) pump() (progress bool) {
	if !p.open() {
		return false
	}
	if p.owed > 0 && !p.withhold {
		for ; p.owed > 0; p.owed-- {
			p.queue(parser.Packet{Type: parser.Pong})
		}
	}
	if p.codec.Revision() == 3 && !p.withhold && time.Since(p.lastPing) >= pingInterval {
		p.queue(parser.Packet{Type: parser.Ping})
		p.lastPing = time.Now()
	}
	if p.upgrading && p.answered && p.get == nil && p.post == nil {
		if time.Since(p.probed) < upgradeTimeout { // else it is being closed
			p.switchOver()
		}
		p.upgrading = false
	}
	if p.onWS {
		progress = len(p.outbox) > 0
		for _, packet := range p.outbox {
			p.sendFrame(packet)
		}
		p.outbox = nil
		return progress
	}
	if p.upgrading {
		return false // both directions pause
	}
	if len(p.outbox) > 0 && p.post == nil {
		p.sendPost()
		progress = true
	}
	if p.autoPoll && p.get == nil && !p.closes {
		p.poll()
		progress = true
	}
	return progress
}

// poll sends a GET. Its answer must have everything that was sent by then and has not arrived.
func (p *peer) poll() {
	p.mu.Lock()
	p.waiting, _ = p.toClient.outstanding()
	p.mu.Unlock()
	p.polled, p.pollRest = time.Now(), p.world.rests
	p.get = p.do(http.MethodGet, nil, nil)
}

// queue queues a packet to be sent after those that wait.
func (p *peer) queue(packet parser.Packet) {
	if p.closes {
		return
	}
	p.outbox = append(p.outbox, packet)
	p.closes = packet.Type == parser.Close
}

func (p *peer) sendFrame(packet parser.Packet) {
	p.sentSign(packet)
	frame, binary := p.codec.AppendFrame(nil, packet, false)
	if binary {
		p.ws.SendBinary(string(frame))
	} else {
		p.ws.SendText(string(frame))
	}
	if packet.Type == parser.Close {
		p.over = true
	}
}

// sentSign notes that something was sent that keeps the session alive.
func (p *peer) sentSign(packet parser.Packet) {
	if p.codec.Revision() == 4 || packet.Type == parser.Ping {
		p.lastSent = time.Now()
	}
}

// sendPost sends as many of the waiting packets as fit into one POST.
func (p *peer) sendPost() {
	n, size := 0, 0
	for ; n < len(p.outbox) && n < 20 && (n == 0 || size+len(p.outbox[n].Data) < maxPayload/4); n++ {
		size += len(p.outbox[n].Data)
		p.sentSign(p.outbox[n])
	}
	body, header := p.payload(p.outbox[:n])
	p.outbox = append([]parser.Packet(nil), p.outbox[n:]...)
	p.post = p.do(http.MethodPost, strings.NewReader(body), header)
}

func (p *peer) payload(packets []parser.Packet) (string, http.Header) {
	base64 := p.options&optBase64 != 0 || p.jsonp()
	data, binary := p.codec.AppendPayload(nil, packets, base64)
	switch {
	case p.jsonp():
		return "d=" + url.QueryEscape(escapeForm(string(data))), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	case binary:
		return string(data), http.Header{"Content-Type": {"application/octet-stream"}}
	default:
		return string(data), http.Header{"Content-Type": {"text/plain;charset=UTF-8"}}
	}
}

func escapeForm(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, `\n`, "\\\n"), "\n", `\n`)
}

// message makes the client send its next message.
func (p *peer) message(directive byte, size int, binary bool) {
	if !p.open() || p.closes {
		return
	}
	p.mu.Lock()
	m := message(directive, len(p.toServer.sent), size, binary)
	p.toServer.sent = append(p.toServer.sent, m)
	p.mu.Unlock()
	p.queue(parser.Packet{Type: parser.Message, Data: m.Data, Binary: m.Binary})
}
