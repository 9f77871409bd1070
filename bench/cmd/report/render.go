package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// page is the report while it is written.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *page) row(cells ...string) { p.line("| %s |", strings.Join(cells, " | ")) }

// head begins a table.
func (p *page) head(cells ...string) {
	p.line("")
	p.row(cells...)
	rule := make([]string, len(cells))
	for i := range rule {
		rule[i] = "---"
	}
	p.row(rule...)
}

// render writes RESULTS.md from what was measured, now or before, and draws the plots.
func (s *session) render() error {
	p := &page{}
	p.line("# Results")
	p.line("")
	p.line("Written by `make bench-report`, figures, plots and all; what it measured is in `results.json`. Do not edit:")
	p.line("explanations belong in `notes.md`, which is copied into this file.")
	p.line("")
	p.line("%s.", s.data.Machine)
	if s.data.Machine.Quick {
		p.line("")
		p.line("**This was a quick run, to see whether everything works: the figures mean nothing.**")
	}
	p.line("")
	p.line("CPU is the server's, user and system, for each operation; memory is the server process's (PSS), for each session, after")
	p.line("a forced collection and without the kernel's socket buffers. Cells are medians (lowest to highest). A server is a fresh")
	p.line("process in each run; within a round one server is measured right after the other, every second round in reverse, and")
	p.line("a ratio is taken within its round, so that the machine's mood cancels out. Microseconds depend on the machine; ratios")
	p.line("are what counts. Client and server share the cores: messages per second and closed-loop latencies compare servers")
	p.line("within a table and say nothing beyond it.")
	p.line("")
	p.line("%s", explained)
	s.renderGoals(p)
	if notes, err := os.ReadFile(filepath.Join(s.root, "bench", "notes.md")); err == nil {
		p.line("\n## What stands in the way\n")
		p.WriteString(strings.TrimSpace(string(notes)) + "\n")
	}
	p.line("\n## Tables")
	for _, row := range rows {
		s.renderRow(p, row)
	}
	p.line("\n## Scale")
	if err := s.renderCurves(p); err != nil {
		return err
	}
	s.renderHeartbeat(p)
	s.renderChurn(p)
	s.renderProcs(p)
	s.renderProfiles(p)
	s.renderGoBench(p)
	return os.WriteFile(filepath.Join(s.out, "RESULTS.md"), []byte(p.String()), 0o644)
}

func (s *session) renderGoals(p *page) {
	p.line("\n## Goals")
	p.head("work", "measured", "beside", "ratio", "goal", "met", "runs")
	met, all := 0, 0
	for _, row := range rows {
		for _, g := range row.goals {
			v, ok := g.judge(s.data.Rows[row.id])
			if !ok {
				p.row(g.work, "not measured", "", "", g.limit(), "", "")
				continue
			}
			all++
			beside, ratio := "", ""
			if v.ratio.median > 0 {
				beside = fmt.Sprintf("%s %s", v.other.text(), g.other())
				if g.times > 1 {
					beside += fmt.Sprintf(" (%.0f of them)", g.times)
				}
				ratio = v.ratio.text()
			}
			verdict := "**no**"
			if v.met {
				verdict = "yes"
				met++
			}
			if v.errors {
				verdict += " (with errors)"
			}
			p.row(g.work, fmt.Sprintf("%s %s %s", v.measured.text(), g.metric.unit, g.metric.name), beside, ratio, g.limit(), verdict, fmt.Sprint(v.runs))
		}
	}
	p.line("")
	p.line("%d of %d goals are met.", met, all)
}

func (g goal) limit() string {
	if g.against == "" {
		return fmt.Sprintf("at most %s %s", digits(g.most), g.metric.unit)
	}
	return fmt.Sprintf("at most %s x", digits(g.most))
}

// digits shows three significant digits or the whole number.
func digits(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func (s spread) text() string {
	if s.low == s.high {
		return digits(s.median)
	}
	return fmt.Sprintf("%s (%s–%s)", digits(s.median), digits(s.low), digits(s.high))
}

func (s *session) renderRow(p *page, row row) {
	d := s.data.Rows[row.id]
	if d == nil {
		return
	}
	p.line("\n### %s\n", row.title)
	j := s.taking(row, d)
	if j.idle() {
		p.line("`eioload %s`; %s.", strings.Join(j.args(server{}), " "), d.Taken.Day)
		p.head("server", "runs", "KiB after GC", "KiB as it is", "us to open", "CPU % while held", "errors")
	} else {
		p.line("`eioload %s`; %s.", strings.Join(j.args(server{}), " "), d.Taken.Day)
		p.head("server", "runs", "server CPU us", "client CPU us", "operations/s", "p50 us", "p99 us", "server CPU %", "errors, stalled")
	}
	for _, name := range row.runs {
		runs := d.Results[name]
		if len(runs) == 0 {
			continue
		}
		col := func(of func(result) float64) string { return spreadOver(runs, of).text() }
		if j.idle() {
			p.row(name, fmt.Sprint(len(runs)), col(result.memory), col(func(r result) float64 { return float64(r.Bytes) / 1024 }),
				col(func(r result) float64 { return r.OpenCPU }), col(func(r result) float64 { return r.HoldPercent }), complaints(runs))
			continue
		}
		p.row(name, fmt.Sprint(len(runs)), col(cpu.of), col(func(r result) float64 { return r.ClientCPU }),
			col(func(r result) float64 { return r.OpsPerS }), col(func(r result) float64 { return r.P50 }), col(p99.of),
			col(func(r result) float64 { return r.ServerPercent }), complaints(runs))
	}
}

// taking is the row's load as it was when d was measured, which may be long ago, on another machine and with
// other flags.
func (s *session) taking(row row, d *rowData) job {
	j := row.job(s)
	if window, err := time.ParseDuration(d.Taken.Window); err == nil {
		j.time = window
	}
	for _, runs := range d.Results {
		for _, r := range runs {
			j.conns = r.Conns
		}
	}
	return j
}

// complaints tells how many operations went wrong, and why the first one did.
func complaints(runs []result) string {
	errors, stalled, text := int64(0), 0, ""
	for _, r := range runs {
		errors += r.Errors
		stalled += r.Stalled
		if text == "" && r.ErrText != "" {
			text = ": " + strings.ReplaceAll(r.ErrText[:min(len(r.ErrText), 80)], "|", "/")
		}
	}
	if errors == 0 && stalled == 0 {
		return "0"
	}
	return fmt.Sprintf("%d, %d%s", errors, stalled, text)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
