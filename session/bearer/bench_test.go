package bearer_test

import (
	"fmt"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
)

func manyGroups(n int) []string {
	groups := make([]string, n)
	for i := range groups {
		groups[i] = fmt.Sprintf("organisation/team-%d", i)
	}
	return groups
}

func benchmark(b *testing.B, r *rig, token string) {
	b.Helper()
	shown := session.Presented{Token: token, Host: "api.example", Path: "/x"}
	if _, err := r.v.Verify(b.Context(), shown); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.v.Verify(b.Context(), shown); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyCached is what each request costs whose token was seen before.
// Groups must not matter; of a JWT, which has them all in it, the hash does.
func BenchmarkVerifyCached(b *testing.B) {
	for _, groups := range []int{5, 500} {
		b.Run(fmt.Sprintf("opaque/groups=%d", groups), func(b *testing.B) {
			r := start(b)
			r.SetPerson(devprovider.Person{Name: "ada", Groups: manyGroups(groups)})
			benchmark(b, r, r.Issue("ada", "web", "openid").AccessToken)
		})
		b.Run(fmt.Sprintf("jwt/groups=%d", groups), func(b *testing.B) {
			r := start(b)
			benchmark(b, r, r.sign(map[string]any{"groups": manyGroups(groups)}))
		})
	}
}

// BenchmarkVerifyJWT is what the first request of a JWT costs that says all.
func BenchmarkVerifyJWT(b *testing.B) {
	for _, algorithm := range []string{"RS256", "ES256"} {
		for _, groups := range []int{5, 500} {
			b.Run(fmt.Sprintf("%s/groups=%d", algorithm, groups), func(b *testing.B) {
				r := start(b, func(s *setup) {
					s.dev.Algorithm = algorithm
					s.provider.Bearer.CacheMax = 0 // nothing is remembered
				})
				benchmark(b, r, r.sign(map[string]any{"groups": manyGroups(groups)}))
			})
		}
	}
}
