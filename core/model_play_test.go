package core_test

import (
	"io"
	"net/http"
	"strings"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/parser"
)

// steps are the spans of time that the action pass lets go by.
var steps = []time.Duration{
	0, ms, 2 * ms, 3 * ms, 10 * ms, 50 * ms, 100 * ms, upgradeTimeout, pingTimeout, pingInterval, upgradeTimeout - ms, pingTimeout + pingInterval,
}

// play performs one action and, unless that is in a rush, waits for the consequences.
func (w *world) play(a action) {
	switch a.kind {
	case open:
		w.open(a.n)
	case pass:
		w.advance(steps[a.n%len(steps)], 100*ms)
		return
	case shutdown:
		w.shutdown(5 * time.Second)
	case closeServer:
		w.shutdown(0)
	default:
		p := w.peers[a.peer%len(w.peers)]
		if a.kind < endGently {
			w.playTame(p, a)
		} else {
			w.playEnd(p, a)
		}
	}
	if !a.rush {
		w.settle()
	}
}

func (w *world) open(options int) {
	if len(w.peers) >= 3 {
		return
	}
	w.mu.Lock()
	p := newPeer(w, len(w.peers), options)
	w.peers = append(w.peers, p)
	w.mu.Unlock()
	if w.down {
		p.cause(core.ForcedClose, true)
	}
	if p.onWS { // its open packet comes a moment later
		w.advance(ms, ms)
	}
}

func (w *world) playTame(p *peer, a action) {
	switch a.kind {
	case send:
		p.send(a.n*4, a.n&1 != 0, a.n>>1%3)
	case burst:
		w.background.Go(func() {
			for i := range 1 + a.n%7 {
				p.send(i*a.n/4, i&1 != 0, i%3)
				if a.n&0x80 != 0 {
					time.Sleep(ms)
				}
			}
		})
	case post:
		for i := range 1 + a.n%4 {
			p.message('.', (a.n+i*50)%200, (a.n+i)%3 == 0)
		}
		p.pump()
	case request:
		directives := "eeeeddeeeeeedd"
		if a.n >= 250 {
			directives = "cxp"
		}
		p.message(directives[a.n%len(directives)], 4+a.n%100, false)
		p.pump()
	case block:
		p.setGate(a.n&1 == 0)
	default:
		if p.open() {
			w.playClient(p, a)
		}
	}
}

// playClient performs actions of a client with an open session. None of them ends a session.
func (w *world) playClient(p *peer, a action) {
	switch a.kind {
	case poll:
		if !p.onWS && p.get == nil && !p.upgrading && !p.closes {
			p.poll()
		}
	case autoPoll:
		p.autoPoll = !p.autoPoll
		p.pump()
	case probe, ask, upgrade, hasty, again, badProbe, dropProbe, stray:
		w.playUpgrade(p, a)
	case stall:
		if p.ws != nil {
			synctest.Wait() // nobody is on a WebSocket before its 101 has come
			p.stall(!p.stalled)
		}
	case withhold:
		p.withhold = !p.withhold
		p.pump()
	case pingFrame:
		if p.ws != nil {
			p.ws.Ping("ping")
		} else if p.probe != nil {
			p.probe.Ping("ping")
		}
	case stale:
		w.settle()
		if p.onWS && p.open() && p.socketIsOn(core.WebSocket) {
			get, post := p.do(http.MethodGet, nil, nil), p.do(http.MethodPost, strings.NewReader("4stale"), nil)
			if get.Wait().Status != 400 || post.Wait().Status != 400 {
				w.fail("%v: requests after the upgrade got %d and %d", p, get.Status, post.Status)
			}
		}
	case slowPost:
		if p.body != nil {
			p.finishBody()
		} else if !p.onWS && p.post == nil && !p.upgrading && !p.closes {
			p.beginBody()
		}
	case bigPost:
		if !p.onWS && p.post == nil && !p.upgrading && !p.closes {
			p.post = p.do(http.MethodPost, strings.NewReader("4"+strings.Repeat("x", maxPayload)), nil)
		}
	default:
	}
}

// playEnd performs actions that end sessions.
func (w *world) playEnd(p *peer, a action) {
	switch a.kind {
	case endGently:
		p.end(false)
		return
	case endNow:
		p.end(true)
		return
	default:
	}
	if !p.open() || p.closes {
		return
	}
	switch a.kind {
	case clientCloses:
		p.cause(core.TransportClose, true)
		if p.onWS {
			p.parting = time.Now()
		}
		p.queue(parser.Packet{Type: parser.Close})
		p.pump()
	case closeFrame:
		if p.onWS {
			p.cause(core.TransportClose, true)
			p.over = true
			p.parting = time.Now()
			p.ws.SendClose(1000)
		}
	case cut:
		w.cut(p)
	case leave:
		if p.get != nil {
			p.cause(core.TransportError, true)
			p.over = true
			p.get.Leave()
		}
	case overlap:
		w.overlap(p, a.n&1 == 0)
	case badInput:
		w.badInput(p, a.n)
	case abortPost:
		if p.body == nil && !p.onWS && p.post == nil && !p.upgrading {
			p.beginBody()
			synctest.Wait()
		}
		if p.body != nil {
			p.cause(core.TransportError, true)
			p.over = true
			p.post.Leave()
			p.dropBody()
		}
	case tooLarge:
		if p.onWS {
			p.cause(core.TransportError, true)
			p.over = true
			p.parting = time.Now()
			p.ws.SendText("4" + strings.Repeat("x", maxPayload))
		}
	default:
	}
}

