package core

import (
	"context"
	"log/slog"
)

// The scopes of log records, as the debug lines of the reference name them.
const (
	scopeServer  = "engine"
	scopeSocket  = "engine:socket"
	scopePolling = "engine:polling"
	scopeWS      = "engine:ws"
)

// debugging reports whether anybody listens to debug records. Callers ask first, so that a record
// nobody wants costs no allocation.
func (s *Server) debugging() bool { return s.log.Enabled(context.Background(), slog.LevelDebug) }

// debug logs what the protocol does.
func (s *Server) debug(scope, message string, args ...any) {
	s.log.Debug(message, append([]any{"scope", scope}, args...)...)
}

func (s *Socket) debug(scope, message string, args ...any) {
	s.srv.debug(scope, message, append([]any{"sid", s.id}, args...)...)
}
