package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/claimproxy/claimproxy/session"
)

// hearing is how a replica hears of what others change: one connection that is
// subscribed, and proof that it works. The proof is a beat that the backend publishes
// by the way that changes take, and hears on a channel of its own: so it knows of a
// connection that is half open, and of one to a server that is not the master any more.
// In a Cluster it proves that for the node that the beat goes to.
type hearing struct {
	since time.Time // what heard counts from
	// heard is the last moment of which it is known that every change before it has
	// been heard, or what was in memory dropped since; in nanoseconds. Zero is never.
	heard atomic.Int64
}

const (
	// trust is how long sessions in memory are served after that moment.
	trust = 10 * time.Second
	// beatEvery is how often the way is tried, and silence after how long a
	// subscription that hears nothing is given up.
	beatEvery = 2 * time.Second
	silence   = 5 * time.Second
	// A subscription is tried again after about this long, which grows to the other.
	againFirst = 100 * time.Millisecond
	againLast  = 3 * time.Second
)

// Fresh implements session.Fresher.
func (b *Backend) Fresh() bool {
	heard := b.hearing.heard.Load()
	return heard != 0 && time.Since(b.hearing.since)-time.Duration(heard) < trust
}

// hears notes that all is known up to a moment.
func (h *hearing) hears(at time.Time) {
	h.heard.Store(max(int64(at.Sub(h.since)), 1))
}

// silent is for how long nothing is known.
func (h *hearing) silent() time.Duration {
	return time.Since(h.since) - time.Duration(h.heard.Load())
}

func (b *Backend) channelChanged() string { return b.prefix + "changed" }
func (b *Backend) channelFreed() string   { return b.prefix + "freed" }

// listen keeps a subscription until Close.
func (b *Backend) listen() {
	defer close(b.stopped)
	deaf := false
	for again := againFirst; ; again = min(2*again, againLast) {
		worked, err := b.hear(func() {
			if deaf {
				b.log.Info("redis: changes by other replicas are heard again")
			}
			deaf = false
		})
		if b.ctx.Err() != nil {
			return
		}
		err = explain(err)
		b.gate.came(b.ctx, err)
		if worked {
			again = againFirst
		}
		if !deaf {
			deaf = true
			b.log.Warn("redis: changes by other replicas are not heard; what is in memory is served for a moment, and then Redis is asked with each request", "error", err, "for", trust.String())
		}
		select {
		case <-b.ctx.Done():
			return
		case <-time.After(jittered(again)):
		}
	}
}

// hear subscribes, drops what may have been missed, and tells what it hears until the
// subscription breaks. The library would mend that silently, so each has its own.
func (b *Backend) hear(works func()) (worked bool, err error) {
	ctx, cancel := context.WithCancelCause(b.ctx)
	defer cancel(nil)
	beat := b.prefix + "beat:" + rand.Text()
	subscription := b.client.Subscribe(ctx)
	// Receive does not heed the context.
	stop := context.AfterFunc(ctx, func() { subscription.Close() })
	defer subscription.Close()
	defer stop()
	channels := []string{b.channelChanged(), b.channelFreed(), beat}
	if err := subscription.Subscribe(ctx, channels...); err != nil {
		return false, err
	}
	for confirmed := 0; confirmed < len(channels); {
		got, err := subscription.ReceiveTimeout(ctx, dialTimeout)
		if err != nil {
			return false, err
		}
		if _, ok := got.(*redis.Subscription); ok {
			confirmed++
		}
	}
	now := time.Now()
	b.tell(session.AnySession)
	b.hearing.hears(now)
	b.gate.came(ctx, nil)
	works()

	var beats sync.WaitGroup
	defer beats.Wait()
	defer cancel(nil)
	beats.Go(func() { b.beat(ctx, cancel, beat) })
	for {
		got, err := subscription.Receive(ctx)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return true, err
		}
		switch m := got.(type) {
		case *redis.Message:
			b.heard(m, beat)
		case *redis.Subscription: // of a connection that the library has made anew
			return true, errors.New("the connection was replaced")
		}
	}
}

// heard acts on a message.
func (b *Backend) heard(m *redis.Message, beat string) {
	switch m.Channel {
	case beat:
		if at, err := strconv.ParseInt(m.Payload, 10, 64); err == nil {
			b.hearing.hears(b.hearing.since.Add(time.Duration(at)))
		}
	case b.channelFreed():
		if len(m.Payload) == len(session.Key{}) {
			b.waiting.wake(session.Key([]byte(m.Payload)))
		}
	case b.channelChanged():
		by, key := m.Payload, ""
		if cut := len(m.Payload) - len(session.Key{}); cut >= 0 {
			by, key = m.Payload[:cut], m.Payload[cut:]
		}
		switch {
		case key == "": // nobody writes such: better to drop too much
			b.tell(session.AnySession)
		case by != *b.self.Load():
			b.tell(session.Key([]byte(key)))
		}
	}
}

// beat proves from time to time that what is published is heard, and gives the
// subscription up when it is not.
func (b *Backend) beat(ctx context.Context, giveUp context.CancelCauseFunc, channel string) {
	var failed error
	for {
		now := strconv.FormatInt(int64(time.Since(b.hearing.since)), 10)
		part, cancel := context.WithTimeout(ctx, beatEvery)
		if err := b.client.Publish(part, channel, now).Err(); err != nil {
			failed = err
			b.gate.came(ctx, explain(err))
		}
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-time.After(jittered(beatEvery)):
		}
		if b.hearing.silent() > silence {
			if failed == nil {
				failed = errors.New("nothing is heard on the subscription")
			}
			giveUp(failed)
			return
		}
	}
}
