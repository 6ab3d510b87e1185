package policy

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func exprOf(s string) Clause { return Clause{Expr: s} }

// TestWhatExpressionsCanDo is the manual: each row with somebody whom it lets in and
// somebody whom it does not.
func TestWhatExpressionsCanDo(t *testing.T) {
	tests := []struct{ name, expr, allowed, denied string }{
		{"membership in a list", `"teams/a" in claims.groups`, `{"groups": ["teams/b", "teams/a"]}`, `{"groups": ["teams/ab"]}`},
		{"membership in what may be a single text", `"teams/a" in list(claims.groups)`, `{"groups": "teams/a"}`, `{"groups": "teams/ab"}`},
		{"no membership", `"teams/a" not in claims.groups`, `{"groups": ["teams/b"]}`, `{"groups": ["teams/a"]}`},
		{"a claim with signs in its name", `"a" in claims["https://kde.org/groups"]`, `{"https://kde.org/groups": ["a"]}`, `{"https://kde.org/groups": ["b"]}`},
		{"a claim in an object", `"admin" in claims.realm_access.roles`, `{"realm_access": {"roles": ["admin"]}}`, `{"realm_access": {"roles": ["user"]}}`},
		{"parts of texts, for every member", `all(claims.groups, # startsWith "teams/")`, `{"groups": ["teams/a", "teams/b"]}`, `{"groups": ["teams/a", "x"]}`},
		{"parts of texts, for one member", `any(claims.groups, # endsWith "/owners")`, `{"groups": ["x", "kde/owners"]}`, `{"groups": ["kde/owners/x"]}`},
		{"parts of texts, for none", `none(claims.groups, # matches "^banned/.*$")`, `{"groups": ["x"]}`, `{"groups": ["banned/x"]}`},
		{"how many", `count(claims.groups, # startsWith "teams/") >= 2`, `{"groups": ["teams/a", "teams/b", "x"]}`, `{"groups": ["teams/a", "x"]}`},
		{"exactly one", `one(claims.groups, # startsWith "teams/")`, `{"groups": ["teams/a", "x"]}`, `{"groups": ["teams/a", "teams/b"]}`},
		{"objects in a list", `any(claims.teams, .name == "kde" and .role == "owner")`, `{"teams": [{"name": "x", "role": "owner"}, {"name": "kde", "role": "owner"}]}`, `{"teams": [{"name": "x", "role": "owner"}, {"name": "kde", "role": "guest"}]}`},
		{"the first of those that fit", `first(filter(claims.teams, .name == "kde")).role == "owner"`, `{"teams": [{"name": "kde", "role": "owner"}]}`, `{"teams": [{"name": "kde", "role": "guest"}]}`},
		{"numbers and their order", `claims.level >= 3 and claims.level < 10.5`, `{"level": 3}`, `{"level": 11}`},
		{"numbers that are written differently", `claims.level == 5`, `{"level": 50e-1}`, `{"level": 5.5}`},
		{"sums", `claims.a + claims.b > 10`, `{"a": 5, "b": 6}`, `{"a": 5, "b": 5}`},
		{"two claims that must agree", `claims.email == claims.preferred_username + "@kde.org"`, `{"email": "jane@kde.org", "preferred_username": "jane"}`, `{"email": "jane@kde.org", "preferred_username": "joe"}`},
		{"a person's own path", `request.path startsWith "/home/" + claims.user + "/"`, `{"user": "jane"}`, `{"user": "joe"}`},
		{"letters in any case", `lower(claims.email) endsWith "@kde.org"`, `{"email": "Jane@KDE.org"}`, `{"email": "jane@kde.org.example"}`},
		{"methods", `request.method in ["GET", "HEAD"] or "admins" in claims.groups`, `{"groups": []}`, `{}`},
		{"a value with a name", `let domain = split(claims.email, "@"); len(domain) == 2 and domain[1] == "kde.org"`, `{"email": "jane@kde.org"}`, `{"email": "jane@kde.org@x"}`},
		{"either or", `claims.external ? claims.sponsor == "kde" : true`, `{"external": true, "sponsor": "kde"}`, `{"external": true, "sponsor": "x"}`},
		{"a table", `{"teams/a": "silver", "teams/b": "gold"}[claims.team] == claims.acr`, `{"team": "teams/b", "acr": "gold"}`, `{"team": "teams/a", "acr": "gold"}`},
		{"part of a list", `"teams/a" in claims.groups[:2]`, `{"groups": ["x", "teams/a", "y"]}`, `{"groups": ["x", "y", "teams/a"]}`},
		{"the last one", `claims.groups[-1] == "a"`, `{"groups": ["b", "a"]}`, `{"groups": ["a", "b"]}`},
		{"a range", `claims.level in 3..5`, `{"level": 4}`, `{"level": 6}`},
		{"pipes", `claims.groups | filter(# startsWith "a") | len() == 1`, `{"groups": ["a", "b"]}`, `{"groups": ["a", "aa"]}`},
		{"absence, asked for", `claims?.banned == nil`, `{}`, `{"banned": "x"}`},
		{"absence, with something in its place", `"x" not in (claims?.banned ?? [])`, `{}`, `{"banned": ["x"]}`},
		{"absence, by its name", `not ("banned" in claims)`, `{"x": 1}`, `{"banned": false}`},
		{"absence further down", `claims.address?.country == nil`, `{"address": {}}`, `{"address": {"country": "DE"}}`},
		{"a large id", `claims.uid == 9007199254740993`, `{"uid": 9007199254740993}`, `{"uid": 9007199254740992}`},
		{"an id that is too large for a number", `claims.uid == "18446744073709551616"`, `{"uid": 18446744073709551616}`, `{"uid": 18446744073709551617}`},
	}
	request := Request{Method: "GET", Path: "/home/jane/x", Host: "kde.org", ClientIP: "192.0.2.1"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rule := mustRule(t, nil, exprOf(tt.expr))
			if got := rule.Decide(Caller{Claims: claimsOf(t, tt.allowed), Request: request}); got.Outcome != Allow || got.Err != nil {
				t.Errorf("%s\nfor %s: got %v (%v), want allow", tt.expr, tt.allowed, got.Outcome, got.Err)
			}
			who := Caller{Claims: claimsOf(t, tt.denied), Request: request}
			if tt.name == "methods" {
				who.Request.Method = "POST"
			}
			if got := rule.Decide(who); got.Outcome != Deny || got.Err != nil {
				t.Errorf("%s\nfor %s: got %v (%v), want deny", tt.expr, tt.denied, got.Outcome, got.Err)
			}
			if got := rule.Decide(Caller{}); got.Outcome != SignIn {
				t.Errorf("nobody known: got %v, want sign-in", got.Outcome)
			}
		})
	}
}

