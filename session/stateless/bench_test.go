package stateless_test

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/claimproxy/claimproxy/session/stateless"
)

// BenchmarkIdentify is what a session costs a request: one that finds it in memory, and
// one that has to open its cookies.
func BenchmarkIdentify(b *testing.B) {
	for _, groups := range []int{5, 200} {
		for _, cached := range []bool{true, false} {
			b.Run(fmt.Sprintf("groups=%d/cached=%t", groups, cached), func(b *testing.B) {
				w := newWorld(b, func(o *stateless.Options) {
					if !cached {
						o.CacheBytes = 1
					}
				})
				j := jar{}
				j.signIn(b, w.Store, withGroups(groups))
				r := j.request()
				b.ReportAllocs()
				for b.Loop() {
					if _, err := w.Identify(r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkStart is a login: the sealing, and no disk.
func BenchmarkStart(b *testing.B) {
	for _, groups := range []int{5, 200} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			w := newWorld(b)
			b.ReportAllocs()
			for b.Loop() {
				if err := w.Start(httptest.NewRecorder(), jar{}.request(), withGroups(groups)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A request that finds its session in memory leaves nothing to clean up.
func TestIdentifyFromMemoryDoesNotAllocate(t *testing.T) {
	for _, groups := range []int{5, 200} {
		w := newWorld(t)
		j := jar{}
		j.signIn(t, w.Store, withGroups(groups))
		r := j.request()
		if n := testing.AllocsPerRun(100, func() {
			if _, err := w.Identify(r); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%d groups: %v allocations", groups, n)
		}
	}
}
