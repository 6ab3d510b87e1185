package policy

import (
	"encoding/json"
	"strings"
	"testing"
)

// claimsOf reads claims as a provider sends them, numbers with all their digits.
func claimsOf(t testing.TB, text string) *Claims {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var claims map[string]any
	if err := dec.Decode(&claims); err != nil {
		t.Fatalf("claims %s: %v", text, err)
	}
	return Index(claims)
}

// TestPromises holds each promise of the language against the attack that it is
// there for, and shows beside it that the honest case works.
func TestPromises(t *testing.T) {
	type who struct {
		name   string
		claims string
		want   Outcome
	}
	tests := []struct {
		name      string
		condition string
		who       []who
	}{
		{"contains is no substring test", "groups contains teams/kde-developers", []who{
			{"member", `{"groups": ["teams/x", "teams/kde-developers"]}`, Allow},
			{"emeritus by suffix", `{"groups": ["teams/kde-developers-emeritus"]}`, Deny},
			{"emeritus by suffix, one string", `{"groups": "teams/kde-developers-emeritus"}`, Deny},
			{"subgroup by prefix", `{"groups": ["other/teams/kde-developers"]}`, Deny},
			{"part of the name", `{"groups": ["teams/kde"]}`, Deny},
			{"other case", `{"groups": ["Teams/KDE-developers"]}`, Deny},
			{"a blank more", `{"groups": ["teams/kde-developers "]}`, Deny},
			{"a slash in front", `{"groups": ["/teams/kde-developers"]}`, Deny},
			{"a NUL behind", `{"groups": ["teams/kde-developers\u0000"]}`, Deny},
		}},
		{"letters that look alike differ", `groups contains "Jürgen"`, []who{
			{"the same bytes", `{"groups": ["Jürgen"]}`, Allow},
			{"u and a combining mark", `{"groups": ["Ju\u0308rgen"]}`, Deny},
		}},
		{"a string counts as a list of one", "groups contains teams/a", []who{
			{"one group as a string", `{"groups": "teams/a"}`, Allow},
			{"two groups in one string", `{"groups": "teams/a teams/b"}`, Deny},
			{"two groups with a comma", `{"groups": "teams/a,teams/b"}`, Deny},
			{"two groups with a space inside a list", `{"groups": ["teams/a teams/b"]}`, Deny},
		}},
		{"scope splits at spaces", "scope contains telemetry.write", []who{
			{"among others", `{"scope": "openid telemetry.write email"}`, Allow},
			{"alone", `{"scope": "telemetry.write"}`, Allow},
			{"as a list", `{"scope": ["openid", "telemetry.write"]}`, Allow},
			{"only a longer one", `{"scope": "openid telemetry.write.own"}`, Deny},
			{"after a tab", `{"scope": "openid\ttelemetry.write"}`, Deny},
			{"after a comma", `{"scope": "openid,telemetry.write"}`, Deny},
			{"in a list that is not split", `{"scope": ["openid telemetry.write"]}`, Deny},
			{"empty", `{"scope": ""}`, Deny},
		}},
		{"scp splits at spaces", "scp contains all of [a, b]", []who{
			{"both", `{"scp": "b a"}`, Allow},
			{"one", `{"scp": "a"}`, Deny},
		}},
		{"scope inside an object is a plain string", "token.scope contains a", []who{
			{"alone", `{"token": {"scope": "a"}}`, Allow},
			{"among others", `{"token": {"scope": "a b"}}`, Deny},
		}},
		{"any of", "groups contains any of [teams/a, teams/b]", []who{
			{"one of them", `{"groups": ["teams/b"]}`, Allow},
			{"none", `{"groups": ["teams/c"]}`, Deny},
			{"no groups", `{"groups": []}`, Deny},
		}},
		{"all of", "groups contains all of [teams/a, teams/b]", []who{
			{"both", `{"groups": ["teams/b", "teams/c", "teams/a"]}`, Allow},
			{"one of them", `{"groups": ["teams/b"]}`, Deny},
			{"one of them twice", `{"groups": ["teams/b", "teams/b"]}`, Deny},
			{"no groups", `{"groups": []}`, Deny},
		}},
		{"elements that are not strings are passed over", "groups contains 5", []who{
			{"the string", `{"groups": [5, null, {"name": "5"}, "5"]}`, Allow},
			{"the number", `{"groups": [5]}`, Deny},
			{"a list in the list", `{"groups": [["5"]]}`, Deny},
			{"a number instead of a list", `{"groups": 5}`, Deny},
		}},
		{"is refuses lists", "email is jane@kde.org", []who{
			{"the string", `{"email": "jane@kde.org"}`, Allow},
			{"a list of one", `{"email": ["jane@kde.org"]}`, Deny},
			{"an object", `{"email": {"jane@kde.org": true}}`, Deny},
			{"part of it", `{"email": "xjane@kde.org"}`, Deny},
		}},
		{"is refuses lists under not", "not email is jane@kde.org", []who{
			{"another string", `{"email": "joe@kde.org"}`, Allow},
			{"a list without it", `{"email": ["joe@kde.org"]}`, Deny},
			{"a number", `{"email": 5}`, Deny},
			{"a boolean", `{"email": false}`, Deny},
			{"an object", `{"email": {}}`, Deny},
			{"null", `{"email": null}`, Deny},
			{"missing", `{}`, Deny},
		}},
		{"is true takes the boolean and its word", "email_verified is true", []who{
			{"true", `{"email_verified": true}`, Allow},
			{"the word", `{"email_verified": "true"}`, Allow},
			{"false", `{"email_verified": false}`, Deny},
			{"the word false", `{"email_verified": "false"}`, Deny},
			{"in capitals", `{"email_verified": "True"}`, Deny},
			{"one", `{"email_verified": 1}`, Deny},
			{"a list of it", `{"email_verified": [true]}`, Deny},
			{"missing", `{}`, Deny},
		}},
		{"not is true takes the other boolean and its word", "not suspended is true", []who{
			{"false", `{"suspended": false}`, Allow},
			{"the word", `{"suspended": "false"}`, Allow},
			{"true", `{"suspended": true}`, Deny},
			{"true in capitals, which is no boolean", `{"suspended": "True"}`, Deny},
			{"one", `{"suspended": 1}`, Deny},
			{"missing", `{}`, Deny},
		}},
		{"is false is not absence", "suspended is false", []who{
			{"false", `{"suspended": false}`, Allow},
			{"missing", `{}`, Deny},
			{"null", `{"suspended": null}`, Deny},
			{"empty", `{"suspended": ""}`, Deny},
			{"zero", `{"suspended": 0}`, Deny},
		}},
		{"quoted true is the word alone", `flag is "true"`, []who{
			{"the word", `{"flag": "true"}`, Allow},
			{"the boolean", `{"flag": true}`, Deny},
		}},
		{"digits match the number and the same string", "uid is 5", []who{
			{"the number", `{"uid": 5}`, Allow},
			{"the string", `{"uid": "5"}`, Allow},
			{"the number written differently", `{"uid": 5.0}`, Allow},
			{"the number with an exponent", `{"uid": 0.5e1}`, Allow},
			{"the string written differently", `{"uid": "5.0"}`, Deny},
			{"another number", `{"uid": 50}`, Deny},
			{"the negative", `{"uid": -5}`, Deny},
			{"a list", `{"uid": [5]}`, Deny},
		}},
		{"quoted digits match the string only", `uid is "5"`, []who{
			{"the string", `{"uid": "5"}`, Allow},
			{"the number", `{"uid": 5}`, Deny},
		}},
		{"not quoted digits is no way around the type", `not uid is "5"`, []who{
			{"another string", `{"uid": "6"}`, Allow},
			{"the number", `{"uid": 5}`, Deny},
			{"another number", `{"uid": 6}`, Deny},
		}},
		{"ids above 2^53 stay apart", "uid is 9007199254740993", []who{
			{"the id", `{"uid": 9007199254740993}`, Allow},
			{"the id as a string", `{"uid": "9007199254740993"}`, Allow},
			{"its neighbour, equal as a float64", `{"uid": 9007199254740992}`, Deny},
		}},
		{"leading zeros belong to a name, not to a number", "room is 007", []who{
			{"the string", `{"room": "007"}`, Allow},
			{"the number 7", `{"room": 7}`, Deny},
		}},
		{"a number too large to be one", "uid is 1", []who{
			{"one", `{"uid": 1}`, Allow},
			{"an exponent beyond all bounds", `{"uid": 1e99999999999}`, Deny},
		}},
		{"not a number too large to be one", "not uid is 1", []who{
			{"two", `{"uid": 2}`, Allow},
			{"an exponent beyond all bounds", `{"uid": 1e99999999999}`, Deny},
		}},
		{"is one of", "level is one of [silver, gold, 3]", []who{
			{"a text", `{"level": "gold"}`, Allow},
			{"a number", `{"level": 3}`, Allow},
			{"another", `{"level": "bronze"}`, Deny},
			{"a list of it", `{"level": ["gold"]}`, Deny},
		}},
		{"not contains needs the claim", "not groups contains teams/suspended", []who{
			{"other groups", `{"groups": ["teams/a"]}`, Allow},
			{"one other group as a string", `{"groups": "teams/a"}`, Allow},
			{"no groups, said so", `{"groups": []}`, Allow},
			{"suspended", `{"groups": ["teams/a", "teams/suspended"]}`, Deny},
			{"suspended, one string", `{"groups": "teams/suspended"}`, Deny},
			{"missing", `{}`, Deny},
			{"null", `{"groups": null}`, Deny},
			{"a number where a list is expected", `{"groups": 7}`, Deny},
			{"a boolean where a list is expected", `{"groups": false}`, Deny},
			{"an object where a list is expected", `{"groups": {"teams/a": true}}`, Deny},
		}},
		{"not over or needs both claims", "not (groups contains bad or email is x)", []who{
			{"neither", `{"groups": ["a"], "email": "y"}`, Allow},
			{"the first", `{"groups": ["bad"], "email": "y"}`, Deny},
			{"one is missing", `{"groups": ["a"]}`, Deny},
		}},
		{"not over and needs one claim that differs", "not (groups contains bad and email is x)", []who{
			{"only the first", `{"groups": ["bad"], "email": "y"}`, Allow},
			{"one differs, the other is missing", `{"groups": ["a"]}`, Allow},
			{"both", `{"groups": ["bad"], "email": "x"}`, Deny},
			{"both are missing", `{}`, Deny},
			{"one is met, the other is missing", `{"groups": ["bad"]}`, Deny},
		}},
		{"not not is the condition itself", "not not groups contains a", []who{
			{"member", `{"groups": ["a"]}`, Allow},
			{"missing", `{}`, Deny},
		}},
		{"not a policy reaches into the policy", "not policy bad", []who{
			{"neither", `{"groups": ["a"], "email": "y"}`, Allow},
			{"the policy holds", `{"groups": ["bad"], "email": "y"}`, Deny},
			{"a claim of the policy is missing", `{"email": "y"}`, Deny},
		}},
		{"a dotted name walks and a quoted name does not", "realm_access.roles contains admin", []who{
			{"in the object", `{"realm_access": {"roles": ["admin"]}}`, Allow},
			{"a key with a dot", `{"realm_access.roles": ["admin"]}`, Deny},
			{"no object", `{"realm_access": ["admin"]}`, Deny},
			{"a string", `{"realm_access": "roles"}`, Deny},
			{"the key elsewhere", `{"roles": ["admin"]}`, Deny},
		}},
		{"a quoted name is one key", `"realm_access.roles" contains admin`, []who{
			{"a key with a dot", `{"realm_access.roles": ["admin"]}`, Allow},
			{"in the object", `{"realm_access": {"roles": ["admin"]}}`, Deny},
		}},
		{"an address is one key", "https://gitlab.org/claims/groups/owner contains teams/sysadmin", []who{
			{"owner", `{"https://gitlab.org/claims/groups/owner": ["teams/sysadmin"]}`, Allow},
			{"maintainer", `{"https://gitlab.org/claims/groups/maintainer": ["teams/sysadmin"]}`, Deny},
		}},
		{"a quoted segment inside a way", `resource_access."my.client".roles contains admin`, []who{
			{"in the object", `{"resource_access": {"my.client": {"roles": ["admin"]}}}`, Allow},
			{"walked too far", `{"resource_access": {"my": {"client": {"roles": ["admin"]}}}}`, Deny},
		}},
		{"names are exact", "groups contains a", []who{
			{"the name", `{"groups": ["a"]}`, Allow},
			{"other case", `{"Groups": ["a"]}`, Deny},
			{"the long s that folds to s", `{"group\u017f": ["a"]}`, Deny},
		}},
		{"claims called like builtins and variables are claims", "len is 3 and true is x and claims contains leaf and leaf contains y", []who{
			{"all there", `{"len": 3, "true": "x", "claims": ["leaf"], "leaf": ["y"]}`, Allow},
			{"none there", `{}`, Deny},
		}},
		{"a value is never an expression", `groups contains "\" or true or \""`, []who{
			{"the very value", `{"groups": ["\" or true or \""]}`, Allow},
			{"anybody", `{"groups": ["a"]}`, Deny},
		}},
		{"a claim is never an expression", "groups contains a", []who{
			{"a group that reads like one", `{"groups": ["x\") or true or leaf(claims, 0"]}`, Deny},
			{"member", `{"groups": ["a"]}`, Allow},
		}},
	}
	set := mustCompile(t, "bad", "groups contains bad or email is x")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rule := mustRule(t, set, text(tt.condition))
			for _, who := range tt.who {
				t.Run(who.name, func(t *testing.T) {
					if got := rule.Decide(Caller{Claims: claimsOf(t, who.claims), User: true}); got.Outcome != who.want || got.Err != nil {
						t.Errorf("%s\nfor %s: got %v (%v), want %v", tt.condition, who.claims, got.Outcome, got.Err, who.want)
					}
				})
			}
		})
	}
}

