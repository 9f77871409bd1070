package eioprom_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/goengineio/engineio/conflate"
	"github.com/goengineio/engineio/core"
	eioprom "github.com/goengineio/engineio/metrics/prometheus"
)

const (
	poll4 = "EIO=4&transport=polling"
	poll3 = "EIO=3&transport=polling"
	ws4   = "EIO=4&transport=websocket"
)

func TestLint(t *testing.T) {
	_, registry := newServer(t, core.Config{})
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Error(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

// TestEverySeriesIsThereAtOnce: if a series appeared only with its first event, rate() would miss that one.
func TestEverySeriesIsThereAtOnce(t *testing.T) {
	_, registry := newServer(t, core.Config{})
	for metric, want := range map[string]int{
		"engineio_sessions":                  4,
		"engineio_sessions_opened_total":     4,
		"engineio_sessions_closed_total":     5,
		"engineio_requests_refused_total":    7,
		"engineio_upgrades_total":            2,
		"engineio_packets_total":             2,
		"engineio_data_bytes_total":          2,
		"engineio_slow_client_actions_total": 3,
		"engineio_messages_conflated_total":  1,
		"engineio_buffered_bytes":            1,
		"engineio_ping_round_trip_seconds":   1,
		"engineio_upgrade_duration_seconds":  1,
	} {
		if got, err := testutil.GatherAndCount(registry, metric); err != nil || got != want {
			t.Errorf("%s: %d series, %v; want %d", metric, got, err, want)
		}
	}
}

// TestFigures makes one of every event happen and reads the figures as Prometheus does.
func TestFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := make(chan *core.Socket, 10)
		client, registry := newServer(t, core.Config{
			AllowEIO3:    true,
			PingInterval: 10 * time.Second,
			BufferPolicy: core.RefuseMessage,
			MaxPayload:   1000,
			MaxBuffered:  4000,
			OnConnection: func(s *core.Socket) { sockets <- s },
			Conflate:     conflate.LatestByKey(func(m core.Message) (string, bool) { return "price", m.Binary }),
		})

		// A polling session exchanges a message each way, 5 and 3 bytes, and upgrades within 20 ms.
		sid, session := open(t, client, poll4)
		socket := <-sockets
		client.Post(session, "4hello").Wait()
		socket.Send(core.Text("abc"))
		client.Get(session).Wait()
		ws, _ := client.WebSocket(ws4 + "&sid=" + sid)
		ws.SendText("2probe")
		ws.Next()
		time.Sleep(20 * time.Millisecond)
		ws.SendText("5")
		synctest.Wait()

		// Its pong takes 30 ms. Then it stops reading; of three messages one survives, a fourth is
		// refused and a volatile one dropped.
		ws.Next()
		time.Sleep(30 * time.Millisecond)
		ws.SendText("3")
		synctest.Wait()
		ws.Stall(true)
		socket.Send(core.Text("stuck"))
		for range 3 {
			socket.Send(core.Binary(make([]byte, 1000)))
		}
		if err := socket.Send(core.Binary(make([]byte, 1000))); err == nil {
			t.Error("nothing is refused")
		}
		_ = socket.SendVolatile(core.Text("dropped"))
		synctest.Wait()

		// Another upgrade fails, another session closes, and a request has an unknown session id.
		_, second := open(t, client, poll3)
		<-sockets
		client.Post(second, "1:1").Wait()
		failed, _ := client.WebSocket(ws4 + "&sid=" + sid)
		<-failed.Done()
		client.Get(poll4 + "&sid=nobody").Wait()
		synctest.Wait()

		want := map[string]float64{
			"engineio_sessions{revision=4,transport=websocket}":                1,
			"engineio_sessions{revision=4,transport=polling}":                  0,
			"engineio_sessions{revision=3,transport=polling}":                  0,
			"engineio_buffered_bytes{}":                                        3005,
			"engineio_sessions_opened_total{revision=4,transport=polling}":     1,
			"engineio_sessions_opened_total{revision=3,transport=polling}":     1,
			"engineio_sessions_opened_total{revision=4,transport=websocket}":   0,
			"engineio_sessions_closed_total{reason=transport close}":           1,
			"engineio_sessions_closed_total{reason=ping timeout}":              0,
			"engineio_requests_refused_total{code=1,error=Session ID unknown}": 1,
			"engineio_requests_refused_total{code=3,error=Bad request}":        0,
			"engineio_upgrades_total{result=upgraded}":                         1,
			"engineio_upgrades_total{result=failed}":                           1,
			"engineio_packets_total{direction=received}":                       3, // hello, a pong, a close packet
			"engineio_data_bytes_total{direction=received}":                    5,
			"engineio_slow_client_actions_total{action=closed}":                0,
			"engineio_slow_client_actions_total{action=refused}":               1,
			"engineio_slow_client_actions_total{action=dropped}":               1,
			"engineio_messages_conflated_total{}":                              0,
			"engineio_ping_round_trip_seconds{}_count":                         1,
			"engineio_ping_round_trip_seconds{}_sum":                           0.03,
			"engineio_ping_round_trip_seconds{}_bucket_0.025":                  0,
			"engineio_ping_round_trip_seconds{}_bucket_0.05":                   1,
			"engineio_upgrade_duration_seconds{}_count":                        1,
			"engineio_upgrade_duration_seconds{}_sum":                          0.02,
		}
		got := gather(t, registry)
		for name, value := range want {
			if got[name] != value {
				t.Errorf("%s is %v, want %v", name, got[name], value)
			}
		}

		// The client reads again: the conflated message leaves, and nothing waits any more.
		ws.Stall(false)
		synctest.Wait()
		got = gather(t, registry)
		if got["engineio_messages_conflated_total{}"] != 2 || got["engineio_buffered_bytes{}"] != 0 {
			t.Errorf("%v conflated, %v bytes wait; want 2 and 0", got["engineio_messages_conflated_total{}"], got["engineio_buffered_bytes{}"])
		}
		if sent := got["engineio_data_bytes_total{direction=sent}"]; sent < 3+5+1000 || sent > 3+5+1000+500 {
			t.Errorf("%v bytes were sent, want those of abc, stuck, 1000 and two open packets", sent)
		}
	})
}

