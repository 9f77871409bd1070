package core

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

const registryShards = 64

// registry maps session ids to sessions. It is sharded so that handshakes and requests of
// different sessions do not meet on one lock; its locks are never held across anything else.
type registry struct {
	seed   maphash.Seed
	count  atomic.Int64
	shards [registryShards]registryShard
}

type registryShard struct {
	mu       sync.RWMutex
	sessions map[string]*Socket
}

func newRegistry() *registry {
	r := &registry{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].sessions = make(map[string]*Socket)
	}
	return r
}

func (r *registry) shard(id string) *registryShard {
	return &r.shards[maphash.String(r.seed, id)%registryShards]
}

// add fails when the id is taken.
func (r *registry) add(s *Socket) bool {
	shard := r.shard(s.id)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if _, taken := shard.sessions[s.id]; taken {
		return false
	}
	shard.sessions[s.id] = s
	r.count.Add(1)
	return true
}

func (r *registry) remove(s *Socket) {
	shard := r.shard(s.id)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.sessions[s.id] == s {
		delete(shard.sessions, s.id)
		r.count.Add(-1)
	}
}

func (r *registry) get(id string) (*Socket, bool) {
	shard := r.shard(id)
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	s, ok := shard.sessions[id]
	return s, ok
}

// snapshot returns the sessions of one shard, so that callers can go through them unlocked.
func (r *registry) snapshot(shard int, into []*Socket) []*Socket {
	sh := &r.shards[shard]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for _, s := range sh.sessions {
		into = append(into, s)
	}
	return into
}