// around is a clause in every place that it can stand in, with whether that place
// turns it round. The others in a block are such that this clause decides.
func around(c Clause) map[string]struct {
	clause Clause
	turned bool
} {
	yes, no := text("sub is present"), text("sub is missing")
	type place = struct {
		clause Clause
		turned bool
	}
	named, not := text("policy p"), func(c Clause) Clause { return Clause{Not: &c} }
	return map[string]place{
		"alone":                {c, false},
		"in all":               {Clause{All: []Clause{yes, c}}, false},
		"in any":               {Clause{Any: []Clause{no, c}}, false},
		"by its name":          {named, false},
		"not not":              {not(not(c)), false},
		"not not by its name":  {text("not not policy p"), false},
		"under not":            {not(c), true},
		"not by its name":      {text("not policy p"), true},
		"not its name, block":  {not(named), true},
		"not all":              {not(Clause{All: []Clause{yes, c}}), true},
		"not any":              {not(Clause{Any: []Clause{no, c}}), true},
		"not in all":           {Clause{All: []Clause{yes, not(c)}}, true},
		"not in any":           {Clause{Any: []Clause{no, not(c)}}, true},
		"not by a name's name": {text("not policy q"), true},
	}
}

// inEveryPlace compiles a clause in every place and hands out the rules.
func inEveryPlace(t *testing.T, c Clause, visit func(place string, rule *Rule, turned bool)) {
	t.Helper()
	set, faults := Compile([]Definition{{Name: "p", Require: c}, {Name: "q", Require: text("policy p and sub is present")}})
	if len(faults) > 0 {
		t.Fatalf("%+v: %v\n%s", c, faults, faults[0].Caret())
	}
	for place, p := range around(c) {
		visit(place, mustRule(t, set, p.clause), p.turned)
	}
}