// TestIndexTakesGoValues is for callers that do not come from JSON.
func TestIndexTakesGoValues(t *testing.T) {
	claims := Index(map[string]any{
		"float": 5.0, "large": 1e6, "huge": 1e30, "half": 0.5, "int": 5, "int64": int64(5), "uint64": uint64(5),
		"strings": []string{"a", "b"}, "nothing": nil, "bytes": []byte("a"), "none": []any(nil),
	})
	tests := []struct {
		condition string
		want      Outcome
	}{
		{"float is 5", Allow}, {"float is 5.0", Allow}, {"float is 6", Deny},
		{"large is 1000000", Allow}, {"huge is 1000000000000000000000000000000", Allow}, {"half is 0.5", Allow},
		{"int is 5", Allow}, {"int64 is 5", Allow}, {"uint64 is 5", Allow}, {"int is 4", Deny},
		{"strings contains b", Allow}, {"not strings contains c", Allow}, {"strings contains c", Deny},
		{"not nothing is x", Deny}, {"not bytes contains x", Deny}, {"bytes contains a", Deny}, {"not none contains x", Allow},
	}
	for _, tt := range tests {
		t.Run(tt.condition, func(t *testing.T) {
			if got := mustRule(t, nil, text(tt.condition)).Decide(Caller{Claims: claims}); got.Outcome != tt.want {
				t.Errorf("got %v, want %v", got.Outcome, tt.want)
			}
		})
	}
}

