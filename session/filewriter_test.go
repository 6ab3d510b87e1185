package session

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// stuck is a File whose disk never answers.
func stuck(queue int) *File {
	return &File{
		listeners: newListeners(), memory: newResidents(1 << 20), doomed: make(map[Key]struct{}), log: slog.New(slog.DiscardHandler),
		ops: make(chan *operation, queue), quit: make(chan struct{}), stopped: make(chan struct{}),
	}
}

func TestFileThatDoesNotAnswerIsGivenUp(t *testing.T) {
	for _, queue := range []int{0, 1} {
		f := stuck(queue)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if err := f.Create(ctx, cacheKey(1), Entry{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("room for %d: got %v, want %v", queue, err, context.DeadlineExceeded)
		}
		cancel()
		close(f.stopped)
		if err := f.Create(t.Context(), cacheKey(1), Entry{}); !errors.Is(err, ErrClosed) {
			t.Errorf("after the writer has ended: got %v, want %v", err, ErrClosed)
		}
	}
}

// A batch is decided in its order, as if each had waited for the one before.
func TestBatchIsDecidedInOrder(t *testing.T) {
	f := stuck(1)
	f.memory.put(cacheKey(1), Entry{Revision: 1, Head: []byte("old")})
	replace := func(rev uint64) *operation {
		return &operation{key: cacheKey(1), rule: func(old Entry, there bool) (Entry, error) {
			return replaced(old, there, Entry{Revision: rev})
		}}
	}
	touch := &operation{key: cacheKey(1), rule: func(old Entry, there bool) (Entry, error) {
		return touched(old, there, []byte("new"), time.Time{})
	}}
	remove := &operation{key: cacheKey(1), remove: true}
	batch := []*operation{replace(1), replace(1), replace(2), touch, remove, replace(3)}
	changes := f.decide(batch)
	for i, want := range []error{nil, ErrConflict, nil, nil, nil, ErrNotFound} {
		if !errors.Is(batch[i].err, want) || (want == nil && batch[i].err != nil) {
			t.Errorf("operation %d: got %v, want %v", i, batch[i].err, want)
		}
	}
	if len(changes) != 4 || touch.entry.Revision != 3 || string(touch.entry.Head) != "new" {
		t.Errorf("got %d changes and revision %d, want 4 and 3", len(changes), touch.entry.Revision)
	}
	if e, _ := f.memory.get(cacheKey(1)); e.Revision != 1 || string(e.Head) != "old" {
		t.Error("what is not on the disk yet shows in memory")
	}
}

// A file that was damaged under the program makes bbolt panic: an error for who
// writes, not the end of everybody's session.
func TestPanicOfTheFileIsAnError(t *testing.T) {
	f, err := OpenFile(FileOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Create(t.Context(), cacheKey(1), Entry{Box: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := f.db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketBoxes) }); err != nil {
		t.Fatal(err)
	}
	if err := f.Create(t.Context(), cacheKey(2), Entry{Box: []byte("x")}); err == nil {
		t.Error("got no error")
	}
	if err := f.Check(t.Context()); err == nil || errors.Is(err, ErrNotKept) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("Check: got %v, want that it is damaged", err)
	}
	if _, err := f.Load(t.Context(), cacheKey(1)); err != nil {
		t.Errorf("what is in memory: %v", err)
	}
	if _, err := f.Load(t.Context(), cacheKey(3)); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("what is not: got %v, want an error", err)
	}
}
