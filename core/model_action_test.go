package core_test

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// An action is one step of the model test. Every action is valid in every state: if it has nothing to act
// upon, it does nothing. Zero values are the tamest, since that is what shrinking leads to.
type action struct {
	kind kind
	peer int  // which session
	n    int  // 0 to 255; what it means depends on the kind
	rush bool // the next action does not wait for the consequences of this one
}

// setup is how the server of a run is configured, and its first session.
type setup struct {
	first    int  // as for open
	tight    bool // MaxBuffered is small, and there is an InitialPacket
	observed bool // all hooks are set
	conflate bool // messages go through a Config.Conflate that changes nothing
}

type kind byte

const (
	pass      kind = iota // let time pass
	send                  // the application sends
	burst                 // the application sends several, from another goroutine
	post                  // the client sends one message, or several together
	request               // the client sends a message that its callback acts upon
	poll                  // the client polls once
	autoPoll              // the client polls whenever it can, or stops to do so
	open                  // another session
	probe                 // the client opens a WebSocket to upgrade
	ask                   // it sends the probe
	upgrade               // it upgrades, as soon as it may
	hasty                 // it upgrades at once, without having waited for anything
	again                 // it upgrades once more
	badProbe              // it sends something wrong on the probe connection
	dropProbe             // it gives up the probe
	stray                 // it opens one more WebSocket, to be turned away
	stall                 // the client stops reading, or resumes
	withhold              // the client stops answering pings (or pinging, in revision 3), or resumes
	pingFrame             // a ping of the WebSocket protocol
	stale                 // a polling request after the upgrade
	block                 // callbacks for messages block, or return
	slowPost              // the client begins a POST; the next slowPost ends it
	bigPost               // the client posts too much

	// The rest ends sessions.
	endGently    // Close
	endNow       // CloseNow
	clientCloses // by a close packet
	closeFrame   // by a close frame
	cut          // the client is gone
	leave        // the client leaves during a poll
	overlap      // the client has two requests of one kind at once
	badInput     // the client sends something that is not a packet, or that only the server may send
	abortPost    // the client leaves during a POST
	tooLarge     // a WebSocket message that is too large
	shutdown     // Server.Shutdown
	closeServer  // Server.Close
	kinds
)

var kindNames = [kinds]string{
	"pass", "send", "burst", "post", "request", "poll", "autoPoll", "open", "probe", "ask", "upgrade", "hasty", "again", "badProbe", "dropProbe",
	"stray", "stall", "withhold", "pingFrame", "stale", "block", "slowPost", "bigPost", "endGently", "endNow", "clientCloses", "closeFrame",
	"cut", "leave", "overlap", "badInput", "abortPost", "tooLarge", "shutdown", "closeServer",
}

// mix is what generated actions are drawn from: tame ones are frequent, those that end a session rare.
var mix = func() (m []kind) {
	often := map[kind]int{pass: 10, send: 12, burst: 3, post: 8, request: 4, poll: 3, probe: 4, ask: 5, upgrade: 5, stall: 4, block: 2, slowPost: 2}
	for range 3 {
		for k := pass; k < endGently; k++ {
			for range max(1, often[k]) {
				m = append(m, k)
			}
		}
	}
	for k := endGently; k < kinds; k++ {
		m = append(m, k)
	}
	return m
}()

// String returns the action as a Go literal, to be pasted into modelCases.
func (a action) String() string {
	return fmt.Sprintf("{%s, %d, %d, %v}", kindNames[a.kind], a.peer, a.n, a.rush)
}

// GoString makes rapid print actions as String does.
func (a action) GoString() string { return a.String() }

func (s setup) String() string {
	return fmt.Sprintf("setup{%d, %v, %v, %v}", s.first, s.tight, s.observed, s.conflate)
}

func showActions(actions []action) string {
	var b strings.Builder
	for _, a := range actions {
		b.WriteString("\t")
		b.WriteString(a.String())
		b.WriteString(",\n")
	}
	return b.String()
}

// generator draws actions. Shrinking makes the list shorter and its numbers smaller.
var generator = rapid.Custom(func(t *rapid.T) action {
	return action{
		kind: rapid.SampledFrom(mix).Draw(t, "kind"),
		peer: rapid.IntRange(0, 2).Draw(t, "peer"),
		n:    rapid.IntRange(0, 255).Draw(t, "n"),
		rush: rapid.Bool().Draw(t, "rush"),
	}
})

// decodeActions turns any bytes into a setup and actions: two bytes for the setup, then three for each
// action.
func decodeActions(data []byte) (s setup, actions []action) {
	if len(data) < 2 {
		return s, nil
	}
	s = setup{first: int(data[0]), tight: data[1]&1 != 0, observed: data[1]&2 != 0, conflate: data[1]&4 != 0}
	for data = data[2:]; len(data) >= 3 && len(actions) < 100; data = data[3:] {
		actions = append(actions, action{
			kind: kind(data[0]) % kinds, peer: int(data[1]>>1) % 3, n: int(data[2]), rush: data[1]&1 != 0,
		})
	}
	return s, actions
}

// encodeActions is the inverse of decodeActions.
func encodeActions(s setup, actions ...action) []byte {
	data := []byte{byte(s.first), bit(s.tight) | bit(s.observed)<<1 | bit(s.conflate)<<2}
	for _, a := range actions {
		data = append(data, byte(a.kind), byte(a.peer)<<1|bit(a.rush), byte(a.n))
	}
	return data
}

func bit(set bool) byte {
	if set {
		return 1
	}
	return 0
}
