package redis

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/claimproxy/claimproxy/session"
)

const (
	// countFor is how long a number is good, and countKnown how long it is told when no
	// other could be had.
	countFor   = 5 * time.Minute
	countKnown = 3 * countFor
	// countAtOnce is how many keys Redis looks through in one step. It has the time of three
	// such steps for others after each.
	countAtOnce = 1000
	// countMost is how long one replica may count before another one does.
	countMost = 2 * time.Minute
)

// counting is how many sessions there are. Redis has no such number: the keys are looked
// through, by one of the replicas every five minutes, and only where somebody wants to know.
type counting struct {
	work sync.WaitGroup

	mu    sync.Mutex
	n     int
	at    time.Time // of n; zero: it is not known
	asked time.Time
	busy  bool
}

var _ session.Counter = (*Backend)(nil)

// Count implements session.Counter. The number is a few minutes old.
func (b *Backend) Count() (n int, ok bool) {
	c := &b.counting
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !c.busy && now.Sub(c.at) >= countFor && now.Sub(c.asked) >= beatEvery && b.ctx.Err() == nil {
		c.busy, c.asked = true, now
		c.work.Go(b.findCount)
	}
	return c.n, now.Sub(c.at) < countKnown
}

// stop waits until nobody counts any more, and nobody will. The context has ended.
func (c *counting) stop() {
	c.mu.Lock()
	c.busy = true
	c.mu.Unlock()
	c.work.Wait()
}

// findCount reads what another replica has counted, or counts.
func (b *Backend) findCount() {
	ctx, cancel := context.WithTimeout(b.ctx, countMost)
	defer cancel()
	n, age, err := b.countedBefore(ctx)
	if err == nil && n < 0 {
		n, err = b.countNow(ctx)
	}
	c := &b.counting
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = b.ctx.Err() != nil
	if err == nil && n >= 0 {
		c.n, c.at = n, time.Now().Add(-age)
	}
}

func (b *Backend) countKey() string { return b.prefix + "count" }

// countedBefore returns the number that another replica has left, and how old it is; -1 for
// none.
func (b *Backend) countedBefore(ctx context.Context) (n int, age time.Duration, err error) {
	n = -1
	err = b.ask(ctx, func() error {
		text, err := b.client.Get(ctx, b.countKey()).Result()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		if err != nil {
			return err
		}
		left, err := b.client.PTTL(ctx, b.countKey()).Result()
		if number, bad := strconv.Atoi(text); err == nil && bad == nil && left > 0 {
			n, age = number, max(countFor-left, 0)
		}
		return err
	})
	return n, age, err
}

// countNow looks through all keys and leaves the number to the others; -1 while another
// replica does.
func (b *Backend) countNow(ctx context.Context) (n int, err error) {
	var mine bool
	err = b.ask(ctx, func() (err error) {
		mine, err = b.client.SetNX(ctx, b.prefix+"counting", "1", countMost).Result()
		return err
	})
	if err != nil || !mine {
		return -1, err
	}
	defer func() { _ = b.ask(ctx, func() error { return b.client.Del(ctx, b.prefix+"counting").Err() }) }()
	var sum sync.Mutex
	err = b.ask(ctx, func() error {
		cluster, is := b.client.(*redis.ClusterClient)
		if !is {
			n, err = b.countAt(ctx, b.client)
			return err
		}
		return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			some, err := b.countAt(ctx, node)
			sum.Lock()
			defer sum.Unlock()
			n += some
			return err
		})
	})
	if err != nil {
		return -1, err
	}
	return n, b.ask(ctx, func() error { return b.client.Set(ctx, b.countKey(), n, countFor).Err() })
}

// countAt counts the sessions of one server.
func (b *Backend) countAt(ctx context.Context, server redis.Cmdable) (n int, err error) {
	for cursor := uint64(0); ; {
		began := time.Now()
		var keys []string
		if keys, cursor, err = server.Scan(ctx, cursor, b.prefix+"session:*", countAtOnce).Result(); err != nil {
			return n, err
		}
		if n += len(keys); cursor == 0 {
			return n, nil
		}
		select {
		case <-ctx.Done():
			return n, ctx.Err()
		case <-time.After(3 * time.Since(began)):
		}
	}
}
