package bearer_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/claimproxy/claimproxy/session"
)

// finds counts tokens that were found in the cache.
type finds struct{ found, lookedUp atomic.Int64 }

func (f *finds) LookedUp(string, string, string)     { f.lookedUp.Add(1) }
func (f *finds) Found(string, string, string) func() { return func() { f.found.Add(1) } }

// BenchmarkGrowthTokens is what a token costs a request beside others that come as often.
// What does not fit the memory that tokens may take is checked again: found-% says how
// many were found.
func BenchmarkGrowthTokens(b *testing.B) {
	for _, n := range []int{1, 100, 1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("tokens=%d", n), func(b *testing.B) {
			var told finds
			r := start(b, func(s *setup) { s.verifier.Observer = &told })
			shown := make([]session.Presented, n)
			for i := range shown {
				shown[i] = session.Presented{Token: r.sign(map[string]any{"jti": fmt.Sprint(i), "groups": manyGroups(5)}), Host: "api.example", Path: "/x"}
			}
			verify := func(i int) {
				if _, err := r.v.Verify(b.Context(), shown[i]); err != nil {
					b.Fatal(err)
				}
			}
			for i := range 2 * n { // once is not enough to be remembered
				verify(i % n)
			}
			told.found.Store(0)
			told.lookedUp.Store(0)
			b.ReportAllocs()
			for b.Loop() {
				verify(rand.IntN(n))
			}
			found := told.found.Load()
			b.ReportMetric(100*float64(found)/float64(found+told.lookedUp.Load()), "found-%")
		})
	}
}
