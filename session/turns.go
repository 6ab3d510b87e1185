package session

import (
	"context"
	"sync"
)

// turns lets one at a time work on a session, in one process. The zero value is ready.
type turns struct {
	mu    sync.Mutex
	taken map[Key]*turn
}

// turn is a session that is being worked on. Whoever holds the one token of free has
// the turn.
type turn struct {
	free    chan struct{}
	holders int // who has it and who waits for it
}

func (t *turns) exclusive(ctx context.Context, key Key, do func(context.Context) error) error {
	own := t.join(key)
	defer t.leave(key, own)
	select {
	case <-own.free:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { own.free <- struct{}{} }()
	return do(ctx)
}

func (t *turns) join(key Key) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.taken[key]
	if own == nil {
		own = &turn{free: make(chan struct{}, 1)}
		own.free <- struct{}{}
		if t.taken == nil {
			t.taken = make(map[Key]*turn)
		}
		t.taken[key] = own
	}
	own.holders++
	return own
}

func (t *turns) leave(key Key, own *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if own.holders--; own.holders == 0 {
		delete(t.taken, key)
	}
}
