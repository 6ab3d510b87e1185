package session

import (
	"sync"
	"sync/atomic"
	"time"
)

// live is a session whose box has been opened: a request that finds one needs no
// decryption, no parsing and no backend.
type live struct {
	key      [32]byte // from the cookie: the id alone opens nothing here either
	identity *Identity
	created  time.Time
	ends     time.Time
	checked  time.Time
	seen     atomic.Int64 // Unix milliseconds
	noted    atomic.Int64 // the seen that was last handed over to be written
	cost     int
}

// use moves seen forward; it never goes back.
func (l *live) use(now int64) {
	for {
		seen := l.seen.Load()
		if now <= seen || l.seen.CompareAndSwap(seen, now) {
			return
		}
	}
}

// cache holds the live sessions up to a bound on their estimated size. An entry
// dies with its session: the store drops it when the backend tells of a change.
type cache struct {
	mu    sync.RWMutex
	items map[Key]*live
	size  int
	max   int
	// epoch counts the drops. Who has read a session from the backend before a
	// drop may not put it here after: it could be the one that was ended.
	epoch uint64
}

// A live session is estimated to take liveCost bytes and claimsCost for each byte
// of its claims as JSON: Go's maps and lists, and the index that policies make of
// them.
const (
	liveCost   = 2048
	claimsCost = 6
)

// evictionSample is how many entries are looked at to find one that has not been
// used for long. A true order would cost every hit a write to a shared list.
const evictionSample = 8

func newCache(maxBytes int) *cache {
	return &cache{items: make(map[Key]*live), max: maxBytes}
}

func (c *cache) get(key Key) *live {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.items[key]
}

// Live is how many sessions are answered from memory: those that were used here lately
// and have not ended.
func (s *Store) Live() int {
	s.cache.mu.RLock()
	defer s.cache.mu.RUnlock()
	return len(s.cache.items)
}

// Kept is how many sessions the backend keeps, and whether that is known: see Counter.
func (s *Store) Kept() (n int, ok bool) {
	if counter, is := s.backend.(Counter); is {
		return counter.Count()
	}
	return 0, false
}

// now returns the epoch to pass to put. It is taken before the backend is asked.
func (c *cache) now() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.epoch
}

// put adds l and returns it, or what somebody else has added meanwhile. It adds
// nothing when a session was dropped since epoch; the next request tries again.
func (c *cache) put(key Key, l *live, epoch uint64) *live {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch != epoch {
		return l
	}
	if there := c.items[key]; there != nil {
		return there
	}
	for c.size+l.cost > c.max && len(c.items) > 0 {
		c.evict()
	}
	if l.cost <= c.max {
		c.items[key] = l
		c.size += l.cost
	}
	return l
}

func (c *cache) evict() {
	var victim Key
	var oldest *live
	n := 0
	for key, l := range c.items {
		if oldest == nil || l.seen.Load() < oldest.seen.Load() {
			victim, oldest = key, l
		}
		if n++; n == evictionSample {
			break
		}
	}
	c.remove(victim, oldest)
}

// drop forgets the session, and whoever is just reading it may not bring it back.
func (c *cache) drop(key Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	if l := c.items[key]; l != nil {
		c.remove(key, l)
	}
}

// heard is what the backend tells: the session was changed, or any may have been.
func (c *cache) heard(key Key) {
	if key != AnySession {
		c.drop(key)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	clear(c.items)
	c.size = 0
}

func (c *cache) remove(key Key, l *live) {
	delete(c.items, key)
	c.size -= l.cost
}
