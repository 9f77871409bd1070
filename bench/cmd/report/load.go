package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// job is one call of eioload.
type job struct {
	mode   string
	conns  int
	k      int
	rate   int
	warm   time.Duration
	time   time.Duration
	settle time.Duration
	gc     bool
}

func (s *session) job(mode string, conns int) job {
	return job{mode: mode, conns: conns, k: 1, warm: s.warm, time: s.time}
}

func (j job) idle() bool { return j.settle > 0 }

func (j job) args(def server) []string {
	mode := j.mode
	if def.http && mode == "pollecho" {
		mode = "httpecho"
	}
	args := []string{"-mode", mode, "-c", strconv.Itoa(j.conns)}
	switch {
	case j.idle():
		args = append(args, "-settle", j.settle.String(), "-gc="+strconv.FormatBool(j.gc))
	default:
		args = append(args, "-warm", j.warm.String(), "-d", j.time.String(), "-k", strconv.Itoa(j.k))
	}
	if j.rate > 0 {
		args = append(args, "-rate", strconv.Itoa(j.rate))
	}
	if def.raw {
		args = append(args, "-raw")
	}
	return args
}

// measureFresh puts the load on a fresh process of the server. A run with errors is taken once more.
func (s *session) measureFresh(ctx context.Context, name string, j job, env ...string) (result, error) {
	var r result
	for try := range 2 {
		proc, err := s.start(ctx, name, env...)
		if err != nil {
			return r, err
		}
		r, err = s.measureRunning(ctx, name, proc, j)
		proc.stop()
		if err != nil {
			return r, err
		}
		if r.Errors == 0 && r.Stalled == 0 || s.quick {
			break
		}
		s.say("%s, %s: %d errors, %d stalled (try %d): %s", j.mode, name, r.Errors, r.Stalled, try+1, r.ErrText)
	}
	return r, nil
}

// measureRunning puts the load on a server that runs already.
func (s *session) measureRunning(ctx context.Context, name string, proc *running, j job) (result, error) {
	var r result
	ctx, cancel := context.WithTimeout(ctx, j.warm+j.time+j.settle+90*time.Second)
	defer cancel()
	args := append(j.args(servers[name]),
		"-url", "http://"+proc.addr+"/engine.io/", "-pid", strconv.Itoa(proc.pid()), "-label", name)
	out, err := output(ctx, "", s.bin["eioload"], args...)
	if err != nil {
		return r, fmt.Errorf("eioload %s on %s: %w", j.mode, name, err)
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return r, fmt.Errorf("eioload %s on %s: %w in %q", j.mode, name, err, out)
	}
	select {
	case <-proc.done:
		return r, errors.New(name + " ended under load: " + proc.log.String())
	default:
	}
	return r, nil
}
