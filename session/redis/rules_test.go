package redis_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/redis"
	"github.com/claimproxy/claimproxy/session/storetest"
)

// onClock is a backend under the suite's clock. Redis removes what is over by its own,
// which cannot be set, so a sweep does here what time would do there.
type onClock struct {
	*redis.Backend
	client *goredis.Client
	prefix string
}

func (b onClock) Sweep(ctx context.Context, now time.Time) (int, error) {
	if n, err := b.Backend.Sweep(ctx, now); err != nil {
		return n, err
	}
	n := 0
	sessions := b.client.Scan(ctx, 0, b.prefix+"session:*", 1000).Iterator()
	for sessions.Next(ctx) {
		ends, err := b.client.HGet(ctx, sessions.Val(), "e").Int64()
		if err != nil {
			return n, err
		}
		if time.UnixMilli(ends).Before(now) {
			if err := b.Delete(ctx, keyIn(sessions.Val())); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, sessions.Err()
}

// keyIn is the session's key in the name of a key of Redis.
func keyIn(name string) (key session.Key) {
	const digits = "0123456789abcdef"
	text := name[strings.LastIndexByte(name, ':')+1:]
	for i := range key {
		key[i] = byte(strings.IndexByte(digits, text[2*i])<<4 | strings.IndexByte(digits, text[2*i+1]))
	}
	return key
}

func TestRedisKeepsTheRules(t *testing.T) {
	s := sharedServer(t)
	storetest.RunTests(t, func(t *testing.T) session.Backend {
		p := prefix()
		return onClock{open(t, redis.Options{Addrs: []string{s.addr}, Prefix: p}), s.client(t), p}
	})
}

var base = time.Now().Truncate(time.Millisecond)

func key(n byte) session.Key { return session.Key{9, n} }

func entry(text string, life time.Duration, tags ...session.Tag) session.Entry {
	return session.Entry{Head: []byte("head of " + text), Box: []byte("box of " + text), Ends: time.Now().Add(life), Tags: tags}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// life is how long Redis is going to keep a key.
func life(t *testing.T, c *goredis.Client, name string) time.Duration {
	t.Helper()
	d, err := c.PTTL(t.Context(), name).Result()
	must(t, err)
	return d
}

func wantLife(t *testing.T, c *goredis.Client, name string, least, most time.Duration) {
	t.Helper()
	if d := life(t, c, name); d < least || d > most {
		t.Errorf("%s lives for %s, want %s to %s", strings.SplitN(name, ":", 4)[2], d, least, most)
	}
}

// Nothing stays in Redis for good, whatever becomes of claimproxy.
func TestEverythingInRedisEndsByItself(t *testing.T) {
	s := sharedServer(t)
	c, p := s.client(t), prefix()
	b := open(t, redis.Options{Addrs: []string{s.addr}, Prefix: p})
	tag := session.Tag{1}
	must(t, b.Create(t.Context(), key(1), entry("a", time.Hour, tag)))
	name, set := p+"session:"+key(1).String(), p+"tag:"+session.Key(tag).String()
	wantLife(t, c, name, time.Hour, time.Hour+2*time.Minute)
	wantLife(t, c, set, time.Hour, 26*time.Hour)

	must(t, b.Touch(t.Context(), key(1), []byte("h"), time.Now().Add(40*time.Hour)))
	wantLife(t, c, name, 39*time.Hour, 41*time.Hour)
	wantLife(t, c, set, 40*time.Hour, 65*time.Hour)

	e := entry("b", 80*time.Hour)
	e.Revision = 1
	must(t, b.Replace(t.Context(), key(1), e))
	wantLife(t, c, name, 79*time.Hour, 81*time.Hour)
	wantLife(t, c, set, 80*time.Hour, 105*time.Hour)

	must(t, b.Exclusive(t.Context(), key(1), func(context.Context) error {
		names, err := c.Keys(t.Context(), p+"*").Result()
		must(t, err)
		for _, n := range names {
			if life(t, c, n) <= 0 {
				t.Errorf("%s lives for ever", n)
			}
		}
		if len(names) != 3 {
			t.Errorf("got %d keys, want a session, a set and a turn: %q", len(names), names)
		}
		return nil
	}))
}

// What Redis has removed by itself is gone like anything else.
func TestSessionThatRedisHasRemovedIsGone(t *testing.T) {
	s := sharedServer(t)
	c, p := s.client(t), prefix()
	b := open(t, redis.Options{Addrs: []string{s.addr}, Prefix: p})
	tag := session.Tag{1}
	must(t, b.Create(t.Context(), key(1), entry("a", -time.Hour, tag)))
	if _, err := b.Load(t.Context(), key(1)); err != nil {
		t.Errorf("an entry past its end that was not removed yet: got %v", err)
	}
	must(t, c.PExpire(t.Context(), p+"session:"+key(1).String(), time.Millisecond).Err())
	waitFor(t, "the end", func() bool {
		_, err := b.Load(t.Context(), key(1))
		return errors.Is(err, session.ErrNotFound)
	})
	e := entry("late", time.Hour)
	e.Revision = 1
	if err := b.Replace(t.Context(), key(1), e); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Replace: got %v", err)
	}
	if err := b.Touch(t.Context(), key(1), nil, base); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Touch: got %v", err)
	}
	if keys, err := b.Find(t.Context(), tag); err != nil || len(keys) != 0 {
		t.Errorf("Find: got %d keys, %v", len(keys), err)
	}
	if n := c.Exists(t.Context(), p+"tag:"+session.Key(tag).String()).Val(); n != 0 {
		t.Error("the set outlives its only member, which Find has seen gone")
	}
}

// Somebody who signs in daily and never out does not make a set grow for ever.
func TestSetsForgetSessionsThatAreGone(t *testing.T) {
	s := sharedServer(t)
	c, p := s.client(t), prefix()
	b := open(t, redis.Options{Addrs: []string{s.addr}, Prefix: p})
	tag := session.Tag{1}
	set := p + "tag:" + session.Key(tag).String()
	for n := range 200 {
		k := session.Key{byte(n), 7}
		must(t, b.Create(t.Context(), k, entry("a", time.Hour, tag)))
		must(t, c.Del(t.Context(), p+"session:"+k.String()).Err())
	}
	if n := c.SCard(t.Context(), set).Val(); n > 80 {
		t.Errorf("the set has %d members of which none is there", n)
	}
}

// A command whose answer is lost is sent again, and that must not look like somebody
// else's doing.
func TestWriteThatIsRepeatedIsOneWrite(t *testing.T) {
	s := sharedServer(t)
	p := prefix()
	b := open(t, redis.Options{Addrs: []string{s.addr}, Prefix: p})
	ctx := t.Context()
	r := redis.NewRepeater(b) // sends every script twice and returns the second answer
	defer r.Stop()
	must(t, b.Create(ctx, key(1), entry("a", time.Hour)))
	e := entry("b", time.Hour)
	e.Revision = 1
	must(t, b.Replace(ctx, key(1), e))
	if got, err := b.Load(ctx, key(1)); err != nil || got.Revision != 2 {
		t.Errorf("got revision %d, %v, want 2", got.Revision, err)
	}
	must(t, b.Exclusive(ctx, key(1), func(context.Context) error { return nil }))
	must(t, b.Exclusive(ctx, key(1), func(context.Context) error { return nil }))
	must(t, b.Delete(ctx, key(1)))
}
