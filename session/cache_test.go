package session

import (
	"encoding/binary"
	"testing"
)

func cacheKey(n int) (k Key) {
	binary.BigEndian.PutUint64(k[:], uint64(n))
	return k
}

func liveOf(cost int, seen int64) *live {
	l := &live{cost: cost}
	l.seen.Store(seen)
	return l
}

func TestCacheStaysWithinItsBound(t *testing.T) {
	c := newCache(1000)
	for n := range 5000 {
		c.put(cacheKey(n), liveOf(10+n%90, int64(n)), c.now())
		if c.size > 1000 {
			t.Fatalf("after %d sessions the size is %d, want no more than 1000", n+1, c.size)
		}
	}
	sum := 0
	for _, l := range c.items {
		sum += l.cost
	}
	if sum != c.size || len(c.items) < 5 {
		t.Errorf("%d sessions of size %d are counted as %d", len(c.items), sum, c.size)
	}
	if c.put(cacheKey(9999), liveOf(2000, 0), c.now()); c.get(cacheKey(9999)) != nil {
		t.Error("a session larger than the bound was kept")
	}
}

func TestCacheKeepsWhatIsUsed(t *testing.T) {
	c := newCache(64)
	c.put(cacheKey(0), liveOf(1, 1<<40), c.now())
	for n := 1; n < 5000; n++ {
		c.put(cacheKey(n), liveOf(1, int64(n)), c.now())
	}
	if c.get(cacheKey(0)) == nil {
		t.Error("the session that was used last was crowded out by others")
	}
}

// Who has read a session before it was ended may not bring it back after.
func TestCacheDoesNotRaiseTheDead(t *testing.T) {
	c := newCache(1000)
	epoch := c.now()
	c.drop(cacheKey(1)) // the sign-out
	l := liveOf(10, 1)
	if got := c.put(cacheKey(1), l, epoch); got != l {
		t.Error("the request that was under way got something else than it has read")
	}
	if c.get(cacheKey(1)) != nil {
		t.Error("an ended session is back in memory")
	}
	if c.put(cacheKey(1), l, c.now()); c.get(cacheKey(1)) != l {
		t.Error("a session that was read afterwards is not kept")
	}
}

func TestCacheGivesRacersOne(t *testing.T) {
	c := newCache(1000)
	first, second := liveOf(10, 1), liveOf(10, 2)
	c.put(cacheKey(1), first, c.now())
	if got := c.put(cacheKey(1), second, c.now()); got != first || c.size != 10 {
		t.Errorf("the second got its own, or was counted twice: size %d", c.size)
	}
}

func TestLiveSeenNeverGoesBack(t *testing.T) {
	l := liveOf(1, 100)
	l.use(50)
	if got := l.seen.Load(); got != 100 {
		t.Errorf("got %d, want 100", got)
	}
	l.use(150)
	if got := l.seen.Load(); got != 150 {
		t.Errorf("got %d, want 150", got)
	}
}

func TestNotesAreBounded(t *testing.T) {
	n := newNotes()
	for i := range maxNotes + 10 {
		n.add(cacheKey(i), 1)
	}
	if len(n.seen) != maxNotes {
		t.Errorf("got %d notes, want %d", len(n.seen), maxNotes)
	}
	n.add(cacheKey(1), 7)
	n.add(cacheKey(1), 5)
	if got := n.get(cacheKey(1)); got.UnixMilli() != 7 {
		t.Errorf("got %v, want the latest", got)
	}
	n.written(cacheKey(1), 5)
	if n.get(cacheKey(1)).IsZero() {
		t.Error("a use was forgotten that came while an earlier one was written")
	}
}
