package limit

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// perShard bounds the networks that a shard knows, so that a table has 16384 of them
	// and takes some 3 MiB.
	perShard = 1024
	// sample is of how many the one goes that has used least.
	sample = 8
)

// buckets are token buckets, one for each network that has used something of late: it
// begins full and is filled within a minute. The zero value is ready.
type buckets struct {
	shards [shards]struct {
		mu sync.Mutex
		of map[netip.Prefix]*rate.Limiter
	}
}

// take takes one, and returns how long it takes until there is another one if there is
// none now. perMinute is what a network may take, zero for no bound.
func (b *buckets) take(client string, perMinute int, now time.Time) (wait time.Duration) {
	b.with(client, perMinute, now, true, func(bucket *rate.Limiter) {
		if !bucket.AllowN(now, 1) {
			wait = until(bucket, now)
		}
	})
	return wait
}

// wait is take without taking anything.
func (b *buckets) wait(client string, perMinute int, now time.Time) (wait time.Duration) {
	b.with(client, perMinute, now, false, func(bucket *rate.Limiter) {
		if bucket.TokensAt(now) < 1 {
			wait = until(bucket, now)
		}
	})
	return wait
}

// spend takes one, be it there or not.
func (b *buckets) spend(client string, perMinute int, now time.Time) {
	b.with(client, perMinute, now, true, func(bucket *rate.Limiter) { bucket.ReserveN(now, 1) })
}

// until is how long it takes until there is one in a bucket that lacks it.
func until(bucket *rate.Limiter, now time.Time) time.Duration {
	lacking := 1 - bucket.TokensAt(now)
	return max(time.Duration(lacking/float64(bucket.Limit())*float64(time.Second)), time.Millisecond)
}

// with calls do with the bucket of a client's network, and with none if it has no network,
// nothing is bounded or, unless it is to be made, there is none.
func (b *buckets) with(client string, perMinute int, now time.Time, make bool, do func(*rate.Limiter)) {
	if perMinute <= 0 {
		return
	}
	network := networkOfClient(client)
	if !network.IsValid() {
		return
	}
	s := &b.shards[shardOf(network)]
	s.mu.Lock()
	defer s.mu.Unlock()
	bucket, limit := s.of[network], rate.Limit(float64(perMinute)/60)
	switch {
	case bucket == nil && !make:
		return
	case bucket == nil:
		if s.of == nil {
			s.of = map[netip.Prefix]*rate.Limiter{}
		}
		if len(s.of) >= perShard {
			drop(s.of, now)
		}
		bucket = rate.NewLimiter(limit, perMinute)
		s.of[network] = bucket
	case bucket.Burst() != perMinute: // another configuration
		bucket.SetLimitAt(now, limit)
		bucket.SetBurstAt(now, perMinute)
	}
	do(bucket)
}

// drop makes room for one more. A bucket that is full again says nothing, so that whoever
// floods the table with networks drives out their own.
func drop(all map[netip.Prefix]*rate.Limiter, now time.Time) {
	var least netip.Prefix
	fullest, n := 0.0, 0
	for network, bucket := range all {
		if has := bucket.TokensAt(now); n == 0 || has > fullest {
			least, fullest = network, has
		}
		if n++; n == sample {
			break
		}
	}
	delete(all, least)
}
