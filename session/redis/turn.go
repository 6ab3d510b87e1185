package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// A turn is a key with the name of its holder, SET with NX and PX. It is one server's
// word, and not more is needed: if two should ever hold one turn, because a replica
// took over that had not heard of it, the second of them finds another revision when
// it wants to save what it did.

const (
	// Who waits for a turn is woken when it is free, and looks by himself as well,
	// between these.
	lookFirst = 20 * time.Millisecond
	lookLast  = 400 * time.Millisecond
)

var errTurnLost = errors.New("redis: the turn was lost: its lease could not be made longer in time")

func (b *Backend) turnKey(key session.Key) string { return b.prefix + "turn:" + key.String() }

// Exclusive implements session.Backend. When the turn is lost, the context that do gets
// ends.
func (b *Backend) Exclusive(ctx context.Context, key session.Key, do func(context.Context) error) error {
	freed, leave := b.waiting.join(key)
	defer leave()
	holder := rand.Text()
	for look := lookFirst; ; look = min(2*look, lookLast) {
		asked := time.Now()
		result, err := b.run(ctx, takeScript, b.turnKey(key), holder, b.lease.Milliseconds())
		if err != nil {
			b.release(ctx, key, holder) // perhaps the answer alone was lost
			return err
		}
		if result == int64(1) {
			return b.hold(ctx, key, holder, asked, do)
		}
		again := time.NewTimer(jittered(look))
		select {
		case <-freed:
		case <-again.C:
		case <-ctx.Done():
		case <-b.ctx.Done():
		}
		again.Stop()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case b.ctx.Err() != nil:
			return session.ErrClosed
		}
	}
}

// hold runs do and keeps the turn meanwhile.
func (b *Backend) hold(ctx context.Context, key session.Key, holder string, since time.Time, do func(context.Context) error) error {
	held, lose := context.WithCancelCause(ctx)
	defer b.release(ctx, key, holder)
	var keeper sync.WaitGroup
	defer keeper.Wait()
	defer lose(nil)
	keeper.Go(func() { b.keep(held, lose, key, holder, since) })
	return do(held)
}

// keep makes the turn last longer, from time to time, until ctx ends.
func (b *Backend) keep(ctx context.Context, lose context.CancelCauseFunc, key session.Key, holder string, since time.Time) {
	every := time.NewTicker(b.lease / 5)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.ctx.Done():
			lose(session.ErrClosed)
			return
		case <-every.C:
		}
		asked := time.Now()
		part, cancel := context.WithTimeout(ctx, b.lease/5)
		result, err := b.run(part, holdScript, b.turnKey(key), holder, b.lease.Milliseconds())
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && result == int64(1):
			since = asked
		case err == nil, time.Since(since) > b.lease*4/5:
			lose(errTurnLost)
			return
		}
	}
}

// release ends a turn, although the request may have gone. If that fails, the lease
// ends it.
func (b *Backend) release(ctx context.Context, key session.Key, holder string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*ioTimeout)
	defer cancel()
	_, _ = b.run(ctx, releaseScript, b.turnKey(key), holder, b.channelFreed(), key[:])
}

// waiting are those who wait for turns here, to be woken.
type waiting struct {
	mu    sync.Mutex
	chans map[session.Key]map[chan struct{}]struct{}
}

func (w *waiting) join(key session.Key) (freed <-chan struct{}, leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	own := make(chan struct{}, 1)
	if w.chans == nil {
		w.chans = make(map[session.Key]map[chan struct{}]struct{})
	}
	if w.chans[key] == nil {
		w.chans[key] = make(map[chan struct{}]struct{})
	}
	w.chans[key][own] = struct{}{}
	return own, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if delete(w.chans[key], own); len(w.chans[key]) == 0 {
			delete(w.chans, key)
		}
	}
}

// wake has those who wait for a turn look now. One of them gets it.
func (w *waiting) wake(key session.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for own := range w.chans[key] {
		select {
		case own <- struct{}{}:
		default:
		}
	}
}
