package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// overlay writes the file that puts bench/overlay/profiling.go beside those of examples/echo.
func (s *session) overlay() (string, error) {
	text, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(s.root, "examples/echo/profiling.go"): filepath.Join(s.root, "bench/overlay/profiling.go"),
	}})
	if err != nil {
		return "", err
	}
	file := filepath.Join(s.tmp, "overlay.json")
	return file, os.WriteFile(file, text, 0o644)
}

// profiles takes CPU, allocation and mutex profiles under the loads of the table. The server is
// examples/echo with a profiler built in; no figure of the tables comes from it.
func (s *session) profiles(ctx context.Context) error {
	both := map[string]string{"default": "profiled", "lean": "profiled, lean"}
	one := map[string]string{"default": "profiled"} // the engine makes no difference, or a small one
	loads := []struct {
		name    string
		engines map[string]string
		job     job
	}{
		{"broadcast", both, s.job("broadcast", s.connections(1000))},
		{"echo", both, s.job("wsecho", 64)},
		{"handshake", one, s.job("handshake", 64)},
		{"pollecho", one, s.job("pollecho", 32)},
		{"upgrade", one, s.job("upgrade", 512)},
		{"wsconnect", both, s.job("wsconnect", 64)},
	}
	all := map[string]profileData{}
	for _, load := range loads {
		for _, engine := range sortedKeys(load.engines) {
			id := load.name + "-" + engine
			d, err := s.profile(ctx, id, load.engines[engine], load.job)
			if err != nil {
				return err
			}
			all[id] = d
		}
	}
	s.data.Profiles = all
	return nil
}

func (s *session) profile(ctx context.Context, id, name string, j job) (profileData, error) {
	d := profileData{Taken: s.taken(), Text: map[string]string{}}
	addr, err := freeAddress(ctx)
	if err != nil {
		return d, err
	}
	proc, err := s.start(ctx, name, "PROFILING_ADDR="+addr)
	if err != nil {
		return d, err
	}
	defer proc.stop()
	seconds := max(1, int(s.time.Seconds()))
	j.time = time.Duration(seconds)*time.Second + time.Second // the profile fits into the load
	loaded := make(chan error, 1)
	go func() {
		_, err := s.measureRunning(ctx, name, proc, j)
		loaded <- err
	}()
	pause(ctx, j.warm+500*time.Millisecond)
	s.say("profiles         %s, %d s", id, seconds)
	// All three are of the same seconds, in the midst of the load: opening and closing is not in them.
	kinds := map[string]string{"cpu": "profile", "allocs": "allocs", "mutex": "mutex"}
	fetched := make(chan error, len(kinds))
	for kind, path := range kinds {
		go func() { fetched <- s.fetch(ctx, addr, id, kind, fmt.Sprintf("%s?seconds=%d", path, seconds)) }()
	}
	for range kinds {
		if err := <-fetched; err != nil {
			return d, err
		}
	}
	if err := <-loaded; err != nil {
		return d, err
	}
	for _, kind := range []string{"cpu", "allocs", "mutex"} {
		if d.Text[kind], err = s.list(ctx, id, kind); err != nil {
			return d, err
		}
	}
	ours, err := s.pprof(ctx, id, "mutex", "-focus=goengineio", "-nodecount=1")
	if err != nil {
		return d, err
	}
	for line := range strings.Lines(ours) {
		if rest, ok := strings.CutPrefix(line, "Showing nodes accounting for "); ok {
			d.Locks = strings.TrimSpace(rest)
		}
	}
	return d, nil
}

// fetch keeps one profile of the server.
func (s *session) fetch(ctx context.Context, addr, id, kind, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/debug/pprof/"+path, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("profile %s: %s %s", kind, answer.Status, body)
	}
	file := s.profileFile(id, kind)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if body, err = s.withoutFolder(body); err != nil {
		return err
	}
	return os.WriteFile(file, body, 0o644)
}

// withoutFolder overwrites in a profile where the server's program was: that is of no use to anybody.
func (s *session) withoutFolder(profile []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(profile))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	nowhere := "/" + strings.Repeat("-", len(s.tmp)-1) // as long, since lengths are noted in the profile
	plain = bytes.ReplaceAll(plain, []byte(s.tmp), []byte(nowhere))
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

func (s *session) profileFile(id, kind string) string {
	return filepath.Join(s.out, "profiles", id+"-"+kind+".pb.gz")
}

// list writes a profile as text, the first 40 lines by what functions took themselves and 100 by what
// they took with all they called, and returns the first few.
func (s *session) list(ctx context.Context, id, kind string) (string, error) {
	text, err := s.pprof(ctx, id, kind, "-nodecount=40")
	if err != nil {
		return "", err
	}
	callers, err := s.pprof(ctx, id, kind, "-cum", "-nodecount=100")
	if err != nil {
		return "", err
	}
	file := strings.TrimSuffix(s.profileFile(id, kind), ".pb.gz") + ".txt"
	if err := os.WriteFile(file, []byte(text+"\nBy what was called from there:\n\n"+callers), 0o644); err != nil {
		return "", err
	}
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		if strings.Contains(line, "flat%") {
			return strings.Join(lines[i:min(len(lines), i+11)], ""), nil
		}
	}
	return "", nil
}

func (s *session) pprof(ctx context.Context, id, kind string, args ...string) (string, error) {
	args = append([]string{"tool", "pprof", "-top", "-symbolize=none"}, args...)
	if kind == "allocs" {
		args = append(args, "-sample_index=alloc_space")
	}
	text, err := output(ctx, "", "go", append(args, s.profileFile(id, kind))...)
	if err != nil {
		return "", err
	}
	// The head names the file, the build and the time, of which only the rest is of interest.
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "File: ") && !strings.HasPrefix(line, "Build ID: ") && !strings.HasPrefix(line, "Time: ") {
			kept.WriteString(strings.TrimRight(line, " \n") + "\n")
		}
	}
	return kept.String(), nil
}
