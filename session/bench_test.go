package session_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/storetest"
)

// withGroups returns a record of somebody who is in n groups.
func withGroups(n int) *session.Record {
	rec := storetest.Person("jane")
	groups := make([]any, n)
	for i := range groups {
		groups[i] = fmt.Sprintf("organisation/team-%d", i)
	}
	rec.Identity.Claims["groups"] = groups
	return rec
}

func start(b *testing.B, s *session.Store, groups int) string {
	w := httptest.NewRecorder()
	if err := s.Start(w, requestWith(""), withGroups(groups)); err != nil {
		b.Fatal(err)
	}
	return w.Result().Cookies()[0].Value
}

// BenchmarkIdentify is what a session costs a request that finds it in memory.
func BenchmarkIdentify(b *testing.B) {
	s := openStore(b, openFile(b, b.TempDir()))
	r := requestWith(start(b, s, 5))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Identify(r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIdentifyOnAnotherHost is with a cookie that is sealed for its host.
func BenchmarkIdentifyOnAnotherHost(b *testing.B) {
	s := openStore(b, openFile(b, b.TempDir()))
	pass, err := s.Pass(requestWith(start(b, s, 5)))
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "https://wiki.example.net/", nil)
	w := httptest.NewRecorder()
	if err := s.Adopt(w, r, pass); err != nil {
		b.Fatal(err)
	}
	r.AddCookie(w.Result().Cookies()[0])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Identify(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIdentifyParallel(b *testing.B) {
	s := openStore(b, openFile(b, b.TempDir()))
	cookie := start(b, s, 5)
	b.RunParallel(func(pb *testing.PB) {
		r := requestWith(cookie)
		for pb.Next() {
			if _, err := s.Identify(r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkIdentifyOpen is the first request of a session after a restart.
func BenchmarkIdentifyOpen(b *testing.B) {
	for _, groups := range []int{5, 500} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			s := openStore(b, openFile(b, b.TempDir()), func(o *session.StoreOptions) { o.CacheBytes = 1 })
			r := requestWith(start(b, s, groups))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Identify(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStart is one login after the other, each waiting for the disk.
func BenchmarkStart(b *testing.B) {
	for _, groups := range []int{5, 500} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			s := openStore(b, openFile(b, b.TempDir()))
			for b.Loop() {
				start(b, s, groups)
			}
		})
	}
}

// BenchmarkStartParallel is 64 logins at a time, which share commits.
func BenchmarkStartParallel(b *testing.B) {
	s := openStore(b, openFile(b, b.TempDir()))
	b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			start(b, s, 5)
		}
	})
}

// BenchmarkOpenFile is a start with many sessions, and what each of them takes.
func BenchmarkOpenFile(b *testing.B) {
	const sessions = 10000
	dir := b.TempDir()
	f := openFile(b, dir)
	s := openStore(b, f)
	done := make(chan error)
	for range 100 {
		go func() {
			var err error
			for i := 0; i < sessions/100 && err == nil; i++ {
				err = s.Start(httptest.NewRecorder(), requestWith(""), withGroups(5))
			}
			done <- err
		}()
	}
	for range 100 {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "sessions.db"))
	if err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		f, err := session.OpenFile(session.FileOptions{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/sessions, "heap-B/session")
	b.ReportMetric(float64(info.Size())/sessions, "disk-B/session")
}

// BenchmarkFile is what the file does in a second; new, renew, use and end are on the disk
// by then.
func BenchmarkFile(b *testing.B) {
	storetest.RunBenchmarks(b, func(b *testing.B) session.Backend { return openFile(b, b.TempDir()) })
}
