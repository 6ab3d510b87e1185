package session_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/claimproxy/claimproxy/session"
)

// crowd fills a file with n sessions of 1.5 KB, each with a tag of its own and one of all
// that have the same remainder by a hundred.
func crowd(t testing.TB, f *session.File, n int) {
	t.Helper()
	const writers = 256
	var all sync.WaitGroup
	failed := make(chan error, writers)
	for w := range writers {
		all.Go(func() {
			for i := w; i < n; i += writers {
				if err := f.Create(context.Background(), keyOf(i), entryOf(i)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}
}

func keyOf(i int) session.Key {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
}

func tagOf(i int) session.Tag { return session.Tag(keyOf(-1 - i)) }

func entryOf(i int) session.Entry {
	box := make([]byte, 1250)
	binary.BigEndian.PutUint64(box, uint64(i))
	return session.Entry{
		Head: make([]byte, 250), Box: box, Ends: time.UnixMilli(int64(1e12) + int64(i)),
		Tags: []session.Tag{tagOf(1000 + i), tagOf(i % 100)},
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestFileTakesNoMoreMemoryThanItMay: of 12,000 sessions with 18 MB those are in memory
// that were used last, and all of them are there.
func TestFileTakesNoMoreMemoryThanItMay(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 12,000 sessions")
	}
	const n, bound = 12000, 4 << 20
	dir := t.TempDir()
	open := func() *session.File {
		f, err := session.OpenFile(session.FileOptions{Dir: dir, MemoryBytes: bound})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f, before := open(), heap()
	crowd(t, f, n)
	look := func() {
		t.Helper()
		for i := range n {
			if e, err := f.Load(t.Context(), keyOf(i)); err != nil || binary.BigEndian.Uint64(e.Box) != uint64(i) || len(e.Tags) != 2 {
				t.Fatalf("session %d: got %v", i, err)
			}
		}
		// The page tables of bbolt take some, and what is freed comes later.
		if after := heap(); after > before+bound+bound/2 {
			t.Errorf("%d sessions take %d KiB, want no more than %d", n, (after-before)>>10, bound>>10)
		}
		if keys, err := f.Find(t.Context(), tagOf(7)); err != nil || len(keys) != n/100 {
			t.Errorf("got %d sessions with the tag and %v, want %d", len(keys), err, n/100)
		}
	}
	look()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = open()
	defer f.Close()
	if after := heap(); after > before+1<<20 {
		t.Errorf("after a start that nobody has come to yet: %d sessions take %d KiB, want next to nothing", n, (after-before)>>10)
	}
	look()
	if swept, err := f.Sweep(t.Context(), time.UnixMilli(1e12+n/2)); err != nil || swept != n/2 {
		t.Errorf("swept %d, %v; want %d", swept, err, n/2)
	}
	if keys, err := f.Find(t.Context(), tagOf(7)); err != nil || len(keys) != n/200 {
		t.Errorf("after a sweep: got %d sessions with the tag and %v, want %d", len(keys), err, n/200)
	}
	if _, err := f.Load(t.Context(), keyOf(0)); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("one that was swept: got %v", err)
	}
}

// TestFileThatIsReadIsNeverOlderThanItsAnswers: whoever reads the file while somebody
// changes or ends a session puts nothing back that is no more.
func TestFileThatIsReadIsNeverOlderThanItsAnswers(t *testing.T) {
	f, err := session.OpenFile(session.FileOptions{Dir: t.TempDir(), MemoryBytes: 8 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const n = 64
	crowd(t, f, n) // far more than there is room for
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				_, _ = f.Load(context.Background(), keyOf(i%n))
			}
		})
	}
	for i := range n {
		e := entryOf(i)
		for rev := uint64(1); rev <= 5; rev++ {
			e.Revision = rev
			if err := f.Replace(t.Context(), keyOf(i), e); err != nil {
				t.Fatal(err)
			}
			if got, err := f.Load(t.Context(), keyOf(i)); err != nil || got.Revision != rev+1 {
				t.Fatalf("got revision %d, %v; want %d", got.Revision, err, rev+1)
			}
		}
		if err := f.Delete(t.Context(), keyOf(i)); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if _, err := f.Load(t.Context(), keyOf(i)); !errors.Is(err, session.ErrNotFound) {
				t.Fatalf("an ended session: got %v", err)
			}
		}
	}
	stop()
	readers.Wait()
}

// TestFileOfTheFormatBefore is read, and finds sessions by their tags.
func TestFileOfTheFormatBefore(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir)
	crowd(t, f, 10)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, func(tx *bbolt.Tx) error {
		return errors.Join(tx.DeleteBucket([]byte("tags")), tx.Bucket([]byte("claimproxy")).Put([]byte("format"), []byte{2}))
	})
	f = openFile(t, dir)
	if keys, err := f.Find(t.Context(), tagOf(3)); err != nil || len(keys) != 1 || keys[0] != keyOf(3) {
		t.Errorf("got %v, %v", keys, err)
	}
}

// mostSessions is a million, or what CLAIMPROXY_SESSIONS says.
func mostSessions(b *testing.B) int {
	n := 1_000_000
	if text := os.Getenv("CLAIMPROXY_SESSIONS"); text != "" {
		if _, err := fmt.Sscan(text, &n); err != nil {
			b.Fatal(err)
		}
	}
	return n
}

// BenchmarkMillionSessions is a file with a million of them (or as many as
// CLAIMPROXY_SESSIONS says), and the memory of the default: what a start takes, and a
// request of somebody who was not here lately.
func BenchmarkMillionSessions(b *testing.B) {
	n := mostSessions(b)
	dir := b.TempDir()
	f, err := session.OpenFile(session.FileOptions{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	begun := time.Now()
	crowd(b, f, n)
	created := time.Since(begun)
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "sessions.db"))
	if err != nil {
		b.Fatal(err)
	}
	before := heap()
	begun = time.Now()
	if f, err = session.OpenFile(session.FileOptions{Dir: dir}); err != nil {
		b.Fatal(err)
	}
	opened := time.Since(begun)
	defer f.Close()
	i := 0
	for b.Loop() {
		if _, err := f.Load(b.Context(), keyOf(i*7919%n)); err != nil {
			b.Fatal(err)
		}
		i++
	}
	begun = time.Now()
	if _, err := f.Sweep(b.Context(), time.UnixMilli(0)); err != nil {
		b.Fatal(err)
	}
	swept := time.Since(begun)
	b.ReportMetric(float64(n)/created.Seconds(), "new/s")
	b.ReportMetric(opened.Seconds(), "s/start")
	b.ReportMetric(swept.Seconds(), "s/sweep")
	b.ReportMetric(float64(info.Size())/float64(n), "disk-B/session")
	b.ReportMetric(float64(heap()-before)/(1<<20), "heap-MiB")
}
