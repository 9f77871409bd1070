package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// machine is what the figures depend on, in general terms.
type machine struct {
	Cores       int    `json:"cores"`
	MemoryGiB   int    `json:"memory_gib"`
	System      string `json:"system"`
	Go          string `json:"go"`
	Node        string `json:"node,omitempty"`
	Descriptors int    `json:"descriptors"`
	Load        string `json:"load"`
	Revision    string `json:"revision"`
	Quick       bool   `json:"quick,omitempty"`
}

var kernel = regexp.MustCompile(`^\d+\.\d+`)

func (s *session) look(ctx context.Context) machine {
	m := machine{Cores: runtime.NumCPU(), Descriptors: s.limit, Quick: s.quick, System: runtime.GOOS + "/" + runtime.GOARCH}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System = "Linux " + kernel.FindString(string(text)) + ", " + runtime.GOARCH
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			kib, _ := strconv.Atoi(fields[1])
			m.MemoryGiB = (kib + 1<<19) >> 20
		}
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(text), " ")
	}
	if out, err := output(ctx, s.root, "go", "env", "GOVERSION"); err == nil {
		m.Go = strings.TrimSpace(out)
	}
	if s.node != "" {
		if out, err := output(ctx, "", s.node, "--version"); err == nil {
			m.Node = strings.TrimSpace(out)
		}
	}
	m.Revision = s.revision(ctx)
	return m
}

// revision names the commit, and whether the files are others than it says.
func (s *session) revision(ctx context.Context) string {
	if _, err := exec.LookPath("git"); err != nil {
		return "unknown"
	}
	out, err := output(ctx, s.root, "git", "rev-parse", "--short", "HEAD")
	if err != nil {
		return "unknown"
	}
	revision := strings.TrimSpace(out)
	if changed, err := output(ctx, s.root, "git", "status", "--porcelain", "--untracked-files=no", "--", ":!bench"); err == nil && changed != "" {
		revision += " and changes that were not committed"
	}
	return revision
}

func (m machine) String() string {
	text := fmt.Sprintf("%d cores, %d GiB, %s, %s", m.Cores, m.MemoryGiB, m.System, m.Go)
	if m.Node != "" {
		text += ", Node.js " + m.Node
	}
	return text + fmt.Sprintf("; loopback only; %d file descriptors for each process; load average before the run %s; revision %s",
		m.Descriptors, m.Load, m.Revision)
}
