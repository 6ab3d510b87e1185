package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestPromisesOfOperators goes on where TestPromises ends: for each operator what is
// met, what is not, and what neither it nor its opposite may grant.
func TestPromisesOfOperators(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	moment := func(s string) string { return `{"auth_time": ` + s + `}` }
	long := strings.Repeat("a", 100_000)
	tests := []struct {
		name, condition string
		// yes are claims for which the condition holds, no those for which its
		// opposite does, neither those that grant nothing either way.
		yes, no, neither []string
	}{
		{"starts with", "email starts with svc-",
			[]string{`{"email": "svc-a"}`, `{"email": "svc-"}`},
			[]string{`{"email": "svc"}`, `{"email": ""}`, `{"email": "xsvc-a"}`, `{"email": "SVC-a"}`, `{"email": " svc-a"}`},
			[]string{`{}`, `{"email": null}`, `{"email": 5}`, `{"email": true}`, `{"email": ["svc-a"]}`, `{"email": []}`, `{"email": {}}`, `{"email": {"svc-a": "svc-a"}}`}},
		{"starts with digits is no number", "uid starts with 12",
			[]string{`{"uid": "12"}`, `{"uid": "123"}`},
			[]string{`{"uid": "1"}`, `{"uid": "012"}`},
			[]string{`{"uid": 123}`, `{"uid": 12}`, `{"uid": 12.5}`}},
		{"starts with true is no boolean", "flag starts with true",
			[]string{`{"flag": "true"}`, `{"flag": "trueish"}`},
			[]string{`{"flag": "false"}`},
			[]string{`{"flag": true}`, `{"flag": false}`}},
		{"starts with letters beyond ASCII", `name starts with Jür`,
			[]string{`{"name": "Jürgen"}`},
			[]string{`{"name": "Ju\u0308rgen"}`, `{"name": "J\u00c3\u00bcrgen"}`}, nil},
		{"ends with", "email ends with @kde.org",
			[]string{`{"email": "jane@kde.org"}`, `{"email": "@kde.org"}`, `{"email": "a@b@kde.org"}`},
			[]string{`{"email": "jane@kde.org.example"}`, `{"email": "jane@KDE.org"}`, `{"email": "jane@kde.org "}`, `{"email": "jane@kde.org\n"}`, `{"email": "jane@kde.org\u0000"}`, `{"email": "kde.org"}`},
			[]string{`{}`, `{"email": ["jane@kde.org"]}`, `{"email": 5}`, `{"email": false}`, `{"email": {}}`}},
		{"ends with, of a scope, is the whole text", "scope ends with write",
			[]string{`{"scope": "read write"}`},
			[]string{`{"scope": "write read"}`},
			[]string{`{"scope": ["write"]}`}},
		{"ends with, in an object", "o.email ends with @kde.org",
			[]string{`{"o": {"email": "a@kde.org"}}`},
			[]string{`{"o": {"email": "a@x.org"}}`},
			[]string{`{"o": {}}`, `{"o": "a@kde.org"}`, `{"o": ["a@kde.org"]}`, `{"o.email": "a@kde.org"}`}},

		{"matches the whole", "user matches /^svc-[a-z]+$/",
			[]string{`{"user": "svc-a"}`, `{"user": "svc-abc"}`},
			[]string{`{"user": "svc-"}`, `{"user": "xsvc-a"}`, `{"user": "svc-a1"}`, `{"user": "svc-a\n"}`, `{"user": "\nsvc-a"}`, `{"user": "x\nsvc-a"}`, `{"user": "svc-a\nsvc-b"}`, `{"user": "svc-a\r"}`, `{"user": "svc-a\u0000"}`, `{"user": "Svc-a"}`, `{"user": ""}`},
			[]string{`{}`, `{"user": null}`, `{"user": 5}`, `{"user": true}`, `{"user": ["svc-a"]}`, `{"user": {}}`}},
		{"matches with alternatives", "user matches /^(?:a|b)$|^c$/",
			[]string{`{"user": "a"}`, `{"user": "b"}`, `{"user": "c"}`},
			[]string{`{"user": "ab"}`, `{"user": "ac"}`, `{"user": "a\nc"}`}, nil},
		{"matches in any case", "user matches /^(?i)kde$/",
			[]string{`{"user": "kde"}`, `{"user": "KDE"}`, `{"user": "\u212ade"}`},
			[]string{`{"user": "kdé"}`}, nil},
		{"a dot stops at a line's end", "user matches /^a.*$/",
			[]string{`{"user": "a"}`, `{"user": "ax y"}`, `{"user": "aü\u0000"}`},
			[]string{`{"user": "a\nb"}`, `{"user": "a\n"}`}, nil},
		{"a dot that goes on says so", "user matches /^(?s)a.*$/",
			[]string{`{"user": "a\nb"}`},
			[]string{`{"user": "b"}`}, nil},
		{"letters of any language", `user matches /^\p{L}+$/`,
			[]string{`{"user": "Jürgen"}`, `{"user": "Юля"}`},
			[]string{`{"user": "Ju\u0308rgen"}`, `{"user": "a b"}`}, nil},
		{"a slash and brackets in a pattern", `group matches /^teams\/[a-z,()]+$/`,
			[]string{`{"group": "teams/a,(b)"}`},
			[]string{`{"group": "teams/[a]"}`}, nil},
		{"an empty pattern takes the empty text alone", "user matches /^$/",
			[]string{`{"user": ""}`},
			[]string{`{"user": "a"}`, `{"user": "\n"}`},
			[]string{`{}`, `{"user": null}`, `{"user": []}`}},
		{"a pattern that other engines choke on", "user matches /^(a+)+$/",
			[]string{`{"user": "` + long + `"}`},
			[]string{`{"user": "` + long + `!"}`}, nil},

		{"is present", "x is present",
			[]string{`{"x": false}`, `{"x": true}`, `{"x": 0}`, `{"x": ""}`, `{"x": []}`, `{"x": [null]}`, `{"x": {}}`, `{"x": "y"}`, `{"x": 1e99999999999}`},
			[]string{`{}`, `{"x": null}`, `{"X": 1}`, `{"x ": 1}`}, nil},
		{"is missing", "x is missing",
			[]string{`{}`, `{"x": null}`, `{"X": 1}`},
			[]string{`{"x": false}`, `{"x": 0}`, `{"x": ""}`, `{"x": []}`, `{"x": {}}`, `{"x": 1e99999999999}`}, nil},
		{"is present, in an object", "o.x is present",
			[]string{`{"o": {"x": false}}`, `{"o": {"x": {}}}`},
			[]string{`{}`, `{"o": {}}`, `{"o": {"x": null}}`, `{"o": "x"}`, `{"o": ["x"]}`, `{"o.x": 1}`, `{"o": null}`}, nil},
		{"is missing with what a refusal hints at", "(groups is missing or not groups contains bad)",
			[]string{`{}`, `{"groups": null}`, `{"groups": []}`, `{"groups": ["a"]}`},
			[]string{`{"groups": ["bad"]}`, `{"groups": "bad"}`},
			[]string{`{"groups": 5}`, `{"groups": {}}`}},

		{"within", "auth_time within 1h",
			[]string{moment("1700000000"), moment("1699996400"), moment("1699996400.0"), moment("16999964e2"), moment("1699999999.999"), moment("1700000060"), moment("1700000059.5")},
			[]string{moment("1699996399"), moment("1699996399.5"), moment("0"), moment("1"), moment("0.5"), moment("-0")},
			[]string{`{}`, moment("null"), moment("1700000061"), moment("1700000060.5"), moment("1800000000"), moment("-1"), moment("-1700000000"), moment("1e12"), moment("1700000000000"), moment("1e400"), moment("1e99999999999"),
				moment(`"1700000000"`), moment("true"), moment("[]"), moment("[1700000000]"), moment("{}"), moment(`"now"`)}},
		{"within, of several units", "auth_time within 1d1h1m1s",
			[]string{moment("1699909939"), moment("1700000000")},
			[]string{moment("1699909938"), moment("1699909938.9")},
			[]string{moment("1700000061")}},
		{"within the longest time", "auth_time within 36500d",
			[]string{moment("0"), moment("1")}, nil, []string{moment("-1"), moment("99999999999")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rule, opposite := mustRule(t, nil, text(tt.condition)), mustRule(t, nil, Clause{Not: &Clause{Text: tt.condition}})
			named := mustCompile(t, "p", tt.condition)
			byName := mustRule(t, named, text("not policy p"))
			check := func(claims string, want, turned Outcome) {
				t.Helper()
				who := Caller{Claims: claimsOf(t, claims), Now: now}
				shown := claims[:min(len(claims), 80)]
				if got := rule.Decide(who); got.Outcome != want || got.Err != nil {
					t.Errorf("%s\nfor %s: got %v (%v), want %v", rule, shown, got.Outcome, got.Err, want)
				}
				for _, r := range []*Rule{opposite, byName} {
					if got := r.Decide(who); got.Outcome != turned || got.Err != nil {
						t.Errorf("%s\nfor %s: got %v (%v), want %v", r, shown, got.Outcome, got.Err, turned)
					}
				}
			}
			for _, claims := range tt.yes {
				check(claims, Allow, Deny)
			}
			for _, claims := range tt.no {
				check(claims, Deny, Allow)
			}
			for _, claims := range tt.neither {
				check(claims, Deny, Deny)
			}
			for _, r := range []*Rule{rule, opposite, byName} {
				if got := r.Decide(Caller{Now: now}); got.Outcome != SignIn {
					t.Errorf("%s for nobody: got %v, want sign-in", r, got.Outcome)
				}
				if _, trace := r.Explain(Caller{Now: now}); trace.Holds {
					t.Errorf("%s for nobody: the trace holds", r)
				}
			}
		})
	}
}

