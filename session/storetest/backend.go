package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/session"
)

var backendTests = []test{
	{"what was created is found", testCreate},
	{"a key is created once", testCreateTwice},
	{"what is not there is not found", testNotFound},
	{"replace needs the revision that it read", testReplace},
	{"touch changes head and end alone", testTouch},
	{"nothing raises the dead", testDead},
	{"delete twice is no error", testDeleteTwice},
	{"sweep removes what is over and nothing else", testSweep},
	{"empty and large boxes stay as they are", testSizes},
	{"watchers hear of changes after load shows them", testWatch},
	{"of many writers with one revision one wins", testReplaceRace},
	{"of many creators one wins", testCreateRace},
	{"a delete beats all writers", testDeleteRace},
	{"many sessions at once stay apart", testMany},
	{"a closed backend says so", testClosed},
}

var base = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func key(n int) session.Key {
	var k session.Key
	copy(k[:], fmt.Sprintf("key %d", n))
	return k
}

func entry(text string) session.Entry {
	return session.Entry{Head: []byte("head of " + text), Box: []byte("box of " + text), Ends: base.Add(time.Hour)}
}

func create(t *testing.T, b session.Backend, k session.Key, e session.Entry) {
	t.Helper()
	if err := b.Create(t.Context(), k, e); err != nil {
		t.Fatalf("Create: %v", err)
	}
}

// wantEntry compares by content; times are kept to the millisecond.
func wantEntry(t *testing.T, b session.Backend, k session.Key, want session.Entry) {
	t.Helper()
	got, err := b.Load(t.Context(), k)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	equal := cmp.Comparer(bytes.Equal)
	sameTime := cmp.Comparer(func(a, b time.Time) bool { return a.UnixMilli() == b.UnixMilli() })
	if diff := cmp.Diff(want, got, equal, sameTime); diff != "" {
		t.Fatalf("Load: unexpected entry (-want +got):\n%s", diff)
	}
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s: got error %v, want %v", what, got, want)
	}
}

func wantGone(t *testing.T, b session.Backend, k session.Key) {
	t.Helper()
	_, err := b.Load(t.Context(), k)
	wantError(t, "Load of what is gone", err, session.ErrNotFound)
}

func testCreate(t *testing.T, b session.Backend) {
	e := entry("a")
	e.Revision = 77
	create(t, b, key(1), e)
	e.Revision = 1
	wantEntry(t, b, key(1), e)
}

func testCreateTwice(t *testing.T, b session.Backend) {
	create(t, b, key(1), entry("a"))
	wantError(t, "second Create", b.Create(t.Context(), key(1), entry("b")), session.ErrExists)
	want := entry("a")
	want.Revision = 1
	wantEntry(t, b, key(1), want)
}

func testNotFound(t *testing.T, b session.Backend) {
	create(t, b, key(1), entry("a"))
	wantGone(t, b, key(2))
	wantError(t, "Replace", b.Replace(t.Context(), key(2), entry("b")), session.ErrNotFound)
	wantError(t, "Touch", b.Touch(t.Context(), key(2), []byte("h"), base), session.ErrNotFound)
	wantGone(t, b, key(2))
}

func testReplace(t *testing.T, b session.Backend) {
	create(t, b, key(1), entry("a"))
	second := entry("b")
	second.Ends = base.Add(2 * time.Hour)
	second.Revision = 1
	if err := b.Replace(t.Context(), key(1), second); err != nil {
		t.Fatalf("Replace: %v", err)
	}
	wantError(t, "Replace with an old revision", b.Replace(t.Context(), key(1), second), session.ErrConflict)
	unborn := entry("c")
	wantError(t, "Replace without a revision", b.Replace(t.Context(), key(1), unborn), session.ErrConflict)
	second.Revision = 2
	wantEntry(t, b, key(1), second)
}

