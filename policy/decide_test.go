package policy

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDecisions(t *testing.T) {
	set, faults := Compile([]Definition{{
		Name: "developers", Title: "KDE developers", Help: "https://kde.org/join",
		Require: text("groups contains teams/kde-developers"),
	}})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	person := func(claims string) Caller { return Caller{Claims: claimsOf(t, claims), User: true} }
	program := func(claims string) Caller { return Caller{Claims: claimsOf(t, claims)} }
	tests := []struct {
		name, rule string
		caller     Caller
		want       Decision
	}{
		{"public lets in whoever is not known", "public", Caller{},
			Decision{Outcome: Allow, Reason: ReasonPublic}},
		{"public lets in whoever is known", "public", person(`{}`),
			Decision{Outcome: Allow, Reason: ReasonPublic}},
		{"nobody refuses whoever is not known, without sending them to sign in", "nobody", Caller{},
			Decision{Outcome: Deny, Reason: ReasonNobody}},
		{"nobody refuses whoever is known", "nobody", person(`{"groups": ["teams/kde-developers"]}`),
			Decision{Outcome: Deny, Reason: ReasonNobody}},
		{"signed-in sends whoever is not known to sign in", "signed-in", Caller{},
			Decision{Outcome: SignIn, Reason: ReasonNoCredentials}},
		{"signed-in lets a person in, whatever the claims", "signed-in", person(`{}`),
			Decision{Outcome: Allow, Reason: ReasonSignedIn}},
		{"signed-in refuses a program without a user", "signed-in", program(`{"client_id": "ci", "auth": "client"}`),
			Decision{Outcome: Deny, Reason: ReasonNotAllowed, Needs: []Need{{Text: "a signed-in person", Have: "a token that names no person"}}}},
		{"a user without claims is nobody known", "signed-in", Caller{User: true},
			Decision{Outcome: SignIn, Reason: ReasonNoCredentials}},
		{"a policy sends whoever is not known to sign in", "developers", Caller{},
			Decision{Outcome: SignIn, Reason: ReasonNoCredentials, Policy: "developers", Title: "KDE developers", Help: "https://kde.org/join"}},
		{"a policy lets in whom it names", "developers", person(`{"groups": ["teams/kde-developers"]}`),
			Decision{Outcome: Allow, Reason: ReasonPolicy, Policy: "developers", Title: "KDE developers", Help: "https://kde.org/join"}},
		{"a policy refuses others and says why", "developers", person(`{"groups": ["teams/kde-developers-emeritus"]}`),
			Decision{Outcome: Deny, Reason: ReasonNotAllowed, Policy: "developers", Title: "KDE developers", Help: "https://kde.org/join",
				Needs: []Need{{Text: "groups contains teams/kde-developers", Have: "groups: [teams/kde-developers-emeritus]", Claim: "groups"}}}},
		{"a condition lets a program without a user in when it names it", "client_id is ci and scope contains write", program(`{"client_id": "ci", "scope": "read write"}`),
			Decision{Outcome: Allow, Reason: ReasonPolicy, Policy: "client_id is ci and scope contains write"}},
		{"the reason is scope when only that was lacking", "client_id is ci and scope contains write", program(`{"client_id": "ci", "scope": "read"}`),
			Decision{Outcome: Deny, Reason: ReasonScope, Policy: "client_id is ci and scope contains write",
				Needs: []Need{{Text: "scope contains write", Have: "scope: read", Claim: "scope"}}, Scopes: []string{"write"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mustRule(t, set, text(tt.rule)).Decide(tt.caller)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestZeroValuesDeny(t *testing.T) {
	known := Caller{Claims: Index(map[string]any{"groups": "a"}), User: true}
	var none *Rule
	for name, d := range map[string]Decision{
		"a zero decision":                 {},
		"a zero rule":                     (&Rule{}).Decide(known),
		"a nil rule":                      none.Decide(known),
		"a zero rule and nobody known":    (&Rule{}).Decide(Caller{}),
		"claims that were never indexed":  mustRule(t, nil, text("groups contains a")).Decide(Caller{Claims: &Claims{}, User: true}),
		"not, over claims never indexed":  mustRule(t, nil, text("not groups contains a")).Decide(Caller{Claims: &Claims{}, User: true}),
		"a condition and a zero caller":   mustRule(t, nil, text("not groups contains a")).Decide(Caller{}),
		"signed-in and a zero caller":     mustRule(t, nil, text("signed-in")).Decide(Caller{}),
		"signed-in and claims without it": mustRule(t, nil, text("signed-in")).Decide(Caller{Claims: known.Claims}),
	} {
		if d.Outcome == Allow {
			t.Errorf("%s: got allow", name)
		}
	}
	if none.Public() || !none.Nobody() || none.String() != "nobody" || none.Claims() != nil {
		t.Error("a nil rule is not nobody")
	}
	if mustRule(t, nil, text("groups contains a")).Decide(known).Outcome != Allow {
		t.Error("the caller that all of these refuse is refused everywhere")
	}
}

// TestAnEvaluationErrorDenies breaks a program from inside, in the ways that a
// fault of ours could.
func TestAnEvaluationErrorDenies(t *testing.T) {
	known := Caller{Claims: Index(map[string]any{"groups": "a"}), User: true}
	broken := map[string]func(r *Rule){
		"a leaf that panics": func(r *Rule) {
			c := *r.program.leaves[0].test.(*comparison)
			op := *c.op
			op.test = func(*comparison, *value, time.Time) verdict { panic("boom") }
			c.op = &op
			r.program.leaves[0].test = &c
		},
		"a leaf that is not there": func(r *Rule) { r.program.leaves = nil },
	}
	for name, sabotage := range broken {
		for _, condition := range []string{"groups contains a", "not groups contains b", "groups contains a or groups contains b"} {
			t.Run(name+" in "+condition, func(t *testing.T) {
				rule := mustRule(t, nil, text(condition))
				if got := rule.Decide(known); got.Outcome != Allow || got.Err != nil {
					t.Fatalf("before: got %v (%v), want allow", got.Outcome, got.Err)
				}
				sabotage(rule)
				got := rule.Decide(known)
				if got.Outcome != Deny || got.Reason != ReasonNotAllowed || got.Err == nil {
					t.Errorf("got %v, %v (%v), want deny, not-allowed and an error", got.Outcome, got.Reason, got.Err)
				}
				// The machine that met the error goes back into the pool.
				if got := mustRule(t, nil, text(condition)).Decide(known); got.Outcome != Allow || got.Err != nil {
					t.Errorf("the next decision: got %v (%v), want allow", got.Outcome, got.Err)
				}
			})
		}
	}
}

// TestUserTextNeverEntersTheProgram looks at the generated source.
func TestUserTextNeverEntersTheProgram(t *testing.T) {
	set := mustCompile(t, "p", `x is y and not (a contains "\") or true" or b is c)`)
	rule := mustRule(t, set, text(`policy p and (claims is "leaf(claims, 9)" or not policy p)`))
	want := "leaf(claims, 0) and leaf(claims, 1) and leaf(claims, 2) and " +
		"(leaf(claims, 3) or leaf(claims, 4) or leaf(claims, 5) or leaf(claims, 6))"
	if rule.program.source != want {
		t.Errorf("got %s\nwant %s", rule.program.source, want)
	}
}

func TestConditionsOfOneShapeShareTheirCode(t *testing.T) {
	set := mustCompile(t, "a", "x is y and z is 1", "b", "not x is y and z is 2")
	a, b := mustRule(t, set, text("a")), mustRule(t, set, text("b"))
	if a.program.code != b.program.code {
		t.Error("two programs were compiled")
	}
	caller := Caller{Claims: Index(map[string]any{"x": "y", "z": 1})}
	if got := a.Decide(caller).Outcome; got != Allow {
		t.Errorf("a: got %v, want allow", got)
	}
	if got := b.Decide(caller).Outcome; got != Deny {
		t.Errorf("b: got %v, want deny", got)
	}
}

// TestManyAskAtOnce is for the race detector: rules, claims and the machines are
// shared, and each goroutine must get the answer for its own caller.
func TestManyAskAtOnce(t *testing.T) {
	set := mustCompile(t, "p", "groups contains any of [teams/a, teams/b]")
	rule := mustRule(t, set, text("policy p and not suspended is true"))
	claims := []struct {
		claims *Claims
		want   Outcome
	}{
		{claimsOf(t, `{"groups": ["teams/a"], "suspended": false}`), Allow},
		{claimsOf(t, `{"groups": ["teams/a"], "suspended": true}`), Deny},
		{claimsOf(t, `{"groups": ["teams/c"], "suspended": false}`), Deny},
		{nil, SignIn},
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 500 {
				c := claims[(i+j)%len(claims)]
				if got := rule.Decide(Caller{Claims: c.claims, User: true}); got.Outcome != c.want || got.Err != nil {
					t.Errorf("got %v (%v), want %v", got.Outcome, got.Err, c.want)
					return
				}
				if j%100 == 0 {
					if _, faults := set.Rule(text(fmt.Sprintf("policy p or x is %d", j))); len(faults) > 0 {
						t.Error(faults)
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestADecisionAllocatesNextToNothing holds the bound that BenchmarkDecide
// reports, so that it cannot be lost unnoticed.
func TestADecisionAllocatesNextToNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget")
	}
	set, faults := Compile([]Definition{{Name: "p", Require: text("groups contains teams/a"), Providers: []string{"kde"}}})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for _, condition := range []string{
		"email_verified is true and groups contains teams/a and acr is gold and not groups contains teams/b",
		"email_verified is true and policy p and auth_time within 1h and email matches /^.+@kde\\.org$/ and acr is present",
	} {
		rule := mustRule(t, set, text(condition))
		for _, n := range []int{5, 500} {
			caller := Caller{Now: time.Unix(1_700_000_000, 0), Claims: Index(map[string]any{
				"email_verified": true, "groups": manyGroups(n, "teams/a"), "acr": "gold", "provider": "kde", "email": "jane@kde.org", "auth_time": 1_700_000_000,
			})}
			if rule.Decide(caller).Outcome != Allow {
				t.Fatalf("%s: denied", rule)
			}
			if got := testing.AllocsPerRun(1000, func() { rule.Decide(caller) }); got > 2 {
				t.Errorf("%s with %d groups: got %v allocations, want at most 2", rule, n, got)
			}
		}
	}
}

func TestALongConditionIsDecided(t *testing.T) {
	members := make([]Clause, 900)
	for i := range members {
		members[i] = text(fmt.Sprintf("groups contains teams/%d", i))
	}
	rule := mustRule(t, nil, Clause{Any: members})
	if got := rule.Decide(Caller{Claims: Index(map[string]any{"groups": "teams/899"})}); got.Outcome != Allow || got.Err != nil {
		t.Errorf("the last member: got %v (%v), want allow", got.Outcome, got.Err)
	}
	got := rule.Decide(Caller{Claims: Index(map[string]any{"groups": "teams/900"})})
	if got.Outcome != Deny || len(got.Needs) != 1 || !strings.HasSuffix(got.Needs[0].Text, "; and 890 more") {
		t.Errorf("no member: got %v, %v, want deny and one short need", got.Outcome, got.Needs)
	}
}

func TestOutcomesHaveWords(t *testing.T) {
	for o, want := range map[Outcome]string{Deny: "deny", Allow: "allow", SignIn: "sign-in", Outcome(7): "deny"} {
		if got := o.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