// TestIndexKeepsNothingOfTheCallersMap changes the map after it was indexed.
func TestIndexKeepsNothingOfTheCallersMap(t *testing.T) {
	list, roles := []any{"a"}, []string{"a"}
	object := map[string]any{"x": "a"}
	raw := map[string]any{"groups": list, "roles": roles, "object": object}
	claims := Index(raw)
	list[0], roles[0], object["x"], raw["email"] = "b", "b", "b", "b"
	for condition, want := range map[string]Outcome{
		"groups contains a": Allow, "groups contains b": Deny,
		"roles contains a": Allow, "roles contains b": Deny,
		"object.x is a": Allow, "object.x is b": Deny, "email is b": Deny,
	} {
		if got := mustRule(t, nil, text(condition)).Decide(Caller{Claims: claims}); got.Outcome != want {
			t.Errorf("%s: got %v, want %v", condition, got.Outcome, want)
		}
	}
}

func TestObjectsNestedWithoutEndAreOfTheWrongType(t *testing.T) {
	var v any = "a"
	for range 10_000 {
		v = map[string]any{"x": v}
	}
	claims := Index(map[string]any{"x": v})
	for _, condition := range []string{"x is a", "not x is a", strings.Repeat("x.", 100) + "x is a", "not " + strings.Repeat("x.", 100) + "x is a"} {
		if got := mustRule(t, nil, text(condition)).Decide(Caller{Claims: claims}); got.Outcome != Deny {
			t.Errorf("%s: got %v, want deny", condition, got.Outcome)
		}
	}
}

