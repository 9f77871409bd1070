package core

import "testing"

// TestSameHash puts a session under the hash of another id, which does not happen by chance.
func TestSameHash(t *testing.T) {
	r := newRegistry()
	there := &Socket{origin: origin{text: "there", idSize: 5}}
	late := &Socket{origin: origin{text: "late", idSize: 4}}
	shard, key := r.shard(late.ID())
	shard.sessions[key] = there
	if s, ok := r.get("late"); ok {
		t.Errorf("found %q as %q", s.ID(), "late")
	}
	if r.reserve(0); r.add(late) || r.count.Load() != 0 {
		t.Errorf("it was added, or keeps its place: %d", r.count.Load())
	}
	if r.remove(late, traffic{}); shard.sessions[key] != there {
		t.Error("the other one was removed")
	}
}
