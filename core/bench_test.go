package core_test

import (
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
)

// The benchmarks run without a network. What the connections and requests in memory do costs next to
// nothing and allocates nothing. The figures include the switches between goroutines.

// openPolling opens a polling session. The function it returns ends it.
func (q *quiet) openPolling(t testing.TB) (query string, end func()) {
	t.Helper()
	x := newQuietExchange(http.MethodGet, poll4, "")
	q.server.Serve(x, nil)
	id := x.sid(t)
	socket := <-q.sockets
	return poll4 + "&sid=" + id, socket.CloseNow
}

func echoMessage(s *core.Socket, m core.Message) { _ = s.Send(m) }

var textPacket = []byte("4" + strings.Repeat("x", 128))

// BenchmarkFlush is Send on a WebSocket, from the call to the write.
func BenchmarkFlush(b *testing.B) {
	q := newQuiet(b, core.Config{}, nil)
	conn, socket := q.open(b)
	for name, m := range map[string]core.Message{
		"text": core.Text(strings.Repeat("x", 128)), "binary": core.Binary(make([]byte, 128)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = socket.Send(m)
				<-conn.flushed
			}
		})
	}
}

// BenchmarkReceive is a message from a WebSocket to OnMessage.
func BenchmarkReceive(b *testing.B) {
	got := make(chan struct{}, 1)
	q := newQuiet(b, core.Config{}, func(*core.Socket, core.Message) { got <- struct{}{} })
	conn, _ := q.open(b)
	b.ReportAllocs()
	for b.Loop() {
		conn.in <- textPacket
		<-got
	}
}

// BenchmarkEcho is a message from a WebSocket, and back to it.
func BenchmarkEcho(b *testing.B) {
	q := newQuiet(b, core.Config{}, echoMessage)
	conn, _ := q.open(b)
	b.ReportAllocs()
	for b.Loop() {
		conn.in <- textPacket
		<-conn.flushed
	}
}

// BenchmarkPollCycle is a POST with a message and the waiting GET that brings it back.
func BenchmarkPollCycle(b *testing.B) {
	q := newQuiet(b, core.Config{}, echoMessage)
	query, end := q.openPolling(b)
	p := startPolls(q.server, query)
	post := newQuietExchange(http.MethodPost, query, string(textPacket))
	b.ReportAllocs()
	for b.Loop() {
		q.server.Serve(post, nil)
		<-p.answered
	}
	end()
	<-p.ended
}

// BenchmarkHandshake is a polling session opened and closed.
func BenchmarkHandshake(b *testing.B) {
	q := newQuiet(b, core.Config{}, nil)
	x := newQuietExchange(http.MethodGet, poll4, "")
	b.ReportAllocs()
	for b.Loop() {
		q.server.Serve(x, nil)
		(<-q.sockets).CloseNow()
	}
	if q.server.Len() != 0 {
		b.Error(q.server.Len(), "sessions left")
	}
}

// BenchmarkBroadcast is one message to many sessions; the figures are for all of them together.
func BenchmarkBroadcast(b *testing.B) {
	const receivers = 1000
	q := newQuiet(b, core.Config{}, nil)
	conns := make([]*quietConn, receivers)
	for i := range conns {
		conns[i], _ = q.open(b)
	}
	message := core.Text(strings.Repeat("x", 128))
	b.ReportAllocs()
	for b.Loop() {
		q.server.Broadcast(message)
		for _, conn := range conns {
			<-conn.flushed
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/receivers, "ns/delivery")
}

// BenchmarkHeartbeat is a ping and its pong. More sessions than can be served have a heartbeat every
// millisecond, so all heartbeats are late, and the figure is the time that one of them takes.
func BenchmarkHeartbeat(b *testing.B) {
	const sessions = 500
	q := newQuiet(b, core.Config{PingInterval: time.Millisecond, PingTimeout: time.Hour}, nil)
	var beats, open sync.WaitGroup
	work := make(chan struct{})
	pong := []byte("3")
	for range sessions {
		conn, _ := q.open(b)
		open.Go(func() {
			for {
				select {
				case conn.in <- pong: // a pong that nobody asked for is harmless
				case <-conn.closed:
					return
				}
				select {
				case <-conn.flushed:
				case <-conn.closed:
					return
				}
				if _, more := <-work; more {
					beats.Done()
				}
			}
		})
	}
	b.ReportAllocs()
	b.ResetTimer()
	beats.Add(b.N)
	for range b.N {
		work <- struct{}{}
	}
	beats.Wait()
	b.StopTimer()
	close(work)
	q.server.Close()
	open.Wait()
}

// BenchmarkParallelEcho is BenchmarkEcho with a session for each thread: with -cpu 1,2 it shows whether
// sessions get in each other's way.
func BenchmarkParallelEcho(b *testing.B) {
	q := newQuiet(b, core.Config{}, echoMessage)
	conns := make(chan *quietConn, runtime.GOMAXPROCS(0))
	for range cap(conns) {
		conn, _ := q.open(b)
		conns <- conn
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		conn := <-conns
		for pb.Next() {
			conn.in <- textPacket
			<-conn.flushed
		}
	})
}

// BenchmarkParallelHandshake is BenchmarkHandshake by several clients.
func BenchmarkParallelHandshake(b *testing.B) {
	q := newQuiet(b, core.Config{}, nil)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		x := newQuietExchange(http.MethodGet, poll4, "")
		for pb.Next() {
			q.server.Serve(x, nil)
			if socket, ok := q.server.Get(x.sid(b)); ok {
				socket.CloseNow()
			}
		}
	})
}