func TestCanonicalNumbers(t *testing.T) {
	same := [][]string{
		{"0", "-0", "0.0", "0e5", "0E-5"},
		{"5", "5.0", "5.000", "0.5e1", "50e-1", "5e0", "5e+0"},
		{"-5", "-5.0", "-0.5E1"},
		{"100", "1e2", "1E+2", "100.0"},
		{"0.001", "1e-3", "0.0010"},
		{"9007199254740992"}, {"9007199254740993"},
		{"1e2147483647"},
	}
	seen := map[string]string{}
	for _, numbers := range same {
		first, ok := canonicalNumber(numbers[0])
		if !ok {
			t.Errorf("%s is not a number", numbers[0])
		}
		if other, twice := seen[first]; twice {
			t.Errorf("%s and %s are the same", numbers[0], other)
		}
		seen[first] = numbers[0]
		for _, n := range numbers[1:] {
			if got, ok := canonicalNumber(n); !ok || got != first {
				t.Errorf("%s: got %s, %t, want %s as for %s", n, got, ok, first, numbers[0])
			}
		}
	}
	for _, n := range []string{"", "-", "+5", "05", "5.", ".5", "5e", "5e+", "5e+-1", "5e1.0", "5e99999999999", "NaN", "Inf", "0x5", "1_000", "٥", "5 ", " 5", "--5"} {
		if got, ok := canonicalNumber(n); ok {
			t.Errorf("%q: got the number %s, want none", n, got)
		}
	}
}
