package integration_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/engines/lean"
	"github.com/goengineio/engineio/internal/fastws"
)

// The leak test opens and closes sessions in every way there is, see leaks_paths_test.go: so many
// times each, and with EIO_LONG=1 so many.
const (
	leakCycles     = 200
	longLeakCycles = 10_000
)

// heapTolerance is how much more the heap may have at the end of all cycles of one close path than
// at its start: pools and tables of the runtime, of net/http and of fasthttp. With 10,000 cycles it
// is 105 bytes for each, less than any session could leave behind.
const heapTolerance = 1 << 20

// TestLeaks: after any number of sessions has ended, in whichever way, nothing is left of them: no
// session in the registry, no goroutine, no memory, no count that would keep Shutdown waiting. And
// OnClose was called once for each, with the reason that belongs to the way it ended.
func TestLeaks(t *testing.T) {
	cycles := leakCycles
	if os.Getenv("EIO_LONG") == "1" {
		cycles = longLeakCycles
	}
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			began, heap := time.Now(), heapInUse()
			for _, path := range closePaths {
				t.Run(path.name, func(t *testing.T) {
					if path.end == nil {
						path.prove(t, framework.serve, cycles)
						return
					}
					for range cycles / leakCycles { // each round ends its server
						path.prove(t, framework.serve, leakCycles)
					}
				})
			}
			t.Logf("%d close paths, %d cycles each, %v; heap grew by %d bytes",
				len(closePaths), cycles, time.Since(began).Round(time.Second), heapInUse()-heap)
		})
	}
}

// A closePath is one way for sessions to end.
type closePath struct {
	name    string
	reasons []core.CloseReason // any of them is right
	refused bool               // a cycle may open no session at all
	patient bool               // a cycle mostly waits, so many run at once
	config  func(*core.Config)
	cycle   func(*cycle)
	end     func(*core.Server) error // of the server, by which the sessions end; nil mostly
}

// prove runs the cycles on a fresh server and looks at what they left behind.
func (p *closePath) prove(t *testing.T, serve func(testing.TB, *core.Server) string, cycles int) {
	book := &ledger{}
	cfg := core.Config{
		AllowEIO3: true, PingTimeout: patience, UpgradeTimeout: patience,
		MaxPayload: 1000, MaxBuffered: 256 << 10,
		WebSocketEngine: &bothEngines{},
		GenerateID:      idFromQuery,
		OnConnection:    book.open,
	}
	if p.config != nil {
		p.config(&cfg)
	}
	engine, url := newServer(t, serve, cfg)
	heap, goroutines := heapInUse(), len(liveGoroutines(""))

	closeKept := p.run(t, engine, url, cycles)
	if p.end != nil {
		eventually(t, "all sessions are open", func() bool { return book.opened.Load() == int64(cycles) })
		if err := p.end(engine); err != nil {
			t.Error(err)
		}
	}
	closeKept()

	eventually(t, "no session is left", func() bool { return engine.Len() == 0 })
	if !p.refused {
		eventually(t, "every session has been announced", func() bool { return book.opened.Load() == int64(cycles) })
	}
	eventually(t, "OnClose was called for every session", func() bool { return book.closed.Load() == book.opened.Load() })
	p.compare(t, book)

	// Shutdown waits for what is counted beyond the sessions: connections, and OnClose.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := engine.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown waits for what is long gone: %v", err)
	}
	awaitGoroutines(t, "the engine's goroutines have ended", func() []string { return liveGoroutines(engineCode) }, 0)
	awaitGoroutines(t, "as many goroutines as before", func() []string { return liveGoroutines("") }, goroutines)
	eventually(t, "no session is held in memory", func() bool { runtime.GC(); return book.alive() == 0 })
	book.sessions = nil
	grown := heapInUse() - heap
	for deadline := time.Now().Add(patience); grown > heapTolerance && time.Now().Before(deadline); time.Sleep(time.Second) {
		grown = heapInUse() - heap
	}
	if grown > heapTolerance {
		t.Errorf("the heap grew by %d bytes in %d cycles", grown, cycles)
	}
}

// run has many clients at once go through the cycles. What they keep open is closed by closeKept.
func (p *closePath) run(t *testing.T, engine *core.Server, url string, cycles int) (closeKept func()) {
	atOnce := 16
	if p.patient {
		atOnce = 200
	}
	var kept []*cycle
	var running sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for n := range cycles {
		c := &cycle{t: t, engine: engine, url: url, n: n}
		if p.end != nil {
			kept = append(kept, c)
		}
		free <- struct{}{}
		running.Go(func() {
			defer func() { <-free }()
			if p.end == nil {
				defer c.close()
			}
			p.cycle(c)
		})
		if t.Failed() {
			break
		}
	}
	running.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return func() {
		for _, c := range kept {
			c.close()
		}
	}
}

