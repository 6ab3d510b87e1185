package session_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/claimproxy/claimproxy/session"
)

// BenchmarkGrowthSessions is what a session costs a request beside others: with a million
// in the file, those that were used lately are found in memory, and the others are opened.
// The million takes minutes to make; CLAIMPROXY_SESSIONS=100000 leaves it out.
func BenchmarkGrowthSessions(b *testing.B) {
	for _, n := range []int{1, 1_000, 100_000, 1_000_000} {
		if n > mostSessions(b) {
			continue
		}
		var f *session.File
		whole := b // the file is closed when both are done
		for _, lately := range []bool{true, false} {
			name := map[bool]string{true: "lately", false: "opened"}[lately]
			b.Run(fmt.Sprintf("sessions=%d/%s", n, name), func(b *testing.B) {
				if f == nil {
					f = openFile(whole, whole.TempDir())
					crowd(b, f, n)
				}
				s := openStore(b, f, func(o *session.StoreOptions) {
					if !lately {
						o.CacheBytes = 1
					}
				})
				requests := make([]*http.Request, min(n, 1_000))
				var all sync.WaitGroup
				for w := range min(n, 100) {
					all.Go(func() {
						for i := w; i < len(requests); i += 100 {
							requests[i] = requestWith(start(b, s, 5))
						}
					})
				}
				all.Wait()
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if _, err := s.Identify(requests[i*7919%len(requests)]); err != nil {
						b.Fatal(err)
					}
					i++
				}
			})
		}
	}
}
