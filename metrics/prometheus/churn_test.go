package eioprom_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/coretest"
)

// TestCountersNeverDecrease scrapes as fast as it can while sessions open, talk and close. In the end the
// packets received add up exactly: each session counts once, whether it is open or closed.
func TestCountersNeverDecrease(t *testing.T) {
	const workers, cycles = 4, 60
	client, registry := newServer(t, core.Config{
		OnConnection: func(s *core.Socket) {
			s.OnMessage(func(m core.Message) {
				if string(m.Data) == "end" {
					s.CloseNow()
					return
				}
				s.Send(m)
			})
		},
	})
	var churn sync.WaitGroup
	for range workers {
		churn.Go(func() {
			for range cycles {
				pollAndLeave(t, client)
				talkAndCut(client)
				upgradeAndBeClosed(t, client)
			}
		})
	}
	done := make(chan struct{})
	go func() { churn.Wait(); close(done) }()

	was, gatherings := gather(t, registry), 0
	for working := true; working; gatherings++ {
		select {
		case <-done:
			working = false
		default:
		}
		now := gather(t, registry)
		for name, value := range was {
			gauge := strings.HasPrefix(name, "engineio_sessions{") || strings.HasPrefix(name, "engineio_buffered_bytes")
			if now[name] < value && !gauge {
				t.Fatalf("%s is %v after %v", name, now[name], value)
			}
		}
		was = now
	}
	t.Logf("%d gatherings", gatherings)

	eventually(t, func() bool {
		return gather(t, registry)["engineio_sessions_closed_total{reason=transport close}"] == 2*workers*cycles
	})
	got := gather(t, registry)
	for name, want := range map[string]float64{
		"engineio_sessions{revision=4,transport=polling}":                0,
		"engineio_sessions{revision=4,transport=websocket}":              0,
		"engineio_buffered_bytes{}":                                      0,
		"engineio_sessions_opened_total{revision=4,transport=polling}":   2 * workers * cycles,
		"engineio_sessions_opened_total{revision=4,transport=websocket}": workers * cycles,
		"engineio_sessions_closed_total{reason=forced close}":            workers * cycles,
		"engineio_upgrades_total{result=upgraded}":                       workers * cycles,
		"engineio_packets_total{direction=received}":                     5 * workers * cycles,
		"engineio_data_bytes_total{direction=received}":                  (5 + 4 + 5 + 3) * workers * cycles,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

// pollAndLeave sends two packets: a message and the close packet.
func pollAndLeave(t *testing.T, client *coretest.Client) {
	_, session := open(t, client, poll4)
	client.Post(session, "4hello").Wait()
	client.Get(session).Wait()
	poll := client.Get(session)
	client.Post(session, "1").Wait()
	poll.Wait()
}

// talkAndCut sends one packet over a WebSocket and cuts the connection.
func talkAndCut(client *coretest.Client) {
	ws, _ := client.WebSocket(ws4)
	ws.Next()
	ws.SendText("4talk")
	ws.Next()
	ws.Cut()
}

// upgradeAndBeClosed sends one packet before the upgrade and one after it.
func upgradeAndBeClosed(t *testing.T, client *coretest.Client) {
	sid, session := open(t, client, poll4)
	client.Post(session, "4hello").Wait()
	ws, _ := client.WebSocket(ws4 + "&sid=" + sid)
	ws.SendText("2probe")
	ws.Next()
	client.Get(session).Wait()
	ws.SendText("5")
	ws.SendText("4end")
	for open := true; open; {
		frame, more := ws.Next()
		if frame.Close {
			ws.SendClose(1000)
		}
		open = more
	}
}

// eventually waits until a condition holds that other goroutines bring about.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(30 * time.Second); !condition(); <-look.C {
		if time.Now().After(deadline) {
			t.Fatal("not within 30 s")
		}
	}
}
