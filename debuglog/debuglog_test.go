package debuglog_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/goengineio/engineio/debuglog"
)

func TestPatterns(t *testing.T) {
	for _, tt := range []struct{ patterns, shown string }{
		{"engine*", "engine engine:socket engine:polling engine:ws"},
		{"engine", "engine"},
		{"engine:*", "engine:socket engine:polling engine:ws"},
		{"*", "engine engine:socket engine:polling engine:ws express"},
		{"engine:ws,express", "engine:ws express"},
		{" engine:ws \t express,, ", "engine:ws express"},
		{"engine*,-engine:ws", "engine engine:socket engine:polling"},
		{"-engine:ws,engine*", "engine engine:socket engine:polling"},
		{"*,-engine*", "express"},
		{"-engine", ""},
		{"e*:*s", "engine:ws"},
		{"*:*o*t", "engine:socket"},
		{"engine**", "engine engine:socket engine:polling engine:ws"},
		{"engine:sock", ""},
		{"ngine", ""},
		{"socket.io*", ""},
		{"", ""},
		{" , ", ""},
	} {
		var out bytes.Buffer
		log := slog.New(debuglog.NewHandler(slog.NewTextHandler(&out, nil), tt.patterns))
		for _, scope := range strings.Fields("engine engine:socket engine:polling engine:ws express") {
			log.Debug("said", "scope", scope)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			_, scope, _ := strings.Cut(strings.TrimSpace(line), "scope=")
			got = append(got, scope)
		}
		if got := strings.Join(got, " "); got != tt.shown {
			t.Errorf("%q: got %q, want %q", tt.patterns, got, tt.shown)
		}
	}
}

func TestScopeOfTheLogger(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(debuglog.NewHandler(slog.NewTextHandler(&out, nil), "engine"))
	log.With("scope", "engine").Debug("one")
	log.With("scope", "engine").WithGroup("g").Debug("two", "scope", "other")
	log.With("scope", "engine").Debug("three", "scope", "other")
	log.WithGroup("g").With("scope", "engine").Debug("four", "scope", "engine")
	log.Debug("five", "scope", "engine", "n", 1)
	log.Debug("six")
	if got := out.String(); strings.Count(got, "\n") != 3 || !strings.Contains(got, "one") || !strings.Contains(got, "two") || !strings.Contains(got, "five") {
		t.Errorf("got\n%s", got)
	}
}

func TestWarningsAlwaysPass(t *testing.T) {
	var out bytes.Buffer
	handler := debuglog.NewHandler(slog.NewTextHandler(&out, nil), "")
	log := slog.New(handler)
	log.Info("quiet", "scope", "engine")
	log.Warn("loud", "scope", "engine")
	log.Error("louder")
	if got := out.String(); strings.Count(got, "\n") != 2 || strings.Contains(got, "quiet") {
		t.Errorf("got\n%s", got)
	}
	if handler.Enabled(context.Background(), slog.LevelDebug) {
		t.Error("without patterns, debug records should not even be made")
	}
}

func TestFromEnv(t *testing.T) {
	for _, empty := range []string{"", " "} {
		t.Setenv("DEBUG", empty)
		if log := debuglog.FromEnv(&bytes.Buffer{}); log != nil {
			t.Errorf("DEBUG=%q makes a logger", empty)
		}
	}
	t.Setenv("DEBUG", "engine*")
	var out bytes.Buffer
	log := debuglog.FromEnv(&out)
	log.Debug("shown", "scope", "engine:ws")
	log.Debug("hidden", "scope", "express")
	if got := out.String(); !strings.Contains(got, "shown") || strings.Contains(got, "hidden") {
		t.Errorf("got %q", got)
	}
}
