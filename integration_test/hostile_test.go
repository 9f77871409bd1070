package integration_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/engines/lean"
)

// hostile is a row of the table of hostile input: an attack that broke another server, or could
// break one, and what becomes of it here.
type hostile struct {
	name     string
	advisory string // and the package it is about; what has no id says where it comes from
	input    string
	holds    string
	also     string // tests elsewhere that prove it, or more of it
	run      func(*target)
	begin    func(*target) (finish func()) // instead of run, for what mostly waits

	// open says where this does not hold yet, and why: by framework, "" for all. The row is run
	// there only with EIO_HOSTILE_OPEN=1.
	open map[string]string

	frames  bool               // depends on the WebSocket engine: run with both
	config  func(*core.Config) // nil: on the server that most rows share
	settles int64              // what the heap may have grown by afterwards, in bytes; 0 means 1 MiB
}

// hostileRows is the table, in the order in which it is run and documented.
func hostileRows() []hostile {
	var rows []hostile
	for _, part := range [][]hostile{hostileRequests, hostileHeaders, hostileOrigins, hostilePayloads, hostileUpgrades, hostileFrames, hostileFloods, hostileSlow} {
		rows = append(rows, part...)
	}
	return rows
}

// hostileEngines are the WebSocket engines that rows about frames are run with.
var hostileEngines = []struct {
	name string
	set  func(*core.Config)
}{
	{"default", func(*core.Config) {}},
	{"lean", func(cfg *core.Config) { cfg.WebSocketEngine = lean.New() }},
}

// runs reports whether the row is to be run under a framework with an engine.
func (row hostile) runs(framework, engine string) bool {
	isOpen := row.open[framework] != "" || row.open[""] != ""
	return (row.frames || engine == "default") && (!isOpen || os.Getenv("EIO_HOSTILE_OPEN") != "")
}

// TestHostile runs the rows under every framework, those about frames with both WebSocket engines,
// over TCP on loopback. Whatever the row itself looks at, afterwards a fresh client is served, no
// goroutine is left behind, the heap has settled, nothing was logged that is worth a warning, and
// every record of the log is one line.
func TestHostile(t *testing.T) {
	for _, framework := range frameworks {
		for _, engine := range hostileEngines {
			t.Run(framework.name+"/"+engine.name, func(t *testing.T) {
				shared := newTarget(t, framework.name, framework.serve, engine.set, nil)
				for _, row := range hostileRows() {
					if row.run == nil || !row.runs(framework.name, engine.name) {
						continue
					}
					t.Run(row.name, func(t *testing.T) {
						x := shared
						if row.config != nil {
							x = newTarget(t, framework.name, framework.serve, engine.set, row.config)
						}
						x.attack(t, row)
					})
				}
			})
		}
	}
}

// TestHostileTogether runs the rows that mostly wait: all begin, then all are waited for. What is left
// behind shows when all are over.
func TestHostileTogether(t *testing.T) {
	before := use()
	type attack struct {
		name   string
		target *target
		finish func()
	}
	var attacks []attack
	for _, framework := range frameworks {
		for _, engine := range hostileEngines {
			for _, row := range hostileRows() {
				if row.begin == nil || !row.runs(framework.name, engine.name) {
					continue
				}
				x := newTarget(t, framework.name, framework.serve, engine.set, row.config)
				x.before = before
				attacks = append(attacks, attack{framework.name + "/" + engine.name + "/" + row.name, x, row.begin(x)})
			}
		}
	}
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			a.target.t = t
			a.finish()
		})
	}
	// The clients have not closed anything yet. Each server has a goroutine or two of its own, and
	// buffers for its next clients.
	before.goroutines += 2 * len(attacks)
	wantSettled(t, before, int64(len(attacks))<<19, func() int { return 0 })
	for _, a := range attacks {
		a.target.t = t
		a.target.wantServing()
		a.target.hangUp()
	}
}

// attack runs a row and checks what holds for all of them.
func (x *target) attack(t *testing.T, row hostile) {
	previous := x.t
	x.t = t
	defer func() { x.t = previous }()
	x.reset()

	row.run(x)

	x.wantServing()
	x.hangUp()
	closeAll(x.engine)
	settles := row.settles
	if settles == 0 {
		settles = 1 << 20
	}
	wantSettled(t, x.before, settles, x.engine.Len)
}

// wantServing: a fresh client is served, and the log has nothing but what was expected.
func (x *target) wantServing() {
	x.t.Helper()
	x.freshClient()
	if n := x.warnings.Load(); n > 0 {
		x.t.Errorf("%d warnings were logged, the last: %s", n, x.lastWarning.Load())
	}
}

// wantSettled waits until no session is left, no more goroutines than before, and no more of the heap
// than settles bytes.
func wantSettled(t *testing.T, before usage, settles int64, sessions func() int) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(patience); ; <-look.C {
		if (sessions() > 0 || goroutines() > before.goroutines) && time.Now().Before(deadline) {
			continue
		}
		now := use()
		if sessions() == 0 && now.goroutines <= before.goroutines && now.heap <= before.heap+settles {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("afterwards: %d sessions, goroutines %d -> %d, heap %d -> %d (%d may stay)\n%s",
				sessions(), before.goroutines, now.goroutines, before.heap, now.heap, settles, stacks())
			return
		}
	}
}

// TestHostileTable: every row says what it is about, is proved by something that exists, and stands in
// RELIABILITY.md.
func TestHostileTable(t *testing.T) {
	published, err := os.ReadFile("../RELIABILITY.md")
	if err != nil {
		t.Fatal(err)
	}
	exist, names := tests(t), map[string]bool{}
	for _, row := range hostileRows() {
		if row.name == "" || names[row.name] {
			t.Errorf("no name, or twice: %+v", row)
		}
		names[row.name] = true
		if row.advisory == "" || row.input == "" || row.holds == "" || row.run == nil && row.begin == nil && row.also == "" {
			t.Errorf("%s: incomplete", row.name)
		}
		for name := range strings.FieldsFuncSeq(row.also, func(r rune) bool { return r == ',' || r == ' ' }) {
			test, part, _ := strings.Cut(name, "/")
			if !exist[test] {
				t.Errorf("%s: there is no test %q", row.name, test)
			}
			if part != "" && !strings.Contains(suiteParts(t), `{"`+part+`",`) {
				t.Errorf("%s: the suite of the adapters has no part %q", row.name, part)
			}
		}
		holds := row.holds
		for _, why := range row.open {
			holds = "*Open*: " + why
		}
		line := fmt.Sprintf("| %s | %s | %s | %s |", row.advisory, row.input, holds, row.proof())
		if !strings.Contains(string(published), line+"\n") {
			t.Errorf("RELIABILITY.md lacks the line\n%s", line)
		}
	}
}

// proof names the tests of a row.
func (row hostile) proof() string {
	if row.run == nil && row.begin == nil {
		return row.also
	}
	name := "TestHostile/" + strings.ReplaceAll(row.name, " ", "_")
	if row.begin != nil {
		name = "TestHostileTogether" + strings.TrimPrefix(name, "TestHostile")
	}
	if row.also != "" {
		name += ", " + row.also
	}
	return name
}
