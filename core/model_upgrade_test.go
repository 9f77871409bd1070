package core_test

import (
	"strings"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/parser"
)

// playUpgrade performs what a client does with a WebSocket that is to become its transport.
func (w *world) playUpgrade(p *peer, a action) {
	if p.onWS {
		if a.kind == again {
			p.sendFrame(parser.Packet{Type: parser.Upgrade}) // means nothing, but is a sign of life
		}
		return
	}
	switch a.kind {
	case probe:
		if p.probe == nil && !p.closes {
			synctest.Wait() // or an earlier one might not be gone
			p.probe, p.probed = p.openProbe(), time.Now()
		}
	case stray:
		if p.probe != nil {
			synctest.Wait() // or it might be the first one
			ws := p.openProbe()
			ws.SendText("2probe")
			ws.SendClose(1000)
		}
	default:
	}
	if p.probe == nil || time.Since(p.probed) >= upgradeTimeout {
		return
	}
	switch a.kind {
	case ask:
		if !p.asked {
			p.asked = true
			p.probe.SendText("2probe")
		}
	case upgrade:
		p.upgrading = p.asked
		p.pump()
	case hasty:
		if p.post != nil {
			synctest.Wait() // a POST that comes after the upgrade would be refused
		}
		p.mu.Lock()
		p.toClient.unordered = p.toClient.unordered || p.get != nil
		p.mu.Unlock()
		p.switchOver()
	case badProbe:
		if a.n&8 != 0 {
			p.probe.SendText("2probe")
		}
		switch a.n % 5 {
		case 0:
			p.probe.SendText("4message")
		case 1:
			p.probe.SendText("2nothing")
		case 2:
			p.probe.SendBinary("\x01\x02")
		case 3:
			p.probe.SendText("x")
		case 4:
			p.probe.SendText("2" + strings.Repeat("x", maxPayload))
		}
		p.forgetProbe()
	case dropProbe:
		if a.n&1 == 0 {
			p.probe.Cut()
		} else {
			p.probe.SendClose(1000)
		}
		p.forgetProbe()
	default:
	}
}

func (p *peer) openProbe() *opened {
	revision := "EIO=4"
	if p.codec.Revision() == 3 {
		revision = "EIO=3"
	}
	ws, a := p.world.WebSocket(revision + "&transport=websocket&sid=" + p.sid)
	o := opened{ws, a}
	p.answers, p.sockets = append(p.answers, a), append(p.sockets, o)
	return &o
}

// collectProbe reads what comes over the WebSocket that is to become the transport.
func (p *peer) collectProbe() (progress bool) {
	for p.probe.Waiting() > 0 {
		progress = true
		f, _ := p.probe.Next()
		switch {
		case f.Close:
			p.probe.SendClose(1000)
			p.probeRefused()
			return true
		case f.Pong:
		case f.Text == "3probe" && !f.Binary && p.asked:
			p.answered, p.answeredAt = true, time.Now()
		default:
			p.world.fail("%v: the probe got %+v", p, f)
			return true
		}
	}
	select {
	case <-p.probe.Done():
	default:
		if !p.probe.refused() {
			return progress
		}
	}
	p.probeRefused()
	return true
}

// probeRefused handles the end of a probe that the client has not given up.
func (p *peer) probeRefused() {
	p.mu.Lock()
	if len(p.causes) == 0 && time.Since(p.probed) < upgradeTimeout && !p.late(core.PingTimeout) && !p.late(core.TransportError) {
		p.world.fail("%v: the probe was turned away", p)
	}
	p.mu.Unlock()
	p.forgetProbe()
}

// forgetProbe makes the client go on without the probe.
func (p *peer) forgetProbe() {
	p.probeRest = p.world.rests
	p.probe, p.asked, p.answered, p.upgrading = nil, false, false, false
}

// switchOver sends the upgrade packet: from now on the WebSocket is the transport.
func (p *peer) switchOver() {
	p.probe.SendText("5")
	p.ws, p.onWS = p.probe.WebSocket, true
	p.forgetProbe()
}
