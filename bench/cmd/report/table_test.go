package main

import (
	"slices"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   spread
	}{
		{nil, spread{}},
		{[]float64{2}, spread{2, 2, 2}},
		{[]float64{3, 1}, spread{2, 1, 3}},
		{[]float64{9, 1, 4}, spread{4, 1, 9}},
	} {
		if got := spreadOf(tt.values); got != tt.want {
			t.Errorf("%v: got %v, want %v", tt.values, got, tt.want)
		}
	}
}

func results(cpu ...float64) (list []result) {
	for _, v := range cpu {
		list = append(list, result{ServerCPU: v})
	}
	return list
}

// TestJudge: ratios are taken round by round, and their median counts.
func TestJudge(t *testing.T) {
	d := &rowData{Results: map[string][]result{
		"ours":  results(10, 40, 22),
		"floor": results(10, 20, 20),
		"zero":  results(0, 1, 1),
	}}
	for name, tt := range map[string]struct {
		goal  goal
		known bool
		met   bool
		ratio float64
	}{
		"met":         {goal{server: "ours", against: "floor", metric: cpu, most: 1.1}, true, true, 1.1},
		"missed":      {goal{server: "ours", against: "floor", metric: cpu, most: 1.09}, true, false, 1.1},
		"two of them": {goal{server: "ours", against: "floor", metric: cpu, times: 2, most: 0.5}, true, false, 0.55},
		"absolute":    {goal{server: "ours", metric: cpu, most: 22}, true, true, 0},
		"beside":      {goal{server: "ours", metric: cpu, beside: "floor", most: 22}, true, true, 1.1},
		"not beside":  {goal{server: "ours", metric: cpu, beside: "nobody", most: 21.9}, true, false, 0},
		"too much":    {goal{server: "ours", metric: cpu, most: 21.9}, true, false, 0},
		"much beside": {goal{server: "ours", metric: cpu, beside: "floor", most: 21.9}, true, false, 1.1},
		"not there":   {goal{server: "nobody", metric: cpu, most: 1}, false, false, 0},
		"no floor":    {goal{server: "ours", against: "nobody", metric: cpu, most: 1}, false, false, 0},
		"no figure":   {goal{server: "zero", metric: cpu, most: 1}, false, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			v, known := tt.goal.judge(d)
			if known != tt.known || v.met != tt.met || v.ratio.median-tt.ratio > 1e-9 || tt.ratio-v.ratio.median > 1e-9 {
				t.Errorf("got %v, met %v, ratio %v", known, v.met, v.ratio)
			}
		})
	}
	if v, _ := (goal{server: "ours", metric: cpu}).judge(nil); v.runs != 0 {
		t.Error("a verdict without a measurement")
	}
	d.Results["ours"][1].Stalled = 1
	if v, _ := (goal{server: "ours", metric: cpu, most: 50}).judge(d); !v.errors {
		t.Error("a stalled worker was not noticed")
	}
}

// TestRows: every goal speaks of servers that its row measures, and of servers that exist.
func TestRows(t *testing.T) {
	for _, row := range rows {
		for _, name := range row.runs {
			if _, ok := servers[name]; !ok {
				t.Errorf("%s: there is no server %q", row.id, name)
			}
		}
		for _, g := range row.goals {
			if !slices.Contains(row.runs, g.server) || g.other() != "" && !slices.Contains(row.runs, g.other()) {
				t.Errorf("%s: %q is not measured by its row", row.id, g.work)
			}
		}
	}
	for id, c := range curves {
		for _, name := range c.servers {
			if _, ok := servers[name]; !ok {
				t.Errorf("%s: there is no server %q", id, name)
			}
		}
	}
}

func TestParseBench(t *testing.T) {
	lines := parseBench(`goos: linux
pkg: github.com/goengineio/engineio/core
BenchmarkFlush/text-2         	  189720	       319.0 ns/op	     336 B/op	       2 allocs/op
BenchmarkBroadcast-2          	      62	    842115 ns/op	       842.1 ns/delivery	  337888 B/op	    2023 allocs/op
BenchmarkParallelEcho         	   39408	      3235 ns/op	       0 B/op	       0 allocs/op
PASS
`)
	want := []goBenchLine{
		{"core", "Flush/text", 2, 319, 336, 2, true},
		{"core", "Broadcast", 2, 842115, 337888, 2023, true},
		{"core", "ParallelEcho", 1, 3235, 0, 0, true},
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines: %v", len(lines), lines)
	}
	for i := range want {
		if lines[i] != want[i] {
			t.Errorf("got %+v, want %+v", lines[i], want[i])
		}
	}
}

func TestLoadIsShownAsItWasTaken(t *testing.T) {
	taken := &rowData{Taken: taken{Window: "2s"}, Results: map[string][]result{"node": {{Conns: 1000}}}}
	s := &session{time: 3 * time.Second} // of a machine without descriptors
	for _, row := range rows {
		if j := s.taking(row, taken); j.conns != 1000 || j.time != 2*time.Second && !j.idle() {
			t.Errorf("%s: %d connections for %v", row.id, j.conns, j.time)
		}
	}
}
