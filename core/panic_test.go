package core_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	eiohttp "github.com/goengineio/engineio/adapters/nethttp"
	"github.com/goengineio/engineio/core"
)

// callbacks are all functions of the application that run for a session. Each entry installs one that calls
// strike, but only for the victim.
var callbacks = []struct {
	name    string
	reason  core.CloseReason // that the session ends with when the function panics; "" if it has no OnClose
	install func(cfg *core.Config, strike func())
}{
	{"OnConnection", core.ForcedClose, onSocket(func(_ *core.Socket, strike func()) { strike() })},
	{"OnMessage", core.ForcedClose, onSocket(func(s *core.Socket, strike func()) { s.OnMessage(func(core.Message) { strike() }) })},
	{"OnUpgrade", core.ForcedClose, onSocket(func(s *core.Socket, strike func()) { s.OnUpgrade(func(core.Transport) { strike() }) })},
	{"OnClose", "", onSocket(func(s *core.Socket, strike func()) { s.OnClose(func(core.CloseReason, error) { strike() }) })},
	{"OnPacket", core.ForcedClose, onSocket(func(s *core.Socket, strike func()) { s.OnPacket(func(core.Packet) { strike() }) })},
	{"OnHeartbeat", core.ForcedClose, onSocket(func(s *core.Socket, strike func()) { s.OnHeartbeat(strike) })},
	{"OnPacketCreate", core.ForcedClose, onSocket(func(s *core.Socket, strike func()) { s.OnPacketCreate(func(core.Packet) { strike() }) })},
	{"OnFlush", core.ForcedClose, onSocket(func(s *core.Socket, strike func()) { s.OnFlush(func([]core.Packet) { strike() }) })},
	{"OnDrain", core.ForcedClose, onSocket(func(s *core.Socket, strike func()) { s.OnDrain(strike) })},
	{"OnUpgrading", core.ForcedClose, onSocket(func(s *core.Socket, strike func()) { s.OnUpgrading(func(core.Transport) { strike() }) })},
	{"OnError", core.ParseError, onSocket(func(s *core.Socket, strike func()) { s.OnError(func(error) { strike() }) })},
	{"SendFunc", core.ForcedClose, onSocket(func(s *core.Socket, strike func()) { _ = s.SendFunc(core.Text("x"), strike) })},
	{"Config.OnFlush", core.ForcedClose, func(cfg *core.Config, strike func()) {
		cfg.OnFlush = func(s *core.Socket, _ []core.Packet) { strikeVictim(s.Request(), strike) }
	}},
	{"Config.OnDrain", core.ForcedClose, func(cfg *core.Config, strike func()) {
		cfg.OnDrain = func(s *core.Socket) { strikeVictim(s.Request(), strike) }
	}},
	{"Conflate", core.ForcedClose, func(cfg *core.Config, strike func()) {
		cfg.Conflate = func(s *core.Socket, messages []core.Message) []core.Message {
			strikeVictim(s.Request(), strike)
			return messages
		}
	}},
}

func onSocket(install func(*core.Socket, func())) func(*core.Config, func()) {
	return func(cfg *core.Config, strike func()) {
		cfg.OnConnection = onVictim(func(s *core.Socket) { install(s, strike) })
	}
}

func onVictim(f func(*core.Socket)) func(*core.Socket) {
	return func(s *core.Socket) { strikeVictim(s.Request(), func() { f(s) }) }
}

func strikeVictim(r *http.Request, strike func()) {
	if r.URL.Query().Has("victim") {
		strike()
	}
}

// requestCallbacks are the functions that run for a request, on its goroutine.
var requestCallbacks = []struct {
	name    string
	install func(cfg *core.Config, strike func())
}{
	{"AllowRequest", func(cfg *core.Config, strike func()) {
		cfg.AllowRequest = func(r *http.Request) error { strikeVictim(r, strike); return nil }
	}},
	{"GenerateID", func(cfg *core.Config, strike func()) {
		ids := 0
		cfg.GenerateID = func(r *http.Request) (string, error) {
			strikeVictim(r, strike)
			ids++
			return strings.Repeat("i", ids), nil
		}
	}},
	{"OnConnectionError", func(cfg *core.Config, strike func()) {
		cfg.OnConnectionError = func(_ *core.RequestError, r *http.Request) { strikeVictim(r, strike) }
	}},
}

