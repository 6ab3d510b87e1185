package redis_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/redis"
	"github.com/claimproxy/claimproxy/session/storetest"
)

// BenchmarkRedis is what a Redis on this machine does in a second, as it is by itself:
// without an append-only file.
func BenchmarkRedis(b *testing.B) {
	needServer(b)
	s := startServer(b)
	storetest.RunBenchmarks(b, func(b *testing.B) session.Backend {
		return openNow(b, redis.Options{Addrs: []string{s.addr}, Prefix: prefix()})
	})
}

// BenchmarkRedisMemory is what Redis takes for a session.
func BenchmarkRedisMemory(b *testing.B) {
	needServer(b)
	s := startServer(b)
	backend, client := openNow(b, redis.Options{Addrs: []string{s.addr}, Prefix: prefix()}), s.client(b)
	const n = 10000
	used := func() int {
		info, err := client.InfoMap(context.Background(), "memory").Result()
		if err != nil {
			b.Fatal(err)
		}
		var bytes int
		for _, c := range info["Memory"]["used_memory"] {
			bytes = 10*bytes + int(c-'0')
		}
		return bytes
	}
	before := used()
	for i := range n {
		key := session.Key(sha256.Sum256([]byte{byte(i), byte(i >> 8)}))
		e := session.Entry{Head: make([]byte, 250), Box: make([]byte, 1250), Ends: time.Now().Add(time.Hour), Tags: []session.Tag{session.Tag(key), {1: byte(i)}}}
		if err := backend.Create(b.Context(), key, e); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
	}
	b.ReportMetric(float64(used()-before)/n, "redis-B/session")
}
