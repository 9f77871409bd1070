//go:build soak

package integration_test

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
)

// TestSoak keeps servers of all frameworks busy for as long as EIO_SOAK says, with sessions that
// come and go in every way, upgrades, cut connections, slow readers, readers that stop, broadcasts and
// faithful clients, and samples memory and goroutines every second. Clients and servers are one
// process, so that its figures are of both. `make soak` runs and plots it.
func TestSoak(t *testing.T) {
	lasts, err := time.ParseDuration(os.Getenv("EIO_SOAK"))
	if err != nil {
		t.Fatalf("EIO_SOAK is to be a duration, 10m for example: %v", err)
	}
	over := make(chan struct{})
	var running sync.WaitGroup
	var engines []*core.Server
	var books []*soakBook
	for _, framework := range frameworks {
		book := &soakBook{}
		engine, url := newServer(t, framework.serve, core.Config{
			AllowEIO3:    true,
			PingInterval: 2 * time.Second, PingTimeout: 4 * time.Second, UpgradeTimeout: time.Second,
			MaxPayload: 100_000, MaxBuffered: 1 << 20,
			WebSocketEngine: &bothEngines{},
			OnConnection:    book.open,
		})
		engines, books = append(engines, engine), append(books, book)
		s := &soak{&storm{t: t, engine: engine, url: url, over: over}}
		s.begin(&running)
	}

	samples := sample(t, lasts, engines)
	close(over)
	running.Wait()
	writeSamples(t, filepath.Join("..", "artifacts", "soak.csv"), samples)
	for _, column := range []struct {
		name      string
		tolerance float64 // beyond a tenth
	}{{"heap_mib", 8}, {"live_mib", 4}, {"rss_mib", 16}, {"goroutines", 100}} {
		second, last := samples.median(column.name, 1), samples.median(column.name, 4)
		t.Logf("%-10s median of the second fifth %8.1f, of the last %8.1f", column.name, second, last)
		if last > second*1.1+column.tolerance {
			t.Errorf("%s grows: from %.1f to %.1f", column.name, second, last)
		}
	}
	for i, engine := range engines {
		engine.Close()
		eventually(t, "OnClose was called for every session", func() bool { return int64(books[i].closed.total()) == books[i].opened.Load() })
		t.Logf("%-8s %d sessions, %d upgraded, closed by %v",
			frameworks[i].name, books[i].opened.Load(), books[i].upgraded.Load(), books[i].closed.all())
	}
	awaitGoroutines(t, "the engines' goroutines have ended", func() []string { return liveGoroutines(engineCode) }, 0)
}

// soakBook is the application of the soak test.
type soakBook struct {
	opened, upgraded atomic.Int64

	closed counter[core.CloseReason]
}

func (b *soakBook) open(s *core.Socket) {
	b.opened.Add(1)
	s.OnMessage(func(m core.Message) { obey(s, string(m.Data)) })
	s.OnUpgrade(func(core.Transport) { b.upgraded.Add(1) })
	s.OnClose(func(reason core.CloseReason, _ error) { b.closed.add(reason) })
}

// soak is the load on one server.
type soak struct{ *storm }

func (s *soak) begin(running *sync.WaitGroup) {
	work := func(pause time.Duration, f func(random *rand.Rand)) {
		running.Go(func() {
			random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
			for !s.isOver() {
				f(random)
				select {
				case <-s.over:
				case <-time.After(time.Duration(random.Int64N(int64(pause)))):
				}
			}
		})
	}
	for n := range 36 {
		pause := 50 * time.Millisecond
		if n%3 == 0 { // a WebSocket from the start, which is soon over
			pause *= 10
		}
		work(pause, func(random *rand.Rand) { s.visit(random, n) })
	}
	for range 25 {
		work(time.Second, func(*rand.Rand) { s.stay(0) })
	}
	for range 3 {
		work(time.Second, func(*rand.Rand) { s.stay(200 * time.Millisecond) }) // between reads
	}
	for range 2 {
		work(2*time.Second, func(*rand.Rand) { s.stall() })
	}
	work(200*time.Millisecond, func(random *rand.Rand) {
		s.engine.Broadcast(core.Text(strings.Repeat("x", random.IntN(4000))))
	})
}

// stay is a client that answers pings and reads what comes, slowly if it pauses.
func (s *soak) stay(pause time.Duration) {
	conn, err := dialRaw(s.url)
	if err != nil {
		return
	}
	defer conn.close()
	if conn.upgrade("EIO=4&transport=websocket") != nil {
		return
	}
	for !s.isOver() {
		_ = conn.conn.SetDeadline(time.Now().Add(patience))
		op, packet, err := conn.next()
		if err != nil || op == opClose {
			return
		}
		if packet == "2" && (conn.send(opText, "3") != nil || conn.send(opText, "4echo") != nil) {
			return
		}
		time.Sleep(pause)
	}
}

// stall is a client that asks for more than it will ever read.
func (s *soak) stall() {
	conn, err := dialRaw(s.url)
	if err != nil {
		return
	}
	defer conn.close()
	if conn.upgrade("EIO=4&transport=websocket") != nil || conn.send(opText, "4flood") != nil {
		return
	}
	select {
	case <-s.over:
	case <-time.After(2 * time.Second):
	}
}

// table is what was sampled, with the columns' names.
type table struct {
	names []string
	rows  [][]float64
}

func sample(t *testing.T, lasts time.Duration, engines []*core.Server) *table {
	samples := &table{names: []string{"seconds", "heap_mib", "live_mib", "rss_mib", "goroutines", "sessions"}}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	began := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for time.Since(began) < lasts {
		<-tick.C
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		metrics.Read(live)
		sessions := 0
		for _, engine := range engines {
			sessions += engine.Len()
		}
		samples.rows = append(samples.rows, []float64{
			time.Since(began).Seconds(), mib(m.HeapInuse), mib(live[0].Value.Uint64()), mib(residentBytes()),
			float64(runtime.NumGoroutine()), float64(sessions),
		})
		if n := len(samples.rows); n%60 == 0 {
			t.Logf("%s: %.1f", samples.names, samples.rows[n-1])
		}
	}
	return samples
}

func mib(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

// residentBytes is zero where there is no /proc.
func residentBytes() uint64 {
	data, _ := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(fields[1], 10, 64)
	return pages * uint64(os.Getpagesize())
}

// median of a column over one fifth of the time, counted from zero.
func (s *table) median(name string, fifth int) float64 {
	column := slices.Index(s.names, name)
	n := len(s.rows)
	var values []float64
	for _, row := range s.rows[n*fifth/5 : n*(fifth+1)/5] {
		values = append(values, row[column])
	}
	slices.Sort(values)
	if len(values) == 0 {
		return 0
	}
	return values[len(values)/2]
}

func writeSamples(t *testing.T, path string, samples *table) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	w := csv.NewWriter(file)
	_ = w.Write(samples.names)
	for _, row := range samples.rows {
		record := make([]string, len(row))
		for i, value := range row {
			record[i] = fmt.Sprintf("%.3f", value)
		}
		_ = w.Write(record)
	}
	w.Flush()
	if err := w.Error(); err != nil {
		t.Fatal(err)
	}
}
