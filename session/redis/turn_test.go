package redis_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/redis"
)

func TestOneAtATimeHasATurnOnAllReplicas(t *testing.T) {
	s := sharedServer(t)
	o := redis.Options{Addrs: []string{s.addr}, Prefix: prefix()}
	backends := []*redis.Backend{open(t, o), open(t, o), open(t, o)}
	var inside, turns, most atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range 30 {
		wg.Go(func() {
			err := backends[i%3].Exclusive(t.Context(), key(1), func(context.Context) error {
				most.Store(max(most.Load(), inside.Add(1)))
				time.Sleep(time.Millisecond)
				turns.Add(1)
				inside.Add(-1)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 || turns.Load() != 30 {
		t.Errorf("got %d at once and %d turns, want 1 and 30", most.Load(), turns.Load())
	}
	t.Logf("30 turns of a millisecond took %s", time.Since(begin))
}

// A turn lasts as long as its holder works, however short the lease.
func TestTurnLastsAsLongAsItsHolderWorks(t *testing.T) {
	s := sharedServer(t)
	o := redis.Options{Addrs: []string{s.addr}, Prefix: prefix(), Lease: 200 * time.Millisecond}
	here, there := open(t, o), open(t, o)
	var working atomic.Bool
	began, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		err := here.Exclusive(context.Background(), key(1), func(ctx context.Context) error {
			working.Store(true)
			close(began)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				t.Errorf("the turn was lost: %v", context.Cause(ctx))
			}
			working.Store(false)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}()
	<-began
	must(t, there.Exclusive(t.Context(), key(1), func(context.Context) error {
		if working.Load() {
			t.Error("two at once")
		}
		return nil
	}))
	<-done
}

// A process that dies lets go when its lease ends, and not before.
func TestHolderThatDiesLetsGo(t *testing.T) {
	s := sharedServer(t)
	c, p := s.client(t), prefix()
	b := open(t, redis.Options{Addrs: []string{s.addr}, Prefix: p})
	const lease = 300 * time.Millisecond
	must(t, c.Set(t.Context(), p+"turn:"+key(1).String(), "the dead", lease).Err())
	begin := time.Now()
	must(t, b.Exclusive(t.Context(), key(1), func(context.Context) error { return nil }))
	if took := time.Since(begin); took < lease-20*time.Millisecond || took > lease+time.Second {
		t.Errorf("waited %s for a lease of %s", took, lease)
	}
}

// Whoever has lost a turn is told, and does not end the turn of the next.
func TestLostTurnIsNotGivenBackForTheNext(t *testing.T) {
	s := sharedServer(t)
	c, p := s.client(t), prefix()
	b := open(t, redis.Options{Addrs: []string{s.addr}, Prefix: p, Lease: 200 * time.Millisecond})
	name := p + "turn:" + key(1).String()
	must(t, b.Exclusive(t.Context(), key(1), func(ctx context.Context) error {
		must(t, c.Set(ctx, name, "the next", time.Minute).Err())
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
			t.Error("was not told")
		}
		return nil
	}))
	if got := c.Get(t.Context(), name).Val(); got != "the next" {
		t.Errorf("the turn is %q's, want the next one's", got)
	}
}

func TestWaitingForATurnEndsWithTheRequestAndWithClose(t *testing.T) {
	s := sharedServer(t)
	c, p := s.client(t), prefix()
	must(t, c.Set(t.Context(), p+"turn:"+key(1).String(), "somebody", time.Minute).Err())
	b := open(t, redis.Options{Addrs: []string{s.addr}, Prefix: p})
	never := func(context.Context) error { t.Error("two at once"); return nil }
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := b.Exclusive(ctx, key(1), never); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	done := make(chan error)
	go func() { done <- b.Exclusive(context.Background(), key(1), never) }()
	time.Sleep(50 * time.Millisecond)
	must(t, b.Close())
	if err := <-done; !errors.Is(err, session.ErrClosed) {
		t.Errorf("got %v, want %v", err, session.ErrClosed)
	}
}

// Who waits is woken at once, and does not only look from time to time.
func TestFreedTurnWakesWhoWaits(t *testing.T) {
	s := sharedServer(t)
	o := redis.Options{Addrs: []string{s.addr}, Prefix: prefix()}
	here, there := open(t, o), open(t, o)
	var freed, taken time.Time
	began, done := make(chan struct{}), make(chan struct{})
	var all time.Duration
	for range 5 {
		began, done = make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			_ = here.Exclusive(context.Background(), key(1), func(context.Context) error {
				close(began)
				time.Sleep(time.Second)
				freed = time.Now()
				return nil
			})
		}()
		<-began
		must(t, there.Exclusive(t.Context(), key(1), func(context.Context) error { taken = time.Now(); return nil }))
		<-done
		all += taken.Sub(freed)
	}
	if all/5 > 60*time.Millisecond {
		t.Errorf("on average a turn was taken %s after it was free", all/5)
	}
}
