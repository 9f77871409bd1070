package integration_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/goengineio/engineio/core"
)

// A peer is one end of a session, in the browser's place or on the server; both look the same.
type peer struct {
	send  func(core.Message)
	close func()

	messages chan core.Message
	upgraded chan string // the new transport
	closed   chan string // the reason, as this end sees it
}

func newPeer() *peer {
	return &peer{
		messages: make(chan core.Message, 16),
		upgraded: make(chan string, 1),
		closed:   make(chan string, 1),
	}
}

// serverPeer is the server's end; it must be made in OnConnection.
func serverPeer(s *core.Socket) *peer {
	p := newPeer()
	p.send = func(m core.Message) { _ = s.Send(m) } // what is lost is missed at the other end
	p.close = s.Close
	s.OnMessage(func(m core.Message) { p.messages <- m })
	s.OnUpgrade(func(to core.Transport) { p.upgraded <- string(to) })
	s.OnClose(func(reason core.CloseReason, _ error) { p.closed <- string(reason) })
	return p
}

// node is a process of js/driver.mjs, which runs official clients.
type node struct {
	t     *testing.T
	mu    sync.Mutex
	peers map[int]*nodePeer
	stdin *json.Encoder
}

type nodePeer struct {
	*peer
	opened     chan string   // the transport
	heartbeats chan struct{} // unread ones are dropped
}

// command and event are the lines of driver.mjs.
type command struct {
	ID         int      `json:"id"`
	Do         string   `json:"do"`
	Version    int      `json:"version,omitempty"`
	URL        string   `json:"url,omitempty"`
	Transports []string `json:"transports,omitempty"`
	Text       *string  `json:"text,omitempty"`
	Binary     *[]byte  `json:"binary,omitempty"`
}

type event struct {
	ID        int     `json:"id"`
	Event     string  `json:"event"`
	Transport string  `json:"transport"`
	Text      *string `json:"text"`
	Binary    []byte  `json:"binary"`
	Reason    string  `json:"reason"`
}

// startNode starts the clients' process; it ends with the test.
func startNode(t *testing.T) *node {
	t.Helper()
	stdin, events := startScript(t, "driver.mjs")
	n := &node{t: t, peers: make(map[int]*nodePeer), stdin: json.NewEncoder(stdin)}
	go func() {
		for line := range events {
			n.dispatch(line)
		}
	}()
	return n
}

// open has a client of this major version open a session.
func (n *node) open(version int, url string, transports []string) *nodePeer {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := &nodePeer{peer: newPeer(), opened: make(chan string, 1), heartbeats: make(chan struct{}, 100)}
	id := len(n.peers)
	n.peers[id] = p
	p.send = func(m core.Message) { n.do(message(id, m)) }
	p.close = func() { n.do(command{ID: id, Do: "close"}) }
	n.write(command{ID: id, Do: "open", Version: version, URL: url, Transports: transports})
	return p
}

func message(id int, m core.Message) command {
	if m.Binary {
		return command{ID: id, Do: "send", Binary: &m.Data}
	}
	text := string(m.Data)
	return command{ID: id, Do: "send", Text: &text}
}

func (n *node) do(c command) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.write(c)
}

// write is called with the lock held.
func (n *node) write(c command) {
	if err := n.stdin.Encode(c); err != nil {
		n.t.Errorf("command to node: %v", err)
	}
}

func (n *node) dispatch(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		n.t.Errorf("node wrote %q: %v", line, err)
		return
	}
	n.mu.Lock()
	p := n.peers[e.ID]
	n.mu.Unlock()
	switch e.Event {
	case "open":
		p.opened <- e.Transport
	case "upgrade":
		p.upgraded <- e.Transport
	case "heartbeat":
		select {
		case p.heartbeats <- struct{}{}:
		default:
		}
	case "message":
		if e.Text != nil {
			p.messages <- core.Text(*e.Text)
		} else {
			p.messages <- core.Binary(e.Binary)
		}
	case "close":
		p.closed <- e.Reason
	}
}

// startScript runs a script of js/ and returns its stdin and the lines of its stdout. The channel is
// closed when the script has ended. Closing stdin asks it to end; it is killed when the test is over.
func startScript(t *testing.T, script string, args ...string) (io.WriteCloser, <-chan []byte) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), requireNode(t), append([]string{script}, args...)...)
	cmd.Dir = "js"
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan []byte)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(lines)
		defer func() { _ = cmd.Wait() }() // the status of a killed process tells nothing
		in := bufio.NewReader(stdout)
		for {
			line, err := in.ReadBytes('\n')
			if err != nil {
				if !errors.Is(err, io.EOF) && t.Context().Err() == nil {
					t.Errorf("reading from %s: %v", script, err)
				}
				return
			}
			select {
			case lines <- line:
			case <-t.Context().Done():
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = stdin.Close()
		<-ended
	})
	return stdin, lines
}
