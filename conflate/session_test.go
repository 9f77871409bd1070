package conflate_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/conflate"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/coretest"
)

// TestPolling: messages that wait for the next poll are conflated, but a ping among them stays.
func TestPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, sockets := newServer(t)
		open := client.Get("EIO=4&transport=polling").Wait()
		s := <-sockets
		if open.Status != 200 {
			t.Fatalf("handshake: %d %s", open.Status, open.Body)
		}
		send(s, "a=1", "b=1", "x")
		time.Sleep(client.Server.Config().PingInterval + time.Millisecond) // fake
		send(s, "a=2", "y", "a=3")

		poll := client.Get("EIO=4&transport=polling&sid=" + s.ID()).Wait()
		wantWithPing(t, strings.Split(poll.Body, "\x1e"), "4b=1", "4x", "4y", "4a=3")
		if n := client.Server.Conflated(); n != 2 {
			t.Errorf("%d conflated, want 2", n)
		}
		client.Server.Close()
	})
}

// TestWebSocket: messages that wait because the client does not read are conflated.
func TestWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, sockets := newServer(t)
		ws, _ := client.WebSocket("EIO=4&transport=websocket")
		if f, ok := ws.Next(); !ok || f.Text[0] != '0' {
			t.Fatalf("got %+v %v", f, ok)
		}
		s := <-sockets
		ws.Stall(true)
		send(s, "first") // is being written, and stuck
		synctest.Wait()
		send(s, "a=1", "b=1")
		time.Sleep(client.Server.Config().PingInterval + time.Millisecond) // fake
		send(s, "a=2", "a=3")
		synctest.Wait()
		ws.Stall(false)

		var got []string
		for range 4 {
			f, ok := ws.Next()
			if !ok {
				t.Fatalf("closed after %q", got)
			}
			got = append(got, f.Text)
		}
		wantWithPing(t, got, "4first", "4b=1", "4a=3")
		if n := client.Server.Conflated(); n != 2 {
			t.Errorf("%d conflated, want 2", n)
		}
		client.Server.Close()
		ws.Cut()
	})
}

// wantWithPing checks for these messages in this order, and one ping in any place.
func wantWithPing(t *testing.T, got []string, want ...string) {
	t.Helper()
	messages := slices.DeleteFunc(slices.Clone(got), func(packet string) bool { return packet == "2" })
	if !slices.Equal(messages, want) || len(got) != len(want)+1 {
		t.Errorf("got %q, want %q and a ping", got, want)
	}
}

func newServer(t *testing.T) (*coretest.Client, <-chan *core.Socket) {
	t.Helper()
	sockets := make(chan *core.Socket, 1)
	srv, err := core.NewServer(core.Config{
		Conflate:     conflate.LatestByKey(symbol),
		OnConnection: func(s *core.Socket) { sockets <- s },
	})
	if err != nil {
		t.Fatal(err)
	}
	return &coretest.Client{Server: srv, Engine: coretest.Engine{}}, sockets
}

func send(s *core.Socket, texts ...string) {
	for _, text := range texts {
		s.Send(core.Text(text))
	}
}
