package stateless

import (
	"crypto/sha256"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// entry is a session whose cookies have been opened, and what has become known since:
// a request that finds it needs no decryption and no parsing.
type entry struct {
	id [idSize]byte
	// name is that of the first cookie, and values are those of all.
	name   string
	values []string
	// issued is the last use, and checked the last check, that the cookies tell.
	issued, checked time.Time
	// former says that the cookies were sealed with a secret that seals no more.
	former bool
	// lacking says that the session does not know all that is looked at.
	lacking bool
	cost    int

	*state

	mu sync.Mutex
	// failed is how fetching the claims again went lately, until when that counts.
	failed      error
	failedUntil time.Time
	// next are the cookies that take the place of these. All answers that are under way
	// get the same, or a browser could be left with parts of two sessions.
	next *replacement
	// told is set once it was logged that the session has outgrown its cookies.
	told bool
}

// state is what changes of a session. The entries of its cookies share it as far as one
// came of the other here, so that who comes with older ones, as a request that began long
// ago, is not idle.
type state struct {
	seen  atomic.Int64          // Unix milliseconds
	known atomic.Pointer[known] // as it is by now
}

// known is what is known about a person. Nobody changes it.
type known struct {
	*session.Record
	marks marks
}

// replacement are the cookies of a session as it was at a time.
type replacement struct {
	values []string
	known  *known
	issued time.Time
}

func newEntry(c *content, name string, values []string, former bool) *entry {
	e := &entry{id: c.id, name: name, values: values, issued: c.seen, checked: c.record.Checked, former: former, state: new(state)}
	e.seen.Store(c.seen.UnixMilli())
	e.known.Store(&known{c.record, c.marks})
	size := 0
	for _, n := range sizes(c.record) {
		size += n
	}
	e.cost = entryCost + claimsCost*size
	for _, value := range values {
		e.cost += len(value)
	}
	return e
}

// content is the session as it is by now.
func (e *entry) content() *content {
	k := e.known.Load()
	return &content{id: e.id, seen: time.UnixMilli(e.seen.Load()), marks: k.marks, record: k.Record}
}

// key names the session. It opens nothing.
func (c *content) key() session.Key { return sha256.Sum256(c.id[:]) }

// use moves the last use forward; it never goes back.
func (e *entry) use(now time.Time) {
	ms := now.UnixMilli()
	for {
		seen := e.seen.Load()
		if ms <= seen || e.seen.CompareAndSwap(seen, ms) {
			return
		}
	}
}

// whole reports whether the request carries all cookies of the session, of which the
// first has led here: what is good does not depend on what is in memory.
func (e *entry) whole(from *carried) bool {
	for i, value := range e.values[1:] {
		if !from.has(i+1, value) {
			return false
		}
	}
	return true
}

// An entry is estimated to take entryCost bytes and claimsCost for each byte of its
// claims as JSON: Go's maps and lists, and the index that policies make of them.
const (
	entryCost  = 2048
	claimsCost = 6
)

// evictionSample is how many entries are looked at to find one that was not used for
// long. A true order would cost every hit a write to a shared list.
const evictionSample = 8

// cache holds entries by their first cookie, up to a bound on their estimated size. What
// is crowded out is opened again from the cookie.
//
// They are found by a hash that nobody outside can foresee, and then compared: a
// cryptographic one would cost more than all else that a request does here.
type cache struct {
	seed      maphash.Seed
	mu        sync.RWMutex
	items     map[uint64]*entry
	size, max int
}

func newCache(maxBytes int) *cache {
	return &cache{seed: maphash.MakeSeed(), items: make(map[uint64]*entry), max: maxBytes}
}

func (c *cache) get(name, first string) *entry {
	key := maphash.String(c.seed, first)
	c.mu.RLock()
	e := c.items[key]
	c.mu.RUnlock()
	if e == nil || e.values[0] != first || e.name != name {
		return nil
	}
	return e
}

// put adds e and returns it, or what somebody else has added meanwhile.
func (c *cache) put(e *entry) *entry {
	key := maphash.String(c.seed, e.values[0])
	c.mu.Lock()
	defer c.mu.Unlock()
	if there := c.items[key]; there != nil {
		if there.values[0] == e.values[0] {
			return there
		}
		c.remove(key, there)
	}
	for c.size+e.cost > c.max && len(c.items) > 0 {
		c.evict()
	}
	if e.cost <= c.max {
		c.items[key] = e
		c.size += e.cost
	}
	return e
}

func (c *cache) evict() {
	var victim uint64
	var oldest *entry
	n := 0
	for key, e := range c.items {
		if oldest == nil || e.seen.Load() < oldest.seen.Load() {
			victim, oldest = key, e
		}
		if n++; n == evictionSample {
			break
		}
	}
	c.remove(victim, oldest)
}

func (c *cache) remove(key uint64, e *entry) {
	delete(c.items, key)
	c.size -= e.cost
}
