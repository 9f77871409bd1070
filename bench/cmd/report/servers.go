package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// server is one that can be measured: a program and its arguments, to which the address is added.
type server struct {
	program string // a key of session.bin
	args    []string
	raw     bool // plain WebSocket: no Engine.IO
	http    bool // plain HTTP: stands in for polling with httpecho
}

// echo is the server as users get it. Nothing but framework and engine is chosen.
func echo(framework, engine string) server {
	return server{program: "echo", args: []string{
		"-broadcast", "-http-compression=false", "-framework", framework, "-ws-engine", engine,
	}}
}

func kind(program, kind string) server {
	return server{program: program, args: []string{"-kind", kind}}
}

func raw(s server) server { s.raw = true; return s }

func plain(s server) server { s.http = true; return s }

// The names are those of the tables in RESULTS.md.
var servers = map[string]server{
	"nethttp":            echo("nethttp", "default"),
	"nethttp, lean":      echo("nethttp", "lean"),
	"fiber":              echo("fiber", "default"),
	"fiber, lean":        echo("fiber", "lean"),
	"floor: hijack":      raw(kind("floor", "goro-hijack")),
	"floor: net/http":    kind("pollfloor", "nethttp"),
	"floor: fasthttp":    kind("pollfloor", "fasthttp"),
	"raw: fws, net/http": raw(kind("raw", "fws-nethttp")),
	"raw: fws, fasthttp": raw(kind("raw", "fws-fasthttp")),
	"request: net/http":  plain(kind("raw", "http")),
	"request: fasthttp":  plain(kind("raw", "fasthttp")),
	"floor: upgrade":     {program: "upgradefloor"},
	"bare ping-pong":     {program: "pingpong"},
	"node":               {program: "node"},
	"profiled":           {program: "profiled", args: echo("nethttp", "default").args},
	"profiled, lean":     {program: "profiled", args: echo("nethttp", "lean").args},
}

// explained is what the names mean, for the report.
const explained = "`nethttp` and `fiber` are `examples/echo -broadcast -http-compression=false` with that `-framework`, and with " +
	"`-ws-engine lean` where it says so. `floor: hijack` is the least a Go server can do with WebSockets that net/http accepted, " +
	"`floor: net/http` and `floor: fasthttp` are handlers that answer a constant or leave a poll waiting, `request:` one that echoes a body, " +
	"`floor: upgrade` is the least that net/http allows for an upgrade, without a session, " +
	"`raw: fws` is fasthttp/websocket without Engine.IO, `node` is engine.io 6.6.11 with ws 8.21.3."

// prepare builds all programs and looks at the machine.
func (s *session) prepare(ctx context.Context) error {
	s.raiseLimit()
	bench := filepath.Join(s.root, "bench")
	overlay, err := s.overlay()
	if err != nil {
		return err
	}
	for name, how := range map[string][]string{
		"echo":         {s.root, "./examples/echo"},
		"profiled":     {s.root, "-trimpath", "-tags=profiling", "-overlay=" + overlay, "./examples/echo"},
		"eioload":      {filepath.Join(bench, "eioload"), "."},
		"floor":        {filepath.Join(bench, "floor/floor"), "."},
		"pollfloor":    {filepath.Join(bench, "floor/pollfloor"), "."},
		"raw":          {filepath.Join(bench, "floor/raw"), "."},
		"pingpong":     {bench, "./cmd/pingpong"},
		"upgradefloor": {bench, "./cmd/upgradefloor"},
	} {
		s.say("building %s", name)
		s.bin[name] = filepath.Join(s.tmp, name)
		args := append([]string{"build", "-o", s.bin[name]}, how[1:]...)
		if _, err := output(ctx, how[0], "go", args...); err != nil {
			return fmt.Errorf("building %s: %w", name, err)
		}
	}
	s.node, _ = exec.LookPath("node")
	if _, err := os.Stat(filepath.Join(bench, "node/node_modules/engine.io")); err != nil {
		s.node = ""
	}
	if s.node == "" {
		s.say("no node, or no bench/node/node_modules (npm ci): the reference is left out")
	}
	s.data.Machine = s.look(ctx)
	return nil
}

// has tells whether a server can be run here.
func (s *session) has(name string) bool { return name != "node" || s.node != "" }

// running is a server process of ours.
type running struct {
	cmd  *exec.Cmd
	addr string
	done chan struct{}
	log  bytes.Buffer
}

// start runs a server on a free port and waits until it listens.
func (s *session) start(ctx context.Context, name string, env ...string) (*running, error) {
	return s.startWith(ctx, name, nil, env...)
}

// startWith is start with more arguments.
func (s *session) startWith(ctx context.Context, name string, args []string, env ...string) (*running, error) {
	def, ok := servers[name]
	if !ok {
		return nil, fmt.Errorf("there is no server %q", name)
	}
	def.args = slices.Concat(def.args, args)
	var err error
	for range 3 { // somebody else may take the port meanwhile
		var r *running
		if r, err = s.startOnce(ctx, def, env); err == nil {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%s does not start: %w", name, err)
}

func (s *session) startOnce(ctx context.Context, def server, env []string) (*running, error) {
	addr, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	program, args := s.bin[def.program], append(slices.Clone(def.args), "-addr", addr)
	if def.program == "node" {
		program, args = s.node, []string{"--expose-gc", filepath.Join(s.root, "bench/node/server.mjs"), addr}
	}
	r := &running{addr: addr, cmd: exec.CommandContext(ctx, program, args...), done: make(chan struct{})}
	r.cmd.Env = append(os.Environ(), env...)
	r.cmd.Stdout, r.cmd.Stderr = &r.log, &r.log
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = r.cmd.Wait()
		close(r.done)
	}()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr); err == nil {
			_ = conn.Close()
			return r, nil
		}
		select {
		case <-r.done:
			return nil, fmt.Errorf("it ended: %s", strings.TrimSpace(r.log.String()))
		case <-ctx.Done():
			r.stop()
			return nil, ctx.Err()
		default:
		}
	}
	r.stop()
	return nil, errors.New("it does not listen")
}

func (r *running) pid() int { return r.cmd.Process.Pid }

// stop ends the process, by its id and no other.
func (r *running) stop() {
	_ = r.cmd.Process.Kill()
	<-r.done
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// raiseLimit lets this process's children have as many file descriptors as it may.
func (s *session) raiseLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return
	}
	limit.Cur = limit.Max
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		s.limit = int(min(limit.Cur, 1<<30))
	}
}

// output runs a command and returns what it printed; the error has what it complained about.
func output(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(complaints.String()))
	}
	return out.String(), nil
}
