package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRefusals tells the sentences that people see.
func TestRefusals(t *testing.T) {
	set := mustCompile(t,
		"board", "groups contains teams/ev-board",
		"verified", "email_verified is true and email is one of [jane@kde.org, joe@kde.org]",
	)
	tests := []struct {
		name, condition, claims string
		reason                  Reason
		want                    []string
	}{
		{"what is needed and what is there", "groups contains teams/kde-developers",
			`{"groups": ["teams/kde-developers-emeritus"], "email": "jane@kde.org"}`, ReasonNotAllowed,
			[]string{"needs groups contains teams/kde-developers - you have groups: [teams/kde-developers-emeritus]"}},
		{"a claim that is missing", "email_verified is true", `{}`, ReasonNotAllowed,
			[]string{"needs email_verified is true - email_verified is not among the claims: is the scope asked for?"}},
		{"a claim that is null is missing", "email_verified is true", `{"email_verified": null}`, ReasonNotAllowed,
			[]string{"needs email_verified is true - email_verified is not among the claims: is the scope asked for?"}},
		{"a claim that is an empty list is not", "groups contains a", `{"groups": []}`, ReasonNotAllowed,
			[]string{"needs groups contains a - you have groups: []"}},
		{"a single string", "groups contains a", `{"groups": "b"}`, ReasonNotAllowed,
			[]string{"needs groups contains a - you have groups: b"}},
		{"scopes are shown as a list", "scope contains write", `{"scope": "openid read"}`, ReasonScope,
			[]string{"needs scope contains write - you have scope: [openid, read]"}},
		{"a scope that is missing", "scp contains write", `{}`, ReasonScope,
			[]string{"needs scp contains write - scp is not among the claims: is the scope asked for?"}},
		{"a scope and a group", "scope contains write and groups contains a", `{"scope": "read", "groups": []}`, ReasonNotAllowed,
			[]string{"needs scope contains write - you have scope: read", "needs groups contains a - you have groups: []"}},
		{"a scope or a group", "scope contains write or groups contains a", `{"scope": "read", "groups": []}`, ReasonNotAllowed,
			[]string{"needs one of: scope contains write; groups contains a - you have scope: read; groups: []"}},
		{"one scope or another", "scope contains write or scope contains admin", `{"scope": "read"}`, ReasonScope,
			[]string{"needs one of: scope contains write; scope contains admin - you have scope: read"}},
		{"a scope too many is no lack of scope", "not scope contains admin", `{"scope": "admin"}`, ReasonNotAllowed,
			nil},
		{"a scope that lacks and a group that is there", "scope contains write and groups contains a", `{"scope": "read", "groups": ["a"]}`, ReasonScope,
			[]string{"needs scope contains write - you have scope: read"}},
		{"only what fails is told", "groups contains a and email_verified is true and acr is gold", `{"groups": ["a"], "email_verified": true, "acr": "silver"}`, ReasonStepUp,
			[]string{"needs acr is gold - you have acr: silver"}},
		{"one of several, with values told once", "groups contains a or policy board or email_verified is true", `{"groups": ["x"], "email_verified": false}`, ReasonNotAllowed,
			[]string{"needs one of: groups contains a; groups contains teams/ev-board; email_verified is true - you have groups: [x]; email_verified: false"}},
		{"one of several, one claim missing", "groups contains a or email_verified is true", `{"email_verified": false}`, ReasonNotAllowed,
			[]string{"needs one of: groups contains a; email_verified is true - you have email_verified: false; groups is not among the claims: is the scope asked for?"}},
		{"one of several, all claims missing", "groups contains a or email_verified is true", `{}`, ReasonNotAllowed,
			[]string{"needs one of: groups contains a; email_verified is true - groups, email_verified are not among the claims: is the scope asked for?"}},
		{"alternatives that are half met", "groups contains a or (email_verified is true and acr is gold)", `{"groups": [], "email_verified": true, "acr": "silver"}`, ReasonStepUp,
			[]string{"needs one of: groups contains a; acr is gold - you have groups: []; acr: silver"}},
		{"alternatives within alternatives", "groups contains a or (acr is gold and (amr contains otp or amr contains hwk))", `{"groups": [], "acr": "silver", "amr": ["pwd"]}`, ReasonNotAllowed,
			[]string{"needs one of: groups contains a; acr is gold and (one of: amr contains otp; amr contains hwk) - you have groups: []; acr: silver; amr: [pwd]"}},
		{"a policy is told by its conditions", "policy verified", `{"email": "x@kde.org"}`, ReasonNotAllowed,
			[]string{"needs email_verified is true - email_verified is not among the claims: is the scope asked for?", "needs email is one of [jane@kde.org, joe@kde.org] - you have email: x@kde.org"}},
		{"a negative condition does not tell the caller's groups", "not groups contains teams/suspended", `{"groups": ["teams/suspended", "teams/a"]}`, ReasonNotAllowed,
			nil},
		{"a negative condition tells that the claim is missing", "not groups contains teams/suspended", `{}`, ReasonNotAllowed,
			[]string{"needs groups is present - groups is not among the claims: is the scope asked for?"}},
		{"a negative alternative hides, a positive one shows", "not acr is none or groups contains a", `{"acr": "none", "groups": ["b"]}`, ReasonNotAllowed,
			[]string{"needs groups contains a - you have groups: [b]"}},
		{"a number where a list is needed", "groups contains a", `{"groups": 5}`, ReasonNotAllowed,
			[]string{"needs groups contains a - you have groups: 5 (a number, where a list or a string is needed)"}},
		{"a list where a string is needed", "email is a", `{"email": ["a", 5]}`, ReasonNotAllowed,
			[]string{"needs email is a - you have email: [a] (a list, where a string is needed)"}},
		{"an object where a list is needed", "realm_access contains a", `{"realm_access": {"secret": "s3cr3t"}}`, ReasonNotAllowed,
			[]string{"needs realm_access contains a - you have realm_access: {...} (an object, where a list or a string is needed)"}},
		{"a word where a boolean is needed", "email_verified is true", `{"email_verified": "yes"}`, ReasonNotAllowed,
			[]string{"needs email_verified is true - you have email_verified: yes (a string, where true or false is needed)"}},
		{"a boolean where digits are needed", "uid is 5", `{"uid": true}`, ReasonNotAllowed,
			[]string{"needs uid is 5 - you have uid: true (a boolean, where a number or a string is needed)"}},
		{"a number where quoted digits are needed", `uid is "5"`, `{"uid": 5}`, ReasonNotAllowed,
			[]string{`needs uid is "5" - you have uid: 5 (a number, where a string is needed)`}},
		{"a list where one of several values is needed", `uid is one of [5, x]`, `{"uid": []}`, ReasonNotAllowed,
			[]string{`needs uid is one of [5, x] - you have uid: [] (a list, where one of the values is needed)`}},
		{"a number with all its digits", "uid is 9007199254740993", `{"uid": 9007199254740992}`, ReasonNotAllowed,
			[]string{"needs uid is 9007199254740993 - you have uid: 9007199254740992"}},
		{"a value inside an object", "realm_access.roles contains admin", `{"realm_access": {"roles": ["user"], "other": "x"}}`, ReasonNotAllowed,
			[]string{"needs realm_access.roles contains admin - you have realm_access.roles: [user]"}},
		{"values that would pass for two", "groups contains a", `{"groups": ["b, a", "Field Team", ""]}`, ReasonNotAllowed,
			[]string{`needs groups contains a - you have groups: ["b, a", "Field Team", ""]`}},
		{"control characters, line breaks and marks that turn text around", "groups contains a", `{"groups": ["x\u001b[31m\r\ny", "\u202eevil", "z\u0000"]}`, ReasonNotAllowed,
			[]string{`needs groups contains a - you have groups: ["x\u001b[31m\u000d\u000ay", \u202eevil, z\u0000]`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := mustRule(t, set, text(tt.condition)).Decide(Caller{Claims: claimsOf(t, tt.claims), User: true})
			if d.Outcome == Allow || d.Reason != tt.reason {
				t.Errorf("got %v for %v, want it refused for %v", d.Outcome, d.Reason, tt.reason)
			}
			var got []string
			for _, n := range d.Needs {
				got = append(got, n.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("needs (-want +got):\n%s", diff)
			}
		})
	}
}

// TestARefusalTellsNothingElse looks for values of claims that were not named.
func TestARefusalTellsNothingElse(t *testing.T) {
	claims := claimsOf(t, `{"groups": ["teams/x"], "email": "hidden@kde.org", "sub": "hidden", "realm_access": {"roles": ["hidden"], "shown": ["x"]}}`)
	d := mustRule(t, nil, text("groups contains a and realm_access.shown contains a and not sub is hidden")).Decide(Caller{Claims: claims, User: true})
	if len(d.Needs) != 2 {
		t.Fatalf("got %d needs, want 2", len(d.Needs))
	}
	for _, n := range d.Needs {
		if strings.Contains(n.Have, "hidden") {
			t.Errorf("got %s", n.Have)
		}
	}
	if d.Needs[0].Claim != "groups" || d.Needs[1].Claim != "realm_access.shown" {
		t.Errorf("got the claims %q and %q", d.Needs[0].Claim, d.Needs[1].Claim)
	}
}

// TestARefusalIsBounded gives the caller, and the condition, more than fits.
func TestARefusalIsBounded(t *testing.T) {
	groups := manyGroups(500, strings.Repeat("x", 10_000))
	groups[0] = strings.Repeat("ä", 10_000)
	groups[1] = strings.Repeat("\x1b", 10_000)
	d := mustRule(t, nil, text("groups contains any of ["+strings.Repeat("a, ", 500)+"b]")).Decide(Caller{Claims: Index(map[string]any{"groups": groups})})
	if len(d.Needs) != 1 {
		t.Fatalf("got %d needs, want 1", len(d.Needs))
	}
	n := d.Needs[0]
	if !strings.HasSuffix(n.Have, ", and 490 more]") || len(n.Have) > 1000 {
		t.Errorf("got %d bytes of values: %s", len(n.Have), n.Have)
	}
	if !strings.HasSuffix(n.Text, ", and 481 more]") || len(n.Text) > 200 {
		t.Errorf("got %d bytes of requirement: %s", len(n.Text), n.Text)
	}
	d = mustRule(t, nil, text(strings.Repeat("x is a and ", 100)+"x is a")).Decide(Caller{Claims: Index(nil)})
	if len(d.Needs) != shownNeeds {
		t.Errorf("got %d needs, want %d", len(d.Needs), shownNeeds)
	}
}
