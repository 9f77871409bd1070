package core_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/coretest"
)

func TestUpgrade(t *testing.T) {
	for _, c := range []struct{ query, noop string }{{poll4, "6"}, {poll3, "1:6"}} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, core.Config{AllowEIO3: true})
			defer b.end()
			s := b.open(c.query)
			poll := s.get()
			synctest.Wait()
			ws := s.probe()
			ws.SendText("2probe")
			b.wantFrame(ws, "3probe")
			b.wantAnswer(poll, 200, c.noop)
			ws.SendText("5")
			ws.SendText("4hello")
			b.wantFrame(ws, "4hello")
			b.wantEvent("upgrade: websocket")
			if !s.socket.Upgraded() || s.socket.Transport() != core.WebSocket {
				t.Error("the socket does not know of its upgrade")
			}
			b.wantAnswer(s.get(), 400, badRequest)
			b.wantAnswer(s.post("4x"), 400, badRequest)

			second := s.probe()
			b.wantClosed(second, 0)
			ws.SendText("4still")
			b.wantFrame(ws, "4still")
		})
	}
}

// A client that probes, never sends the upgrade packet and keeps polling.
func TestPollsWhileProbing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		defer b.end()
		s := b.open(poll4)
		poll := s.get()
		synctest.Wait()
		ws := s.probe()
		ws.SendText("2probe")
		b.wantFrame(ws, "3probe")
		began := time.Now()
		var answers int
		for time.Since(began) < time.Second {
			b.wantAnswer(poll, 200, "6")
			answers++
			// The waiting poll, and two that may have been sent before the client knew.
			if answers == 3 && time.Since(began) != 2*2*time.Millisecond {
				t.Errorf("the first three answers took %v", time.Since(began))
			}
			poll = s.get()
		}
		if answers != 13 {
			t.Errorf("%d answers in a second", answers)
		}
		// A message does not wait for the 100 ms.
		synctest.Wait()
		began = time.Now()
		_ = s.socket.Send(core.Text("now"))
		b.wantAnswer(poll, 200, "4now")
		if time.Since(began) != 0 {
			t.Error("a message waited")
		}
		// Nor does the upgrade.
		poll = s.get()
		synctest.Wait()
		ws.SendText("5")
		b.wantAnswer(poll, 200, "6")
	})
}

func TestFailedProbesLeavePollingAlone(t *testing.T) {
	fail := map[string]func(*coretest.WebSocket){
		"a message":            func(ws *coretest.WebSocket) { ws.SendText("4hello") },
		"a ping without probe": func(ws *coretest.WebSocket) { ws.SendText("2") },
		"no packet":            func(ws *coretest.WebSocket) { ws.SendText("abc") },
		"binary":               func(ws *coretest.WebSocket) { ws.SendBinary("\x01") },
		"a message afterwards": func(ws *coretest.WebSocket) { ws.SendText("2probe"); ws.SendText("4x") },
		"close frame":          func(ws *coretest.WebSocket) { ws.SendText("2probe"); ws.SendClose(1000) },
		"cut":                  func(ws *coretest.WebSocket) { ws.SendText("2probe"); ws.Cut() },
		"silence":              func(*coretest.WebSocket) {},
		"silence afterwards":   func(ws *coretest.WebSocket) { ws.SendText("2probe") },
		"too large":            func(ws *coretest.WebSocket) { ws.SendText("2" + string(make([]byte, 2000))) },
	}
	for name, f := range fail {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, core.Config{UpgradeTimeout: 300 * ms, MaxPayload: 1000})
				defer b.end()
				s := b.open(poll4)
				ws := s.probe()
				f(ws)
				began := time.Now()
				<-ws.Done()
				if took := time.Since(began); took > 300*ms+5*time.Second {
					t.Errorf("closed after %v", took)
				}
				synctest.Wait() // a client that cuts the connection knows it before the server
				poll := s.get()
				b.wantAnswer(s.post("4alive"), 200, "ok")
				b.wantAnswer(poll, 200, "4alive")

				again := s.probe()
				again.SendText("2probe")
				b.wantFrame(again, "3probe")
				again.SendText("5")
				again.SendText("4x")
				b.wantFrame(again, "4x")
			})
		})
	}
}

func TestHeldPollIsReleasedWhenTheProbeFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		defer b.end()
		s := b.open(poll4)
		ws := s.probe()
		ws.SendText("2probe")
		b.wantFrame(ws, "3probe")
		b.wantAnswer(s.get(), 200, "6")
		b.wantAnswer(s.get(), 200, "6")
		poll := s.get()
		synctest.Wait()
		if poll.Answered() {
			t.Fatal("the third poll was not held")
		}
		ws.Cut()
		b.wantAnswer(poll, 200, "6")
	})
}

func TestSecondProbeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		defer b.end()
		s := b.open(poll4)
		ws := s.probe()
		synctest.Wait()
		b.wantClosed(s.probe(), 0)
		ws.SendText("2probe")
		b.wantFrame(ws, "3probe")
		ws.SendText("5")
		ws.SendText("4x")
		b.wantFrame(ws, "4x")
	})
}

