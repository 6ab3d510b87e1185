package policy

import (
	"fmt"
	"testing"
)

// BenchmarkDecide measures one decision on four conditions. It must not depend on
// the number of groups.
func BenchmarkDecide(b *testing.B) {
	set, faults := Compile([]Definition{
		{Name: "staff", Require: Clause{Text: "groups contains any of [teams/none, teams/staff]"}},
	})
	if len(faults) > 0 {
		b.Fatal(faults)
	}
	rule, faults := set.Rule(Clause{Text: "email_verified is true and policy staff and acr is one of [silver, gold] and not groups contains teams/suspended"})
	if len(faults) > 0 {
		b.Fatal(faults)
	}
	for _, groups := range []int{5, 500} {
		caller := Caller{User: true, Claims: Index(map[string]any{
			"groups": manyGroups(groups, "teams/staff"), "email_verified": true, "acr": "gold",
		})}
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if rule.Decide(caller).Outcome != Allow {
					b.Fatal("denied")
				}
			}
		})
	}
}

// BenchmarkRefuse measures a denial with its explanation.
func BenchmarkRefuse(b *testing.B) {
	set, _ := Compile(nil)
	rule, faults := set.Rule(Clause{Text: "groups contains teams/kde-developers"})
	if len(faults) > 0 {
		b.Fatal(faults)
	}
	for _, groups := range []int{5, 500} {
		caller := Caller{User: true, Claims: Index(map[string]any{"groups": manyGroups(groups, "teams/other")})}
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if rule.Decide(caller).Outcome != Deny {
					b.Fatal("allowed")
				}
			}
		})
	}
}

// BenchmarkIndex measures what admitting a session or token costs, once.
func BenchmarkIndex(b *testing.B) {
	for _, groups := range []int{5, 500} {
		claims := map[string]any{"groups": manyGroups(groups, "teams/staff"), "email_verified": true, "acr": "gold", "email": "jane@kde.org"}
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Index(claims)
			}
		})
	}
}

// BenchmarkCompile measures a large configuration: 1,000 policies and 1,000
// routes, half of which name a policy and half of which have a condition.
func BenchmarkCompile(b *testing.B) {
	const n = 1000
	defs := make([]Definition, n)
	clauses := make([]Clause, n)
	for i := range n {
		defs[i] = Definition{Name: fmt.Sprintf("p%d", i), Require: Clause{Text: fmt.Sprintf("groups contains teams/t%d and email_verified is true", i)}}
		clauses[i] = Clause{Text: fmt.Sprintf("p%d", i)}
		if i%2 == 0 {
			clauses[i] = Clause{Text: fmt.Sprintf("policy p%d or groups contains any of [teams/a%d, teams/b]", i, i)}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		set, faults := Compile(defs)
		if len(faults) > 0 {
			b.Fatal(faults)
		}
		for _, c := range clauses {
			if _, faults := set.Rule(c); len(faults) > 0 {
				b.Fatal(faults)
			}
		}
	}
}

// manyGroups returns n groups, the last of which is the given one.
func manyGroups(n int, last string) []any {
	groups := make([]any, n)
	for i := range groups {
		groups[i] = fmt.Sprintf("teams/group-%04d", i)
	}
	groups[n-1] = last
	return groups
}
