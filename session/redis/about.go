package redis

import (
	"context"
	"strings"
)

// About is what a server says about itself (INFO), by the names that it gives: of a
// Cluster, one node. A user with the rights that claimproxy needs may not ask that.
func (b *Backend) About(ctx context.Context) (map[string]string, error) {
	said := make(map[string]string)
	err := b.ask(ctx, func() error {
		text, err := b.client.Info(ctx).Result()
		for line := range strings.Lines(text) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				said[name] = value
			}
		}
		return err
	})
	return said, err
}
