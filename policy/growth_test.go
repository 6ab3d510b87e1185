package policy

import (
	"fmt"
	"testing"
)

// BenchmarkGrowthPolicies is one decision beside so many policies: by the last of them, and
// by one that names five others.
func BenchmarkGrowthPolicies(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1_000, 10_000} {
		defs := make([]Definition, n)
		for i := range defs {
			defs[i] = Definition{Name: fmt.Sprintf("p%d", i), Require: text(fmt.Sprintf("groups contains any of [teams/t%d, teams/staff]", i))}
		}
		set, faults := Compile(defs)
		if len(faults) > 0 {
			b.Fatal(faults)
		}
		rule := mustRule(b, set, text(fmt.Sprintf("policy p%d and email_verified is true", n-1)))
		caller := Caller{User: true, Claims: Index(map[string]any{"groups": manyGroups(5, "teams/staff"), "email_verified": true})}
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if rule.Decide(caller).Outcome != Allow {
					b.Fatal("denied")
				}
			}
		})
	}
}

// BenchmarkGrowthGroups is a decision about somebody in so many groups, who is let in by
// one of them or is in none that is asked for; and what their session or token costs when
// it is admitted.
func BenchmarkGrowthGroups(b *testing.B) {
	set, _ := Compile(nil)
	rule := mustRule(b, set, text("groups contains any of [teams/none, teams/staff] and not groups contains teams/suspended"))
	for _, n := range []int{5, 50, 200, 1_000} {
		for name, last := range map[string]string{"let in": "teams/staff", "refused": "teams/other"} {
			claims := map[string]any{"groups": manyGroups(n, last)}
			caller := Caller{User: true, Claims: Index(claims)}
			b.Run(fmt.Sprintf("groups=%d/%s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if (rule.Decide(caller).Outcome == Allow) != (last == "teams/staff") {
						b.Fatal("decided otherwise")
					}
				}
			})
		}
		b.Run(fmt.Sprintf("groups=%d/admitted", n), func(b *testing.B) {
			claims := map[string]any{"groups": manyGroups(n, "teams/staff")}
			b.ReportAllocs()
			for b.Loop() {
				Index(claims)
			}
		})
	}
}
