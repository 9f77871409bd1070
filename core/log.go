package core

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// The scopes of log records, as the debug lines of the reference name them.
const (
	scopeServer  = "engine"
	scopeSocket  = "engine:socket"
	scopePolling = "engine:polling"
	scopeWS      = "engine:ws"
)

// debugging reports whether debug records are wanted. Callers ask first, so that a record nobody wants
// costs no allocation.
func (s *Server) debugging() bool { return s.log.Enabled(context.Background(), slog.LevelDebug) }

// debug logs what the protocol does.
func (s *Server) debug(scope, message string, args ...any) {
	s.log.Debug(message, append([]any{"scope", scope}, args...)...)
}

func (s *Socket) debug(scope, message string, args ...any) {
	s.srv.debug(scope, message, append([]any{"sid", s.ID()}, args...)...)
}

// warn logs what an operator should know. Clients can provoke warnings as often as they like, so each
// message is logged at most once per warningPause, with the number of those left out.
func (s *Server) warn(scope, message string, args ...any) {
	omitted, ok := s.warnings.pass(message)
	if !ok {
		return
	}
	args = append([]any{"scope", scope}, args...)
	if omitted > 0 {
		args = append(args, "omitted", omitted)
	}
	s.log.Warn(message, args...)
}

// warningPause is the least time between two warnings with the same message.
const warningPause = 10 * time.Second

// warnings remembers what was logged when. The messages are the program's own, so there are few.
type warnings struct {
	mu   sync.Mutex
	kind map[string]*warning
}

type warning struct {
	last    time.Time
	omitted int
}

// pass reports whether to log a message now, and how many have been left out since the last one.
func (w *warnings) pass(message string) (omitted int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	k := w.kind[message]
	if k == nil {
		k = new(warning)
		if w.kind == nil {
			w.kind = make(map[string]*warning)
		}
		w.kind[message] = k
	} else if now.Sub(k.last) < warningPause {
		k.omitted++
		return 0, false
	}
	omitted = k.omitted
	k.last, k.omitted = now, 0
	return omitted, true
}
