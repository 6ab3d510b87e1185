package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/claimproxy/claimproxy/session"
)

var _ session.Checker = (*Backend)(nil)

// Check implements session.Checker: it reads and writes a key of its own, of which
// nothing is left a moment later. In a Cluster that asks one node.
func (b *Backend) Check(ctx context.Context) error {
	key := b.prefix + "check"
	err := b.ask(ctx, func() error {
		if err := b.client.Get(ctx, key).Err(); !errors.Is(err, redis.Nil) {
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = b.ask(ctx, func() error { return b.client.Set(ctx, key, "1", time.Second).Err() })
	if err != nil {
		return fmt.Errorf("%w: %w", session.ErrNotKept, err)
	}
	return nil
}
