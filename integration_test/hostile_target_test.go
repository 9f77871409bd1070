package integration_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
)

// target is a server under attack. It sends every message back, but for those of onMessage.
type target struct {
	t         *testing.T
	framework string
	engine    *core.Server
	host      string // host:port
	before    usage
	attackers []*attacker

	ended    chan ending
	smuggled atomic.Int64 // handshakes that say so in their query
	holding  chan struct{}
	letGo    chan struct{}

	warnings    atomic.Int64
	lastWarning atomic.Value
}

// hostileLimit is the MaxPayload of targets.
const hostileLimit = 100_000

func newTarget(t *testing.T, framework string, serve func(testing.TB, *core.Server) string, engine, config func(*core.Config)) *target {
	t.Helper()
	x := &target{t: t, framework: framework, ended: make(chan ending, 10_000), holding: make(chan struct{}, 1), letGo: make(chan struct{}, 1)}
	cfg := core.Config{
		MaxPayload: hostileLimit, MaxBuffered: 2 << 20, AllowEIO3: true, PerMessageDeflate: &core.DeflateOptions{},
		Logger: slog.New(slog.NewTextHandler(x, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	engine(&cfg)
	if config != nil {
		config(&cfg)
	}
	allow := cfg.AllowRequest
	cfg.AllowRequest = func(r *http.Request) error {
		if strings.Contains(r.URL.RawQuery, "smuggled") {
			x.smuggled.Add(1)
		}
		if allow == nil {
			return nil
		}
		return allow(r)
	}
	own := cfg.OnConnection
	cfg.OnConnection = func(s *core.Socket) {
		s.OnMessage(func(m core.Message) { x.onMessage(s, m) })
		s.OnClose(func(reason core.CloseReason, err error) {
			select {
			case x.ended <- ending{reason, err}:
			default: // of a flood, which counts sessions
			}
		})
		if own != nil {
			own(s)
		}
	}
	x.lastWarning.Store("")
	var url string
	x.engine, url = newServer(t, serve, cfg)
	x.host = strings.TrimPrefix(url, "http://")
	x.freshClient() // what is made with the first requests is no growth
	x.hangUp()
	closeAll(x.engine)
	for range 2 {
		await(t, x.ended, "end of the first client's sessions")
	}
	return x
}

func (x *target) onMessage(s *core.Socket, m core.Message) {
	switch string(m.Data) {
	case "panic":
		panic("a callback that panics")
	case "hold": // until let go
		x.holding <- struct{}{}
		<-x.letGo
	case "flood": // more than the network buffers
		for range 80 {
			_ = s.Send(core.Message{Data: bytes.Repeat([]byte("x"), 100_000), NoCompress: true})
		}
	default:
		_ = s.Send(m)
	}
}

// reset forgets earlier rows. What they left is settled already, so this is where growth begins.
func (x *target) reset() {
	for len(x.ended) > 0 {
		<-x.ended
	}
	x.smuggled.Store(0)
	x.warnings.Store(0)
	// Goroutines of the client before may still be on their way out.
	for count := goroutines(); ; {
		time.Sleep(2 * time.Millisecond)
		now := goroutines()
		if now >= count {
			break
		}
		count = now
	}
	_ = use() // the second one empties the pools
	x.before = use()
}

// Write takes the records of the log, one at a time.
func (x *target) Write(record []byte) (int, error) {
	line, ended := bytes.CutSuffix(record, []byte("\n"))
	for _, c := range line {
		if !ended || c < ' ' || c == 0x7f {
			x.lastWarning.Store(fmt.Sprintf("a record that is not one line: %q", record))
			x.warnings.Add(1)
			return len(record), nil
		}
	}
	if !bytes.Contains(line, []byte(" level=DEBUG ")) && !bytes.Contains(line, []byte(" level=INFO ")) && !isForOperators(line) {
		x.warnings.Add(1)
		x.lastWarning.Store(string(line))
	}
	return len(record), nil
}

// isForOperators recognizes warnings that attacks may bring about. The server logs one of a kind in ten
// seconds, so a row cannot count on its own.
func isForOperators(line []byte) bool {
	for _, message := range []string{"a client of protocol revision 3 was refused", "a client that reads too slowly was cut off", "no session id"} {
		if bytes.Contains(line, []byte(message)) {
			return true
		}
	}
	return false
}

// expectWarnings takes the warnings a row is meant to bring about out of the count.
func (x *target) expectWarnings(n int64, text string) {
	x.t.Helper()
	eventually(x.t, fmt.Sprintf("%d warnings", n), func() bool { return x.warnings.Load() >= n })
	if last, _ := x.lastWarning.Load().(string); !strings.Contains(last, text) {
		x.t.Errorf("logged %s, want %s", last, text)
	}
	x.warnings.Add(-n)
}

// wantEnd waits for the end of a session.
func (x *target) wantEnd(reason core.CloseReason) {
	x.t.Helper()
	if e := await(x.t, x.ended, "end of the session"); e.reason != reason {
		x.t.Errorf("ended with %q (%v), want %q", e.reason, e.err, reason)
	}
}

// wantHeld checks what the attack makes the server hold at the moment, compared with before: bytes
// and objects of the heap, where timers show as well, and goroutines.
func (x *target) wantHeld(what string, bytes, objects int64, goroutines int) {
	x.t.Helper()
	var now usage
	for range 20 { // there may be work under way
		now = use()
		if now.heap-x.before.heap <= bytes && now.objects-x.before.objects <= objects && now.goroutines-x.before.goroutines <= goroutines {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	x.t.Errorf("%s: held are %d bytes in %d objects and %d goroutines, want at most %d, %d and %d", what,
		now.heap-x.before.heap, now.objects-x.before.objects, now.goroutines-x.before.goroutines, bytes, objects, goroutines)
}

// wantAllocated runs attack and checks how much memory all that happens allocates meanwhile, held or
// not, the client's share included.
func (x *target) wantAllocated(what string, bytes int64, attack func()) {
	x.t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	attack()
	runtime.ReadMemStats(&after)
	if n := int64(after.TotalAlloc - before.TotalAlloc); n > bytes {
		x.t.Errorf("%s: %d bytes were allocated, want at most %d", what, n, bytes)
	}
}

// wantLinear checks that four times of the input takes no more than sixteen times as long, and a bit:
// it tells a square from a line only where it hurts.
func (x *target) wantLinear(what string, n int, attack func(n int)) {
	x.t.Helper()
	took := func(n int) time.Duration {
		begin := time.Now()
		attack(n)
		return time.Since(begin)
	}
	attack(n) // whatever is slow the first time
	if short, long := took(n), took(4*n); long > 16*short+time.Second {
		x.t.Errorf("%s: %d take %v, four times as many %v", what, n, short, long)
	}
}

// freshClient is served over polling and over WebSocket.
func (x *target) freshClient() {
	x.t.Helper()
	var posted, polled answer
	for range 5 { // where silence is noticed soon, a busy machine may need a second attempt
		sid := x.open()
		posted, polled = x.post(sid, "4still there"), x.poll(sid)
		if polled.body == "4still there" {
			break
		}
	}
	x.wantAnswer(posted, http.StatusOK, "ok")
	x.wantAnswer(polled, http.StatusOK, "4still there")
	var packet string
	for range 5 {
		a := x.websocket(ws4, "", "")
		a.send(frame(text, "4still there"))
		if _, packet, _ = a.next(); packet == "4still there" {
			return
		}
	}
	x.t.Errorf("a fresh client on a WebSocket got %q", packet)
}

// usage is what the process uses.
type usage struct {
	heap, objects int64
	goroutines    int
}

func use() usage {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{int64(m.HeapAlloc), int64(m.HeapObjects), goroutines()}
}

var profile struct {
	sync.Mutex
	records []runtime.StackRecord
}

// goroutines counts all but fasthttp's idle workers, which stay for 10 s in case there is work.
func goroutines() (count int) {
	profile.Lock()
	defer profile.Unlock()
	n, ok := runtime.GoroutineProfile(profile.records)
	for !ok {
		profile.records = make([]runtime.StackRecord, n+100)
		n, ok = runtime.GoroutineProfile(profile.records)
	}
	for i := range n {
		stack := profile.records[i].Stack()
		idle, serving := false, false
		for frames := runtime.CallersFrames(stack); ; {
			frame, more := frames.Next()
			idle = idle || strings.HasSuffix(frame.Function, "fasthttp.(*workerPool).workerFunc")
			serving = serving || strings.HasSuffix(frame.Function, "fasthttp.(*Server).serveConn")
			if !more {
				break
			}
		}
		if !idle || serving {
			count++
		}
	}
	return count
}

// stacks are those of all goroutines, for a failure's message.
func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// suiteParts is the source of the adapters' suite.
func suiteParts(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile("../internal/adaptertest/suite.go")
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}
