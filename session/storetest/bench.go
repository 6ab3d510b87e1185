package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// RunBenchmarks says what a backend does in a second: one after the other, and by many at
// a time, who share what can be shared. An entry is 1.5 KB, as of somebody in about 20
// groups. open is called for each of them.
func RunBenchmarks(b *testing.B, open func(b *testing.B) session.Backend) {
	var made atomic.Uint64
	key := func() session.Key { return sha256.Sum256(binary.BigEndian.AppendUint64(nil, made.Add(1))) }
	entry := session.Entry{
		Head: make([]byte, 250), Box: make([]byte, 1250), Ends: time.Now().Add(time.Hour), Revision: 1, Tags: []session.Tag{{1}, {2}},
	}
	type step func(ctx context.Context, s session.Backend, k session.Key) error
	create := func(ctx context.Context, s session.Backend, k session.Key) error {
		e := entry
		e.Tags = []session.Tag{session.Tag(k), {2: k[0], 3: k[1]}}
		return s.Create(ctx, k, e)
	}
	for _, bench := range []struct {
		name   string
		before step // is not measured
		do     step
	}{
		{"new", nil, create},
		{"read", create, func(ctx context.Context, s session.Backend, k session.Key) error {
			_, err := s.Load(ctx, k)
			return err
		}},
		{"renew", create, func(ctx context.Context, s session.Backend, k session.Key) error { return s.Replace(ctx, k, entry) }},
		{"use", create, func(ctx context.Context, s session.Backend, k session.Key) error {
			return s.Touch(ctx, k, entry.Head, entry.Ends)
		}},
		{"end", create, func(ctx context.Context, s session.Backend, k session.Key) error { return s.Delete(ctx, k) }},
	} {
		run := func(b *testing.B, s session.Backend, at, n int) {
			keys := make([]session.Key, n)
			for i := range keys {
				keys[i] = key()
			}
			if bench.before != nil {
				inParallel(b, at, keys, func(k session.Key) error { return bench.before(b.Context(), s, k) })
			}
			b.ResetTimer()
			inParallel(b, at, keys, func(k session.Key) error { return bench.do(b.Context(), s, k) })
			b.StopTimer()
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "ops/s")
		}
		b.Run(bench.name+"/alone", func(b *testing.B) { run(b, open(b), 1, b.N) })
		b.Run(bench.name+"/crowd", func(b *testing.B) { run(b, open(b), 64*runtime.GOMAXPROCS(0), b.N) })
	}
}

// inParallel does something with each key, so many at a time.
func inParallel(b *testing.B, at int, keys []session.Key, do func(session.Key) error) {
	b.Helper()
	var next atomic.Int64
	failed := make(chan error, at)
	for range at {
		go func() {
			var err error
			for i := next.Add(1) - 1; i < int64(len(keys)) && err == nil; i = next.Add(1) - 1 {
				err = do(keys[i])
			}
			failed <- err
		}()
	}
	for range at {
		if err := <-failed; err != nil {
			b.Error(err)
		}
	}
}
