package core

import (
	"context"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Server holds the sessions of one endpoint. Its methods may be called from anywhere.
type Server struct {
	cfg      Config
	log      *slog.Logger
	sessions *registry

	compressors []*compressor

	mu       sync.Mutex
	closing  bool
	busy     int           // sessions, and connections that outlive theirs
	idle     chan struct{} // closed when busy first is 0 while closing
	isIdle   bool
	leavings map[WebSocketConn]struct{} // closed sessions' connections, waiting for the close frame
}

// NewServer makes a server. The error names every field of the configuration that is wrong.
func NewServer(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Server{
		cfg:         cfg,
		log:         cfg.Logger,
		sessions:    newRegistry(),
		compressors: newCompressors(),
		idle:        make(chan struct{}),
		leavings:    make(map[WebSocketConn]struct{}),
	}, nil
}

// Config returns the configuration in force, defaults filled in.
func (s *Server) Config() Config {
	cfg := s.cfg
	cfg.Transports = slices.Clone(cfg.Transports)
	return cfg
}

// Len returns the number of sessions (clientsCount of the reference).
func (s *Server) Len() int { return int(s.sessions.count.Load()) }

// Get returns the session with this id.
func (s *Server) Get(id string) (*Socket, bool) { return s.sessions.get(id) }

// All iterates over the sessions. Those that come or go meanwhile may be missed or be closed
// already; the loop's body may do anything, close sessions included.
func (s *Server) All() iter.Seq[*Socket] {
	return func(yield func(*Socket) bool) {
		var batch []*Socket
		for shard := range registryShards {
			batch = s.sessions.snapshot(shard, batch[:0])
			for _, socket := range batch {
				if !yield(socket) {
					return
				}
			}
			clear(batch)
		}
	}
}

// Close ends every session at once, dropping what was not sent, and refuses new ones from now on.
// The reason is ForcedClose. It does not wait for OnClose callbacks.
func (s *Server) Close() {
	s.refuse()
	for socket := range s.All() {
		socket.CloseNow()
	}
	s.cutLeaving()
}

// Shutdown refuses new sessions with status 503, closes all others gracefully (what they are owed
// is sent first, waiting polls are answered, WebSockets get a close frame with code 1001), and
// returns when nothing is left. When the context ends first, the rest is cut off as by Close, and
// the context's error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.refuse()
	for socket := range s.All() {
		socket.Close()
	}
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
		s.Close()
		return ctx.Err()
	}
}

func (s *Server) refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	s.checkIdle()
}

// enter counts a new session, until leave. It fails when the server is closing.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.busy++
	return true
}

// stay counts a connection, which may outlive its session, until leave.
func (s *Server) stay() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy++
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
	s.checkIdle()
}

// checkIdle ends Shutdown's wait. Called with mu locked.
func (s *Server) checkIdle() {
	if s.closing && s.busy == 0 && !s.isIdle {
		s.isIdle = true
		close(s.idle)
	}
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// linger waits, not for long, until the client has closed the connection as well: closing it
// before would make TCP throw away what the client has not read yet. It reads on the calling
// goroutine and closes the connection.
func (s *Server) linger(conn WebSocketConn) {
	s.mu.Lock()
	s.leavings[conn] = struct{}{}
	s.mu.Unlock()
	_ = conn.SetReadDeadline(time.Now().Add(lingerTimeout))
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			break
		}
	}
	_ = conn.Close()
	s.mu.Lock()
	delete(s.leavings, conn)
	s.mu.Unlock()
}

func (s *Server) cutLeaving() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.leavings {
		_ = conn.Close() // does not wait
	}
}