func testTouch(t *testing.T, b session.Backend) {
	create(t, b, key(1), entry("a"))
	if err := b.Touch(t.Context(), key(1), []byte("other head"), base.Add(3*time.Hour)); err != nil {
		t.Fatalf("Touch: %v", err)
	}
	want := entry("a")
	want.Head, want.Ends, want.Revision = []byte("other head"), base.Add(3*time.Hour), 1
	wantEntry(t, b, key(1), want)
	second := entry("b")
	second.Revision = 1
	if err := b.Replace(t.Context(), key(1), second); err != nil {
		t.Fatalf("Replace after Touch: %v", err)
	}
}

func testDead(t *testing.T, b session.Backend) {
	create(t, b, key(1), entry("a"))
	if err := b.Delete(t.Context(), key(1)); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	wantGone(t, b, key(1))
	late := entry("late")
	late.Revision = 1
	wantError(t, "Replace of the dead", b.Replace(t.Context(), key(1), late), session.ErrNotFound)
	wantError(t, "Touch of the dead", b.Touch(t.Context(), key(1), []byte("h"), base), session.ErrNotFound)
	wantGone(t, b, key(1))
}

func testDeleteTwice(t *testing.T, b session.Backend) {
	create(t, b, key(1), entry("a"))
	create(t, b, key(2), entry("b"))
	for range 2 {
		if err := b.Delete(t.Context(), key(1)); err != nil {
			t.Fatalf("Delete: %v", err)
		}
	}
	if err := b.Delete(t.Context(), key(3)); err != nil {
		t.Fatalf("Delete of what never was: %v", err)
	}
	want := entry("b")
	want.Revision = 1
	wantEntry(t, b, key(2), want)
}

func testSweep(t *testing.T, b session.Backend) {
	for n := range 10 {
		e := entry("x")
		e.Ends = base.Add(time.Duration(n) * time.Minute)
		create(t, b, key(n), e)
	}
	if err := b.Touch(t.Context(), key(0), []byte("h"), base.Add(time.Hour)); err != nil {
		t.Fatalf("Touch: %v", err)
	}
	n, err := b.Sweep(t.Context(), base.Add(5*time.Minute))
	if err != nil || n != 4 {
		t.Fatalf("Sweep: got %d, %v; want 4 removed: 1 to 4, not 0 which was touched, not 5 which ends now", n, err)
	}
	for n := range 10 {
		_, err := b.Load(t.Context(), key(n))
		if gone := errors.Is(err, session.ErrNotFound); gone != (n >= 1 && n <= 4) {
			t.Errorf("entry %d after Sweep: got error %v", n, err)
		}
	}
}

func testSizes(t *testing.T, b session.Backend) {
	for n, size := range []int{0, 1, 4096, 1 << 20} {
		e := entry("x")
		e.Head, e.Box = bytes.Repeat([]byte{0xff}, size/16), bytes.Repeat([]byte{0, 1}, size)
		create(t, b, key(n), e)
		e.Revision = 1
		wantEntry(t, b, key(n), e)
	}
}

func testWatch(t *testing.T, b session.Backend) {
	var mu sync.Mutex
	var heard []session.Key
	take := func() []session.Key {
		mu.Lock()
		defer mu.Unlock()
		list := heard
		heard = nil
		return list
	}
	stop := b.Watch(func(k session.Key) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, k)
	})
	want := func(what string, keys ...session.Key) {
		t.Helper()
		if diff := cmp.Diff(keys, take()); diff != "" {
			t.Errorf("after %s a watcher heard (-want +got):\n%s", what, diff)
		}
	}
	create(t, b, key(1), entry("a"))
	create(t, b, key(2), entry("b"))
	create(t, b, key(3), entry("c"))
	want("Create")
	if err := b.Touch(t.Context(), key(1), []byte("h"), base.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	want("Touch")
	second := entry("b")
	second.Revision = 1
	if err := b.Replace(t.Context(), key(1), second); err != nil {
		t.Fatal(err)
	}
	want("Replace", key(1))
	if err := b.Delete(t.Context(), key(1)); err != nil {
		t.Fatal(err)
	}
	want("Delete", key(1))
	if err := b.Touch(t.Context(), key(2), []byte("h"), base.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Sweep(t.Context(), base); err != nil {
		t.Fatal(err)
	}
	want("Sweep", key(2))
	stop()
	if err := b.Delete(t.Context(), key(3)); err != nil {
		t.Fatal(err)
	}
	want("the watch had been stopped")
}

// together runs f n times at once and waits.
func together(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			f(i)
		})
	}
	done.Wait()
}