// TestPanics: a panic in any callback of a session ends this session and is logged with its stack. No lock
// or token stays taken, so others go on and Shutdown finds nothing to wait for.
func TestPanics(t *testing.T) {
	for _, c := range callbacks {
		for mode, provoke := range map[string]func(*bench){"upgrading": provokePolling, "websocket": provokeWebSocket} {
			if mode == "websocket" && strings.HasPrefix(c.name, "OnUpgrad") {
				continue
			}
			t.Run(c.name+"/"+mode, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var log lockedBuffer
					cfg := core.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}
					strikes := 0
					c.install(&cfg, func() { strikes++; panic("by design") })
					b := newBench(t, cfg)
					provoke(b)
					synctest.Wait()
					if strikes == 0 {
						t.Fatal("the callback was not called")
					}
					for _, part := range []string{"panic in a callback", "by design", "panic_test.go"} {
						if text := log.String(); !strings.Contains(text, part) {
							t.Errorf("the log has no %q: %.500s", part, text)
						}
					}
					if c.reason != "" {
						b.wantClose(c.reason)
					}
					b.wantLiveAndEnd()
				})
			})
		}
	}
}

// TestPanicsInRequests: a panic in a callback of a request is passed on to the framework, which ends the
// request. Nothing of the request is left.
func TestPanicsInRequests(t *testing.T) {
	for _, c := range requestCallbacks {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cfg core.Config
				strikes := 0
				c.install(&cfg, func() { strikes++; panic("by design") })
				b := newBench(t, cfg)
				b.provokeRequests()
				synctest.Wait()
				if strikes == 0 {
					t.Fatal("the callback was not called")
				}
				b.wantLiveAndEnd()
			})
		})
	}
}

// TestPanicInMiddleware: middleware runs before there is a session.
func TestPanicInMiddleware(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		b.Server.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				strikeVictim(r, func() { panic("by design") })
				next.ServeHTTP(w, r)
			})
		})
		b.provokeRequests()
		b.wantLiveAndEnd()
	})
}

// TestBlockedCallbacks: a callback that never returns holds up only its own session, which is still pinged.
// Shutdown takes as long as its context allows.
func TestBlockedCallbacks(t *testing.T) {
	for _, c := range callbacks {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cfg core.Config
				blocked, release := make(chan struct{}, 100), make(chan struct{})
				c.install(&cfg, func() { blocked <- struct{}{}; <-release })
				b := newBench(t, cfg)
				ws, a := b.WebSocket(ws4 + "&victim=1")
				if strings.HasPrefix(c.name, "OnUpgrad") {
					open := b.Get(poll4 + "&victim=1").Wait()
					ws.Cut()
					ws, a = b.WebSocket(ws4 + "&sid=" + b.parseOpen(open.Body).SID)
					ws.SendText("2probe")
					ws.SendText("5")
				}
				a.Wait()
				ws.SendText("4x")
				pinged := make(chan struct{})
				var reading sync.WaitGroup
				reading.Go(func() {
					for {
						f, ok := ws.Next()
						if !ok {
							return
						}
						if f.Text == "2" {
							close(pinged)
							break
						}
					}
					ws.SendText("3")
					time.Sleep(time.Second)
					ws.SendText("x") // not a packet: the session ends with an error
				})
				time.Sleep(24 * time.Second)
				b.wantEcho() // before the ping and, further below, after it

				time.Sleep(2 * time.Second)
				select {
				case <-pinged:
				default:
					t.Error("the blocked session was not pinged")
				}
				time.Sleep(2 * time.Second)
				if len(blocked) == 0 {
					t.Fatal("the callback was not called")
				}
				b.wantEcho()

				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := b.Server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				if took := time.Since(began); took > 1100*time.Millisecond {
					t.Errorf("Shutdown took %v", took)
				}
				close(release)
				ws.Cut()
				reading.Wait()
				synctest.Wait()
				b.end()
			})
		})
	}
}

// TestBlockedRequestCallbacks: a request whose callback does not return does not hold up other requests.
func TestBlockedRequestCallbacks(t *testing.T) {
	for _, c := range requestCallbacks {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cfg core.Config
				blocked, release := make(chan struct{}, 100), make(chan struct{})
				c.install(&cfg, func() { blocked <- struct{}{}; <-release })
				b := newBench(t, cfg)
				var provoking sync.WaitGroup
				provoking.Go(b.provokeRequests)
				synctest.Wait()
				if len(blocked) == 0 {
					t.Fatal("the callback was not called")
				}
				if c.name == "GenerateID" {
					close(release) // its own count is not safe for concurrent use
					provoking.Wait()
				}
				b.wantEcho()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := b.Server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				if c.name != "GenerateID" {
					close(release)
				}
				provoking.Wait()
				b.end()
			})
		})
	}
}

