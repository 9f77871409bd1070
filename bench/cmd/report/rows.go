package main

import "time"

// row is one kind of work: the same load on several servers.
type row struct {
	id    string
	title string
	job   func(*session) job
	runs  []string // ours first
	goals []goal
}

// metric is a figure of a run.
type metric struct {
	name, unit string
	of         func(result) float64
}

var (
	cpu    = metric{"server CPU", "us", func(r result) float64 { return r.ServerCPU }}
	memory = metric{"memory", "KiB", result.memory}
	p99    = metric{"p99", "us", func(r result) float64 { return r.P99 }}
	median = metric{"duration (p50)", "ms", func(r result) float64 { return r.P50 / 1000 }}
)

// goal is what a server is to reach.
type goal struct {
	work    string
	server  string
	metric  metric
	against string  // the server it is compared with; empty for a figure that stands by itself
	beside  string  // the server whose figure is shown beside one that stands by itself
	times   float64 // how often the other's figure counts; 0 is once
	most    float64
}

// connections keeps a number within what the machine has, and small where only the tool is tried.
func (s *session) connections(n int) int {
	if s.quick {
		n = min(n, 1000)
	}
	return min(n, s.limit-1000)
}

// rows is the table of goals.
var rows = []row{
	{
		id: "handshake", title: "Polling handshake (64 connections)",
		job:  func(s *session) job { return s.job("handshake", 64) },
		runs: []string{"nethttp", "floor: net/http", "fiber", "floor: fasthttp", "node"},
		goals: []goal{
			{work: "polling handshake, net/http", server: "nethttp", metric: cpu, against: "floor: net/http", most: 1.35},
			{work: "polling handshake, Fiber", server: "fiber", metric: cpu, against: "floor: fasthttp", most: 1.6},
		},
	},
	{
		id: "wsconnect", title: "WebSocket connect and close (64 at a time)",
		job:  func(s *session) job { return s.job("wsconnect", 64) },
		runs: []string{"nethttp", "nethttp, lean", "floor: hijack", "node"},
		goals: []goal{
			{work: "WebSocket connect, lean", server: "nethttp, lean", metric: cpu, against: "floor: hijack", most: 1.1},
			{work: "WebSocket connect, default", server: "nethttp", metric: cpu, against: "floor: hijack", most: 1.1},
		},
	},
	{
		id: "upgrade", title: "Upgrade with a waiting poll (512 at a time)",
		job:  func(s *session) job { return s.job("upgrade", 512) },
		runs: []string{"nethttp", "floor: upgrade", "nethttp, lean", "fiber", "node"},
		goals: []goal{
			{work: "upgrade with a waiting poll, default", server: "nethttp", metric: cpu, beside: "floor: upgrade", most: 80},
			{work: "upgrade with a waiting poll, lean", server: "nethttp, lean", metric: cpu, beside: "floor: upgrade", most: 80},
		},
	},
	{
		id: "upgrade-single", title: "Upgrades one after the other on an idle server",
		job:  func(s *session) job { return s.job("upgrade", 1) },
		runs: []string{"nethttp", "node"},
		goals: []goal{
			{work: "upgrade on an idle server", server: "nethttp", metric: median, most: 5},
		},
	},
	{
		id: "wsecho", title: "WebSocket echo (64 sessions, 1 message in flight each, 128 bytes)",
		job:  func(s *session) job { return s.job("wsecho", 64) },
		runs: []string{"nethttp, lean", "floor: hijack", "nethttp", "raw: fws, net/http", "fiber", "raw: fws, fasthttp", "node"},
		goals: []goal{
			{work: "WebSocket echo, 1 in flight, lean", server: "nethttp, lean", metric: cpu, against: "floor: hijack", most: 1.12},
			{work: "WebSocket echo, 1 in flight, default", server: "nethttp", metric: cpu, against: "raw: fws, net/http", most: 1.1},
			{work: "WebSocket echo, 1 in flight, Fiber", server: "fiber", metric: cpu, against: "raw: fws, fasthttp", most: 1.1},
		},
	},
	{
		id: "wsecho16", title: "WebSocket echo (64 sessions, 16 messages in flight each)",
		job: func(s *session) job {
			j := s.job("wsecho", 64)
			j.k = 16
			return j
		},
		runs: []string{"nethttp, lean", "floor: hijack", "nethttp", "raw: fws, net/http", "fiber", "raw: fws, fasthttp", "node"},
		goals: []goal{
			// 0.80 us on a machine where this floor takes 0.30.
			{work: "WebSocket echo, 16 in flight, lean", server: "nethttp, lean", metric: cpu, against: "floor: hijack", most: 2.67},
			{work: "WebSocket echo, 16 in flight, default", server: "nethttp", metric: cpu, against: "raw: fws, net/http", most: 0.6},
			{work: "WebSocket echo, 16 in flight, Fiber", server: "fiber", metric: cpu, against: "raw: fws, fasthttp", most: 0.6},
		},
	},
	{
		id: "wsecho-rate", title: "WebSocket echo at 10,000 messages a second (64 sessions)",
		job: func(s *session) job {
			j := s.job("wsecho", 64)
			j.rate = 10_000
			return j
		},
		runs: []string{"nethttp, lean", "node", "nethttp", "raw: fws, net/http"},
		goals: []goal{
			{work: "echo at 10,000 messages/s, CPU, default", server: "nethttp", metric: cpu, against: "node", most: 1},
			{work: "echo at 10,000 messages/s, p99, default", server: "nethttp", metric: p99, against: "node", most: 1},
			{work: "echo at 10,000 messages/s, CPU, lean", server: "nethttp, lean", metric: cpu, against: "node", most: 1},
			{work: "echo at 10,000 messages/s, p99, lean", server: "nethttp, lean", metric: p99, against: "node", most: 1},
		},
	},
	{
		id: "pollecho", title: "Polling echo (32 sessions): a message by POST, back through a waiting GET",
		job:  func(s *session) job { return s.job("pollecho", 32) },
		runs: []string{"nethttp", "request: net/http", "fiber", "request: fasthttp", "node"},
		goals: []goal{
			{work: "polling echo, net/http", server: "nethttp", metric: cpu, against: "request: net/http", times: 2, most: 1.15},
			{work: "polling echo, Fiber", server: "fiber", metric: cpu, against: "request: fasthttp", times: 2, most: 1.25},
		},
	},
	{
		id: "broadcast", title: "Broadcast to 1,000 sessions, for each delivery",
		job:  func(s *session) job { return s.job("broadcast", s.connections(1000)) },
		runs: []string{"nethttp, lean", "floor: hijack", "nethttp", "raw: fws, net/http", "fiber", "raw: fws, fasthttp", "node"},
		goals: []goal{
			{work: "broadcast to 1,000, lean", server: "nethttp, lean", metric: cpu, against: "floor: hijack", most: 1.1},
			{work: "broadcast to 1,000, default", server: "nethttp", metric: cpu, against: "raw: fws, net/http", most: 1.05},
			{work: "broadcast to 1,000, Fiber", server: "fiber", metric: cpu, against: "raw: fws, fasthttp", most: 1.05},
		},
	},
	{
		id: "idle-ws", title: "10,000 idle WebSocket sessions",
		job:  func(s *session) job { return s.hold("idle-ws", 10_000) },
		runs: []string{"nethttp, lean", "floor: hijack", "nethttp", "fiber, lean", "fiber", "node"},
		goals: []goal{
			{work: "idle WebSocket session, lean, net/http", server: "nethttp, lean", metric: memory, most: 4.5},
			{work: "idle WebSocket session, default, net/http", server: "nethttp", metric: memory, most: 8},
			{work: "idle WebSocket session, lean, Fiber", server: "fiber, lean", metric: memory, most: 4.5},
			{work: "idle WebSocket session, default, Fiber", server: "fiber", metric: memory, most: 8},
		},
	},
	{
		id: "idle-polling", title: "10,000 idle polling sessions, each with a waiting GET",
		job:  func(s *session) job { return s.hold("idle-polling", 10_000) },
		runs: []string{"nethttp", "floor: net/http", "fiber", "floor: fasthttp", "node"},
		goals: []goal{
			{work: "idle polling session, net/http", server: "nethttp", metric: memory, against: "floor: net/http", most: 1.06},
			{work: "idle polling session, Fiber", server: "fiber", metric: memory, against: "floor: fasthttp", most: 1.06},
		},
	},
}

// hold is the load of sessions that do nothing.
func (s *session) hold(mode string, sessions int) job {
	j := s.job(mode, s.connections(sessions))
	j.settle, j.gc = 4*time.Second, true
	if s.quick { // the generator waits a second for each collection
		j.settle, j.gc = 200*time.Millisecond, false
	}
	return j
}
