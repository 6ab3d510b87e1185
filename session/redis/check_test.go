package redis_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/redis"
)

// Those who watch over it hear how it stands with a Redis: one that has no memory left
// says who is signed in, one that is away says nothing.
func TestRedisTellsHowItStands(t *testing.T) {
	s := startServer(t)
	b := openNow(t, redis.Options{Addrs: []string{s.addr}, Prefix: prefix()})
	client := s.client(t)
	if err := b.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
	if err := client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := b.Check(t.Context()); !errors.Is(err, session.ErrNotKept) || !strings.Contains(err.Error(), "redis answers OOM") {
		t.Errorf("without memory: got %v", err)
	}
	if err := client.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	if err := b.Check(t.Context()); err != nil {
		t.Errorf("with memory again: %v", err)
	}
	s.kill()
	if err := b.Check(t.Context()); err == nil || errors.Is(err, session.ErrNotKept) {
		t.Errorf("away: got %v, want an error that does not say that sessions can be looked up", err)
	}
	s.start(t)
	waitFor(t, "it is well again", func() bool { return b.Check(t.Context()) == nil })
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Check(t.Context()); !errors.Is(err, session.ErrClosed) {
		t.Errorf("closed: got %v", err)
	}
}
