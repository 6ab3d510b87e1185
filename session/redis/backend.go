package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/claimproxy/claimproxy/session"
)

// Backend is a session.Backend whose sessions are in Redis, and a session.Fresher.
type Backend struct {
	client redis.UniversalClient
	log    *slog.Logger
	prefix string
	lease  time.Duration
	gate   *gate // nil with a Cluster, of which a part may be down

	// self is the name under which this backend publishes changes, so that it does not
	// hear its own twice. See doubt.
	self atomic.Pointer[string]

	mu       sync.Mutex
	watchers map[*func(session.Key)]struct{}
	waiting  waiting

	hearing  hearing
	told     troubleLog
	counting counting

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	stopped chan struct{} // closed when the listener has ended
}

var (
	_ session.Backend = (*Backend)(nil)
	_ session.Fresher = (*Backend)(nil)
)

// New makes a backend. It waits for nobody: a Redis that cannot be reached is tried
// until it can.
func New(o Options) (*Backend, error) {
	if len(o.Addrs) == 0 {
		return nil, errors.New("session store: no address of a Redis")
	}
	if o.Prefix == "" {
		o.Prefix = "claimproxy:"
	}
	if o.Lease <= 0 {
		o.Lease = 20 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	b := &Backend{
		client: connect(o), log: o.Log, prefix: o.Prefix, lease: o.Lease,
		watchers: make(map[*func(session.Key)]struct{}), stopped: make(chan struct{}),
	}
	if !o.Cluster {
		b.gate = new(gate)
	}
	b.doubt()
	b.hearing.since = time.Now()
	b.ctx, b.cancel = context.WithCancel(context.Background())
	go b.listen()
	return b, nil
}

// slack is how long Redis keeps a session beyond its Ends.
const slack = time.Minute

// lifeOf is how long Redis is to keep a session, in milliseconds. It is told a duration
// and no time, so that its clock does not matter.
func lifeOf(ends time.Time) int64 {
	return (max(time.Until(ends), 0) + slack).Milliseconds()
}

func (b *Backend) sessionKey(key session.Key) string { return b.prefix + "session:" + key.String() }

// Load implements session.Backend.
func (b *Backend) Load(ctx context.Context, key session.Key) (e session.Entry, err error) {
	var values []any
	err = b.ask(ctx, func() (err error) {
		values, err = b.client.HMGet(ctx, b.sessionKey(key), "r", "e", "h", "b", "t").Result()
		return err
	})
	if err != nil {
		return e, err
	}
	var text [5]string
	for i, v := range values {
		s, ok := v.(string)
		if !ok {
			return e, session.ErrNotFound
		}
		text[i] = s
	}
	ends, err := strconv.ParseInt(text[1], 10, 64)
	if err == nil {
		e.Revision, err = strconv.ParseUint(text[0], 10, 64)
	}
	if err != nil {
		return e, errors.New("redis: a session is not as claimproxy writes them: another program has changed it")
	}
	e.Ends, e.Head, e.Box, e.Tags = time.UnixMilli(ends), []byte(text[2]), []byte(text[3]), tagsIn(text[4])
	return e, nil
}

// Create implements session.Backend. Whoever finds a session by a tag must not find the
// tag alone, so that comes after; a session without its tags was never confirmed, and
// nobody has its cookie.
func (b *Backend) Create(ctx context.Context, key session.Key, e session.Entry) error {
	code, err := b.run(ctx, createScript, b.sessionKey(key), rand.Text(), lifeOf(e.Ends), e.Ends.UnixMilli(), e.Head, e.Box, tagText(e.Tags))
	switch {
	case err != nil:
		return err
	case code == int64(0):
		return session.ErrExists
	}
	return b.addTo(ctx, e.Tags, key, e.Ends)
}

// Replace implements session.Backend.
func (b *Backend) Replace(ctx context.Context, key session.Key, e session.Entry) error {
	result, err := b.change(ctx, key, replaceScript, rand.Text(), lifeOf(e.Ends), e.Ends.UnixMilli(), e.Head, e.Box, e.Revision, e.Revision+1)
	switch {
	case err != nil:
		return err
	case result == int64(0):
		return session.ErrNotFound
	case result == int64(-1):
		return session.ErrConflict
	}
	b.tell(key)
	// It is replaced, whatever becomes of this: the sets last longer than they need to.
	_ = b.lengthen(ctx, result, key, e.Ends)
	return nil
}

// Touch implements session.Backend.
func (b *Backend) Touch(ctx context.Context, key session.Key, head []byte, ends time.Time) error {
	result, err := b.run(ctx, touchScript, b.sessionKey(key), lifeOf(ends), ends.UnixMilli(), head)
	switch {
	case err != nil:
		return err
	case result == int64(0):
		return session.ErrNotFound
	}
	return b.lengthen(ctx, result, key, ends)
}

// Delete implements session.Backend.
func (b *Backend) Delete(ctx context.Context, key session.Key) error {
	result, err := b.change(ctx, key, removeScript)
	switch {
	case err != nil:
		return err
	case result == int64(0):
		return nil
	}
	b.tell(key)
	b.takeFrom(ctx, result, key)
	return nil
}

// Sweep implements session.Backend. Redis removes sessions by itself, a minute after
// their Ends, and whoever has one of them in memory knows that it is over.
func (b *Backend) Sweep(context.Context, time.Time) (int, error) {
	if b.ctx.Err() != nil {
		return 0, session.ErrClosed
	}
	return 0, nil
}

// Watch implements session.Backend.
func (b *Backend) Watch(changed func(session.Key)) (stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := &changed
	b.watchers[id] = struct{}{}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.watchers, id)
	}
}

func (b *Backend) tell(key session.Key) {
	b.mu.Lock()
	watchers := slices.Collect(maps.Keys(b.watchers))
	b.mu.Unlock()
	for _, changed := range watchers {
		(*changed)(key)
	}
}

// Close implements session.Backend.
func (b *Backend) Close() error {
	b.cancel()
	<-b.stopped
	b.counting.stop()
	if err := b.client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// ask has something done in Redis. Every error comes back in words for who runs it.
func (b *Backend) ask(ctx context.Context, what func() error) error {
	if b.ctx.Err() != nil {
		return session.ErrClosed
	}
	if err := b.gate.pass(); err != nil {
		return err
	}
	err := what()
	if errors.Is(err, redis.ErrClosed) {
		return session.ErrClosed
	}
	err = explain(err)
	b.gate.came(ctx, err)
	b.told.note(ctx, b.log, err)
	return err
}

func (b *Backend) run(ctx context.Context, script *redis.Script, key string, args ...any) (result any, err error) {
	err = b.ask(ctx, func() (err error) {
		result, err = script.Run(ctx, b.client, []string{key}, args...).Result()
		return err
	})
	return result, err
}

// change runs a script that tells the other replicas. When nothing is known of what
// came of it, watchers here are told as well: it may have happened.
func (b *Backend) change(ctx context.Context, key session.Key, script *redis.Script, args ...any) (any, error) {
	args = append(args, b.channelChanged(), *b.self.Load()+string(key[:]))
	result, err := b.run(ctx, script, b.sessionKey(key), args...)
	if err != nil {
		b.doubt()
		b.tell(key)
	}
	return result, err
}

// doubt takes another name for what is published from now on: a change whose answer was
// lost may still be made later, and is heard then like anybody else's.
func (b *Backend) doubt() {
	name := rand.Text()
	b.self.Store(&name)
}