// TestContextEndsWithoutTheSessionsLock: code that waits for the end of a session's context may call the
// session, and may block.
func TestContextEndsWithoutTheSessionsLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		called, release := make(chan error, 1), make(chan struct{})
		b := newBench(t, core.Config{OnConnection: onVictim(func(s *core.Socket) {
			context.AfterFunc(s.Context(), func() {
				s.Close()
				called <- s.Send(core.Text("x"))
				<-release
			})
		})})
		ws, s := b.openWS(ws4 + "&victim=1")
		s.CloseNow()
		if err := <-called; !errors.Is(err, core.ErrClosed) {
			t.Errorf("Send: %v", err)
		}
		b.wantEvent("close: forced close")
		ws.Cut()
		b.wantLiveAndEnd()
		close(release)
	})
}

// provokePolling provokes every callback of a victim that begins with polling and upgrades, as far as it
// lives.
func provokePolling(b *bench) {
	open := b.Get(poll4 + "&victim=1").Wait()
	query := poll4 + "&sid=" + b.parseOpen(open.Body).SID
	synctest.Wait()
	if s, ok := b.Server.Get(b.parseOpen(open.Body).SID); ok {
		_ = s.Send(core.Text("to be fetched"))
		b.Get(query).Wait()
	}
	synctest.Wait()
	b.Post(query, "4x").Wait()
	b.Get(query).Wait() // the echo
	poll := b.Get(query)
	time.Sleep(26 * time.Second)
	poll.Wait() // the ping
	b.Post(query, "3").Wait()
	ws, a := b.WebSocket(strings.Replace(query, "polling", "websocket", 1))
	for _, packet := range []string{"2probe", "5", "x"} { // the last one is no packet
		ws.SendText(packet)
		synctest.Wait() // hooks have been called
	}
	a.Wait()
	ws.Cut()
}

func provokeWebSocket(b *bench) {
	ws, a := b.WebSocket(ws4 + "&victim=1")
	a.Wait()
	ws.SendText("4x")
	time.Sleep(26 * time.Second)
	ws.SendText("3")
	ws.SendText("x")
	synctest.Wait()
	ws.Cut()
}

// provokeRequests sends the victim's requests through an adapter, and ends those that panic, as net/http
// does.
func (b *bench) provokeRequests() {
	handler := eiohttp.Handler(b.Server)
	do := func(method, query, body string) string {
		w := httptest.NewRecorder()
		defer func() { _ = recover() }()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(b.t.Context(), method, "/engine.io/?victim=1&"+query, strings.NewReader(body)))
		text, _ := io.ReadAll(w.Result().Body)
		return string(text)
	}
	do(http.MethodGet, "EIO=4&transport=pigeon", "")
	open := do(http.MethodGet, poll4, "")
	if !strings.HasPrefix(open, "0") {
		return
	}
	query := poll4 + "&sid=" + b.parseOpen(open).SID
	do(http.MethodPost, query, "4x")
	do(http.MethodGet, query, "")
	do(http.MethodPost, query, "1")
}

// wantClose skips events until the session's end.
func (b *bench) wantClose(reason core.CloseReason) {
	b.t.Helper()
	for {
		select {
		case event := <-b.events:
			if strings.HasPrefix(event, "close") {
				b.want(event, "close: "+string(reason))
				return
			}
		default:
			b.t.Error("OnClose was not called")
			return
		}
	}
}

// wantEcho checks that new sessions work, on both transports.
func (b *bench) wantEcho() {
	b.t.Helper()
	for len(b.sockets) > 0 {
		<-b.sockets // the victim
	}
	s := b.open(poll4)
	b.wantAnswer(s.post("4still here"), 200, "ok")
	b.wantAnswer(s.get(), 200, "4still here")
	b.wantAnswer(s.post("1"), 200, "ok")
	ws, _ := b.openWS(ws4)
	ws.SendText("4still here")
	b.wantFrame(ws, "4still here")
	ws.Cut()
	synctest.Wait()
}

// wantLiveAndEnd checks that the victim has ended, and that nothing keeps others or Shutdown waiting.
func (b *bench) wantLiveAndEnd() {
	b.t.Helper()
	b.wantEcho()
	if n := b.Server.Len(); n != 0 {
		b.t.Errorf("%d sessions are left", n)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Hour)
	defer cancel()
	began := time.Now()
	if err := b.Server.Shutdown(ctx); err != nil || time.Since(began) > time.Second {
		b.t.Errorf("Shutdown took %v: %v", time.Since(began), err)
	}
}

// lockedBuffer is a log that may be written to concurrently.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
