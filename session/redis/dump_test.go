package redis_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claimproxy/claimproxy/session/redis"
)

// dump is everything that a Redis holds, in plain bytes.
func dump(t *testing.T, c *goredis.Client) []byte {
	t.Helper()
	var all bytes.Buffer
	ctx := t.Context()
	names, err := c.Keys(ctx, "*").Result()
	must(t, err)
	for _, name := range names {
		all.WriteString(name + "\n")
		var values []string
		switch kind := c.Type(ctx, name).Val(); kind {
		case "hash":
			for k, v := range c.HGetAll(ctx, name).Val() {
				values = append(values, k, v)
			}
		case "set":
			values = c.SMembers(ctx, name).Val()
		case "string":
			values = append(values, c.Get(ctx, name).Val())
		default:
			t.Fatalf("%s is a %s, which this test cannot read", name, kind)
		}
		for _, v := range values {
			all.WriteString(v + "\n")
		}
	}
	return all.Bytes()
}

// Whoever reads all of Redis, and all that is published, has nothing to sign in with
// and learns nobody's name or claims.
func TestRedisDumpOpensNothing(t *testing.T) {
	s := startServer(t)
	c := s.client(t)
	ctx := t.Context()
	heard := c.PSubscribe(ctx, "*")
	defer heard.Close()
	_, err := heard.Receive(ctx)
	must(t, err)

	b := open(t, redis.Options{Addrs: []string{s.addr}})
	store := replica(t, b)
	cookie, gone := signIn(t, store, "jane"), signIn(t, store, "jane")
	rec, err := store.Record(requestWith(cookie))
	must(t, err)
	rec.FormerRefreshToken, rec.RefreshToken = rec.RefreshToken, "refresh-token-rotated"
	must(t, store.Update(requestWith(cookie), rec))
	signOut(t, store, gone)
	var raw []byte
	must(t, b.Exclusive(ctx, key(1), func(context.Context) error {
		raw = dump(t, c)
		return nil
	}))
	for {
		got, err := heard.ReceiveTimeout(ctx, 300*time.Millisecond)
		if err != nil {
			break
		}
		if m, ok := got.(*goredis.Message); ok {
			raw = append(append(raw, m.Channel...), m.Payload...)
		}
	}
	if !bytes.Contains(raw, []byte("claimproxy:changed")) || !bytes.Contains(raw, []byte("claimproxy:session:")) {
		t.Fatal("the dump shows too little to tell anything")
	}
	for _, cookie := range []string{cookie, gone} {
		handle, err := base64.RawURLEncoding.DecodeString(cookie)
		must(t, err)
		id, key := handle[1:17], handle[17:]
		for what, needle := range map[string][]byte{
			"the access token": []byte("access-token"), "the refresh token": []byte("refresh-token"), "the ID token": []byte("id-token"),
			"a group": []byte("kde-developers"), "the e-mail address": []byte("example.org"), "the name": []byte("jane"), "the sid": []byte("sid-of"),
			"the provider": []byte("invent"), "the cookie": []byte(cookie), "the id": id, "the key": key,
			"the id in hex": []byte(hex.EncodeToString(id)), "the key in hex": []byte(hex.EncodeToString(key)),
			"the id in base64": []byte(base64.RawStdEncoding.EncodeToString(id)), "half the key": key[:16], "the secret": []byte("that all replicas have"),
		} {
			if bytes.Contains(raw, needle) {
				t.Errorf("%s is in Redis", what)
			}
		}
	}
	// A cookie made of everything that Redis holds is no cookie.
	for at := 0; at+48 <= len(raw); at += 8 {
		forged := base64.RawURLEncoding.EncodeToString(append([]byte{1}, raw[at:at+48]...))
		if got := outcome(store, forged); got == "" {
			t.Fatalf("bytes %d to %d of Redis signed somebody in", at, at+48)
		}
	}
	want(t, store, cookie, "")
}

// Whoever may write to Redis cannot make one person's session another's, and not raise
// one that he has a copy of under another id.
func TestSessionsInRedisCannotBeExchanged(t *testing.T) {
	s := sharedServer(t)
	c, p := s.client(t), prefix()
	store := replica(t, open(t, redis.Options{Addrs: []string{s.addr}, Prefix: p}))
	jane, john := signIn(t, store, "jane"), signIn(t, store, "john")
	names, err := c.Keys(t.Context(), p+"session:*").Result()
	if err != nil || len(names) != 2 {
		t.Fatalf("got %d sessions, %v", len(names), err)
	}
	for _, field := range []string{"h", "b"} {
		x, y := c.HGet(t.Context(), names[0], field).Val(), c.HGet(t.Context(), names[1], field).Val()
		must(t, c.HSet(t.Context(), names[0], field, y).Err())
		must(t, c.HSet(t.Context(), names[1], field, x).Err())
		for _, cookie := range []string{jane, john} {
			if id, err := store.Identify(requestWith(cookie)); err == nil {
				t.Errorf("with the other's %q the session is %q's", field, id.Subject)
			}
		}
		must(t, c.HSet(t.Context(), names[0], field, x).Err())
		must(t, c.HSet(t.Context(), names[1], field, y).Err())
	}
	want(t, store, jane, "")
	for field, bad := range map[string]string{"e": "soon", "r": "one", "h": "", "b": strings.Repeat("x", 100), "t": "y"} {
		name := names[0]
		good := c.HGet(t.Context(), name, field).Val()
		must(t, c.HSet(t.Context(), name, field, bad).Err())
		fresh := replica(t, open(t, redis.Options{Addrs: []string{s.addr}, Prefix: p}))
		for _, cookie := range []string{jane, john} {
			_, err := fresh.Identify(requestWith(cookie))
			_ = err // whatever it says, it has not panicked
		}
		must(t, c.HSet(t.Context(), name, field, good).Err())
	}
}
