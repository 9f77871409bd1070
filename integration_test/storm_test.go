package integration_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
)

// The storm test takes less than twenty seconds in all under the race detector: for each framework so
// long with many sessions, and so many rounds with one.
const (
	stormTime   = 2 * time.Second
	stormRounds = 8
)

// TestStorm is for the race detector: everything that may be done at once is done at once, by
// clients that keep no rules and by an application that calls every method from everywhere, until
// the server is shut down in the middle of it. OnClose still comes once for each session and last,
// and nothing is left.
func TestStorm(t *testing.T) {
	for _, framework := range frameworks {
		t.Run(framework.name+"/many sessions", func(t *testing.T) {
			s := newStorm(t, framework.serve, core.Config{})
			for n := range 24 {
				s.keepOn(func(random *rand.Rand) { s.visit(random, n) })
			}
			for range 4 {
				s.keepOn(s.callServer)
			}
			s.calm(stormTime, func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				if err := s.engine.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		})
		t.Run(framework.name+"/conflating", func(t *testing.T) {
			s := newStorm(t, framework.serve, core.Config{Conflate: func(_ *core.Socket, m []core.Message) []core.Message {
				return m[len(m)-1:]
			}})
			for n := range 8 {
				s.keepOn(func(random *rand.Rand) { s.visit(random, n) })
			}
			s.keepOn(s.callServer)
			s.calm(stormTime/3, s.engine.Close)
		})
		t.Run(framework.name+"/one session", func(t *testing.T) {
			for range stormRounds {
				t.Run("", func(t *testing.T) { // each round ends its server
					s := newStorm(t, framework.serve, core.Config{})
					ends := []func(){
						func() { closeAll(s.engine) },
						func() { s.each((*core.Socket).Close) },
						s.engine.Close,
						func() {
							ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
							defer cancel()
							_ = s.engine.Shutdown(ctx)
						},
					}
					s.begin(func(random *rand.Rand) { s.visit(random, 0) })
					for range 8 {
						s.keepOn(func(random *rand.Rand) {
							s.each(func(socket *core.Socket) { s.call(socket, random, false) })
						})
					}
					s.calm(time.Duration(5+rand.IntN(100))*time.Millisecond, func() {
						for _, i := range rand.Perm(len(ends)) {
							s.begin(func(*rand.Rand) { ends[i]() })
						}
					})
				})
			}
		})
	}
}

// A storm is a server and all those who use it at once.
type storm struct {
	t       *testing.T
	engine  *core.Server
	url     string
	running sync.WaitGroup
	over    chan struct{}

	mu   sync.Mutex
	past bool // nothing begins any more

	opened, closed, late atomic.Int64
	messages             atomic.Int64
}

func newStorm(t *testing.T, serve func(testing.TB, *core.Server) string, cfg core.Config) *storm {
	s := &storm{t: t, over: make(chan struct{})}
	cfg.AllowEIO3 = true
	cfg.PingInterval, cfg.PingTimeout, cfg.UpgradeTimeout = 20*time.Millisecond, patience, 50*time.Millisecond
	cfg.MaxPayload, cfg.MaxBuffered = 10_000, 100_000
	cfg.WebSocketEngine = &bothEngines{}
	cfg.OnConnection = s.open
	cfg.OnFlush = func(socket *core.Socket, _ []core.Packet) { _ = socket.Buffered() }
	cfg.OnDrain = func(socket *core.Socket) { _ = socket.WriteBuffer() }
	s.engine, s.url = newServer(t, serve, cfg)
	return s
}

// begin runs f on a goroutine of its own, unless the storm has passed: an OnConnection may come after
// that, of a session that found the server closed.
func (s *storm) begin(f func(*rand.Rand)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.past {
		return
	}
	s.running.Go(func() { f(rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))) })
}

// keepOn does it again and again until the storm is over.
func (s *storm) keepOn(f func(*rand.Rand)) {
	s.begin(func(random *rand.Rand) {
		for !s.isOver() {
			f(random)
			time.Sleep(time.Duration(random.IntN(500)) * time.Microsecond) // others want a turn
		}
	})
}

func (s *storm) isOver() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

// calm lets it rage for a while, ends it and looks at what is left.
func (s *storm) calm(after time.Duration, end func()) {
	s.t.Helper()
	time.Sleep(after)
	end()
	close(s.over)
	s.mu.Lock()
	s.past = true
	s.mu.Unlock()
	s.running.Wait()
	s.engine.Close()
	eventually(s.t, "no session is left", func() bool { return s.engine.Len() == 0 })
	awaitGoroutines(s.t, "the engine's goroutines have ended", func() []string { return liveGoroutines(engineCode) }, 0)
	if opened, closed := s.opened.Load(), s.closed.Load(); opened != closed {
		s.t.Errorf("%d sessions were announced, OnClose was called %d times", opened, closed)
	}
	if n := s.late.Load(); n > 0 {
		s.t.Errorf("%d callbacks were called after OnClose", n)
	}
	s.t.Logf("%d sessions, %d messages", s.opened.Load(), s.messages.Load())
}

// open is OnConnection.
func (s *storm) open(socket *core.Socket) {
	s.opened.Add(1)
	var ended atomic.Bool
	early := func() {
		if ended.Load() {
			s.late.Add(1)
		}
	}
	socket.SetData(early)
	socket.OnClose(func(core.CloseReason, error) {
		if ended.Swap(true) {
			s.late.Add(1)
		}
		s.closed.Add(1)
		_ = socket.Send(core.Text("too late"))
		socket.CloseNow()
	})
	s.setHooks(socket)
	s.begin(func(random *rand.Rand) {
		for range 20 {
			s.call(socket, random, true)
		}
	})
}

