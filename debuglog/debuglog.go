// Package debuglog shows the debug records of the scopes that the environment variable DEBUG selects, as
// the JavaScript package debug does:
//
//	DEBUG=engine* ./server
//	DEBUG='engine:*,-engine:ws' ./server
//
// The scopes of package core are engine, engine:socket, engine:polling and engine:ws. Its log records have
// them in the attribute "scope".
package debuglog

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
)

// FromEnv returns a logger, for core.Config.Logger, that writes the records of the scopes selected by
// DEBUG as text, and all warnings and errors. If DEBUG is empty it returns nil, which makes the server
// discard all records.
func FromEnv(w io.Writer) *slog.Logger {
	patterns := os.Getenv("DEBUG")
	if strings.TrimSpace(patterns) == "" {
		return nil
	}
	return slog.New(NewHandler(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}), patterns))
}

// NewHandler returns a handler that passes on to next the records whose attribute "scope" matches the
// patterns, whatever levels next is enabled for, and all warnings and errors.
//
// Patterns are separated by commas or white space. * stands for any characters, and a pattern that begins
// with - excludes what it matches. The attribute counts if it belongs to the record or the logger,
// outside of groups.
func NewHandler(next slog.Handler, patterns string) slog.Handler {
	h := &handler{next: next}
	for _, pattern := range strings.FieldsFunc(patterns, func(r rune) bool { return r == ',' || r <= ' ' }) {
		if out, ok := strings.CutPrefix(pattern, "-"); ok {
			h.out = append(h.out, out)
		} else {
			h.in = append(h.in, pattern)
		}
	}
	return h
}

type handler struct {
	next    slog.Handler
	in, out []string
	scope   string // attribute of the logger
	grouped bool   // further attributes are in a group
}

// Enabled implements slog.Handler. The scope is not known yet.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return len(h.in) > 0 || level >= slog.LevelWarn
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn && !h.shows(h.scopeOf(r)) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.next = h.next.WithAttrs(attrs)
	for _, a := range attrs {
		with.note(a)
	}
	return &with
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	with := *h
	with.next = h.next.WithGroup(name)
	with.grouped = with.grouped || name != ""
	return &with
}

func (h *handler) note(a slog.Attr) {
	if a.Key == "scope" && !h.grouped {
		h.scope = a.Value.String()
	}
}

func (h *handler) scopeOf(r slog.Record) string {
	with := *h
	r.Attrs(func(a slog.Attr) bool {
		with.note(a)
		return true
	})
	return with.scope
}

func (h *handler) shows(scope string) bool {
	return matches(h.in, scope) && !matches(h.out, scope)
}

func matches(patterns []string, scope string) bool {
	for _, pattern := range patterns {
		if match(pattern, scope) {
			return true
		}
	}
	return false
}

// match reports whether the pattern matches the whole text.
func match(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(text, first) {
		return false
	}
	text = text[len(first):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, last)
}
