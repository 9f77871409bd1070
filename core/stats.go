package core

import (
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// Stats are the figures of a server since it was made, and of its sessions at the moment. Package
// metrics/prometheus exports them to Prometheus. Counters never decrease.
type Stats struct {
	// Sessions counts the open sessions, by transport and protocol revision.
	Sessions map[SessionKind]int64
	// Buffered is the number of bytes that wait to be sent, in all sessions together.
	Buffered int64

	// Opened counts sessions by the transport and revision of their handshake.
	Opened map[SessionKind]int64
	// Refused counts refused requests, handshakes and others, by code. A body that is too large
	// counts as BadRequest.
	Refused map[ErrorCode]int64
	// Unavailable counts handshakes that were refused with status 503: there were as many sessions as
	// Config.MaxSessions allows, or the server was shutting down.
	Unavailable int64
	// Closed counts ended sessions by reason.
	Closed map[CloseReason]int64
	// Upgraded and UpgradesFailed count the WebSockets that took over a polling session, and those that
	// were meant to but did not.
	Upgraded, UpgradesFailed int64

	// Received and Sent count the packets and bytes of data that sessions have exchanged.
	Received, Sent Traffic
	// SlowClosed counts sessions that ended because their client did not read: too much waited for it, or a
	// write got stuck. SlowRefused counts messages that Send refused for that reason (RefuseMessage),
	// VolatileDropped those that SendVolatile dropped.
	SlowClosed, SlowRefused, VolatileDropped int64
	// Conflated counts messages that Config.Conflate has saved.
	Conflated int64

	// PingRoundTrip is the time from a ping to its pong; revision 4 only, where the server pings.
	PingRoundTrip Histogram
	// UpgradeDuration is the time from a WebSocket's handshake to its upgrade packet.
	UpgradeDuration Histogram
}

// SessionKind is the combination of transport and protocol revision by which sessions are counted.
type SessionKind struct {
	Transport Transport
	Protocol  int // revision, 3 or 4
}

// Traffic counts packets, and the bytes of their data without any framing.
type Traffic struct{ Packets, Bytes int64 }

func (t *Traffic) add(packets int, size int64) {
	t.Packets += int64(packets)
	t.Bytes += size
}

func (t *Traffic) merge(other Traffic) {
	t.Packets += other.Packets
	t.Bytes += other.Bytes
}

// Histogram counts durations. Counts[i] is the number of durations not longer than Bounds[i], including
// those within shorter bounds; Count and Sum cover all durations.
type Histogram struct {
	Bounds []time.Duration
	Counts []uint64
	Count  uint64
	Sum    time.Duration
}

// Stats returns the server's figures. It visits every session, so it is meant for a scrape every
// few seconds, not for every request.
func (s *Server) Stats() Stats {
	c := &s.counters
	stats := Stats{
		Sessions:        make(map[SessionKind]int64),
		Opened:          make(map[SessionKind]int64),
		Refused:         make(map[ErrorCode]int64),
		Closed:          make(map[CloseReason]int64),
		Unavailable:     c.unavailable.Load(),
		Upgraded:        c.upgraded.Load(),
		UpgradesFailed:  c.upgradesFailed.Load(),
		SlowClosed:      c.slowClosed.Load(),
		SlowRefused:     c.slowRefused.Load(),
		VolatileDropped: c.volatileDropped.Load(),
		Conflated:       s.conflated.Load(),
		PingRoundTrip:   c.pings.snapshot(),
		UpgradeDuration: c.upgrades.snapshot(),
	}
	for i, kind := range sessionKinds {
		stats.Opened[kind] = c.opened[i].Load()
		stats.Sessions[kind] = 0
	}
	for i := range c.refused {
		stats.Refused[ErrorCode(i)] = c.refused[i].Load()
	}
	for i, name := range closeReasons {
		stats.Closed[name] = c.closed[i].Load()
	}
	for i := range s.sessions.shards {
		s.sessions.shards[i].addTo(&stats)
	}
	return stats
}

// sessionKinds are in the order of kindIndex, closeReasons in that of reason.
var (
	sessionKinds = [...]SessionKind{{Polling, 3}, {Polling, 4}, {WebSocket, 3}, {WebSocket, 4}}
	closeReasons = [...]CloseReason{TransportClose, TransportError, PingTimeout, ParseError, ForcedClose}
)

func kindIndex(transport Transport, revision int) int {
	i := revision - 3
	if transport == WebSocket {
		i += 2
	}
	return i
}

// reason is a CloseReason in a byte.
type reason uint8

func reasonOf(name CloseReason) reason {
	for i := range closeReasons {
		if closeReasons[i] == name {
			return reason(i)
		}
	}
	return 0
}

func (r reason) name() CloseReason { return closeReasons[r] }

// counters are the counters of a server. What happens for every message is counted by the sessions, under
// their own locks: here all of them would contend.
type counters struct {
	opened          [len(sessionKinds)]atomic.Int64
	refused         [UnsupportedProtocolVersion + 1]atomic.Int64
	closed          [len(closeReasons)]atomic.Int64
	unavailable     atomic.Int64
	upgraded        atomic.Int64
	upgradesFailed  atomic.Int64
	slowClosed      atomic.Int64
	slowRefused     atomic.Int64
	volatileDropped atomic.Int64
	pings           durations
	upgrades        durations
}

// countClose counts the end of a session.
func (s *Server) countClose(why CloseReason, err error) {
	s.counters.closed[reasonOf(why)].Add(1)
	if errors.Is(err, ErrBufferFull) {
		s.counters.slowClosed.Add(1)
	}
}

// countStalled counts a session that ends because a write got stuck.
func (s *Server) countStalled(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.counters.slowClosed.Add(1)
	}
}

// traffic is what one session, or many that have ended, received and sent.
type traffic struct{ in, out Traffic }

// addTo adds the figures of the shard's sessions, and of those that have left it. A session is removed and
// accounted for in one critical section, so it is counted exactly once.
func (sh *registryShard) addTo(stats *Stats) {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	stats.Received.merge(sh.ended.in)
	stats.Sent.merge(sh.ended.out)
	for _, s := range sh.sessions {
		s.mu.Lock()
		transport := Polling
		if s.link != nil {
			transport = WebSocket
		}
		stats.Received.merge(s.traffic.in)
		stats.Sent.merge(s.traffic.out)
		stats.Buffered += s.buffered
		s.mu.Unlock()
		stats.Sessions[SessionKind{transport, s.Protocol()}]++
	}
}

// durationBounds suit both round trips on a local network and timeouts.
var durationBounds = [...]time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 20 * time.Second,
}

// durations is a histogram that is being filled.
type durations struct {
	buckets [len(durationBounds) + 1]atomic.Uint64
	sum     atomic.Int64
}

func (d *durations) observe(took time.Duration) {
	i := 0
	for i < len(durationBounds) && took > durationBounds[i] {
		i++
	}
	d.buckets[i].Add(1)
	d.sum.Add(int64(took))
}

func (d *durations) snapshot() Histogram {
	bounds := durationBounds
	h := Histogram{Bounds: bounds[:], Counts: make([]uint64, len(bounds)), Sum: time.Duration(d.sum.Load())}
	for i := range d.buckets {
		h.Count += d.buckets[i].Load()
		if i < len(bounds) {
			h.Counts[i] = h.Count
		}
	}
	return h
}
