package main

import (
	"bufio"
	"context"
	"regexp"
	"strconv"
	"strings"
)

// goBench runs the Go benchmarks of the hot paths, the parallel ones with one thread and with two.
func (s *session) goBench(ctx context.Context) error {
	d := &goBenchData{Taken: s.taken()}
	window := "300ms"
	if s.quick {
		window = "1ms"
	}
	for _, args := range [][]string{
		{"-bench=^Benchmark[^P]", "-cpu=2", "./parser", "./core", "./engines/lean"},
		{"-bench=^BenchmarkParallel", "-cpu=1,2", "./core"},
	} {
		s.say("gobench          %s", strings.Join(args, " "))
		all := append([]string{"test", "-run=^$", "-benchmem", "-benchtime=" + window}, args...)
		out, err := output(ctx, s.root, "go", all...)
		if err != nil {
			return err
		}
		d.Lines = append(d.Lines, parseBench(out)...)
	}
	s.data.GoBench = d
	return nil
}

var benchName = regexp.MustCompile(`^Benchmark(.*?)(?:-(\d+))?$`)

// parseBench reads what `go test -bench` prints.
func parseBench(text string) (lines []goBenchLine) {
	pkg := ""
	for scanner := bufio.NewScanner(strings.NewReader(text)); scanner.Scan(); {
		fields := strings.Fields(scanner.Text())
		if len(fields) == 2 && fields[0] == "pkg:" {
			pkg = strings.TrimPrefix(fields[1], "github.com/goengineio/engineio/")
		}
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := benchName.FindStringSubmatch(fields[0])
		l := goBenchLine{Package: pkg, Name: name[1], Procs: 1}
		if name[2] != "" {
			l.Procs, _ = strconv.Atoi(name[2])
		}
		for i := 3; i < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i-1], 64)
			if err != nil {
				continue
			}
			switch fields[i] {
			case "ns/op":
				l.Ns = value
			case "B/op":
				l.Bytes = int64(value)
			case "allocs/op":
				l.Allocs, l.HasAllocations = int64(value), true
			}
		}
		lines = append(lines, l)
	}
	return lines
}