func TestCloseWhileUpgrading(t *testing.T) {
	type step struct {
		name  string
		close func(s session)
		poll  string // what a waiting poll is told
		event string
	}
	steps := []step{
		{"by the application", func(s session) { s.socket.Close() }, "1", "close: forced close"},
		{"by the application, at once", func(s session) { s.socket.CloseNow() }, "1", "close: forced close"},
		{"by the client", func(s session) { s.post("1") }, "6", "close: transport close"},
		{"by an overlap", func(s session) { s.get() }, "1", "close: transport error"},
	}
	for _, c := range steps {
		for _, probed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, probed %v", c.name, probed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, core.Config{})
					defer b.end()
					s := b.open(poll4)
					ws := s.probe()
					if probed {
						ws.SendText("2probe")
						b.wantFrame(ws, "3probe")
						b.wantAnswer(s.get(), 200, "6")
						b.wantAnswer(s.get(), 200, "6")
					}
					poll := s.get()
					synctest.Wait()
					c.close(s)
					b.wantAnswer(poll, 200, c.poll)
					b.wantEvent(c.event)
					before := time.Now()
					b.wantClosed(ws, 0) // the probe connection goes with the session
					if took := time.Since(before); took != 0 {
						t.Errorf("the candidate stayed for %v", took)
					}
					if b.Server.Len() != 0 {
						t.Error("the session is still registered")
					}
				})
			})
		}
	}
}

// TestPollBeforeTheUpgradePacket: a poll that comes while a candidate is connected waits 2 ms before
// anything else, since a client may send the probe, the upgrade packet and a poll at once.
func TestPollBeforeTheUpgradePacket(t *testing.T) {
	for _, c := range []struct {
		name   string
		during func(s session, ws *coretest.WebSocket)
		status int
		body   string
		frames []string // on the WebSocket
		event  string
	}{
		{"the upgrade", func(_ session, ws *coretest.WebSocket) { ws.SendText("2probe"); ws.SendText("5") },
			400, badRequest, []string{"3probe"}, ""},
		{"a message and the upgrade", func(s session, ws *coretest.WebSocket) {
			_ = s.socket.SendVolatile(core.Text("x"))
			ws.SendText("2probe")
			ws.SendText("5")
		}, 400, badRequest, []string{"3probe", "4x"}, ""},
		{"a message", func(s session, _ *coretest.WebSocket) { _ = s.socket.Send(core.Text("x")) }, 200, "4x", nil, ""},
		{"the end of the candidate, and a message", func(s session, ws *coretest.WebSocket) {
			ws.Cut()
			synctest.Wait()
			_ = s.socket.Send(core.Text("x"))
		}, 200, "4x", nil, ""},
		{"Close", func(s session, _ *coretest.WebSocket) { s.socket.Close() }, 200, "1", nil, "close: forced close"},
		{"CloseNow", func(s session, _ *coretest.WebSocket) { s.socket.CloseNow() }, 200, "1", nil, "close: forced close"},
		{"another poll", func(s session, _ *coretest.WebSocket) { s.get() }, 200, "1", nil, "close: transport error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, core.Config{})
				defer b.end()
				s := b.open(poll4)
				ws := s.probe()
				synctest.Wait()
				poll := s.get()
				synctest.Wait()
				c.during(s, ws)
				synctest.Wait()
				if poll.Answered() {
					t.Error("the poll did not wait")
				}
				b.wantAnswer(poll, c.status, c.body)
				for _, frame := range c.frames {
					b.wantFrame(ws, frame)
				}
				if c.event != "" {
					b.wantEvent(c.event)
				}
			})
		})
	}
}

func TestGracefulCloseCompletesOverTheNewTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		defer b.end()
		s := b.open(poll4)
		ws := s.probe()
		ws.SendText("2probe")
		b.wantFrame(ws, "3probe")
		_ = s.socket.Send(core.Text("last words"))
		s.socket.Close()
		ws.SendText("5")
		b.wantFrame(ws, "4last words")
		b.wantClosed(ws, 0)
		b.wantEvent("close: forced close")
	})
}

// Frames that come right after the upgrade packet wait for a POST that is still being delivered.
func TestInputOrderAcrossTheUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		got := make(chan string, 10)
		b := newBench(t, core.Config{OnConnection: func(s *core.Socket) {
			s.OnMessage(func(m core.Message) {
				if string(m.Data) == "1" {
					<-block
				}
				got <- string(m.Data)
			})
		}})
		defer b.end()
		s := b.open(poll4)
		post := s.post("41\x1e42")
		synctest.Wait()
		ws := s.probe()
		ws.SendText("2probe")
		b.wantFrame(ws, "3probe")
		ws.SendText("5")
		ws.SendText("43")
		synctest.Wait()
		if len(got) != 0 {
			t.Error("a frame overtook a POST")
		}
		close(block)
		b.wantAnswer(post, 200, "ok")
		for _, want := range []string{"1", "2", "3"} {
			b.want(<-got, want)
		}
	})
}

func TestOutputOrderAcrossTheUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		defer b.end()
		s := b.open(poll4)
		const total = 100
		var sender sync.WaitGroup
		defer sender.Wait()
		sender.Go(func() {
			for i := range total {
				_ = s.socket.Send(core.Text(fmt.Sprint(i)))
				time.Sleep(time.Millisecond)
			}
		})
		next := 0
		take := func(packet string) {
			if packet == "6" {
				return
			}
			b.want(packet, fmt.Sprintf("4%d", next))
			next++
		}
		poll := func() {
			for _, packet := range splitPayload(s.get().Wait().Body) {
				take(packet)
			}
		}
		for range 10 {
			poll()
		}
		ws := s.probe()
		ws.SendText("2probe")
		b.wantFrame(ws, "3probe")
		poll()
		time.Sleep(10 * ms)
		ws.SendText("5")
		for next < total {
			f, _ := ws.Next()
			take(f.Text)
		}
	})
}