func (p *closePath) compare(t *testing.T, book *ledger) {
	t.Helper()
	for reason, n := range book.reasons.all() {
		if !slices.Contains(p.reasons, reason) {
			t.Errorf("%d sessions ended with %q, want one of %q; for example with %v", n, reason, p.reasons, book.example(reason))
		}
	}
	if n := book.twice.Load(); n > 0 {
		t.Errorf("OnClose was called again for %d sessions", n)
	}
}

// idFromQuery lets a client choose its session's id, and leaves it to the server otherwise.
func idFromQuery(r *http.Request) (string, error) {
	if id := r.URL.Query().Get("id"); id != "" {
		return id, nil
	}
	return fmt.Sprint("id-", idsGiven.Add(1)), nil
}

var idsGiven atomic.Int64

// A ledger is what the application learns of its sessions.
type ledger struct {
	opened, closed, twice atomic.Int64
	reasons               counter[core.CloseReason]

	mu       sync.Mutex
	sessions []weak.Pointer[core.Socket]
	errors   map[core.CloseReason]error
}

// open is the application: a client's messages tell it how to end the session.
func (l *ledger) open(s *core.Socket) {
	l.opened.Add(1)
	l.mu.Lock()
	l.sessions = append(l.sessions, weak.Make(s))
	l.mu.Unlock()
	var calls atomic.Int32
	s.OnClose(func(reason core.CloseReason, err error) {
		if calls.Add(1) > 1 {
			l.twice.Add(1)
			return
		}
		l.mu.Lock()
		if l.errors == nil {
			l.errors = make(map[core.CloseReason]error)
		}
		l.errors[reason] = err
		l.mu.Unlock()
		l.reasons.add(reason)
		l.closed.Add(1)
	})
	s.OnMessage(func(m core.Message) { obey(s, string(m.Data)) })
	if s.Request().URL.Query().Has("panic") {
		panic("by design, in OnConnection")
	}
}

func obey(s *core.Socket, command string) {
	switch command {
	case "close":
		s.Close()
	case "close now":
		s.CloseNow()
	case "close elsewhere":
		go s.Close()
	case "close now elsewhere":
		go s.CloseNow()
	case "panic":
		panic("by design, in OnMessage")
	case "block":
		_ = s.Send(core.Text("blocked"))
		<-s.Context().Done()
	case "flood":
		for s.Send(core.Binary(make([]byte, 32<<10))) == nil { // until nothing more fits
		}
	default:
		_ = s.Send(core.Text(command))
	}
}

func (l *ledger) alive() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sessions {
		if s.Value() != nil {
			n++
		}
	}
	return n
}

func (l *ledger) example(reason core.CloseReason) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.errors[reason]
}

// bothEngines gives every other connection to the other WebSocket engine.
type bothEngines struct {
	n    atomic.Uint64
	once sync.Once
	both [2]core.WebSocketEngine
}

func (e *bothEngines) Accept(conn net.Conn, buffered []byte, r *http.Request, o core.WebSocketOptions) (core.WebSocketConn, error) {
	e.once.Do(func() { e.both = [2]core.WebSocketEngine{fastws.New(), lean.New()} })
	return e.both[e.n.Add(1)%2].Accept(conn, buffered, r, o)
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // pools are emptied in two rounds
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// engineCode is in the stack of every goroutine that runs or was started by the engine.
const engineCode = "github.com/goengineio/engineio/"

// notEngine is taken out of stacks: tests, and connections and listeners that the HTTP server uses.
var notEngine = strings.NewReplacer(engineCode+"integration_test", "", engineCode+"internal/wire.(*quick", "")

// liveGoroutines returns the stacks of goroutines that have code of the package, except for notEngine.
func liveGoroutines(code string) (stacks []string) {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		_, frames, _ := strings.Cut(stack, "\n")
		if processWide(frames) {
			continue
		}
		if code != "" && !strings.Contains(notEngine.Replace(frames), code) {
			continue
		}
		stacks = append(stacks, stack)
	}
	return stacks
}

// processWide tells of goroutines that are no session's: workers of fasthttp without work, which it
// keeps for ten seconds, and those that main_test.go names.
func processWide(frames string) bool {
	return strings.HasPrefix(frames, "github.com/valyala/fasthttp.(*workerPool).workerFunc") ||
		strings.Contains(frames, "github.com/valyala/fasthttp.(*workerPool).Start.func2") ||
		strings.Contains(frames, "github.com/valyala/fasthttp.updateServerDate") ||
		strings.Contains(frames, "github.com/gofiber/fiber/v2/utils.StartTimeStampUpdater")
}

// awaitGoroutines waits until no more than so many goroutines are left.
func awaitGoroutines(t *testing.T, what string, list func() []string, most int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		stacks := list()
		if len(stacks) <= most {
			return
		}
		if time.Now().After(deadline) {
			same := make(map[string]int)
			for _, stack := range stacks {
				_, frames, _ := strings.Cut(stack, "\n")
				same[frames]++
			}
			for _, frames := range slices.Sorted(maps.Keys(same)) {
				t.Logf("%d of\n%s", same[frames], frames)
			}
			t.Fatalf("not within %v: %s; there are %d, not %d", patience, what, len(stacks), most)
		}
	}
}
