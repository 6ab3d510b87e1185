package redis

import (
	"context"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// Repeater sends every script twice, as a client does that has not heard the first
// answer.
type Repeater struct{ off atomic.Bool }

// NewRepeater makes the backend's client repeat.
func NewRepeater(b *Backend) *Repeater {
	r := &Repeater{}
	b.client.AddHook(r)
	return r
}

// Stop ends it.
func (r *Repeater) Stop() { r.off.Store(true) }

// DialHook implements redis.Hook.
func (r *Repeater) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (r *Repeater) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements redis.Hook.
func (r *Repeater) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !r.off.Load() && strings.HasPrefix(cmd.Name(), "eval") {
			if err := next(ctx, cmd); err != nil {
				return err
			}
		}
		return next(ctx, cmd)
	}
}

// Explain is explain.
var Explain = explain
