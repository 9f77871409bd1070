package core

import (
	"context"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/cors"
)

// Server holds the sessions of one endpoint. Its methods may be called from any goroutine.
type Server struct {
	cfg      Config
	began    time.Time
	log      *slog.Logger
	sessions *registry

	compressors []*compressor
	cors        *cors.Cors // nil without Config.CORS

	outermost atomic.Pointer[layer] // of the middleware; nil without any

	conflated atomic.Int64
	opening   openPackets
	pausing   atomic.Bool // some WebSocket is between its 101 and its open packet
	clock     clock
	batches   batches

	originTexts originTexts

	noObservers observers // stays empty
	counters    counters
	warnings    warnings

	mu        sync.Mutex
	innermost *layer        // of the middleware
	closing   atomic.Bool   // also read without mu
	busy      int           // sessions, and connections, which may outlive theirs
	idle      chan struct{} // closed when busy is first 0 while closing
	isIdle    bool
	cut       bool                 // connections are closed without waiting for the client
	leavings  map[*duplex]struct{} // closed sessions' connections, waiting for the client
}

// NewServer makes a server. The error names every invalid field of the configuration.
func NewServer(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg:         cfg,
		began:       time.Now(),
		log:         cfg.Logger,
		opening:     newOpenPackets(&cfg),
		sessions:    newRegistry(),
		compressors: newCompressors(),
		cors:        newCORS(cfg.CORS),
		idle:        make(chan struct{}),
		leavings:    make(map[*duplex]struct{}),
	}
	s.clock.init(s)
	return s, nil
}

// Config returns a copy of the configuration in force, defaults filled in.
func (s *Server) Config() Config { return s.cfg.clone() }

// Len returns the number of sessions (clientsCount of the reference).
func (s *Server) Len() int { return int(s.sessions.count.Load()) }

// full reports whether Config.MaxSessions is reached.
func (s *Server) full() bool { return s.cfg.MaxSessions > 0 && s.Len() >= s.cfg.MaxSessions }

// Conflated returns how many messages Config.Conflate has saved.
func (s *Server) Conflated() int64 { return s.conflated.Load() }

// Get returns the session with this id.
func (s *Server) Get(id string) (*Socket, bool) { return s.sessions.get(id) }

// All iterates over the sessions. Sessions that are opened meanwhile may be missed, those that end
// meanwhile may already be closed. The body of the loop may do anything, including closing sessions.
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
	s.mu.Lock()
	s.cut = true
	s.mu.Unlock()
	for socket := range s.All() {
		socket.CloseNow()
	}
	s.cutPartings()
}

// Shutdown refuses new sessions with status 503 and closes all others gracefully: what waits for them is
// sent first, waiting polls are answered, and WebSockets get a close frame with code 1001. It returns when
// nothing is left and the last OnClose has returned, so no callback can wait for it. A polling client
// without a waiting poll has until its next poll, and at most 30 s. If the context ends first, the rest is
// cut off as by Close, and the context's error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.refuse()
	for socket := range s.All() {
		socket.mu.Lock()
		socket.shut()
	}
	select {
	case <-s.idle:
		return nil
	default:
	}
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
		s.Close()
		return ctx.Err()
	}
}

// closeLate closes a session that was opened while the server began to close.
func (s *Server) closeLate(socket *Socket) {
	s.mu.Lock()
	cut := s.cut
	s.mu.Unlock()
	if cut {
		socket.CloseNow()
	} else {
		socket.mu.Lock()
		socket.shut()
	}
}

func (s *Server) refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing.Store(true)
	s.checkIdle()
}

// enter counts a new session, until leave. It fails if the server is closing.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
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
	if s.closing.Load() && s.busy == 0 && !s.isIdle {
		s.isIdle = true
		close(s.idle)
	}
}

func (s *Server) isClosing() bool { return s.closing.Load() }

// parting bounds how long a connection whose session has ended waits for the client to close it, too:
// closing it earlier would make TCP discard what the client has not read yet.
func (s *Server) parting(link *duplex) {
	if s.mayLeave(link) {
		_ = link.conn.SetDeadline(time.Now().Add(lingerTimeout))
	}
}

// mayLeave registers a connection whose session has ended, for Close to cut. It returns false if Close was
// called before, and then cuts the connection itself, or if the reading goroutine is about to close the
// connection.
func (s *Server) mayLeave(link *duplex) bool {
	s.mu.Lock()
	cut, parted := s.cut, link.parted
	if !cut && !parted {
		s.leavings[link] = struct{}{}
	}
	s.mu.Unlock()
	if cut {
		_ = link.conn.Close()
	}
	return !cut && !parted
}

// dismiss ends a connection that has not become a session's, on its reading goroutine.
func (s *Server) dismiss(link *duplex, code int) {
	s.parting(link)
	_ = link.conn.AppendClose(code, "")
	if _, err := link.conn.Flush(true); err != nil {
		_ = link.conn.Close()
	}
	s.linger(link)
}

// linger ends a connection's reading goroutine: it waits for the client to close the connection and closes
// it, too.
func (s *Server) linger(link *duplex) {
	s.parting(link)
	for {
		if _, _, err := link.conn.ReadMessage(); err != nil {
			s.parted(link)
			link.leave(err)
			return
		}
	}
}

// parted notes that the reading goroutine is about to close a connection: the goroutine that writes the
// close frame may call parting only after that.
func (s *Server) parted(link *duplex) {
	s.mu.Lock()
	defer s.mu.Unlock()
	link.parted = true
	delete(s.leavings, link)
}

// remain undoes parted: the reading goroutine leaves, but another goroutine closes the connection and then
// calls parted and Server.leave.
func (s *Server) remain(link *duplex) {
	s.mu.Lock()
	defer s.mu.Unlock()
	link.parted = false
	s.busy++
}

// bound bounds how long a connection that remains takes to be closed.
func (s *Server) bound(link *duplex) {
	if s.mayLeave(link) {
		time.AfterFunc(lingerTimeout, func() { _ = link.conn.Close() })
	}
}

// cutPartings closes the connections of sessions that have ended.
func (s *Server) cutPartings() {
	s.mu.Lock()
	links := slices.Collect(maps.Keys(s.leavings))
	s.mu.Unlock()
	for _, link := range links {
		_ = link.conn.Close()
	}
}
