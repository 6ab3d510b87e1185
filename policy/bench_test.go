package policy

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkDecide measures one decision on four conditions. It must not depend on
// the number of groups. A shadow is a second decision; an expression runs in a
// machine of its own and is the one kind of condition that costs more.
func BenchmarkDecide(b *testing.B) {
	shadow := text("groups contains teams/staff and email_verified is true")
	set, faults := Compile([]Definition{
		{Name: "staff", Require: Clause{Text: "groups contains any of [teams/none, teams/staff]"}},
		{Name: "invent", Require: text("groups contains teams/staff"), Providers: []string{"invent", "kde"}},
		{Name: "tried", Require: text("groups contains teams/staff"), Shadow: &shadow},
	})
	if len(faults) > 0 {
		b.Fatal(faults)
	}
	for _, v := range []struct {
		name   string
		clause Clause
	}{
		{"", text("email_verified is true and policy staff and acr is one of [silver, gold] and not groups contains teams/suspended")},
		{"providers/", text("email_verified is true and policy invent and acr is one of [silver, gold] and not groups contains teams/suspended")},
		{"shadow/", text("email_verified is true and policy tried and acr is one of [silver, gold] and not groups contains teams/suspended")},
		{"within/", text("email_verified is true and policy staff and auth_time within 12h and not groups contains teams/suspended")},
		{"matches/", text("email_verified is true and policy staff and email matches /^[a-z.]+@kde\\.org$/ and not groups contains teams/suspended")},
		{"expression/", Clause{All: []Clause{text("email_verified is true and policy staff and acr is gold"), {Expr: `claims.level >= 3 and request.method == "GET"`}}}},
		{"expression-groups/", Clause{Expr: `any(claims.groups, # == "teams/staff")`}},
	} {
		rule := mustRule(b, set, v.clause)
		for _, groups := range []int{5, 500} {
			caller := Caller{User: true, Now: time.Unix(1_700_000_000, 0), Request: Request{Method: "GET"}, Claims: Index(map[string]any{
				"groups": manyGroups(groups, "teams/staff"), "email_verified": true, "acr": "gold", "provider": "kde",
				"auth_time": 1_699_999_000, "email": "jane.doe@kde.org", "level": 5,
			})}
			b.Run(fmt.Sprintf("%sgroups=%d", v.name, groups), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if rule.Decide(caller).Outcome != Allow {
						b.Fatal("denied")
					}
				}
			})
		}
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
		switch i % 10 {
		case 1:
			defs[i].Providers = []string{"invent"}
		case 2:
			shadow := text("groups contains teams/new and auth_time within 12h")
			defs[i].Shadow = &shadow
		case 3:
			defs[i].Require = text(fmt.Sprintf("email matches /^[a-z]+@team%d\\.kde\\.org$/", i))
		}
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

// BenchmarkCompileExpressions measures a configuration with 100 expressions.
func BenchmarkCompileExpressions(b *testing.B) {
	defs := make([]Definition, 100)
	for i := range defs {
		defs[i] = Definition{Name: fmt.Sprintf("p%d", i), Require: Clause{Expr: fmt.Sprintf(`any(claims.groups, # startsWith "teams/t%d") and request.method in ["GET", "HEAD"]`, i)}}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, faults := Compile(defs); len(faults) > 0 {
			b.Fatal(faults)
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
