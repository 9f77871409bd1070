package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// curves show what a message, a delivery and an idle session cost by the number of sessions.
var curves = map[string]struct {
	title, y string
	servers  []string
	job      func(s *session, sessions int) job
	of       func(result) float64
}{
	"curve-idle": {
		"Memory of an idle WebSocket session", "KiB", []string{"nethttp, lean", "nethttp", "floor: hijack"},
		func(s *session, sessions int) job {
			j := s.hold("idle-ws", sessions)
			j.settle = min(j.settle, time.Second)
			return j
		},
		result.memory,
	},
	"curve-echo": {
		"WebSocket echo, 1 message in flight for each session", "server CPU, us per message",
		[]string{"nethttp, lean", "nethttp", "floor: hijack"},
		func(s *session, sessions int) job { return s.job("wsecho", s.connections(sessions)) },
		func(r result) float64 { return r.ServerCPU },
	},
	"curve-broadcast": {
		"Broadcast to all sessions", "server CPU, us per delivery",
		[]string{"nethttp, lean", "nethttp", "floor: hijack"},
		func(s *session, sessions int) job { return s.job("broadcast", s.connections(sessions)) },
		func(r result) float64 { return r.ServerCPU },
	},
}

// sizes are the numbers of sessions of the curves, as far as the descriptors reach.
func (s *session) sizes() []int {
	if s.quick {
		return []int{100, s.connections(1000)}
	}
	most := s.connections(19_000)
	var sizes []int
	for _, n := range []int{100, 1000, 5000, 10_000} {
		if n < most {
			sizes = append(sizes, n)
		}
	}
	return append(sizes, most)
}

func (s *session) curve(id string) func(context.Context) error {
	return func(ctx context.Context) error {
		c := curves[id]
		d := &curveData{Taken: s.taken(), Points: map[string][]result{}}
		for _, n := range s.sizes() {
			for _, name := range c.servers {
				r, err := s.measureFresh(ctx, name, c.job(s, n))
				if err != nil {
					return err
				}
				d.Points[name] = append(d.Points[name], r)
				s.say("%-15s  %6d sessions  %-14s  %8.2f", id, n, name, c.of(r))
			}
		}
		s.data.Curves[id] = d
		return nil
	}
}

// heartbeatServers are held at the same time, each started when the others' heartbeats are quiet.
var heartbeatServers = []string{"nethttp", "nethttp, lean", "bare ping-pong"}

// heartbeat holds idle sessions for two intervals and watches what the server does.
func (s *session) heartbeat(ctx context.Context) error {
	interval, sessions := 25*time.Second, s.connections(19_000)
	args := []string(nil)
	if s.quick {
		interval = time.Second
		args = []string{"-ping-interval", interval.String()}
	}
	j := job{mode: "idle-ws", conns: sessions, settle: 2 * interval, k: 1}
	d := &heartbeatData{
		Taken: s.taken(), Sessions: sessions, Interval: interval.String(), Hold: j.settle.String(), Results: map[string]result{},
	}
	s.say("heartbeat        %d sessions, %v", sessions, j.settle)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wait sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for i, name := range heartbeatServers {
		proc, err := s.startWith(ctx, name, args)
		if err != nil {
			return err
		}
		defer proc.stop()
		wait.Go(func() {
			pause(ctx, time.Duration(i)*interval/time.Duration(len(heartbeatServers)))
			r, err := s.measureRunning(ctx, name, proc, j)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
				cancel()
				return
			}
			d.Results[name] = r
			s.say("heartbeat        %-14s  %6.2f %% of a core", name, r.HoldPercent)
		})
	}
	wait.Wait()
	if failed != nil {
		return failed
	}
	s.data.Heartbeat = d
	return nil
}

// churn opens and closes sessions as fast as it goes, on one server, and looks at its memory.
func (s *session) churn(ctx context.Context) error {
	for _, mode := range []string{"wsconnect", "upgrade"} {
		proc, err := s.start(ctx, "nethttp")
		if err != nil {
			return err
		}
		d := &churnData{Taken: s.taken()}
		err = s.churnOn(ctx, proc, mode, d)
		proc.stop()
		if err != nil {
			return err
		}
		s.data.Churn[mode] = d
	}
	return nil
}

func (s *session) churnOn(ctx context.Context, proc *running, mode string, d *churnData) error {
	windows := 6
	if s.quick {
		windows = 3
	}
	j := s.job(mode, 64)
	j.warm = 0
	d.KiB = append(d.KiB, s.collected(ctx, proc))
	for range windows {
		r, err := s.measureRunning(ctx, "nethttp", proc, j)
		if err != nil {
			return err
		}
		d.Sessions, d.Rate = append(d.Sessions, r.Ops), append(d.Rate, r.OpsPerS)
		d.Errors += r.Errors
		d.KiB = append(d.KiB, s.collected(ctx, proc))
		s.say("churn            %-10s  %6.0f sessions/s, then %d KiB", mode, r.OpsPerS, d.KiB[len(d.KiB)-1])
	}
	return nil
}

// collected has the server collect garbage and returns the memory it has then.
func (s *session) collected(ctx context.Context, proc *running) int64 {
	wait := time.Second
	if s.quick {
		wait = 200 * time.Millisecond
	}
	pause(ctx, wait) // the last connections are still closing
	_ = syscall.Kill(proc.pid(), syscall.SIGUSR2)
	pause(ctx, wait)
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", proc.pid()))
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib
		}
	}
	return 0
}

// procs compares one thread of Go code with two.
func (s *session) procs(ctx context.Context) error {
	var all []procsData
	for _, load := range []struct {
		mode    string
		servers []string
	}{
		{"handshake", []string{"nethttp", "floor: net/http"}},
		{"wsecho", []string{"nethttp, lean", "nethttp", "floor: hijack"}},
	} {
		for _, name := range load.servers {
			d := procsData{Taken: s.taken(), Load: load.mode, Server: name, Results: map[int][]result{}}
			for _, n := range []int{1, 2} {
				r, err := s.measureFresh(ctx, name, s.job(load.mode, 64), "GOMAXPROCS="+strconv.Itoa(n))
				if err != nil {
					return err
				}
				d.Results[n] = append(d.Results[n], r)
				s.say("GOMAXPROCS=%d     %-10s  %-16s  %8.0f/s", n, load.mode, name, r.OpsPerS)
			}
			all = append(all, d)
		}
	}
	s.data.Procs = all
	return nil
}

// pause waits, but not beyond the context's end.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
