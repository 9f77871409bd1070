// Package conflate has ready-made functions for core.Config.Conflate, which decides what to send in place
// of the messages that wait for a client:
//
//	core.Config{Conflate: conflate.LatestByKey(symbol)}
//
// They keep messages in the order in which they were sent, and have no state: one Func may serve any
// number of servers and sessions concurrently, if the functions given to it can.
package conflate

import "github.com/goengineio/engineio/core"

// Func is the type of core.Config.Conflate.
type Func = func(*core.Socket, []core.Message) []core.Message

// LatestByKey keeps only the newest message of each key, in its own place: older ones are dropped, and
// nothing moves. Messages for which key returns false have no key and are all kept.
func LatestByKey(key func(core.Message) (string, bool)) Func {
	return func(_ *core.Socket, messages []core.Message) []core.Message {
		seen := make(map[string]struct{}, len(messages))
		kept := len(messages) // messages[kept:] are kept
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

// Batch uses join to combine several messages into one. It combines only consecutive messages of the same
// kind, text or binary, and only as long as their data is no more than maxBytes in total. A longer message
// is a batch of its own; 0 means no limit. Every message goes through join, even a single one, so
// receivers always get what join returns. The slice given to join is valid only during the call.
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

// batch returns how many messages the first batch has, at least one.
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

// Chain applies several functions, each to what the one before it returned.
func Chain(steps ...Func) Func {
	return func(s *core.Socket, messages []core.Message) []core.Message {
		for _, step := range steps {
			messages = step(s, messages)
		}
		return messages
	}
}