// TestSlowClientIsClosed tests the default policy.
func TestSlowClientIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := make(chan *core.Socket, 1)
		client, registry := newServer(t, core.Config{MaxPayload: 1, MaxBuffered: 4, OnConnection: func(s *core.Socket) { sockets <- s }})
		open(t, client, poll4)
		(<-sockets).Send(core.Text("five!"))
		synctest.Wait()
		got := gather(t, registry)
		for _, name := range []string{
			"engineio_slow_client_actions_total{action=closed}",
			"engineio_sessions_closed_total{reason=transport error}",
		} {
			if got[name] != 1 {
				t.Errorf("%s is %v, want 1", name, got[name])
			}
		}
	})
}

// TestSeveralServers: servers can share a registry if their labels differ.
func TestSeveralServers(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	var collectors []prometheus.Collector
	for _, name := range []string{"chat", "game"} {
		srv, err := core.NewServer(core.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Close()
		c := eioprom.NewCollector(srv, eioprom.Options{ConstLabels: prometheus.Labels{"server": name}})
		if err := registry.Register(c); err != nil {
			t.Fatal(err)
		}
		collectors = append(collectors, c)
	}
	got := gather(t, registry)
	for _, name := range []string{"chat", "game"} {
		if _, there := got["engineio_buffered_bytes{server="+name+"}"]; !there {
			t.Errorf("nothing of %s", name)
		}
	}
	again := registry.Register(collectors[0])
	if again == nil || !strings.Contains(again.Error(), "duplicate") {
		t.Errorf("registered twice: %v", again)
	}
}
