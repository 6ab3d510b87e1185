package session

import (
	"context"
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

// Find implements Backend.
func (m *Memory) Find(_ context.Context, tag Tag) ([]Key, error) { return m.table.find(tag) }

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