func (s *storm) setHooks(socket *core.Socket) {
	early, _ := socket.Data().(func())
	if early == nil {
		return
	}
	socket.OnMessage(func(m core.Message) {
		early()
		s.messages.Add(1)
		m.Data = append(m.Data, '!') // the data is the callback's
		_ = socket.Send(m)
	})
	socket.OnPacket(func(core.Packet) { early() })
	socket.OnPacketCreate(func(core.Packet) { early() })
	socket.OnFlush(func([]core.Packet) { early() })
	socket.OnDrain(early)
	socket.OnHeartbeat(early)
	socket.OnUpgrade(func(core.Transport) { early() })
	socket.OnUpgrading(func(core.Transport) { early() })
	socket.OnError(func(error) { early() })
}

func (s *storm) each(f func(*core.Socket)) {
	for socket := range s.engine.All() {
		f(socket)
	}
}

// callServer uses the server from outside of its sessions.
func (s *storm) callServer(random *rand.Rand) {
	p := core.Prepare(core.Text("to everybody"))
	p.SendTo(s.engine.All())
	s.engine.Broadcast(core.Binary([]byte("to everybody, too")))
	_, _ = s.engine.Len(), s.engine.Conflated()
	s.each(func(socket *core.Socket) {
		_, _ = s.engine.Get(socket.ID())
		s.call(socket, random, random.IntN(10) == 0)
	})
}

// call does one of all things that can be done with a session.
func (s *storm) call(socket *core.Socket, random *rand.Rand, mayEnd bool) {
	switch n := random.IntN(64); {
	case n < 16:
		_ = socket.Send(core.Text("text " + strings.Repeat("x", random.IntN(2000))))
	case n < 20:
		_ = socket.Send(core.Binary([]byte(strings.Repeat("\x00", random.IntN(2000)))))
	case n < 24:
		_ = socket.SendFunc(core.Text("counted"), func() { _ = socket.Transport() })
	case n < 28:
		_ = socket.SendPrepared(core.Prepare(core.Text("prepared")))
	case n < 32:
		_, _, _ = socket.Buffered(), socket.WriteBuffer(), socket.ReadyState()
	case n < 36:
		_, _, _ = socket.Upgrading(), socket.Upgraded(), socket.Transport()
	case n < 40:
		_ = socket.Context().Err()
	case n < 44:
		socket.SetData(socket.Data())
	case n < 48:
		s.setHooks(socket)
	case n < 52:
		_, _, _ = socket.ID(), socket.Request(), socket.RemoteAddr()
	case n == 62 && mayEnd:
		socket.Close()
	case n == 63 && mayEnd:
		socket.CloseNow()
	}
}

// visit is a client with a session of its own. It goes on until something fails, which is what
// happens to sessions in a storm.
func (s *storm) visit(random *rand.Rand, n int) {
	conn, err := dialRaw(s.url)
	if err != nil {
		return
	}
	defer conn.close()
	revision := "EIO=4"
	if n%4 == 3 {
		revision = "EIO=3"
	}
	if n%3 == 0 {
		if conn.upgrade(revision+"&transport=websocket") == nil {
			s.talk(conn, random)
		}
		return
	}
	query := revision + "&transport=polling"
	if conn.ask(query, "") != nil {
		return
	}
	_, open, err := conn.answer()
	if err != nil {
		return
	}
	sid, err := sidOf(open)
	if err != nil {
		return
	}
	query += "&sid=" + sid

	var polling sync.WaitGroup
	polling.Go(func() { s.fetch(query) })
	defer polling.Wait()
	for range random.IntN(20) {
		body := []string{"nonsense", "4c\x1e1", "3", "4a\x1e4b\x1ebAAEC", "4hello"}[min(random.IntN(40), 4)]
		if n%4 == 3 {
			body = "6:4hello1:2"
		}
		if conn.ask(query, body) != nil {
			return
		}
		if status, _, err := conn.answer(); err != nil || status != 200 {
			return
		}
	}
	ws, err := dialRaw(s.url)
	if err != nil {
		return
	}
	defer ws.close()
	if ws.upgrade(strings.Replace(query, "polling", "websocket", 1)) != nil || ws.send(opText, "2probe") != nil {
		return
	}
	if _, answer, err := ws.next(); err != nil || answer != "3probe" || random.IntN(4) == 0 {
		return // gives up, or leaves the probe standing
	}
	if ws.send(opText, "5") == nil {
		s.talk(ws, random)
	}
}

// fetch polls until it is told to go.
func (s *storm) fetch(query string) {
	conn, err := dialRaw(s.url)
	if err != nil {
		return
	}
	defer conn.close()
	for !s.isOver() {
		if conn.ask(query, "") != nil {
			return
		}
		if status, body, err := conn.answer(); err != nil || status != 200 || body == "1" {
			return
		}
	}
}

// talk reads and writes on a WebSocket, and leaves in one of several ways.
func (s *storm) talk(ws *rawConn, random *rand.Rand) {
	var reading sync.WaitGroup
	reading.Go(func() { _ = ws.untilClosed() })
	defer reading.Wait()
	for range random.IntN(40) {
		op, payload := byte(opText), "4hello"
		switch random.IntN(4) {
		case 0:
			op, payload = opBin, "\x00\x01\x02"
		case 1:
			op, payload = opPing, "ping"
		case 2:
			payload = "3"
		}
		if ws.send(op, payload) != nil {
			break
		}
	}
	switch random.IntN(4) {
	case 0:
		_ = ws.send(opClose, "\x03\xe8")
		ws.close()
	case 1:
		_ = ws.send(opText, "1")
		ws.close()
	case 2:
		ws.reset()
	default:
		ws.close()
	}
}
