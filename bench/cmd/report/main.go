// Report measures examples/echo beside the floor servers and the npm reference, and writes
// RESULTS.md, plots and profiles. `make bench-report` runs it.
//
// What was measured is kept in results.json, so that a part can be measured again (-only) and the
// rest of the report stays.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted; what was complete is kept")
		}
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

// session is one run of this program: the servers of all its measurements share the machine's mood.
type session struct {
	root, out, tmp string
	rounds         int
	time, warm     time.Duration
	quick          bool
	only           *regexp.Regexp
	began          time.Time
	limit          int // file descriptors of a process
	bin            map[string]string
	node           string // the program; empty when it is missing
	data           *data
}

func run(ctx context.Context, args []string) error {
	s := &session{began: time.Now(), warm: time.Second, bin: map[string]string{}}
	f := flag.NewFlagSet("report", flag.ExitOnError)
	f.StringVar(&s.root, "root", "..", "the repository's root")
	f.StringVar(&s.out, "out", "", "folder to write to (default: bench, or artifacts/bench with -quick)")
	f.IntVar(&s.rounds, "rounds", 3, "how often each row of the table is measured")
	f.DurationVar(&s.time, "time", 3*time.Second, "measured window of one run")
	f.BoolVar(&s.quick, "quick", false, "see in a minute or so whether everything works; the figures mean nothing")
	only := f.String("only", "", "measure the parts whose name matches this pattern again, keep the others")
	render := f.Bool("render", false, "measure nothing, write the report again")
	_ = f.Parse(args)
	var err error
	if s.only, err = regexp.Compile(*only); err != nil {
		return err
	}
	if s.rounds < 1 || s.time <= 0 || s.time > time.Minute {
		return fmt.Errorf("a round and a window of up to a minute, please")
	}
	if s.quick {
		s.rounds, s.time, s.warm = 1, 200*time.Millisecond, 100*time.Millisecond
	}
	if err := s.folders(); err != nil {
		return err
	}
	defer os.RemoveAll(s.tmp)
	if s.data, err = load(filepath.Join(s.out, "results.json")); err != nil {
		return err
	}
	if *render {
		return s.render()
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if err := s.measure(ctx); err != nil {
		return err
	}
	if err := s.render(); err != nil {
		return err
	}
	s.say("written: %s, after %s", filepath.Join(s.out, "RESULTS.md"), time.Since(s.began).Round(time.Second))
	return nil
}

// measure takes what was asked for, part by part, and keeps each part as soon as it is there.
func (s *session) measure(ctx context.Context) error {
	parts := []struct {
		name string
		take func(context.Context) error
	}{
		{"curve-idle", s.curve("curve-idle")},
		{"curve-echo", s.curve("curve-echo")},
		{"curve-broadcast", s.curve("curve-broadcast")},
		{"heartbeat", s.heartbeat},
		{"churn", s.churn},
		{"procs", s.procs},
		{"profiles", s.profiles},
		{"gobench", s.goBench},
	}
	if err := s.table(ctx); err != nil {
		return err
	}
	for _, part := range parts {
		if !s.only.MatchString(part.name) {
			continue
		}
		if err := part.take(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		if err := s.keep(); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) keep() error { return s.data.save(filepath.Join(s.out, "results.json")) }

func (s *session) folders() error {
	var err error
	if s.root, err = filepath.Abs(s.root); err != nil {
		return err
	}
	if s.out == "" {
		s.out = filepath.Join(s.root, "bench")
		if s.quick {
			s.out = filepath.Join(s.root, "artifacts", "bench")
		}
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}
	s.tmp, err = os.MkdirTemp("", "engineio-bench-")
	return err
}

// say prints a line of progress.
func (s *session) say(format string, args ...any) {
	passed := time.Since(s.began).Round(time.Second)
	fmt.Printf("%2d:%02d  %s\n", int(passed.Minutes()), int(passed.Seconds())%60, fmt.Sprintf(format, args...))
}