func testReplaceRace(t *testing.T, b session.Backend) {
	create(t, b, key(1), entry("a"))
	var won atomic.Int32
	together(16, func(i int) {
		e := entry(fmt.Sprint(i))
		e.Revision = 1
		switch err := b.Replace(context.Background(), key(1), e); {
		case err == nil:
			won.Add(1)
		case !errors.Is(err, session.ErrConflict):
			t.Errorf("Replace: %v", err)
		}
	})
	if won.Load() != 1 {
		t.Errorf("%d writers believe that they won, want 1", won.Load())
	}
}

func testCreateRace(t *testing.T, b session.Backend) {
	var won atomic.Int32
	together(16, func(i int) {
		switch err := b.Create(context.Background(), key(1), entry(fmt.Sprint(i))); {
		case err == nil:
			won.Add(1)
		case !errors.Is(err, session.ErrExists):
			t.Errorf("Create: %v", err)
		}
	})
	if won.Load() != 1 {
		t.Errorf("%d creators believe that they won, want 1", won.Load())
	}
}

func testDeleteRace(t *testing.T, b session.Backend) {
	const rounds = 8
	for n := range rounds {
		create(t, b, key(n), entry("a"))
		together(8, func(i int) {
			ctx := context.Background()
			switch i {
			case 0:
				if err := b.Delete(ctx, key(n)); err != nil {
					t.Errorf("Delete: %v", err)
				}
				if _, err := b.Load(ctx, key(n)); !errors.Is(err, session.ErrNotFound) {
					t.Errorf("Load after Delete returned: got %v, want %v", err, session.ErrNotFound)
				}
			case 1, 2, 3:
				e := entry("late")
				e.Revision = 1
				if err := b.Replace(ctx, key(n), e); err != nil && !errors.Is(err, session.ErrNotFound) && !errors.Is(err, session.ErrConflict) {
					t.Errorf("Replace: %v", err)
				}
			default:
				if err := b.Touch(ctx, key(n), []byte("late"), base); err != nil && !errors.Is(err, session.ErrNotFound) {
					t.Errorf("Touch: %v", err)
				}
			}
		})
		wantGone(t, b, key(n))
	}
}

func testMany(t *testing.T, b session.Backend) {
	const workers, each = 8, 25
	together(workers, func(w int) {
		for n := w * each; n < (w+1)*each; n++ {
			if err := b.Create(context.Background(), key(n), entry(fmt.Sprint(n))); err != nil {
				t.Errorf("Create: %v", err)
			}
			if n%5 == 0 {
				if err := b.Delete(context.Background(), key(n)); err != nil {
					t.Errorf("Delete: %v", err)
				}
			}
		}
	})
	for n := range workers * each {
		if n%5 == 0 {
			wantGone(t, b, key(n))
			continue
		}
		want := entry(fmt.Sprint(n))
		want.Revision = 1
		wantEntry(t, b, key(n), want)
	}
}

func testClosed(t *testing.T, b session.Backend) {
	create(t, b, key(1), entry("a"))
	if err := b.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	ctx := t.Context()
	_, err := b.Load(ctx, key(1))
	wantError(t, "Load", err, session.ErrClosed)
	wantError(t, "Create", b.Create(ctx, key(2), entry("b")), session.ErrClosed)
	e := entry("b")
	e.Revision = 1
	wantError(t, "Replace", b.Replace(ctx, key(1), e), session.ErrClosed)
	wantError(t, "Touch", b.Touch(ctx, key(1), nil, base), session.ErrClosed)
	wantError(t, "Delete", b.Delete(ctx, key(1)), session.ErrClosed)
	_, err = b.Sweep(ctx, base)
	wantError(t, "Sweep", err, session.ErrClosed)
	if err := b.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}
