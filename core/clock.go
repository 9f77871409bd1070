package core

import (
	"container/heap"
	"sync"
	"sync/atomic"
	"time"
)

// instant is a point in time on the monotonic clock, counted from the making of the server. A time.Time
// takes three times as much memory.
type instant time.Duration

func (s *Server) now() instant { return instant(time.Since(s.began)) }

func (t instant) after(d time.Duration) instant { return t + instant(d) }

func (t instant) since(earlier instant) time.Duration { return time.Duration(t - earlier) }

const clockShards = 64

// clock calls Socket.onTimer when a session's time has come. A time.AfterFunc for each session would take
// 128 bytes and, each time it fires, a goroutine whose stack has to grow before it has written a ping. Here
// one goroutine serves all sessions of a shard that are due, and lives only as long as there are any.
//
// Its locks are taken while a socket's lock is held, never the other way round.
type clock struct {
	next   atomic.Uint32
	shards [clockShards]clockShard
}

type clockShard struct {
	server *Server
	mu     sync.Mutex
	due    dueHeap
	timer  *time.Timer // nil until it is needed
	firing bool        // a goroutine is calling sockets; it sets the timer when it is done
}

func (c *clock) init(s *Server) {
	for i := range c.shards {
		c.shards[i].server = s
	}
}

// place chooses the shard of a new socket.
func (c *clock) place() uint8 { return uint8(c.next.Add(1) % clockShards) }

// call arranges for the socket to be called at the given time, or earlier if that is already arranged.
func (c *clock) call(s *Socket, at instant) {
	sh := &c.shards[s.beat.shard]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	switch {
	case s.beat.place == 0:
		sh.due = append(sh.due, due{at, s})
		s.beat.place = int32(len(sh.due))
		heap.Fix(&sh.due, len(sh.due)-1) // heap.Push would allocate memory
	case at < sh.due[s.beat.place-1].at:
		sh.due[s.beat.place-1].at = at
		heap.Fix(&sh.due, int(s.beat.place-1))
	default:
		return
	}
	if s.beat.place == 1 && !sh.firing {
		sh.set()
	}
}

// forget cancels the socket's call.
func (c *clock) forget(s *Socket) {
	sh := &c.shards[s.beat.shard]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if s.beat.place > 0 {
		heap.Remove(&sh.due, int(s.beat.place-1))
	}
	if len(sh.due) == 0 && sh.timer != nil {
		sh.timer.Stop()
	}
}

// set sets the timer for the socket that is due first. Called with mu locked.
func (sh *clockShard) set() {
	if len(sh.due) == 0 {
		return
	}
	left := sh.due[0].at.since(sh.server.now())
	if sh.timer == nil {
		sh.timer = time.AfterFunc(left, sh.fire)
	} else {
		sh.timer.Reset(left)
	}
}

// fire calls all sockets that are due.
func (sh *clockShard) fire() {
	sh.mu.Lock()
	if sh.firing {
		sh.mu.Unlock()
		return
	}
	sh.firing = true
	for len(sh.due) > 0 && sh.due[0].at <= sh.server.now() {
		s := sh.due[0].socket
		heap.Remove(&sh.due, 0)
		sh.mu.Unlock()
		if sh.server.cfg.Conflate == nil {
			s.onTimer()
		} else {
			go s.onTimer() // sending a ping calls Conflate, which may take time
		}
		sh.mu.Lock()
	}
	sh.firing = false
	sh.set()
	sh.mu.Unlock()
}

// due is a socket and the time of its call, which is kept here so that nothing of other sockets, of which
// there may be very many, is looked at to find a place among them.
type due struct {
	at     instant
	socket *Socket
}

// dueHeap orders the sockets by the time of their call. Each socket knows its place in the heap, counted
// from 1; 0 means that it is not in the heap.
type dueHeap []due

func (h dueHeap) Len() int { return len(h) }

func (h dueHeap) Less(i, k int) bool { return h[i].at < h[k].at }

func (h dueHeap) Swap(i, k int) {
	h[i], h[k] = h[k], h[i]
	h[i].socket.beat.place, h[k].socket.beat.place = int32(i+1), int32(k+1)
}

// Push is part of heap.Interface; clock.call does without.
func (h *dueHeap) Push(any) {}

// Pop removes the last element for heap.Remove, whose result nobody needs.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	(*h)[last].socket.beat.place = 0
	(*h)[last] = due{}
	*h = (*h)[:last]
	return nil
}
