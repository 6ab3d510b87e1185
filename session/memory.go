package session

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// Memory is a Backend that forgets everything when the program ends. It serves
// tests and the demonstration.
type Memory struct {
	table table
	turns turns
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{table: newTable()} }

// Load implements Backend.
func (m *Memory) Load(_ context.Context, key Key) (Entry, error) { return m.table.load(key) }

// Create implements Backend.
func (m *Memory) Create(_ context.Context, key Key, e Entry) error {
	return m.table.change(key, false, func(_ Entry, there bool) (Entry, error) {
		if there {
			return Entry{}, ErrExists
		}
		e.Revision = 1
		return e, nil
	})
}

// Replace implements Backend.
func (m *Memory) Replace(_ context.Context, key Key, e Entry) error {
	return m.table.change(key, true, func(old Entry, there bool) (Entry, error) {
		return replaced(old, there, e)
	})
}

// Touch implements Backend.
func (m *Memory) Touch(_ context.Context, key Key, head []byte, ends time.Time) error {
	return m.table.change(key, false, func(old Entry, there bool) (Entry, error) {
		return touched(old, there, head, ends)
	})
}

// Delete implements Backend.
func (m *Memory) Delete(_ context.Context, key Key) error {
	if m.table.isClosed() {
		return ErrClosed
	}
	m.table.remove(key)
	return nil
}

// Sweep implements Backend.
func (m *Memory) Sweep(_ context.Context, now time.Time) (int, error) {
	if m.table.isClosed() {
		return 0, ErrClosed
	}
	n := 0
	for _, key := range m.table.over(now) {
		if m.table.removeIfOver(key, now) {
			n++
		}
	}
	return n, nil
}

// Exclusive implements Backend. Several stores may share a Memory.
func (m *Memory) Exclusive(ctx context.Context, key Key, do func(context.Context) error) error {
	return m.turns.exclusive(ctx, key, do)
}

// Watch implements Backend.
func (m *Memory) Watch(changed func(Key)) (stop func()) { return m.table.watch(changed) }

// Close implements Backend.
func (m *Memory) Close() error {
	m.table.close()
	return nil
}

// replaced and touched are the rules of Replace and Touch.

func replaced(old Entry, there bool, e Entry) (Entry, error) {
	switch {
	case !there:
		return Entry{}, ErrNotFound
	case old.Revision != e.Revision:
		return Entry{}, ErrConflict
	}
	e.Revision++
	return e, nil
}

func touched(old Entry, there bool, head []byte, ends time.Time) (Entry, error) {
	if !there {
		return Entry{}, ErrNotFound
	}
	old.Head, old.Ends = head, ends
	return old, nil
}

// table is the part that the backends of one process share: the entries in
// memory, and who wants to hear of changes.
type table struct {
	mu       sync.RWMutex
	entries  map[Key]Entry
	closed   bool
	watchers map[*func(Key)]struct{}
}

func newTable() table {
	return table{entries: make(map[Key]Entry), watchers: make(map[*func(Key)]struct{})}
}

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
		t.entries[key] = e
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
	delete(t.entries, key)
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
		delete(t.entries, key)
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

func (t *table) watch(changed func(Key)) (stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := &changed
	t.watchers[id] = struct{}{}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.watchers, id)
	}
}

func (t *table) tell(key Key) {
	t.mu.RLock()
	watchers := slices.Collect(maps.Keys(t.watchers))
	t.mu.RUnlock()
	for _, changed := range watchers {
		(*changed)(key)
	}
}

func (t *table) isClosed() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.closed
}

func (t *table) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
}
