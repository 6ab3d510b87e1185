package storetest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

var indexTests = []test{
	{"what was created with a tag is found by it", testFind},
	{"nothing that is gone is found", testFindGone},
	{"replace and touch leave tags alone", testTagsStay},
	{"many sessions share a tag", testFindMany},
	{"one at a time has a key's turn", testExclusive},
	{"other keys do not wait", testExclusiveOthers},
	{"who waits leaves with the context", testExclusiveLeaves},
	{"an error is passed on and ends the turn", testExclusiveError},
}

func tag(n byte) session.Tag { return session.Tag{1, n} }

func tagged(tags ...session.Tag) session.Entry {
	e := entry("tagged")
	e.Tags = tags
	return e
}

func wantFound(t *testing.T, b session.Backend, of session.Tag, want ...session.Key) {
	t.Helper()
	got, err := b.Find(t.Context(), of)
	if err != nil {
		t.Fatalf("Find: %v", err)
	}
	order := func(a, b session.Key) int { return slices.Compare(a[:], b[:]) }
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	if !slices.Equal(got, want) {
		t.Errorf("Find: got %d keys, want %d", len(got), len(want))
	}
}

func testFind(t *testing.T, b session.Backend) {
	create(t, b, key(1), tagged(tag(1), tag(2)))
	create(t, b, key(2), tagged(tag(1)))
	create(t, b, key(3), entry("no tags"))
	wantFound(t, b, tag(1), key(1), key(2))
	wantFound(t, b, tag(2), key(1))
	wantFound(t, b, tag(3))
}

func testFindGone(t *testing.T, b session.Backend) {
	create(t, b, key(1), tagged(tag(1)))
	e := tagged(tag(1))
	e.Ends = base.Add(-time.Hour)
	create(t, b, key(2), e)
	if err := b.Delete(t.Context(), key(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Sweep(t.Context(), base); err != nil {
		t.Fatal(err)
	}
	wantFound(t, b, tag(1))
	// The key may come again with other tags.
	create(t, b, key(1), tagged(tag(2)))
	wantFound(t, b, tag(1))
	wantFound(t, b, tag(2), key(1))
}

func testTagsStay(t *testing.T, b session.Backend) {
	create(t, b, key(1), tagged(tag(1)))
	e := tagged(tag(2))
	e.Revision = 1
	if err := b.Replace(t.Context(), key(1), e); err != nil {
		t.Fatal(err)
	}
	if err := b.Touch(t.Context(), key(1), []byte("head"), base.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	wantFound(t, b, tag(1), key(1))
	wantFound(t, b, tag(2))
}

func testFindMany(t *testing.T, b session.Backend) {
	const n = 200
	var want []session.Key
	for i := range n {
		want = append(want, key(i))
	}
	together(n, func(i int) { create(t, b, key(i), tagged(tag(1))) })
	wantFound(t, b, tag(1), want...)
	together(n-1, func(i int) {
		if err := b.Delete(t.Context(), key(i)); err != nil {
			t.Error(err)
		}
	})
	wantFound(t, b, tag(1), key(n-1))
}

func testExclusive(t *testing.T, b session.Backend) {
	var inside, most, turns atomic.Int64
	together(20, func(int) {
		err := b.Exclusive(t.Context(), key(1), func(context.Context) error {
			most.Store(max(most.Load(), inside.Add(1)))
			turns.Add(1)
			inside.Add(-1)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	if most.Load() != 1 || turns.Load() != 20 {
		t.Errorf("got %d at once and %d turns, want 1 and 20", most.Load(), turns.Load())
	}
}

func testExclusiveOthers(t *testing.T, b session.Backend) {
	err := b.Exclusive(t.Context(), key(1), func(ctx context.Context) error {
		return b.Exclusive(ctx, key(2), func(context.Context) error { return nil })
	})
	if err != nil {
		t.Error(err)
	}
}

func testExclusiveLeaves(t *testing.T, b session.Backend) {
	err := b.Exclusive(t.Context(), key(1), func(context.Context) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err := b.Exclusive(ctx, key(1), func(context.Context) error {
			t.Error("two at once")
			return nil
		})
		if err == nil {
			t.Error("got no error for a turn that never came")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func testExclusiveError(t *testing.T, b session.Backend) {
	mine := errors.New("mine")
	if err := b.Exclusive(t.Context(), key(1), func(context.Context) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("got %v, want the error of the function", err)
	}
	done := false
	if err := b.Exclusive(t.Context(), key(1), func(context.Context) error { done = true; return nil }); err != nil || !done {
		t.Errorf("got %v, want the next turn", err)
	}
}
