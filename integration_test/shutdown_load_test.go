package integration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"github.com/goengineio/engineio/core"
)

// TestShutdownUnderLoad has the server send to many sessions as fast as they take it, and shuts down
// in the midst of it: every message that Send accepted arrives, in order, and then the client is told
// that the session is over.
func TestShutdownUnderLoad(t *testing.T) {
	const sessions = 8 // of each transport
	for _, framework := range frameworks {
		t.Run(framework.name, func(t *testing.T) {
			load := &load{accepted: make(map[string]int)}
			engine, url := newServer(t, framework.serve, core.Config{
				PingTimeout:            2 * patience, // the clients below answer no pings
				DisableHTTPCompression: true,
				OnConnection:           load.connected,
			})
			client := &http.Client{Timeout: 2 * patience, Transport: &http.Transport{MaxIdleConnsPerHost: sessions}}
			t.Cleanup(client.CloseIdleConnections)

			var running sync.WaitGroup
			t.Cleanup(running.Wait)
			receivers := make([]*receiver, 2*sessions)
			for i := range receivers {
				r := &receiver{warm: make(chan bool, 1), over: make(chan error, 1)}
				receivers[i] = r
				running.Go(func() {
					if i%2 == 0 {
						r.over <- r.poll(t.Context(), client, url)
					} else {
						r.over <- r.listen(t.Context(), url)
					}
				})
			}
			for _, r := range receivers {
				await(t, r.warm, "first messages")
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			began := time.Now()
			if err := engine.Shutdown(ctx); err != nil {
				t.Errorf("shutdown: %v", err)
			}
			took := time.Since(began)
			load.sending.Wait()

			total := 0
			for i, r := range receivers {
				if err := await(t, r.over, "end of the session"); err != nil {
					t.Errorf("session %d: %v", i, err)
				}
				accepted := load.accepted[r.sid]
				total += accepted
				if r.received != accepted {
					t.Errorf("session %d: Send accepted %d messages, %d arrived", i, accepted, r.received)
				}
			}
			t.Logf("%d sessions, %d messages, the shutdown took %v", len(receivers), total, took)
		})
	}
}

// load sends numbered messages to every session until Send fails, and counts those it accepted.
type load struct {
	sending sync.WaitGroup

	mu       sync.Mutex
	accepted map[string]int
}

// Every so many messages there is one that no socket takes at once.
const (
	largeEvery = 20
	largeSize  = 150_000
)

func (l *load) connected(s *core.Socket) {
	l.sending.Go(func() {
		underWay := make(chan struct{}, 2*largeEvery)
		n := 0
		for sending := true; sending; n++ {
			select {
			case underWay <- struct{}{}:
			case <-s.Context().Done():
			}
			size := 100
			if n%largeEvery == largeEvery-1 {
				size = largeSize
			}
			m := core.Text(fmt.Sprintf("%d %s", n, strings.Repeat("x", size)))
			sending = s.SendFunc(m, func() { <-underWay }) == nil
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.accepted[s.ID()] = n - 1 // the last one was refused
	})
}

// receiver is a client that counts the messages of its session.
type receiver struct {
	sid      string
	received int
	warm     chan bool  // has a value once enough of them have come
	over     chan error // nil if the server ended the session in good order
}

// packet returns done with the close packet.
func (r *receiver) packet(packet string) (done bool, err error) {
	switch {
	case packet == "1":
		return true, nil
	case strings.HasPrefix(packet, "0"):
		_, rest, _ := strings.Cut(packet, `"sid":"`)
		r.sid, _, _ = strings.Cut(rest, `"`)
	case strings.HasPrefix(packet, "4"):
		number, _, _ := strings.Cut(packet[1:], " ")
		if number != strconv.Itoa(r.received) {
			return false, fmt.Errorf("received %.20q, want %d", packet, r.received)
		}
		if r.received++; r.received == largeEvery {
			r.warm <- true
		}
	}
	return false, nil
}

func (r *receiver) poll(ctx context.Context, client *http.Client, url string) error {
	target := url + "/engine.io/?EIO=4&transport=polling"
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
		if err != nil {
			return err
		}
		res, err := client.Do(request)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			return fmt.Errorf("poll: %d %.100s %w", res.StatusCode, body, err)
		}
		for packet := range strings.SplitSeq(string(body), "\x1e") {
			if done, err := r.packet(packet); done || err != nil {
				return err
			}
		}
		target = url + "/engine.io/?EIO=4&transport=polling&sid=" + r.sid
	}
}

func (r *receiver) listen(ctx context.Context, url string) error {
	ws, res, err := websocket.DefaultDialer.DialContext(ctx, "ws"+url[4:]+"/engine.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	defer func() { _ = ws.Close() }()
	for {
		_, data, err := ws.ReadMessage()
		var closed *websocket.CloseError
		if errors.As(err, &closed) && closed.Code == websocket.CloseGoingAway {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := r.packet(string(data)); err != nil {
			return err
		}
	}
}