// TestAMissingOrWronglyTypedClaimNeverGrants is what expressions are most likely to
// get wrong: each row reads as if it kept somebody out, and the claims of bad would
// turn that into letting them in. The twin shows that with honest claims it works,
// both ways round.
func TestAMissingOrWronglyTypedClaimNeverGrants(t *testing.T) {
	groups := []string{`{}`, `{"groups": null}`, `{"groups": 5}`, `{"groups": true}`, `{"groups": {}}`, `{"groups": {"banned": 1}}`, `{"groups": "banned"}`, `{"groups": ""}`}
	status := []string{`{}`, `{"status": null}`, `{"status": 5}`, `{"status": false}`, `{"status": []}`, `{"status": ["ok"]}`, `{"status": {}}`, `{"status": {"ok": 1}}`}
	flag := []string{`{}`, `{"flag": null}`, `{"flag": "true"}`, `{"flag": "false"}`, `{"flag": 0}`, `{"flag": 1}`, `{"flag": ""}`, `{"flag": []}`, `{"flag": {}}`}
	tests := []struct {
		name, expr, twin string
		want             bool
		bad              []string
	}{
		{"not in", `not ("banned" in claims.groups)`, `{"groups": ["x"]}`, true, groups},
		{"not in, in one word", `"banned" not in claims.groups`, `{"groups": ["x"]}`, true, groups},
		{"exclamation mark", `!("banned" in claims.groups)`, `{"groups": []}`, true, groups},
		{"in", `"banned" in claims.groups`, `{"groups": ["banned"]}`, true, groups},
		{"in or a constant", `"banned" in claims.groups or false`, `{"groups": ["banned"]}`, true, groups},
		{"in with a slice", `not ("banned" in claims.groups[0:1])`, `{"groups": ["x", "banned"]}`, true, append(groups, `{"groups": []}`)},
		{"a slice beyond the end", `not ("banned" in claims.groups[2:])`, `{"groups": ["a", "b", "c"]}`, true, append(groups, `{"groups": ["a"]}`)},
		{"a slice before the beginning", `not ("banned" in claims.groups[-2:])`, `{"groups": ["a", "b"]}`, true, append(groups, `{"groups": ["a"]}`)},
		{"an element", `claims.groups[0] != "banned"`, `{"groups": ["x"]}`, true, append(groups, `{"groups": []}`, `{"groups": [null]}`, `{"groups": [5]}`)},
		{"the last element", `claims.groups[-1] != "banned"`, `{"groups": ["x"]}`, true, append(groups, `{"groups": []}`)},
		{"an element far beyond", `claims.groups[-9] != "banned"`, `{"groups": ["1","2","3","4","5","6","7","8","9"]}`, true, append(groups, `{"groups": ["x"]}`)},
		{"first", `first(claims.groups) != "banned"`, `{"groups": ["x"]}`, true, append(groups, `{"groups": []}`, `{"groups": [null]}`)},
		{"last", `last(claims.groups) != "banned"`, `{"groups": ["x"]}`, true, append(groups, `{"groups": []}`)},
		{"none", `none(claims.groups, # == "banned")`, `{"groups": ["x"]}`, true, groups},
		{"none over part of a text", `none(claims.groups, # startsWith "banned")`, `{"groups": ["x"]}`, true, append(groups, `{"groups": [5]}`)},
		{"all unlike", `all(claims.groups, # != "banned")`, `{"groups": ["x"]}`, true, append(groups, `{"groups": [5]}`, `{"groups": [["banned"]]}`)},
		{"not any", `not any(claims.groups, # == "banned")`, `{"groups": ["x"]}`, true, groups},
		{"not one", `not one(claims.groups, # == "banned")`, `{"groups": ["x"]}`, true, groups},
		{"count", `count(claims.groups, # == "banned") == 0`, `{"groups": ["x"]}`, true, groups},
		{"len of filter", `len(filter(claims.groups, # == "banned")) == 0`, `{"groups": ["x"]}`, true, groups},
		{"len", `len(claims.groups) < 5`, `{"groups": ["x"]}`, true, []string{`{}`, `{"groups": 5}`, `{"groups": {}}`, `{"groups": true}`}},
		{"first of an empty filter", `first(filter(claims.groups, # == "x")) != "banned"`, `{"groups": ["x"]}`, true, append(groups, `{"groups": ["y"]}`)},
		{"an element of an empty filter", `filter(claims.groups, # == "x")[0] != "banned"`, `{"groups": ["x"]}`, true, append(groups, `{"groups": ["y"]}`)},
		{"pipes", `claims.groups | none(# == "banned")`, `{"groups": ["x"]}`, true, groups},
		{"a list made of the claim", `claims.groups not in ["banned"]`, `{"groups": "x"}`, true, []string{`{}`, `{"groups": ["banned"]}`, `{"groups": []}`, `{"groups": 5}`, `{"groups": {}}`}},
		{"list", `"banned" not in list(claims.groups)`, `{"groups": "x"}`, true, []string{`{}`, `{"groups": 5}`, `{"groups": {}}`, `{"groups": false}`}},

		{"unlike", `claims.status != "banned"`, `{"status": "ok"}`, true, status},
		{"unlike, the other way round", `"banned" != claims.status`, `{"status": "ok"}`, true, status},
		{"not like", `not (claims.status == "banned")`, `{"status": "ok"}`, true, status},
		{"like", `claims.status == "ok"`, `{"status": "ok"}`, true, status},
		{"not one of", `claims.status not in ["banned", "left"]`, `{"status": "ok"}`, true, status},
		{"not in a range", `not (claims.status in 1..9)`, `{"status": 10}`, true, []string{`{}`, `{"status": "5"}`, `{"status": [5]}`, `{"status": null}`}},
		{"no prefix", `not (claims.status startsWith "ban")`, `{"status": "ok"}`, true, status},
		{"no suffix", `not (claims.status endsWith "ned")`, `{"status": "ok"}`, true, status},
		{"no match", `not (claims.status matches "^ban.*$")`, `{"status": "ok"}`, true, status},
		{"hasPrefix", `not hasPrefix(claims.status, "ban")`, `{"status": "ok"}`, true, status},
		{"lower", `lower(claims.status) != "banned"`, `{"status": "OK"}`, true, status},
		{"trim and split", `split(trim(claims.status), ",")[0] != "banned"`, `{"status": " ok,x "}`, true, status},
		{"string", `string(claims.status) != "banned"`, `{"status": "ok"}`, true, []string{`{}`, `{"status": []}`, `{"status": ["banned"]}`, `{"status": {}}`}},
		{"a sum", `claims.status + "" != "banned"`, `{"status": "ok"}`, true, status},
		{"a text's slice", `claims.status[:3] != "ban"`, `{"status": "fine"}`, true, append(status, `{"status": "ok"}`)},
		{"let", `let s = claims.status; s != "banned"`, `{"status": "ok"}`, true, status},
		{"let that is not used", `let s = claims.status; true`, `{"status": "ok"}`, true, []string{`{}`, `{"status": null}`}},
		{"either or", `claims.status == "banned" ? false : true`, `{"status": "ok"}`, true, status},
		{"if and else", `if claims.status == "banned" { false } else { true }`, `{"status": "ok"}`, true, status},
		{"a map", `{"s": claims.status}.s != "banned"`, `{"status": "ok"}`, true, status},
		{"a table without the value", `{"banned": true, "ok": false}[claims.status] != true`, `{"status": "ok"}`, true, append(status, `{"status": "x"}`)},
		{"a list", `[claims.status][0] != "banned"`, `{"status": "ok"}`, true, status},
		{"two claims", `claims.status != claims.sub`, `{"status": "ok"}`, true, status},
		{"less", `claims.level < 3`, `{"level": 2}`, true, []string{`{}`, `{"level": "2"}`, `{"level": []}`, `{"level": {}}`, `{"level": false}`, `{"level": null}`}},
		{"not more", `not (claims.level > 3)`, `{"level": 2}`, true, []string{`{}`, `{"level": "9"}`, `{"level": [9]}`, `{"level": true}`}},
		{"not a number's text", `not (claims.level == 3)`, `{"level": 2}`, true, []string{`{}`, `{"level": "3"}`, `{"level": 1e99999}`}},
		{"max", `max(claims.levels) < 3`, `{"levels": [1, 2]}`, true, []string{`{}`, `{"levels": []}`, `{"levels": ["9"]}`, `{"levels": [[9]]}`, `{"levels": "9"}`}},
		{"a sum of nothing", `claims.level + 0 < 3`, `{"level": 2}`, true, []string{`{}`, `{"level": "2"}`, `{"level": []}`}},

		{"not a flag", `not claims.flag`, `{"flag": false}`, true, flag},
		{"a flag that is not true", `claims.flag != true`, `{"flag": false}`, true, flag},
		{"a flag that is false", `claims.flag == false`, `{"flag": false}`, true, flag},
		{"a flag alone", `claims.flag`, `{"flag": true}`, true, flag},
		{"a flag with a choice", `claims.flag ? false : true`, `{"flag": false}`, true, flag},
		{"a flag and", `(claims.flag and true) == false`, `{"flag": false}`, true, flag},

		{"a member below", `claims.o.status != "banned"`, `{"o": {"status": "ok"}}`, true, []string{`{}`, `{"o": {}}`, `{"o": "x"}`, `{"o": []}`, `{"o": {"status": null}}`, `{"o": {"status": 5}}`, `{"o": 5}`}},
		{"a member below a name", `let o = claims.o; o.status != "banned"`, `{"o": {"status": "ok"}}`, true, []string{`{}`, `{"o": {}}`, `{"o": {"status": null}}`}},
		{"a member two below", `claims.o.p.status != "banned"`, `{"o": {"p": {"status": "ok"}}}`, true, []string{`{}`, `{"o": {}}`, `{"o": {"p": {}}}`, `{"o": {"p": []}}`}},
		{"a member of an element", `none(claims.teams, .banned)`, `{"teams": [{"banned": false}]}`, true, []string{`{}`, `{"teams": [{}]}`, `{"teams": [null]}`, `{"teams": ["x"]}`, `{"teams": [{"banned": null}]}`, `{"teams": {}}`, `{"teams": [{"banned": "true"}]}`}},
		{"a member of an element, unlike", `all(claims.teams, #.role != "banned")`, `{"teams": [{"role": "x"}]}`, true, []string{`{}`, `{"teams": [{}]}`, `{"teams": [[]]}`, `{"teams": [{"role": ["banned"]}]}`}},
		{"a member of the first", `first(claims.teams).role != "banned"`, `{"teams": [{"role": "x"}]}`, true, []string{`{}`, `{"teams": []}`, `{"teams": [{}]}`}},
		{"only the last step is optional", `claims.o?.p.status != "banned"`, `{"o": {"p": {"status": "ok"}}}`, true, []string{`{}`, `{"o": {}}`, `{"o": {"p": {}}}`, `{"o": "x"}`, `{"o": []}`}},
		{"an optional step through a wrong type", `claims?.o?.status != "banned"`, `{"o": {"status": "ok"}}`, true, []string{`{"o": "x"}`, `{"o": 5}`, `{"o": ["banned"]}`, `{"o": {"status": 5}}`}},
		{"an object asked as a list", `"banned" not in claims.o`, `{"o": ["x"]}`, true, []string{`{}`, `{"o": {"x": 1}}`, `{"o": {}}`}},
		{"nothing asked as a list", `"banned" not in claims?.o`, `{"o": ["x"]}`, true, []string{`{}`, `{"o": null}`, `{"o": "banned"}`}},
		{"nothing asked as a list by none", `none(claims?.o, # == "banned")`, `{"o": ["x"]}`, true, []string{`{}`, `{"o": null}`, `{"o": ""}`, `{"o": {}}`}},
		{"the request's unknown part", `request.host != "internal" and claims.status == "ok"`, ``, true, []string{`{"status": "ok"}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inEveryPlace(t, exprOf(tt.expr), func(place string, rule *Rule, turned bool) {
				for _, bad := range tt.bad {
					got := rule.Decide(Caller{Claims: withSub(t, bad), User: true})
					if got.Outcome != Deny || got.Err != nil {
						t.Errorf("%s: %s\nfor %s: got %v (%v), want deny", place, tt.expr, bad, got.Outcome, got.Err)
					}
				}
				if tt.twin == "" {
					return
				}
				want := Deny
				if tt.want != turned {
					want = Allow
				}
				if got := rule.Decide(Caller{Claims: withSub(t, tt.twin), User: true}); got.Outcome != want || got.Err != nil {
					t.Errorf("%s: %s\nfor %s: got %v (%v), want %v", place, tt.expr, tt.twin, got.Outcome, got.Err, want)
				}
			})
		})
	}
}

// withSub reads claims and adds a subject to them.
func withSub(t *testing.T, text string) *Claims {
	t.Helper()
	claims := claimsOf(t, text).raw
	claims["sub"] = "jane"
	return Index(claims)
}

// TestAbsenceIsTheExpressionsOwnChoice: what ?. does not find may grant where the
// expression itself says so, and never because of a not that stands around it.
func TestAbsenceIsTheExpressionsOwnChoice(t *testing.T) {
	tests := []struct {
		name, expr, claims string
		alone, turned      Outcome
	}{
		{"absent, and that is what is asked", `claims?.banned == nil`, `{}`, Allow, Deny},
		{"absent, and unlike", `claims?.banned != true`, `{}`, Allow, Deny},
		{"absent, and like: the not around it does not grant", `claims?.banned == true`, `{}`, Deny, Deny},
		{"absent, as the answer", `claims?.banned`, `{}`, Deny, Deny},
		{"absent, in a prefix", `claims?.banned startsWith "x"`, `{}`, Deny, Deny},
		{"absent, in a pattern", `claims?.banned matches "^x$"`, `{}`, Deny, Deny},
		{"absent, with another in its place", `(claims?.banned ?? "no") == "yes"`, `{}`, Deny, Deny},
		{"absent, not inside", `not (claims?.banned == true)`, `{}`, Allow, Deny},
		{"absent below an object", `claims.o?.banned == true`, `{"o": {}}`, Deny, Deny},
		{"absent in a list", `any(claims.teams, #?.banned == true)`, `{"teams": [{}]}`, Deny, Deny},
		{"there", `claims?.banned == true`, `{"banned": false}`, Deny, Allow},
		{"there, and true", `claims?.banned == true`, `{"banned": true}`, Allow, Deny},
		{"there, and of the wrong type", `claims?.banned == true`, `{"banned": "true"}`, Deny, Deny},
		{"null is absent", `claims?.banned == nil`, `{"banned": null}`, Allow, Deny},
		{"null is not among the claims", `"banned" in claims`, `{"banned": null}`, Deny, Allow},
		{"not among the claims, as is missing is", `"banned" in claims`, `{}`, Deny, Allow},
		{"not come to", `claims.sub == "jane" or claims?.banned == true`, `{}`, Allow, Deny},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inEveryPlace(t, exprOf(tt.expr), func(place string, rule *Rule, turned bool) {
				want := tt.alone
				if turned {
					want = tt.turned
				}
				if got := rule.Decide(Caller{Claims: withSub(t, tt.claims)}); got.Outcome != want || got.Err != nil {
					t.Errorf("%s: %s\nfor %s: got %v (%v), want %v", place, tt.expr, tt.claims, got.Outcome, got.Err, want)
				}
			})
		})
	}
}

// TestExpressionsTellWhatTheyLookAt is for whoever fetches claims and trims groups.
func TestExpressionsTellWhatTheyLookAt(t *testing.T) {
	rule := mustRule(t, nil, exprOf(`"teams/a" in claims.groups and claims["https://kde.org/x"].y == "z" and "amr" in claims and (claims?.acr == "gold" or claims.groups[0] == "teams/a")`))
	if diff := cmp.Diff([]string{"acr", "amr", "groups", "https://kde.org/x"}, rule.Claims()); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"gold", "teams/a", "z"}, rule.Values()); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	got := rule.Decide(Caller{Claims: claimsOf(t, `{"groups": ["teams/b"], "sub": "hidden"}`)})
	want := fmt.Sprintf("needs %s - you have groups: [teams/b]; acr, amr, https://kde.org/x are not among the claims: is the scope asked for?", rule)
	if len(got.Needs) != 1 || got.Needs[0].String() != want {
		t.Errorf("needs: got %v\nwant %s", got.Needs, want)
	}
}
