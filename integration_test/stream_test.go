package integration_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
)

// A stream has at least so many messages, and so many of them after the upgrade; see js/stream.mjs.
const (
	streamMessages = 100
	afterUpgrade   = 20
)

// TestStreams has many sessions at once stream numbered messages in both directions while they
// upgrade, through a network of random delays: none may be lost, doubled or reordered.
func TestStreams(t *testing.T) {
	requireNode(t)
	seed := streamSeed(t)
	for _, framework := range frameworks {
		for _, clients := range []struct{ version, sessions int }{{6, 200}, {3, 50}} {
			t.Run(fmt.Sprintf("%s/client %d", framework.name, clients.version), func(t *testing.T) {
				server := &streamServer{seed: seed, reports: make(chan report, 4*clients.sessions)}
				engine, url := newServer(t, framework.serve, core.Config{
					PingInterval:   time.Second, // heartbeats among the messages
					PingTimeout:    patience,
					UpgradeTimeout: patience,
					AllowEIO3:      true,
					OnConnection:   server.open,
				})
				args, _ := json.Marshal(map[string]any{
					"url":      "http://" + slowProxy(t, strings.TrimPrefix(url, "http://"), seed),
					"version":  clients.version,
					"sessions": clients.sessions,
					"messages": streamMessages,
					"seed":     seed,
				})
				stdin, lines := startScript(t, "stream.mjs", string(args))

				compare(t, clients.sessions, server.reports, lines)

				stdin.Close()
				for line := range lines {
					t.Errorf("after the end, client: %s", line)
				}
				eventually(t, "nothing is left of the sessions", func() bool { return engine.Len() == 0 })
				select {
				case r := <-server.reports:
					t.Errorf("after the end, server: %+v", r)
				default:
				}
			})
		}
	}
}

// streamSeed returns EIO_SEED, or a fresh seed, and logs it.
func streamSeed(t *testing.T) uint64 {
	seed, err := strconv.ParseUint(os.Getenv("EIO_SEED"), 10, 32)
	if err != nil {
		seed = uint64(rand.Uint32())
	}
	t.Logf("random delays of seed %d; EIO_SEED=%[1]d repeats them", seed)
	return seed
}

// A report is how one side saw a session: its streams are complete, or went wrong.
type report struct {
	ID       string `json:"id"`
	Sent     int    `json:"sent"`
	Received int    `json:"received"`
	Error    string `json:"error"`
}

// compare waits until both sides have reported every session, and checks that each received what the
// other sent.
func compare(t *testing.T, sessions int, server <-chan report, client <-chan []byte) {
	t.Helper()
	first := make(map[string]report, sessions)
	const limit = 2 * patience
	deadline := time.After(limit)
	for n := range 2 * sessions {
		var r report
		side := "server"
		select {
		case r = <-server:
		case line, running := <-client:
			if !running {
				t.Fatalf("node is gone after %d of %d reports", n, 2*sessions)
			}
			side = "client"
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatalf("node wrote %q: %v", line, err)
			}
		case <-deadline:
			t.Fatalf("%d of %d reports within %v; incomplete at one side: %v", n, 2*sessions, limit, first)
		}
		if r.Error != "" {
			t.Fatalf("session %q, %s: %s", r.ID, side, r.Error)
		}
		other, second := first[r.ID]
		if !second {
			first[r.ID] = r
			continue
		}
		if r.Sent != other.Received || r.Received != other.Sent {
			t.Errorf("session %q: %s says %+v, the other side %+v", r.ID, side, r, other)
		}
		delete(first, r.ID)
	}
}

// streamServer streams with every session that is opened, and reports each.
type streamServer struct {
	seed    uint64
	opened  atomic.Uint64
	reports chan report
}

func (server *streamServer) open(socket *core.Socket) {
	s := &stream{
		socket:   socket,
		random:   rand.New(rand.NewPCG(server.seed, server.opened.Add(1))),
		reports:  server.reports,
		upgraded: make(chan struct{}),
		closed:   make(chan struct{}),
	}
	socket.OnMessage(s.check)
	socket.OnUpgrade(func(core.Transport) { close(s.upgraded) })
	socket.OnClose(s.close)
	go s.send()
}

// A stream is the server's side of a session; its rules are told in js/stream.mjs.
type stream struct {
	socket   *core.Socket
	random   *rand.Rand // of send
	reports  chan<- report
	upgraded chan struct{}
	closed   chan struct{}

	sent     int // by send
	received int // by check
	broken   bool
	complete atomic.Int32 // directions, of two
}

// send sends a few messages at once, then pauses, longer and longer as in stream.mjs.
func (s *stream) send() {
	last, upgraded := math.MaxInt, s.upgraded
	for s.sent <= last {
		for some := 1 + s.random.IntN(8); some > 0 && s.sent <= last; some-- {
			_ = s.socket.Send(s.message(s.sent == last)) // what is lost is missed at the other end
			s.sent++
		}
		select {
		case <-upgraded:
			last, upgraded = max(streamMessages-1, s.sent+afterUpgrade), nil
		case <-time.After(time.Duration(s.random.IntN(1000+250*s.sent)) * time.Microsecond):
		case <-s.closed:
			return
		}
	}
	s.finish()
}

func (s *stream) message(last bool) core.Message {
	text := fmt.Sprintf("%d %s", s.sent, strings.Repeat("x", s.random.IntN(200)))
	if last {
		text = "!" + text
	}
	return core.Message{Data: []byte(text), Binary: s.sent%3 == 2}
}

func (s *stream) check(m core.Message) {
	if s.broken {
		return
	}
	head, _, _ := strings.Cut(string(m.Data), " ")
	number, last := strings.CutPrefix(head, "!")
	if number != strconv.Itoa(s.received) || m.Binary != (s.received%3 == 2) {
		s.broken = true
		s.reports <- report{ID: s.socket.ID(), Error: fmt.Sprintf("received %s, want %d", describe(m), s.received)}
		return
	}
	s.received++
	if last {
		s.finish()
	}
}

func (s *stream) finish() {
	if s.complete.Add(1) == 2 {
		s.reports <- report{ID: s.socket.ID(), Sent: s.sent, Received: s.received}
	}
}

func (s *stream) close(reason core.CloseReason, err error) {
	close(s.closed)
	if s.complete.Load() < 2 && !s.broken {
		s.reports <- report{ID: s.socket.ID(), Error: fmt.Sprintf("closed: %s (%v); received %d", reason, err, s.received)}
	}
}
