package core

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

const registryShards = 64

// registry maps session ids to sessions. It is sharded so that handshakes and requests of
// different sessions do not meet on one lock. Its locks are held for work in memory only; Stats takes
// those of sessions under them, so nobody who holds a session's asks the registry.
type registry struct {
	seed   maphash.Seed
	count  atomic.Int64
	shards [registryShards]registryShard
}

// registryShard has its sessions by the hash of their ids: that takes less to look up and to keep, and less
// of the garbage collector, than the ids themselves.
type registryShard struct {
	mu       sync.RWMutex
	sessions map[uint64]*Socket
	ended    traffic // of sessions that are no longer there
}

func newRegistry() *registry {
	r := &registry{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].sessions = make(map[uint64]*Socket)
	}
	return r
}

func (r *registry) shard(id string) (shard *registryShard, key uint64) {
	key = maphash.String(r.seed, id)
	return &r.shards[key%registryShards], key
}

// reserve takes a place for one more session, which add must follow. It fails when
// there are limit sessions already; zero is no limit.
func (r *registry) reserve(limit int) bool {
	if n := r.count.Add(1); limit > 0 && n > int64(limit) {
		r.count.Add(-1)
		return false
	}
	return true
}

// add puts a session in its reserved place. It fails, and gives the place back, when the id is
// taken, or when one with the same hash is: by chance that does not happen, and nobody knows the seed.
func (r *registry) add(s *Socket) bool {
	shard, key := r.shard(s.ID())
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if _, taken := shard.sessions[key]; taken {
		r.count.Add(-1)
		return false
	}
	shard.sessions[key] = s
	return true
}

// remove forgets a session, which had this traffic.
func (r *registry) remove(s *Socket, t traffic) {
	shard, key := r.shard(s.ID())
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.sessions[key] == s {
		delete(shard.sessions, key)
		shard.ended.in.merge(t.in)
		shard.ended.out.merge(t.out)
		r.count.Add(-1)
	}
}

func (r *registry) get(id string) (*Socket, bool) {
	shard, key := r.shard(id)
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	if s, ok := shard.sessions[key]; ok && s.ID() == id {
		return s, true
	}
	return nil, false
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