// cut breaks all of the client's connections.
func (w *world) cut(p *peer) {
	p.over = true
	p.cause(core.TransportClose, p.onWS)
	p.cause(core.TransportError, false)
	p.cause(core.PingTimeout, true)
	for _, ws := range p.sockets {
		ws.Cut()
	}
	if p.body != nil {
		p.dropBody()
	}
	for _, a := range p.answers {
		if !a.Answered() {
			a.Leave()
		}
	}
}

// overlap sends a second request while the first is under way, and waits until it has arrived: the next action may
// end the first.
func (w *world) overlap(p *peer, polls bool) {
	w.settle()
	defer synctest.Wait()
	switch {
	case p.onWS || p.upgrading || !p.open():
	case polls && p.get != nil:
		p.cause(core.TransportError, true)
		p.over = true
		p.do(http.MethodGet, nil, nil)
	case !polls && p.post != nil:
		p.cause(core.TransportError, true)
		p.over = true
		p.do(http.MethodPost, strings.NewReader("4overlap"), nil)
	}
}

// badInput sends something for which the server ends the session.
func (w *world) badInput(p *peer, n int) {
	reason, input := core.ParseError, "x"
	switch n % 4 {
	case 1:
		input = "b%"
	case 3:
		if p.onWS {
			reason, input = core.TransportError, "4\xff"
		}
	case 2:
		reason, input = core.TransportError, "2" // the server's packet in revision 4
		if p.codec.Revision() == 3 {
			input = "3"
		}
	}
	if p.onWS {
		p.pump()
		p.cause(reason, true)
		p.parting = time.Now()
		p.ws.SendText(input)
		return
	}
	if p.post != nil || p.upgrading {
		return
	}
	p.cause(reason, true)
	if p.codec.Revision() == 3 {
		input = "1:" + input
	}
	if p.jsonp() {
		input = "d=" + input
	}
	p.post = p.do(http.MethodPost, strings.NewReader(input), nil)
}

func (p *peer) stall(stalled bool) {
	p.stalled = stalled
	p.resumed = time.Now()
	p.ws.Stall(stalled)
	p.noteIdle()
}

// partsSlowly reports whether the client has sent a close frame or broken a rule and does not read, so that
// a write that is under way is given some time.
func (p *peer) partsSlowly() bool {
	return p.stalled && !p.parting.IsZero() && time.Since(p.parting) <= 5*time.Second
}

// noteIdle records since when the client may have kept the server waiting.
func (p *peer) noteIdle() {
	if !p.stalled && p.body == nil {
		p.idleSince.Store(0)
	} else if p.idleSince.Load() == 0 {
		p.idleSince.Store(time.Now().UnixNano())
	}
}

// beginBody begins a POST whose body does not end before finishBody.
func (p *peer) beginBody() {
	p.message('.', 20, false)
	packets := p.outbox
	p.outbox = nil
	text, header := p.payload(packets)
	p.body = newSlowBody(text)
	p.post = p.do(http.MethodPost, p.body, header)
	p.noteIdle()
}

func (p *peer) finishBody() {
	close(p.body.rest)
	p.body = nil
	p.lastSent = time.Now()
	p.noteIdle()
}

// dropBody aborts the body.
func (p *peer) dropBody() {
	close(p.body.broken)
	p.body = nil
	p.noteIdle()
}

// slowBody is the body of a slow POST: all of its data comes, but its end does not.
type slowBody struct {
	text   *strings.Reader
	rest   chan struct{} // closed when the end comes
	broken chan struct{} // closed when it is aborted
}

func newSlowBody(text string) *slowBody {
	return &slowBody{strings.NewReader(text), make(chan struct{}), make(chan struct{})}
}

func (b *slowBody) Read(data []byte) (int, error) {
	if b.text.Len() > 0 {
		return b.text.Read(data)
	}
	select {
	case <-b.rest:
		return 0, io.EOF
	case <-b.broken:
		return 0, io.ErrUnexpectedEOF
	}
}

// behave stops everything with which a client keeps the server waiting.
func (p *peer) behave() {
	p.autoPoll, p.withhold = true, false
	if p.body != nil {
		p.finishBody()
	}
	if p.ws != nil && p.stalled {
		p.stall(false)
	}
}

func (p *peer) socketIsOn(t core.Transport) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.socket.Transport() == t && p.socket.ReadyState() == core.StateOpen
}
