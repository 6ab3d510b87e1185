package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestUsesTellsHowClaimsAreLookedAt(t *testing.T) {
	set, faults := Compile([]Definition{
		{Name: "developers", Require: text("groups contains any of [teams/b, teams/a] and not groups contains teams/suspended")},
		{Name: "old", Require: text("email ends with @kde.org or realm_access.roles contains admin"), Shadow: new(text("acr is silver"))},
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for condition, want := range map[string]map[string]Use{
		"public":            {},
		"policy developers": {"groups": {Texts: []string{"teams/a", "teams/b", "teams/suspended"}}},
		"policy old or groups is present": {
			"email": {Texts: []string{"@kde.org"}}, "realm_access": {Texts: []string{"admin"}}, "groups": {}, "acr": {Texts: []string{"silver"}},
		},
	} {
		got := mustRule(t, set, text(condition)).Uses()
		for name, use := range got {
			if len(use.Texts) == 0 {
				got[name] = Use{Whole: use.Whole}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", condition, diff)
		}
	}
	rule, faults := set.Rule(Clause{Expr: `len(claims.groups) > 3`})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if use := rule.Uses()["groups"]; !use.Whole {
		t.Errorf("an expression: got %+v, want that it looks at all", use)
	}
	if uses := (*Rule)(nil).Uses(); len(uses) != 0 {
		t.Errorf("nobody: got %v", uses)
	}
}

// TestWhatIsNotUsedDecidesNothing: without claims that a rule does not use, and with lists
// that are cut to what it compares them with, every decision is the same.
func TestWhatIsNotUsedDecidesNothing(t *testing.T) {
	for seed := range uint64(300) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 2))}
		p := g.policy()
		d := Definition{Name: "p0", Require: text(p.require.print()), Providers: p.providers}
		if p.shadow != nil {
			shadow := text(p.shadow.print())
			d.Shadow = &shadow
		}
		set, faults := Compile([]Definition{d})
		if len(faults) > 0 {
			t.Fatalf("seed %d: %v", seed, faults[0])
		}
		g.policies = 1
		rule := mustRule(t, set, text(g.condition(3).print()))
		uses := rule.Uses()
		for range 20 {
			all, used := g.claims(), map[string]any{}
			for name, use := range uses {
				v, there := all[name]
				if list, ok := v.([]any); ok && !use.Whole {
					v = slices.DeleteFunc(slices.Clone(list), func(e any) bool { s, ok := e.(string); return !ok || !slices.Contains(use.Texts, s) })
				}
				if there {
					used[name] = v
				}
			}
			now := time.Unix(refNow, 0)
			want, got := rule.Decide(Caller{Claims: Index(all), Now: now}), rule.Decide(Caller{Claims: Index(used), Now: now})
			if fmt.Sprint(want.Outcome, want.Shadow == nil) != fmt.Sprint(got.Outcome, got.Shadow == nil) ||
				want.Shadow != nil && want.Shadow.Outcome != got.Shadow.Outcome {
				t.Fatalf("seed %d: %s\nfor %v got %v, with %v alone %v", seed, rule, all, want.Outcome, used, got.Outcome)
			}
		}
	}
}
