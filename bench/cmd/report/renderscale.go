package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goengineio/engineio/bench/internal/chart"
)

func (s *session) renderCurves(p *page) error {
	for _, id := range []string{"curve-idle", "curve-echo", "curve-broadcast"} {
		d, c := s.data.Curves[id], curves[id]
		if d == nil {
			continue
		}
		p.line("\n### %s, by the number of sessions\n", c.title)
		p.line("%s, one run for each point, %s.", c.y, d.Taken.Day)
		floor := c.servers[len(c.servers)-1]
		header := append([]string{"sessions"}, c.servers...)
		for _, name := range c.servers[:len(c.servers)-1] {
			header = append(header, name+" / floor")
		}
		p.head(append(header, "errors")...)
		t := &chart.Table{X: "sessions", Names: c.servers}
		for i, at := range d.Points[floor] {
			cells := []string{fmt.Sprint(at.Conns)}
			var values []float64
			var all []result
			for _, name := range c.servers {
				values = append(values, c.of(d.Points[name][i]))
				cells = append(cells, digits(values[len(values)-1]))
				all = append(all, d.Points[name][i])
			}
			for k := range c.servers[:len(c.servers)-1] {
				cells = append(cells, digits(values[k]/values[len(values)-1]))
			}
			p.row(append(cells, complaints(all))...)
			t.Add(float64(at.Conns), values...)
		}
		p.line("\n![%s](plots/%s.png)", c.title, id)
		if err := s.plot(t, id, chart.Options{Title: c.title, Y: c.y, LogX: true}); err != nil {
			return err
		}
	}
	return nil
}

// plot keeps a table and its picture.
func (s *session) plot(t *chart.Table, id string, o chart.Options) error {
	file := filepath.Join(s.out, "plots", id)
	if err := chart.Draw(t, file+".png", o); err != nil {
		return err
	}
	f, err := os.Create(file + ".csv")
	if err != nil {
		return err
	}
	defer f.Close()
	return t.Write(f)
}

func (s *session) renderHeartbeat(p *page) {
	d := s.data.Heartbeat
	if d == nil {
		return
	}
	p.line("\n### Heartbeats of %d idle sessions\n", d.Sessions)
	p.line("Every %s, held for %s, %s. The goal is 2 %% of one core, or 1.3 x of the bare ping-pong: a goroutine and a timer for each", d.Interval, d.Hold, d.Taken.Day)
	p.line("connection and nothing of Engine.IO. The three servers are held at the same time, their heartbeats at different ones.")
	p.head("server", "CPU % of a core", "us for each heartbeat", "beside the bare one", "goal met", "errors")
	interval, _ := time.ParseDuration(d.Interval)
	bare := d.Results["bare ping-pong"].HoldPercent
	for _, name := range heartbeatServers {
		r, ok := d.Results[name]
		if !ok {
			continue
		}
		each := r.HoldPercent / 100 * interval.Seconds() / float64(max(d.Sessions, 1)) * 1e6
		beside, met := "", ""
		if name != "bare ping-pong" {
			met = "**no**"
			if bare > 0 {
				beside = digits(r.HoldPercent / bare)
			}
			if r.HoldPercent < 2 || bare > 0 && r.HoldPercent <= 1.3*bare {
				met = "yes"
			}
		}
		p.row(name, digits(r.HoldPercent), digits(each), beside, met, complaints([]result{r}))
	}
}

func (s *session) renderChurn(p *page) {
	if len(s.data.Churn) == 0 {
		return
	}
	p.line("\n### Sessions that come and go\n")
	p.line("One server (`nethttp`), sessions opened and closed as fast as this machine does it, in several windows. After each")
	p.line("window garbage is collected and the process's memory read. The first window fills pools and grows the heap to its")
	p.line("working size, so growth is counted from there; the goal is none at 5,000 sessions a second (up to 5 %% passes for none).")
	p.head("kind", "sessions/s", "sessions in all", "KiB before, after each window", "growth since the first", "goal met", "errors")
	for _, mode := range sortedKeys(s.data.Churn) {
		d := s.data.Churn[mode]
		total, kib := uint64(0), []string{}
		for _, n := range d.Sessions {
			total += n
		}
		for _, k := range d.KiB {
			kib = append(kib, fmt.Sprint(k))
		}
		first, last := float64(d.KiB[1]), float64(d.KiB[len(d.KiB)-1])
		rate := spreadOf(d.Rate)
		met := "**no**"
		switch {
		case last <= 1.05*first && rate.median >= 5000:
			met = "yes"
		case last <= 1.05*first:
			met = "as far as this machine reaches"
		}
		what := map[string]string{"wsconnect": "WebSocket, opened and closed", "upgrade": "polling, upgraded, one echo, closed"}[mode]
		p.row(what, rate.text(), fmt.Sprint(total), strings.Join(kib, ", "), fmt.Sprintf("%+.1f %%", 100*(last-first)/first), met, fmt.Sprint(d.Errors))
	}
}

func (s *session) renderProcs(p *page) {
	if len(s.data.Procs) == 0 {
		return
	}
	p.line("\n### GOMAXPROCS 1 and 2\n")
	p.line("Of the server. The generator shares the cores with it, so the floor server beside ours shows what this machine lets")
	p.line("happen; `Parallel` under Go benchmarks is the same without a generator.")
	p.head("load", "server", "operations/s with 1", "with 2", "ratio", "server CPU us with 1", "with 2", "errors")
	for _, d := range s.data.Procs {
		one, two := d.Results[1], d.Results[2]
		ops := func(r result) float64 { return r.OpsPerS }
		a, b := spreadOver(one, ops), spreadOver(two, ops)
		p.row(d.Load, d.Server, a.text(), b.text(), digits(b.median/a.median),
			spreadOver(one, cpu.of).text(), spreadOver(two, cpu.of).text(), complaints(slices.Concat(one, two)))
	}
}

func (s *session) renderProfiles(p *page) {
	if len(s.data.Profiles) == 0 {
		return
	}
	p.line("\n## Profiles\n")
	p.line("Taken from `examples/echo` with net/http/pprof built in (`overlay/profiling.go`), by the loads of the tables; longer lists")
	p.line("and the profiles themselves are in `profiles/`. Every contention counts in the mutex profiles.")
	p.head("load", "delay in mutexes through this module's code")
	for _, id := range sortedKeys(s.data.Profiles) {
		locks := s.data.Profiles[id].Locks
		if locks == "" {
			locks = "none"
		}
		p.row(id, locks)
	}
	for _, id := range sortedKeys(s.data.Profiles) {
		for _, kind := range []string{"cpu", "allocs", "mutex"} {
			p.line("\n%s, %s:\n", id, kind)
			p.line("```\n%s```", s.data.Profiles[id].Text[kind])
		}
	}
}

func (s *session) renderGoBench(p *page) {
	d := s.data.GoBench
	if d == nil {
		return
	}
	p.line("\n## Go benchmarks\n")
	p.line("In memory, one run each, %s. Allocation budgets are tests (`TestAllocation...`), timings never are.", d.Taken.Day)
	p.head("package", "benchmark", "GOMAXPROCS", "ns", "bytes", "allocations")
	for _, l := range d.Lines {
		p.row("`"+l.Package+"`", l.Name, fmt.Sprint(l.Procs), digits(l.Ns), fmt.Sprint(l.Bytes), fmt.Sprint(l.Allocs))
	}
}
