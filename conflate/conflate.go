// Package conflate has ready-made values for core.Config.Conflate, which is asked what to send in place
// of the messages that wait for a slow client:
//
//	core.Config{Conflate: conflate.LatestByKey(symbol)}
//
// What they return keeps the order in which it was sent. They have no state: one value may serve any
// number of servers and sessions at once, as long as the functions it was made of can.
package conflate

import "github.com/goengineio/engineio/core"

// Func is the type of core.Config.Conflate.
type Func = func(*core.Socket, []core.Message) []core.Message

// LatestByKey keeps the newest message of each key, at its own place among the others: what it
// replaces is dropped, nothing moves. Messages for which key returns false have no key and stay.
func LatestByKey(key func(core.Message) (string, bool)) Func {
	return func(_ *core.Socket, messages []core.Message) []core.Message {
		seen := make(map[string]struct{}, len(messages))
		kept := len(messages) // messages[kept:] stay
		for i := len(messages) - 1; i >= 0; i-- {
			if k, ok := key(messages[i]); ok {
				if _, newer := seen[k]; newer {
					continue
				}
				seen[k] = struct{}{}
			}
			kept--
			messages[kept] = messages[i]
		}
		return messages[kept:]
	}
}

// Filter keeps the messages for which keep returns true.
func Filter(keep func(core.Message) bool) Func {
	return func(_ *core.Socket, messages []core.Message) []core.Message {
		kept := messages[:0]
		for _, m := range messages {
			if keep(m) {
				kept = append(kept, m)
			}
		}
		return kept
	}
}

// Batch has join make one message of several. Only neighbours of the same kind, text or binary, are
// joined, and only as long as their data has no more than maxBytes together; a longer message is a
// batch of its own, and 0 means no limit. Every message goes through join, also one that is alone:
// receivers always get what join makes. The slice join is given is valid during the call only.
func Batch(maxBytes int, join func([]core.Message) core.Message) Func {
	return func(_ *core.Socket, messages []core.Message) []core.Message {
		var batches []core.Message
		for len(messages) > 0 {
			n := batch(messages, maxBytes)
			batches = append(batches, join(messages[:n:n]))
			messages = messages[n:]
		}
		return batches
	}
}

// batch returns how many of the first messages make a batch: one at least.
func batch(messages []core.Message, maxBytes int) int {
	size := 0
	for i, m := range messages {
		size += len(m.Data)
		if i > 0 && (m.Binary != messages[0].Binary || maxBytes > 0 && size > maxBytes) {
			return i
		}
	}
	return len(messages)
}

// Chain applies several, each to what the one before it returned.
func Chain(steps ...Func) Func {
	return func(s *core.Socket, messages []core.Message) []core.Message {
		for _, step := range steps {
			messages = step(s, messages)
		}
		return messages
	}
}
