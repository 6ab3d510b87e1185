package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestHowMuchARefusalTells shows one refusal at every level, and conditions that
// policies of different levels take part in.
func TestHowMuchARefusalTells(t *testing.T) {
	const condition = "groups contains a and not groups contains bad and email is missing"
	set, faults := Compile([]Definition{
		{Name: "default", Require: text(condition)},
		{Name: "full", Require: text(condition), Explain: ExplainFull},
		{Name: "requirement", Require: text(condition), Explain: ExplainRequirement},
		{Name: "none", Require: text(condition), Explain: ExplainNone, Title: "Hidden", Help: "ask"},
		{Name: "full-of-none", Require: text("policy none and sub is x"), Explain: ExplainFull},
		{Name: "none-of-full", Require: text("policy full and sub is x"), Explain: ExplainNone},
		{Name: "scope-none", Require: text("scope contains write"), Explain: ExplainNone},
		{Name: "scope-requirement", Require: text("scope contains write"), Explain: ExplainRequirement},
		{Name: "expression", Require: exprOf(`"a" in claims.groups`)},
		{Name: "expression-none", Require: exprOf(`"a" in claims.groups`), Explain: ExplainNone},
		{Name: "expression-full", Require: exprOf(`"bad" in claims.groups`), Explain: ExplainFull},
		{Name: "host", Require: exprOf(`"bad" in claims.groups and request.host == "x"`)},
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	const hint = "groups is not among the claims: is the scope asked for?"
	bad, missing := `{"groups": ["bad"], "email": "e"}`, `{"email": "e"}`
	tests := []struct {
		name, rule, claims string
		reason             Reason
		want               []string
	}{
		{"default", "default", bad, ReasonNotAllowed, []string{"needs groups contains a - you have groups: [bad]", "needs email is missing - you have email: e"}},
		{"default, missing", "default", missing, ReasonNotAllowed, []string{"needs groups contains a - " + hint, "needs groups is present - " + hint, "needs email is missing - you have email: e"}},
		{"full tells the not, and not the value", "full", bad, ReasonNotAllowed, []string{"needs groups contains a - you have groups: [bad]", "needs not groups contains bad", "needs email is missing - you have email: e"}},
		{"full, missing", "full", missing, ReasonNotAllowed, []string{"needs groups contains a - " + hint, "needs not groups contains bad - " + hint, "needs email is missing - you have email: e"}},
		{"requirement", "requirement", bad, ReasonNotAllowed, []string{"needs groups contains a", "needs email is missing"}},
		{"requirement, missing", "requirement", missing, ReasonNotAllowed, []string{"needs groups contains a", "needs groups is present", "needs email is missing"}},
		{"none", "none", bad, ReasonNotAllowed, nil},
		{"none, missing", "none", missing, ReasonNotAllowed, nil},
		{"none, in a policy that tells all", "full-of-none", bad, ReasonNotAllowed, []string{"needs sub is x - sub is not among the claims: is the scope asked for?"}},
		{"all, in a policy that tells nothing", "none-of-full", bad, ReasonNotAllowed, []string{"needs groups contains a - you have groups: [bad]", "needs not groups contains bad", "needs email is missing - you have email: e"}},
		{"two levels in one condition", "policy requirement and policy none and sub is x", bad, ReasonNotAllowed, []string{"needs groups contains a", "needs email is missing", "needs sub is x - sub is not among the claims: is the scope asked for?"}},
		{"alternatives of two levels", "policy none or groups contains b", bad, ReasonNotAllowed, []string{"needs groups contains b - you have groups: [bad]"}},
		{"alternatives that are all hidden", "policy none or not groups contains bad", bad, ReasonNotAllowed, nil},
		{"alternatives of which one keeps the value back", "policy scope-requirement or groups contains b", `{"groups": ["x"], "scope": "read"}`, ReasonNotAllowed, []string{"needs one of: scope contains write; groups contains b - you have groups: [x]"}},
		{"a hidden scope is a lack of scope all the same", "scope-none", `{"scope": "read"}`, ReasonScope, nil},
		{"a scope without its value", "scope-requirement", `{"scope": "read"}`, ReasonScope, []string{"needs scope contains write"}},
		{"a hidden group beside a lacking scope", "scope contains write and not groups contains bad", `{"scope": "read", "groups": ["bad"]}`, ReasonNotAllowed, []string{"needs scope contains write - you have scope: read"}},
		{"a hidden group that does no harm beside a lacking scope", "scope contains write and not groups contains bad", `{"scope": "read", "groups": []}`, ReasonScope, []string{"needs scope contains write - you have scope: read"}},
		{"a scope that lacks in a hidden policy beside a group", "policy scope-none and groups contains a", `{"scope": "read", "groups": []}`, ReasonNotAllowed, []string{"needs groups contains a - you have groups: []"}},
		{"a policy turned round", "not policy scope-none", `{"scope": "write"}`, ReasonNotAllowed, nil},
		{"an expression", "expression", bad, ReasonNotAllowed, []string{`needs expr: "a" in claims.groups - you have groups: [bad]`}},
		{"an expression, missing", "expression", missing, ReasonNotAllowed, []string{`needs expr: "a" in claims.groups - ` + hint}},
		{"an expression of a policy that tells nothing", "expression-none", bad, ReasonNotAllowed, nil},
		{"an expression under not", "not policy expression", `{"groups": ["a"]}`, ReasonNotAllowed, nil},
		{"an expression under not, missing", "not policy expression", missing, ReasonNotAllowed, []string{"needs groups is present - " + hint}},
		{"an expression under not, of the wrong type", "not policy expression", `{"groups": 5}`, ReasonNotAllowed, nil},
		{"an expression under not, told in full", "not policy expression-full", bad, ReasonNotAllowed, []string{`needs not expr: "bad" in claims.groups`}},
		{"an expression that lacks a part of the request does not blame the claim", "not policy host", bad, ReasonNotAllowed, nil},
		{"is missing under not", "not email is missing", `{}`, ReasonNotAllowed, nil},
		{"is present", "email is present", `{}`, ReasonNotAllowed, []string{"needs email is present - email is not among the claims: is the scope asked for?"}},
		{"within", "auth_time within 1h", `{"auth_time": 1699990000}`, ReasonStepUp, []string{"needs auth_time within 1h - you have auth_time: 1699990000 (2h46m40s ago)"}},
		{"within, ahead", "auth_time within 1h", `{"auth_time": 1800000000}`, ReasonNotAllowed, []string{"needs auth_time within 1h - you have auth_time: 1800000000 (a number, where a past moment in seconds since 1970 is needed)"}},
		{"within, a string", "auth_time within 1h", `{"auth_time": "x"}`, ReasonNotAllowed, []string{"needs auth_time within 1h - you have auth_time: x (a string, where a past moment in seconds since 1970 is needed)"}},
		{"matches", "email matches /^.+@kde\\.org$/", `{"email": "a@b"}`, ReasonNotAllowed, []string{`needs email matches /^.+@kde\.org$/ - you have email: a@b`}},
		{"starts with", "email starts with a", `{"email": ["a"]}`, ReasonNotAllowed, []string{"needs email starts with a - you have email: [a] (a list, where a string is needed)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mustRule(t, set, text(tt.rule)).Decide(Caller{Claims: claimsOf(t, tt.claims), User: true, Now: time.Unix(1_700_000_000, 0)})
			if got.Outcome == Allow || got.Reason != tt.reason {
				t.Errorf("got %v for %v, want it refused for %v", got.Outcome, got.Reason, tt.reason)
			}
			if diff := cmp.Diff(tt.want, sentences(got)); diff != "" {
				t.Errorf("needs (-want +got):\n%s", diff)
			}
		})
	}
}

// drawn prints a trace as a tree.
func drawn(t *Trace, indent string) string {
	mark := "-"
	if t.Holds {
		mark = "+"
	}
	s := fmt.Sprintf("%s%s %s %s", indent, mark, t.Kind, t.Text)
	if t.Finding != "" {
		s += " (" + t.Finding + ")"
	}
	for _, h := range t.Have {
		s += " | " + h
	}
	s += "\n"
	for _, p := range t.Parts {
		s += drawn(p, indent+"  ")
	}
	return s
}

// TestATraceTellsEverything draws a realistic rule for two callers.
func TestATraceTellsEverything(t *testing.T) {
	set, faults := Compile([]Definition{
		{Name: "developers", Require: text("groups contains any of [teams/kde-developers, teams/kde-ev]"), Providers: []string{"invent"}},
		{Name: "suspended", Require: text("groups contains teams/suspended"), Explain: ExplainNone},
		{Name: "recent", Require: Clause{All: []Clause{text("auth_time within 12h"), exprOf(`claims.acr in ["silver", "gold"]`)}}},
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	rule := mustRule(t, set, Clause{All: []Clause{
		text("policy developers and not policy suspended"),
		{Any: []Clause{text("policy recent"), {Not: &Clause{All: []Clause{text("email ends with @kde.org"), text("email_verified is true")}}}}},
	}})
	tests := []struct {
		name, claims string
		want         string
	}{
		{"everything fits", `{"provider": "invent", "groups": ["teams/kde-ev"], "auth_time": 1699999000, "acr": "gold", "email": "jane@kde.org", "email_verified": true}`, `
+ all all
  + all all
    + policy developers
      + condition provider is one of [invent] | provider: invent
      + condition groups contains any of [teams/kde-developers, teams/kde-ev] | groups: [teams/kde-ev]
    + policy not suspended
      + condition not groups contains teams/suspended | groups: [teams/kde-ev]
  + any any
    + policy recent
      + all all
        + condition auth_time within 12h | auth_time: 1699999000 (16m40s ago)
        + condition expr: claims.acr in ["silver", "gold"] | acr: gold
    - any any
      - condition not email ends with @kde.org | email: jane@kde.org
      - condition not email_verified is true | email_verified: true
`},
		{"nothing does", `{"provider": "other", "groups": 5, "acr": null, "email": ["jane@kde.org"], "email_verified": "no\u001b[31m"}`, `
- all all
  - all all
    - policy developers
      - condition provider is one of [invent] | provider: other
      - condition groups contains any of [teams/kde-developers, teams/kde-ev] (wrong type) | groups: 5 (a number, where a list or a string is needed)
    - policy not suspended
      - condition not groups contains teams/suspended (wrong type) | groups: 5 (a number, where a list or a string is needed)
  - any any
    - policy recent
      - all all
        - condition auth_time within 12h (missing)
        - condition expr: claims.acr in ["silver", "gold"] (missing)
    - any any
      - condition not email ends with @kde.org (wrong type) | email: [jane@kde.org] (a list, where a string is needed)
      - condition not email_verified is true (wrong type) | email_verified: "no\u001b[31m" (a string, where true or false is needed)
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, trace := rule.Explain(Caller{Claims: claimsOf(t, tt.claims), Now: time.Unix(1_700_000_000, 0)})
			if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), drawn(trace, "")); diff != "" {
				t.Errorf("trace (-want +got):\n%s", diff)
			}
			if trace.Holds != (got.Outcome == Allow) {
				t.Errorf("decided %v, traced %t", got.Outcome, trace.Holds)
			}
		})
	}
}

func TestATraceOfWordsAndOfNobody(t *testing.T) {
	set := mustCompile(t, "a", "groups is missing", "b", "not policy a")
	person, program := Caller{Claims: Index(nil), User: true}, Caller{Claims: Index(nil)}
	var none *Rule
	tests := []struct {
		rule  *Rule
		who   Caller
		want  string
		holds bool
	}{
		{mustRule(t, set, text("public")), Caller{}, "+ word public\n", true},
		{mustRule(t, set, text("signed-in")), person, "+ word signed-in\n", true},
		{mustRule(t, set, text("signed-in")), program, "- word signed-in\n", false},
		{mustRule(t, set, text("signed-in")), Caller{}, "- word signed-in\n", false},
		{mustRule(t, set, text("nobody")), person, "- word nobody\n", false},
		{&Rule{}, person, "- word nobody\n", false},
		{none, person, "- word nobody\n", false},
		{mustRule(t, set, text("a")), person, "+ policy a\n  + condition groups is missing\n", true},
		{mustRule(t, set, text("a")), Caller{}, "- policy a\n  - condition groups is missing (missing)\n", false},
		{mustRule(t, set, text("b")), Caller{}, "- policy b\n  - policy not a\n    - condition not groups is missing (missing)\n", false},
	}
	for _, tt := range tests {
		d, trace := tt.rule.Explain(tt.who)
		if got := drawn(trace, ""); got != tt.want || (d.Outcome == Allow) != tt.holds {
			t.Errorf("%s: decided %v, got %s\nwant %s", tt.rule, d.Outcome, got, tt.want)
		}
		if tt.rule.ExplainShadow(tt.who) != nil {
			t.Errorf("%s has a shadow", tt.rule)
		}
	}
}

// TestTheShadowsTraceShowsTheOtherForm draws a rule with one of its policies in the
// form that is tried out.
func TestTheShadowsTraceShowsTheOtherForm(t *testing.T) {
	set, faults := Compile([]Definition{shadowed("dev", "groups contains dev", "groups contains dev and mfa is true"), {Name: "plain", Require: text("sub is x")}})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	who := Caller{Claims: claimsOf(t, `{"groups": ["dev"], "mfa": false, "sub": "x"}`)}
	const dev = "- policy dev\n  - all all\n    + condition groups contains dev | groups: [dev]\n    - condition mfa is true | mfa: false\n"
	if got := drawn(mustRule(t, set, text("dev")).ExplainShadow(who), ""); got != dev {
		t.Errorf("the policy: got\n%s\nwant\n%s", got, dev)
	}
	rule := mustRule(t, set, text("policy plain and not policy dev"))
	want := "+ all all\n  + policy plain\n    + condition sub is x | sub: x\n  + policy not dev\n    + any any\n" +
		"      - condition not groups contains dev | groups: [dev]\n      + condition not mfa is true | mfa: false\n"
	if got := drawn(rule.ExplainShadow(who), ""); got != want {
		t.Errorf("the condition: got\n%s\nwant\n%s", got, want)
	}
	if got := drawn(rule.Shadowed(mustRule(t, set, text("plain"))).ExplainShadow(who), ""); got != "+ policy plain\n  + condition sub is x | sub: x\n" {
		t.Errorf("another rule beside it: got\n%s", got)
	}
}
