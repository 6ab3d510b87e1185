package session

import "sync/atomic"

// residents are the entries of a File that are in memory, up to a bound on their
// size. The owner guards them with its lock; get alone is for those who only read.
type residents struct {
	items map[Key]*resident
	size  int
	max   int
	// turn counts the entries that came in, and is the clock by which use is told.
	turn int64
}

type resident struct {
	entry Entry
	used  atomic.Int64
}

// entryCost is what an entry is estimated to take beside its bytes.
const entryCost = 288

func newResidents(maxBytes int) residents {
	return residents{items: make(map[Key]*resident), max: maxBytes}
}

func costOf(e *Entry) int { return entryCost + len(e.Head) + len(e.Box) + len(e.Tags)*len(Tag{}) }

// get may be called by several at a time.
func (r *residents) get(key Key) (Entry, bool) {
	there := r.items[key]
	if there == nil {
		return Entry{}, false
	}
	if there.used.Load() != r.turn {
		there.used.Store(r.turn)
	}
	return there.entry, true
}

// put adds an entry or puts it in the place of what was there. Those that were used the
// longest ago make room for it.
func (r *residents) put(key Key, e Entry) {
	r.remove(key)
	cost := costOf(&e)
	if cost > r.max {
		return
	}
	for r.size+cost > r.max {
		r.evict()
	}
	r.turn++
	there := &resident{entry: e}
	there.used.Store(r.turn)
	r.items[key] = there
	r.size += cost
}

// evict removes one of those that were used the longest ago: the first of a few.
func (r *residents) evict() {
	var victim Key
	oldest, n := int64(0), 0
	for key, there := range r.items {
		if used := there.used.Load(); n == 0 || used < oldest {
			victim, oldest = key, used
		}
		if n++; n == evictionSample {
			break
		}
	}
	r.remove(victim)
}

func (r *residents) remove(key Key) {
	if there := r.items[key]; there != nil {
		r.size -= costOf(&there.entry)
		delete(r.items, key)
	}
}
