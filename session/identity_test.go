package session

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func TestPreparedIsMadeOnce(t *testing.T) {
	id := &Identity{Claims: Claims{"sub": "u"}}
	calls := 0
	prepare := func(c Claims) any {
		calls++
		return c["sub"].(string) + fmt.Sprint(calls)
	}
	for range 3 {
		if got := id.Prepared(prepare); got != "u1" {
			t.Errorf("got %v, want the first result", got)
		}
	}
	if calls != 1 {
		t.Errorf("prepare was called %d times, want 1", calls)
	}
}

func TestPreparedMayBeNil(t *testing.T) {
	id, calls := &Identity{}, 0
	for range 2 {
		if got := id.Prepared(func(Claims) any { calls++; return nil }); got != nil {
			t.Errorf("got %v, want nil", got)
		}
	}
	if calls != 1 {
		t.Errorf("prepare was called %d times, want 1", calls)
	}
}

func TestPreparedGivesAllRacersOneResult(t *testing.T) {
	id := &Identity{Claims: Claims{"sub": "u"}}
	var n atomic.Int64
	results := make([]any, 16)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i] = id.Prepared(func(Claims) any { return n.Add(1) }) })
	}
	wg.Wait()
	for _, r := range results {
		if r != results[0] {
			t.Fatalf("racers got different results: %v", results)
		}
	}
}

func TestOutcomesStayThree(t *testing.T) {
	cause := errors.New("cause")
	rejected := error(Reject(ReasonSessionEnded, "Over.", cause))
	unavailable := error(&Unavailable{Reason: ReasonStoreUnavailable, Sentence: "Later.", Cause: cause})
	for _, err := range []error{rejected, unavailable} {
		if !errors.Is(err, cause) || errors.Is(err, ErrNoCredentials) {
			t.Errorf("%v: want its cause, and not no credentials", err)
		}
	}
	var r *Rejected
	var u *Unavailable
	if !errors.As(fmt.Errorf("wrapped: %w", rejected), &r) || errors.As(rejected, &u) {
		t.Error("a Rejected is not told from an Unavailable")
	}
	if !errors.As(fmt.Errorf("wrapped: %w", unavailable), &u) || errors.As(unavailable, &r) {
		t.Error("an Unavailable is not told from a Rejected")
	}
	if got, want := rejected.Error(), "session-ended: Over.: cause"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := Reject(ReasonSessionEnded, "Over.", nil).Error(), "session-ended: Over."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
