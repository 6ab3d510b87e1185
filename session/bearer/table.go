package bearer

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// shards are the parts of a table that have locks of their own.
	shards = 16
	// sampled is how many entries are looked at to find one that can go. A true order would
	// cost every hit a write to a list that all share.
	sampled = 8
	// usedAgain is how exactly it is known when an entry was used last: not every hit writes.
	usedAgain = int64(time.Second)
)

// table holds entries up to a bound on their estimated size. Where there is no room for
// one, others go: those that are over, then those that were not used for long. It is safe
// for concurrent use.
type table struct {
	now    func() time.Time
	most   int // bytes of a shard
	shards [shards]shard
}

type shard struct {
	mu    sync.RWMutex
	items map[key]*item
	size  int
}

type item struct {
	*entry
	weight int
	used   atomic.Int64 // Unix nanoseconds
}

func newTable(now func() time.Time, most int) *table {
	t := &table{now: now, most: most / shards}
	for i := range t.shards {
		t.shards[i].items = make(map[key]*item)
	}
	return t
}

func (t *table) shardOf(k key) *shard { return &t.shards[k[len(k)-1]%shards] }

// get returns the entry if it is not over.
func (t *table) get(k key) (*entry, bool) {
	s := t.shardOf(k)
	s.mu.RLock()
	i := s.items[k]
	s.mu.RUnlock()
	now := t.now()
	if i == nil || !now.Before(i.until) {
		return nil, false
	}
	if at := now.UnixNano(); at-i.used.Load() > usedAgain {
		i.used.Store(at)
	}
	return i.entry, true
}

// put keeps an entry, in the place of one of the same key.
func (t *table) put(k key, e *entry) {
	i := &item{entry: e, weight: e.weight()}
	now := t.now()
	i.used.Store(now.UnixNano())
	s := t.shardOf(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(k)
	if i.weight > t.most {
		return
	}
	for s.makeRoom(now); s.size+i.weight > t.most; {
		s.makeRoom(now)
		s.remove(s.leastUsed())
	}
	s.items[k] = i
	s.size += i.weight
}

// makeRoom looks at some entries and removes those that are over, so that these are never
// many more than the others.
func (s *shard) makeRoom(now time.Time) {
	n := 0
	for k, i := range s.items {
		if !now.Before(i.until) {
			s.remove(k)
		}
		if n++; n == sampled {
			return
		}
	}
}

// leastUsed returns the one of some entries that was not used for longest.
func (s *shard) leastUsed() (victim key) {
	n, oldest := 0, int64(0)
	for k, i := range s.items {
		if used := i.used.Load(); n == 0 || used < oldest {
			victim, oldest = k, used
		}
		if n++; n == sampled {
			break
		}
	}
	return victim
}

func (s *shard) remove(k key) {
	if i := s.items[k]; i != nil {
		delete(s.items, k)
		s.size -= i.weight
	}
}

// drop removes an entry.
func (t *table) drop(k key) {
	s := t.shardOf(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(k)
}

// dropThose removes the entries that which says, and returns their keys.
func (t *table) dropThose(which func(*entry) bool) (dropped []key) {
	for n := range t.shards {
		s := &t.shards[n]
		s.mu.Lock()
		for k, i := range s.items {
			if which(i.entry) {
				s.remove(k)
				dropped = append(dropped, k)
			}
		}
		s.mu.Unlock()
	}
	return dropped
}
