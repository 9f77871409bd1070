package main

import (
	"encoding/json"
	"strings"
	"sync"

	"github.com/goengineio/engineio/core"
)

// keptClosed is how many ended sessions are remembered.
const keptClosed = 500

// record counts the events of sessions that the application was told about.
type record struct {
	mu       sync.Mutex
	opened   int
	upgraded int
	closed   []closedSession // a ring buffer once it is full
	oldest   int             // index of the oldest entry in closed
}

type closedSession struct {
	SID    string           `json:"sid"`
	Reason core.CloseReason `json:"reason"`
}

func (r *record) open() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opened++
}

func (r *record) upgrade() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.upgraded++
}

func (r *record) close(sid string, reason core.CloseReason) {
	closed := closedSession{strings.Clone(sid), reason} // the sid shares memory with what the session keeps of the handshake
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.closed) < keptClosed {
		r.closed = append(r.closed, closed)
		return
	}
	r.closed[r.oldest] = closed
	r.oldest = (r.oldest + 1) % keptClosed
}

func (r *record) json(open int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	closed := append([]closedSession{}, r.closed[r.oldest:]...) // not null in JSON, even if there are none
	closed = append(closed, r.closed[:r.oldest]...)
	text, err := json.Marshal(struct {
		Open     int             `json:"open"`
		Opened   int             `json:"opened"`
		Upgraded int             `json:"upgraded"`
		Closed   []closedSession `json:"closed"`
	}{open, r.opened, r.upgraded, closed})
	if err != nil {
		return err.Error()
	}
	return string(text)
}
