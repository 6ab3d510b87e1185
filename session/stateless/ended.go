package stateless

import (
	"sync"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// maxEnded bounds how many sessions that were ended are remembered. Beyond it, those
// that would expire first are forgotten first.
const maxEnded = 1 << 16

// Ended remembers which sessions were ended, until their cookies expire. It is in memory:
// other processes do not know of it, and a restart forgets it. The zero value is ready.
type Ended struct {
	mu sync.RWMutex
	// watchers are those who want to know: of all stores that share this.
	watchers session.Watchers
	ids      map[[idSize]byte]int64 // when it may be forgotten, in Unix milliseconds
}

func (e *Ended) has(id [idSize]byte) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	_, ok := e.ids[id]
	return ok
}

func (e *Ended) add(id [idSize]byte, now, until time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ids == nil {
		e.ids = make(map[[idSize]byte]int64)
	}
	if _, there := e.ids[id]; !there && len(e.ids) >= maxEnded {
		e.makeRoom(now.UnixMilli())
	}
	e.ids[id] = max(e.ids[id], until.UnixMilli())
}

// makeRoom forgets what has expired and, if that is nothing, the one of some that would
// expire first.
func (e *Ended) makeRoom(now int64) {
	var first [idSize]byte
	soonest := int64(-1)
	before, n := len(e.ids), 0
	for id, until := range e.ids {
		if until <= now {
			delete(e.ids, id)
			continue
		}
		if n++; n <= 1024 && (soonest < 0 || until < soonest) {
			first, soonest = id, until
		}
	}
	if len(e.ids) == before {
		delete(e.ids, first)
	}
}
