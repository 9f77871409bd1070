package core

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

const registryShards = 64

// registry maps session ids to sessions. It is sharded so that handshakes and requests of different
// sessions do not contend for one lock. Its locks are held only for work in memory. Stats takes the locks
// of sessions under them, so nothing that holds a session's lock may use the registry.
type registry struct {
	seed   maphash.Seed
	count  atomic.Int64
	shards [registryShards]registryShard
}

// registryShard keeps its sessions by the hash of their ids, which is faster to look up, smaller, and less
// work for the garbage collector than the ids themselves.
type registryShard struct {
	mu       sync.RWMutex
	sessions map[uint64]*Socket
	ended    traffic // of sessions that were removed
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

// reserve takes a place for one more session; a call of add must follow. It fails if there are already
// limit sessions; zero means no limit.
func (r *registry) reserve(limit int) bool {
	if n := r.count.Add(1); limit > 0 && n > int64(limit) {
		r.count.Add(-1)
		return false
	}
	return true
}

// add puts a session in its reserved place. If the id or one with the same hash is in use, it fails and
// gives the place back. Equal hashes of different ids do not happen by chance, nor on purpose, as nobody
// knows the seed.
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

// remove removes a session and adds its traffic, t, to that of ended sessions.
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
	s := shard.sessions[key]
	shard.mu.RUnlock()
	if s == nil || s.ID() != id {
		return nil, false
	}
	return s, true
}

// snapshot appends the sessions of one shard to into, so that callers can go through them unlocked.
func (r *registry) snapshot(shard int, into []*Socket) []*Socket {
	sh := &r.shards[shard]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for _, s := range sh.sessions {
		into = append(into, s)
	}
	return into
}
