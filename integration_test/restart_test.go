package integration_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// restartClients are the clients of TestRollingRestart, as js/restart.mjs wants them.
var restartClients = []map[string]any{
	{"transports": []string{"polling"}},
	{"transports": []string{"polling"}},
	{"transports": []string{"websocket"}},
	{"transports": []string{"websocket"}},
	{"transports": []string{"polling", "websocket"}, "upgrade": true},
	{"transports": []string{"polling", "websocket"}, "upgrade": true},
}

// TestRollingRestart runs the server of docs/deploy.md twice behind the nginx of docs/deploy.md and
// restarts one after the other, while official clients send without pause. Whoever was at the
// instance that ends is told, has got an answer to all that it accepted, and is served by the other
// one at once; the rest notices nothing. (examples/echo would not do: its session ids do not name
// their instance.)
func TestRollingRestart(t *testing.T) {
	requireNode(t)
	requireProxy(t, "nginx")
	program := buildDocumented(t)
	addrs := map[string]string{"a": freeAddr(t), "b": freeAddr(t)}
	running := map[string]*process{}
	for _, name := range []string{"a", "b"} {
		running[name] = startInstance(t, program, name, addrs[name])
	}
	url := startProxy(t, "nginx", documentedTimeout, addrs["a"], addrs["b"])
	crowd := startCrowd(t, url)
	crowd.await("every client is served", func() bool { return len(crowd.at) == len(restartClients) })

	for _, restart := range [][2]string{{"a", "b"}, {"b", "a"}} {
		ends, stays := restart[0], restart[1]
		affected, ended := crowd.of(ends), running[ends]
		before := crowd.of(stays)
		if len(affected) == 0 {
			t.Fatalf("no client is at instance %s", ends)
		}
		began := time.Now()
		if err := ended.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		crowd.await("all clients are served by instance "+stays, func() bool { return len(crowd.of(stays)) == len(restartClients) })
		took := time.Since(began)
		<-ended.ended
		if ended.err != nil || strings.Contains(ended.output(), "cut off") {
			t.Errorf("instance %s: %v\n%s", ends, ended.err, ended.output())
		}
		t.Logf("instance %s ended: all its %d clients served by %s after %v, %d handshakes failed", ends, len(affected), stays, took, crowd.failed)
		if took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		crowd.checkClosed(ended.output(), affected)
		for client, id := range before {
			if crowd.at[client] != id {
				t.Errorf("client %d lost its session %s at instance %s, which stayed", client, id, stays)
			}
		}
		running[ends] = startInstance(t, program, ends, addrs[ends])
	}
}

// buildDocumented builds the server that docs/deploy.md shows.
func buildDocumented(t *testing.T) (program string) {
	t.Helper()
	// Inside the module, so that its own packages are found.
	dir, err := os.MkdirTemp(".", "restart") //nolint:usetesting // its folder is outside the module
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(documented(t, "go")[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(t.TempDir(), "server")
	output, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./"+dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return program
}

func startInstance(t *testing.T, program, name, addr string) *process {
	t.Helper()
	return startProcess(t, exec.CommandContext(t.Context(), program, "-addr", addr, "-instance", name), addr)
}

// crowd is the clients of js/restart.mjs and what is known of them. Its events are read by await
// alone.
type crowd struct {
	t      *testing.T
	lines  <-chan []byte
	at     map[int]string // the session that serves a client
	closed map[string]closedSession
	failed int // handshakes
}

type closedSession struct {
	Client    int    `json:"client"`
	Event     string `json:"event"`
	ID        string `json:"id"`
	Reason    string `json:"reason"`
	Transport string `json:"transport"`
	Sent      int    `json:"sent"`
	Received  int    `json:"received"`
	Error     string `json:"error"`
}

func startCrowd(t *testing.T, url string) *crowd {
	t.Helper()
	args, _ := json.Marshal(map[string]any{"url": url, "clients": restartClients})
	_, lines := startScript(t, "restart.mjs", string(args))
	return &crowd{t: t, lines: lines, at: make(map[int]string), closed: make(map[string]closedSession)}
}

// await follows the clients until the condition holds.
func (c *crowd) await(what string, condition func() bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	for !condition() {
		var e closedSession
		select {
		case line, running := <-c.lines:
			if !running {
				c.t.Fatal("node is gone")
			}
			if err := json.Unmarshal(line, &e); err != nil {
				c.t.Fatalf("node wrote %q: %v", line, err)
			}
		case <-ctx.Done():
			c.t.Fatalf("not within %v: %s; the clients are at %v", patience, what, c.at)
		}
		switch e.Event {
		case "served":
			c.at[e.Client] = e.ID
		case "closed":
			delete(c.at, e.Client)
			c.closed[e.ID] = e
		case "failed":
			c.failed++
		default:
			c.t.Errorf("client %d: %s", e.Client, e.Error)
		}
	}
}

// of returns the clients that an instance serves.
func (c *crowd) of(instance string) map[int]string {
	sessions := make(map[int]string)
	for client, id := range c.at {
		if strings.HasPrefix(id, instance+".") {
			sessions[client] = id
		}
	}
	return sessions
}

// closedLine is what the documented server logs.
var closedLine = regexp.MustCompile(`(\S+) closed after (\d+) messages: (.+)`)

// checkClosed compares what an instance says of its sessions with what their clients say. A client's
// messages came back in order and without a gap, which js/restart.mjs has checked, so their number
// says it all.
func (c *crowd) checkClosed(log string, affected map[int]string) {
	c.t.Helper()
	accepted := make(map[string]int)
	for _, line := range closedLine.FindAllStringSubmatch(log, -1) {
		accepted[line[1]], _ = strconv.Atoi(line[2])
		if line[3] != "forced close" {
			c.t.Errorf("instance: %s", line[0])
		}
	}
	for client, id := range affected {
		e, told := c.closed[id]
		echoed, known := accepted[id]
		if !told || !known {
			c.t.Errorf("client %d, session %s: client told of the end %t, instance %t", client, id, told, known)
			continue
		}
		c.t.Logf("%s over %s: sent %d, accepted %d, received %d, %s", id, e.Transport, e.Sent, echoed, e.Received, e.Reason)
		// A POST that came too late is refused, and may be so before the answer to the last poll is
		// read: then the client closes at once, and knows that something went wrong.
		overtaken := e.Transport == "polling" && e.Reason == "transport error" && e.Received < echoed
		if e.Received != echoed && !overtaken {
			c.t.Errorf("session %s over %s: %d messages were accepted, %d came back", id, e.Transport, echoed, e.Received)
		}
	}
}
