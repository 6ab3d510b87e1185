package redis_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/redis"
)

// counts waits until a backend knows how many sessions there are.
func counts(t *testing.T, b *redis.Backend) (n int) {
	t.Helper()
	waitFor(t, "the number of sessions", func() (ok bool) { n, ok = b.Count(); return ok })
	return n
}

// TestSessionsAreCountedOnce, by the replica that is asked first; the others tell the same
// number, and nobody else's keys are in it.
func TestSessionsAreCountedOnce(t *testing.T) {
	s := sharedServer(t)
	o := redis.Options{Addrs: []string{s.addr}, Prefix: prefix()}
	b, other := open(t, o), open(t, o)
	// More than Redis looks through in one step.
	c := s.client(t)
	pipe := c.Pipeline()
	const many = 2500
	for i := range many {
		pipe.Set(t.Context(), fmt.Sprintf("%ssession:%064d", o.Prefix, i), "x", time.Minute)
		pipe.Set(t.Context(), fmt.Sprintf("another:%s:%d", o.Prefix, i), "x", time.Minute)
	}
	_, err := pipe.Exec(t.Context())
	must(t, err)
	if _, ok := b.Count(); ok {
		t.Error("it is known before anybody has counted")
	}
	if n := counts(t, b); n != many {
		t.Errorf("got %d sessions, want %d", n, many)
	}
	must(t, b.Create(t.Context(), key(1), entry("a", time.Hour)))
	if n := counts(t, other); n != many {
		t.Errorf("the other replica tells %d, want %d", n, many)
	}
	wantLife(t, c, o.Prefix+"count", time.Second, 5*time.Minute)
	if n := c.Exists(t.Context(), o.Prefix+"counting").Val(); n != 0 {
		t.Error("the turn to count is not given back")
	}
}
