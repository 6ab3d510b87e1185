package session

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// replaced and touched are the rules of Replace and Touch.

func replaced(old Entry, there bool, e Entry) (Entry, error) {
	switch {
	case !there:
		return Entry{}, ErrNotFound
	case old.Revision != e.Revision:
		return Entry{}, ErrConflict
	}
	e.Revision++
	e.Tags = old.Tags
	return e, nil
}

func touched(old Entry, there bool, head []byte, ends time.Time) (Entry, error) {
	if !there {
		return Entry{}, ErrNotFound
	}
	old.Head, old.Ends = head, ends
	return old, nil
}

// listeners are who wants to hear of changes of a backend, until that is closed.
type listeners struct {
	mu       sync.RWMutex
	closed   bool
	watchers map[*func(Key)]struct{}
}

// table is the entries of a backend that has all of them in memory.
type table struct {
	listeners
	entries map[Key]Entry
	// tagged has the keys of each tag. Few sessions share one.
	tagged map[Tag][]Key
}

func newTable() table {
	return table{listeners: newListeners(), entries: make(map[Key]Entry), tagged: make(map[Tag][]Key)}
}

func newListeners() listeners { return listeners{watchers: make(map[*func(Key)]struct{})} }

func (t *table) load(key Key) (Entry, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		return Entry{}, ErrClosed
	}
	e, ok := t.entries[key]
	if !ok {
		return Entry{}, ErrNotFound
	}
	return e, nil
}

// find returns the keys of a tag.
func (t *table) find(tag Tag) ([]Key, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		return nil, ErrClosed
	}
	return slices.Clone(t.tagged[tag]), nil
}

// put and drop keep entries and tags together. The caller holds mu.

func (t *table) put(key Key, e Entry) {
	if _, there := t.entries[key]; !there {
		for _, tag := range e.Tags {
			t.tagged[tag] = append(t.tagged[tag], key)
		}
	}
	t.entries[key] = e
}

func (t *table) drop(key Key) {
	e, there := t.entries[key]
	if !there {
		return
	}
	delete(t.entries, key)
	for _, tag := range e.Tags {
		left := slices.DeleteFunc(t.tagged[tag], func(k Key) bool { return k == key })
		if len(left) == 0 {
			delete(t.tagged, tag)
		} else {
			t.tagged[tag] = left
		}
	}
}

// change applies one rule and, with tell, tells the watchers.
func (t *table) change(key Key, tell bool, rule func(old Entry, there bool) (Entry, error)) error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return ErrClosed
	}
	old, there := t.entries[key]
	e, err := rule(old, there)
	if err == nil {
		t.put(key, e)
	}
	t.mu.Unlock()
	if err == nil && tell {
		t.tell(key)
	}
	return err
}

// remove reports whether the entry was there.
func (t *table) remove(key Key) bool {
	t.mu.Lock()
	_, there := t.entries[key]
	t.drop(key)
	t.mu.Unlock()
	if there {
		t.tell(key)
	}
	return there
}

func (t *table) removeIfOver(key Key, now time.Time) bool {
	t.mu.Lock()
	e, there := t.entries[key]
	over := there && e.Ends.Before(now)
	if over {
		t.drop(key)
	}
	t.mu.Unlock()
	if over {
		t.tell(key)
	}
	return over
}

// over returns the keys of the entries that Sweep may remove.
func (t *table) over(now time.Time) []Key {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var keys []Key
	for key, e := range t.entries {
		if e.Ends.Before(now) {
			keys = append(keys, key)
		}
	}
	return keys
}

func (l *listeners) watch(changed func(Key)) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := &changed
	l.watchers[id] = struct{}{}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.watchers, id)
	}
}

func (l *listeners) tell(key Key) {
	l.mu.RLock()
	watchers := slices.Collect(maps.Keys(l.watchers))
	l.mu.RUnlock()
	for _, changed := range watchers {
		(*changed)(key)
	}
}

func (l *listeners) isClosed() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.closed
}

func (l *listeners) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}
