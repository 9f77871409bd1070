package main

import (
	"cmp"
	"context"
	"slices"
)

// table measures the rows. In each round every row is taken once, one server right after the other,
// and every second round goes the other way round, so that a machine that gets slower or faster
// meanwhile favours nobody.
func (s *session) table(ctx context.Context) error {
	fresh := map[string]*rowData{}
	for round := range s.rounds {
		for _, row := range rows {
			if !s.only.MatchString(row.id) {
				continue
			}
			if fresh[row.id] == nil {
				fresh[row.id] = &rowData{Taken: s.taken(), Results: map[string][]result{}}
			}
			names := slices.Clone(row.runs)
			if round%2 == 1 {
				slices.Reverse(names)
			}
			for _, name := range names {
				if !s.has(name) {
					continue
				}
				j := row.job(s)
				r, err := s.measureFresh(ctx, name, j)
				if err != nil {
					return err
				}
				fresh[row.id].Results[name] = append(fresh[row.id].Results[name], r)
				if j.idle() {
					s.say("round %d/%d  %-14s  %-18s  %8.2f KiB", round+1, s.rounds, row.id, name, r.memory())
				} else {
					s.say("round %d/%d  %-14s  %-18s  %8.2f us", round+1, s.rounds, row.id, name, r.ServerCPU)
				}
			}
		}
	}
	for id, row := range fresh {
		s.data.Rows[id] = row
	}
	if len(fresh) == 0 {
		return nil
	}
	return s.keep()
}

// spread is what several runs gave.
type spread struct{ median, low, high float64 }

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{median: (sorted[(n-1)/2] + sorted[n/2]) / 2, low: sorted[0], high: sorted[n-1]}
}

func spreadOver(results []result, of func(result) float64) spread {
	values := make([]float64, len(results))
	for i, r := range results {
		values[i] = of(r)
	}
	return spreadOf(values)
}

// verdict is a goal beside what was measured. The ratio is taken round by round: both sides of it
// had the same machine.
type verdict struct {
	measured spread // of the server
	other    spread // of the one it is compared with
	ratio    spread
	runs     int
	met      bool
	errors   bool
}

// judge returns false when there is nothing to judge by.
func (g goal) judge(d *rowData) (verdict, bool) {
	if d == nil || len(d.Results[g.server]) == 0 {
		return verdict{}, false
	}
	ours := d.Results[g.server]
	v := verdict{measured: spreadOver(ours, g.metric.of), runs: len(ours), errors: anyErrors(ours)}
	if v.measured.low <= 0 { // too short for the clock of the process
		return verdict{}, false
	}
	alone := g.against == ""
	v.met = alone && v.measured.median <= g.most
	theirs := d.Results[g.other()]
	if len(theirs) == 0 {
		return v, alone
	}
	v.runs = min(len(ours), len(theirs))
	var ratios []float64
	for i := range v.runs {
		if other := g.metric.of(theirs[i]) * max(g.times, 1); other > 0 {
			ratios = append(ratios, g.metric.of(ours[i])/other)
		}
	}
	v.other = spreadOver(theirs, func(r result) float64 { return g.metric.of(r) * max(g.times, 1) })
	v.ratio = spreadOf(ratios)
	if !alone {
		v.met = len(ratios) > 0 && v.ratio.median <= g.most
	}
	v.errors = v.errors || anyErrors(theirs)
	return v, true
}

// other is the server whose figure belongs beside this one.
func (g goal) other() string { return cmp.Or(g.against, g.beside) }

func anyErrors(results []result) bool {
	return slices.ContainsFunc(results, func(r result) bool { return r.Errors > 0 || r.Stalled > 0 })
}
