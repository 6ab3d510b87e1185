package session

import (
	"net/http"
	"sync"
)

// Watch has changed called whenever a session was changed, ended or swept, here or, as
// far as it is heard of, at another replica: with its key, which is its identity's Proof,
// or with AnySession. Identify and Look show the change by then. changed returns quickly
// and does not call the store. stop ends it.
func (s *Store) Watch(changed func(Key)) (stop func()) { return s.watchers.Add(changed) }

// heard is what the backend tells.
func (s *Store) heard(key Key) {
	s.cache.heard(key)
	s.watchers.Tell(key)
}

// Look is Identify for a request that was let in before and is under way still. It is no
// use of the session: somebody who has gone home does not keep it alive by a page that
// stays open.
func (s *Store) Look(r *http.Request) (*Identity, error) { return s.whose(r, false) }

// Watchers are those who hear of changes. The zero value is nobody.
type Watchers struct {
	mu   sync.RWMutex
	next int
	all  map[int]func(Key)
}

// Add has changed called by Tell until stop is called.
func (w *Watchers) Add(changed func(Key)) (stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = make(map[int]func(Key))
	}
	id := w.next
	w.next++
	w.all[id] = changed
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, id)
	}
}

// Tell calls everybody who watches.
func (w *Watchers) Tell(key Key) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, changed := range w.all {
		changed(key)
	}
}
