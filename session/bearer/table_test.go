package bearer

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

func keyNumber(n int) (k key) {
	binary.LittleEndian.PutUint32(k[:], uint32(n))
	k[len(k)-1] = byte(n) // which chooses the shard
	return k
}

// TestTableIsBounded: a flood of tokens takes no more memory than it may, what is used stays
// through it, and an entry that is larger than all is not kept.
func TestTableIsBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	tab := newTable(func() time.Time { return now }, 1<<20)
	fresh := func(text int) *entry {
		return &entry{identity: &session.Identity{Claims: session.Claims{"a": strings.Repeat("x", text)}}, until: now.Add(time.Hour)}
	}
	used, flood := fresh(1), 10_000
	tab.put(keyNumber(flood), used)
	for n := range flood {
		tab.put(keyNumber(n), fresh(1))
		now = now.Add(2 * time.Second / 100)
		if n%100 == 0 {
			if got, ok := tab.get(keyNumber(flood)); !ok || got != used {
				t.Fatalf("what is used was driven out by %d others", n)
			}
		}
	}
	size, entries := 0, 0
	for i := range tab.shards {
		s := &tab.shards[i]
		sum := 0
		for _, one := range s.items {
			sum += one.weight
		}
		if sum != s.size {
			t.Errorf("shard %d: counts %d bytes and has %d", i, s.size, sum)
		}
		size, entries = size+sum, entries+len(s.items)
	}
	if size > 1<<20 || size < 3<<18 {
		t.Errorf("%d entries of %d bytes, may have %d", entries, size, 1<<20)
	}
	tab.put(keyNumber(flood), fresh(1<<20))
	if _, ok := tab.get(keyNumber(flood)); ok {
		t.Error("an entry that is too large is kept, or the one before it")
	}
}

// TestTableLetsGoOfWhatIsOver: nothing that is over is found, and what nobody asks for any
// more goes when others come.
func TestTableLetsGoOfWhatIsOver(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	tab := newTable(func() time.Time { return now }, 1<<30)
	const n = 4000
	for i := range n {
		tab.put(keyNumber(i), &entry{until: now.Add(time.Minute)})
	}
	now = now.Add(time.Minute)
	if _, ok := tab.get(keyNumber(1)); ok {
		t.Error("an entry that is over was found")
	}
	for i := range n {
		tab.put(keyNumber(n+i), &entry{until: now.Add(time.Minute)})
	}
	left := len(tab.dropThose(func(e *entry) bool { return !now.Before(e.until) }))
	if left > n/20 {
		t.Errorf("%d of %d that were over are left", left, n)
	}
	if got := len(tab.dropThose(func(*entry) bool { return true })); got != n {
		t.Errorf("%d entries, want %d", got, n)
	}
}