// TestWithoutATimeNothingIsWithin: a caller that forgets Now denies.
func TestWithoutATimeNothingIsWithin(t *testing.T) {
	for _, condition := range []string{"auth_time within 36500d", "not auth_time within 1s", "not (auth_time within 1s or sub is x)"} {
		for _, at := range []any{0, 5, 1_700_000_000, -62135596800} {
			who := Caller{Claims: Index(map[string]any{"auth_time": at, "sub": "y"})}
			if got := mustRule(t, nil, text(condition)).Decide(who); got.Outcome != Deny || got.Err != nil {
				t.Errorf("%s for %v: got %v (%v), want deny", condition, at, got.Outcome, got.Err)
			}
		}
	}
}

// TestOperatorsInCanonicalText prints and reads the operators that have operands of
// their own.
func TestOperatorsInCanonicalText(t *testing.T) {
	for _, s := range []string{
		"email starts with svc-", `email starts with "a b"`, "email ends with @kde.org", `email ends with "12"`, `flag starts with "true"`,
		"user matches /^svc-[a-z]+$/", `user matches /^teams\/[a, (b)]+ "x"$/`, "not user matches /^a$/ and x is present",
		"groups is present", "groups is missing", "groups is missing or not groups contains bad",
		"auth_time within 12h", "auth_time within 1d2h3m4s", "not auth_time within 7d", "(a is present and b is missing) or c within 1s",
		`"present" is present`, `"within" within 1h`, `"matches" matches /^a$/`, `"starts" starts with "ends"`,
		"x is one of [\"present\", \"missing\"]", `x is "present"`,
	} {
		n := mustParse(t, s)
		if got := n.String(); got != s {
			t.Errorf("got %s, want %s", got, s)
		}
		if diff := cmp.Diff(mustParse(t, n.String()), n, sameTree); diff != "" {
			t.Errorf("the printed text means something else (-printed +text):\n%s", diff)
		}
	}
}
