package core_test

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/goengineio/engineio/core"
)

// ledger is one direction of a session: what one side sent, and how much of it the other side has
// received. At any time, sent = received + lost on the way + not sent yet, in this order.
type ledger struct {
	sent     []core.Message
	received int

	// A client that upgrades while its poll is still under way reads from two transports at once, in no
	// particular order. Even then every message arrives at most once.
	unordered bool
	early     []bool // if unordered: which of the messages after received have arrived
}

// receive takes a message that arrived; it must be the next one.
func (l *ledger) receive(m core.Message) error {
	for i := l.received; i < len(l.sent); i++ {
		if i-l.received >= len(l.early) {
			l.early = append(l.early, false)
		}
		if same := sameMessage(l.sent[i], m); !same || l.early[i-l.received] {
			if !l.unordered {
				return fmt.Errorf("received %s, the next one sent is %s", show(m), show(l.sent[i]))
			}
			continue
		}
		l.early[i-l.received] = true
		for len(l.early) > 0 && l.early[0] {
			l.early = l.early[1:]
			l.received++
		}
		return nil
	}
	return fmt.Errorf("received %s, which was not sent, or came before", show(m))
}

// outstanding returns how many messages have not been received, and their bytes.
func (l *ledger) outstanding() (n int, size int64) {
	for i := l.received; i < len(l.sent); i++ {
		if i-l.received < len(l.early) && l.early[i-l.received] {
			continue
		}
		n++
		size += int64(len(l.sent[i].Data))
	}
	return n, size
}

// account closes the books: sent = received + lost + unsent. If complete is set, nothing may be lost or
// unsent. unsent is what the sending side says it never handed over, or nil if it does not say.
func (l *ledger) account(complete bool, unsent []core.Message) error {
	if n, _ := l.outstanding(); complete && n > 0 {
		return fmt.Errorf("%d of %d messages are missing, first %s", n, len(l.sent), show(l.sent[l.received]))
	}
	handed := len(l.sent) - len(unsent)
	if handed < 0 || !slices.EqualFunc(l.sent[handed:], unsent, sameMessage) {
		return fmt.Errorf("of %d messages sent, %d are said to be unsent, and these are others", len(l.sent), len(unsent))
	}
	if l.received > handed || slices.Contains(l.early[min(len(l.early), handed-l.received):], true) {
		return fmt.Errorf("%d messages were received, but %d of %d are said to be unsent", l.received, len(unsent), len(l.sent))
	}
	return nil
}

func sameMessage(a, b core.Message) bool {
	return a.Binary == b.Binary && bytes.Equal(a.Data, b.Data)
}

func show(m core.Message) string {
	data := m.Data[:min(len(m.Data), 12)]
	return fmt.Sprintf("%q (%d bytes, binary %v)", data, len(m.Data), m.Binary)
}

// message makes the n-th message of a direction. It has the given size if the number fits into that. Text
// contains whatever needs care on some transport, binary contains separators and lengths.
func message(directive byte, n, size int, binary bool) core.Message {
	if size == 0 {
		return core.Message{Binary: binary}
	}
	data := fmt.Appendf(nil, "%c%d.", directive, n)
	filling := []string{"a", "\n", "\\", "b", "é", "€", "😀", "<", "\"", "&", "+", "%"}
	if binary {
		filling = []string{"\x00", "\x1e", "\xff", "\x01", "b", "4", ":"}
	}
	for i := n; len(data) < size; i++ {
		data = append(data, filling[i%len(filling)]...)
	}
	return core.Message{Data: data, Binary: binary}
}
