package core_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
)

// budget fails the test if do makes more allocations than want. Under the race detector each of the given
// number of packets may cost one more.
func budget(t *testing.T, want float64, packets int, do func()) {
	t.Helper()
	if poolsDrop() {
		want += float64(packets)
	}
	for range 10 { // slices grow, goroutines get their stacks
		do()
	}
	if got := testing.AllocsPerRun(200, do); got > want {
		t.Errorf("%v allocations, the budget is %v", got, want)
	}
}

// TestAllocationsReceive: from the engine to the callback, each message costs one allocation at most.
func TestAllocationsReceive(t *testing.T) {
	got := make(chan int, 1)
	q := newQuiet(t, core.Config{}, func(_ *core.Socket, m core.Message) { got <- len(m.Data) })
	conn, _ := q.open(t)
	packet := []byte("4" + strings.Repeat("x", 128))
	budget(t, 1, 1, func() {
		conn.in <- packet
		if n := <-got; n != 128 {
			t.Error(n, "bytes")
		}
	})
}

// TestAllocationsSend: a message is sent without an allocation once the buffer has grown to its size.
func TestAllocationsSend(t *testing.T) {
	q := newQuiet(t, core.Config{}, nil)
	conn, socket := q.open(t)
	for name, m := range map[string]core.Message{
		"text":   core.Text(strings.Repeat("x", 128)),
		"binary": core.Binary(make([]byte, 128)),
		"large":  core.Binary(make([]byte, 100_000)),
	} {
		t.Run(name, func(t *testing.T) {
			budget(t, 0, 1, func() {
				if err := socket.Send(m); err != nil {
					t.Error(err)
				}
				<-conn.flushed
			})
		})
	}
}

// TestAllocationsEcho: a message in, the answer out.
func TestAllocationsEcho(t *testing.T) {
	q := newQuiet(t, core.Config{}, echoMessage)
	conn, _ := q.open(t)
	packet := []byte("4" + strings.Repeat("x", 128))
	budget(t, 1, 2, func() {
		conn.in <- packet
		<-conn.flushed
	})
}

// TestAllocationsHeartbeat: a ping and its pong cost nothing.
func TestAllocationsHeartbeat(t *testing.T) {
	q := newQuiet(t, core.Config{PingInterval: 2 * time.Millisecond, PingTimeout: time.Minute}, nil)
	conn, _ := q.open(t)
	pong := []byte("3")
	budget(t, 0, 2, func() {
		conn.in <- pong // a pong that nobody asked for is harmless
		<-conn.flushed
		if !conn.wasPing {
			t.Error("that was no ping")
		}
	})
}

// TestAllocationsBroadcast: sending a prepared message costs nothing per receiver.
func TestAllocationsBroadcast(t *testing.T) {
	const receivers = 200
	q := newQuiet(t, core.Config{}, nil)
	conns := make([]*quietConn, receivers)
	for i := range conns {
		conns[i], _ = q.open(t)
	}
	message := core.Text(strings.Repeat("x", 128))
	// The budget covers the frame, the iteration over the sessions and the like: far less than one for each
	// session.
	budget(t, receivers/10, receivers, func() {
		if n := q.server.Broadcast(message); n != receivers {
			t.Error(n, "took it")
		}
		for _, conn := range conns {
			<-conn.flushed
		}
	})
	prepared := core.Prepare(message)
	budget(t, receivers/10, receivers, func() {
		prepared.SendTo(q.server.All())
		for _, conn := range conns {
			<-conn.flushed
		}
	})
}

// TestAllocationsSendPrepared: sending a prepared message to a single socket costs nothing.
func TestAllocationsSendPrepared(t *testing.T) {
	q := newQuiet(t, core.Config{}, nil)
	conn, socket := q.open(t)
	prepared := core.Prepare(core.Text(strings.Repeat("x", 128)))
	budget(t, 0, 1, func() {
		_ = socket.SendPrepared(prepared)
		<-conn.flushed
	})
}

// TestAllocationsPoll: a POST with a message and the GET that brings it back do allocate. The budget is the
// number that was reached.
func TestAllocationsPoll(t *testing.T) {
	q := newQuiet(t, core.Config{}, echoMessage)
	query, end := q.openPolling(t)
	p := startPolls(q.server, query)
	post := newQuietExchange(http.MethodPost, query, "4"+strings.Repeat("x", 128))
	budget(t, pollBudget, 2, func() {
		q.server.Serve(post, nil)
		<-p.answered
	})
	end()
	<-p.ended
}

// pollBudget covers the waiter and its channel, the body of the answer, and the message itself.
const pollBudget = 4
