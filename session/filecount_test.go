package session

import (
	"errors"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// TestTheFileKnowsHowManySessionsItHas, over restarts, and also when another version has
// written to it that does not count.
func TestTheFileKnowsHowManySessionsItHas(t *testing.T) {
	dir := t.TempDir()
	var f *File
	open := func() {
		t.Helper()
		var err error
		if f, err = OpenFile(FileOptions{Dir: dir}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(want int) {
		t.Helper()
		if got, ok := f.Count(); got != want || !ok {
			t.Errorf("got %d (%v), want %d", got, ok, want)
		}
	}
	shut := func() {
		t.Helper()
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	open()
	defer func() { f.Close() }()
	want(0)
	now := time.Now()
	for i := range 5 {
		if err := f.Create(t.Context(), cacheKey(i), Entry{Box: []byte("x"), Ends: now.Add(time.Duration(i) * time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Create(t.Context(), cacheKey(1), Entry{}); !errors.Is(err, ErrExists) {
		t.Errorf("got %v", err)
	}
	if err := f.Touch(t.Context(), cacheKey(4), []byte("h"), now.Add(9*time.Hour)); err != nil {
		t.Fatal(err)
	}
	want(5)
	for range 2 {
		if err := f.Delete(t.Context(), cacheKey(2)); err != nil {
			t.Fatal(err)
		}
	}
	want(4)
	shut()
	open()
	want(4)
	if _, err := f.Sweep(t.Context(), now.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	want(2)
	shut()

	db, err := bbolt.Open(dir+"/"+fileName, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	key := cacheKey(1)
	err = db.Update(func(tx *bbolt.Tx) error {
		e := Entry{Ends: now}
		return errors.Join(tx.Bucket(bucketHeads).Put(key[:], encodeHead(e)), tx.Bucket(bucketBoxes).Put(key[:], encodeBox(e)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	open()
	want(3)
	if err := f.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	want(2)
}

// TestASmallChangeSaysNothingOfALargeOne: there may be room for it in pages that are free,
// and none for a session.
func TestASmallChangeSaysNothingOfALargeOne(t *testing.T) {
	var s fileState
	full := errors.New("no space left on device")
	for i, step := range []struct {
		err     error
		size    int
		refused bool
	}{
		{nil, 4000, false}, {full, 4000, true}, {nil, 100, true}, {full, 100, true}, {nil, 3999, true}, {nil, 4000, false}, {nil, 1, false},
	} {
		if s.note(step.err, step.size); (s.refused != nil) != step.refused {
			t.Errorf("step %d: got %v, want refused %v", i, s.refused, step.refused)
		}
	}
}
