package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAGroupOfOneProviderIsNotAGroupOfAnother: a policy grants nothing to people of
// other providers, in whatever way it is asked.
func TestAGroupOfOneProviderIsNotAGroupOfAnother(t *testing.T) {
	never := text("groups contains never")
	set, faults := Compile([]Definition{
		{Name: "admins", Require: text("groups contains admins"), Providers: []string{"kde", `o"d\d`}},
		{Name: "good", Require: text("not groups contains bad"), Providers: []string{"kde"}},
		{Name: "inner", Require: text("policy admins")},
		{Name: "either", Require: text("policy admins or groups contains guests")},
		{Name: "outer", Require: text("policy either"), Providers: []string{"gitlab"}},
		{Name: "tried", Require: text("groups contains admins"), Shadow: &never, Providers: []string{"kde"}},
		{Name: "open", Require: text("groups contains admins"), Providers: []string{}},
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	const kde, gitlab = `"provider": "kde"`, `"provider": "gitlab"`
	admins, guests := `, "groups": ["admins"]}`, `, "groups": ["guests"]}`
	tests := []struct {
		name, rule, claims string
		want               Outcome
	}{
		{"of the provider", "admins", "{" + kde + admins, Allow},
		{"of the provider, not in the group", "admins", "{" + kde + guests, Deny},
		{"of the other one", "admins", "{" + gitlab + admins, Deny},
		{"of one with strange signs", "admins", `{"provider": "o\"d\\d"` + admins, Allow},
		{"of none", "admins", `{"sub": "x"` + admins, Deny},
		{"of null", "admins", `{"provider": null` + admins, Deny},
		{"of several in a list", "admins", `{"provider": ["kde"]` + admins, Deny},
		{"of one in other letters", "admins", `{"provider": "KDE"` + admins, Deny},
		{"under not, of the provider", "not policy admins", "{" + kde + guests, Allow},
		{"under not, of the other one", "not policy admins", "{" + gitlab + guests, Deny},
		{"under not, of the other one and in the group", "not policy admins", "{" + gitlab + admins, Deny},
		{"under not, of none", "not policy admins", `{"sub": "x"` + guests, Deny},
		{"under not not", "not not policy admins", "{" + gitlab + admins, Deny},
		{"under not not, of the provider", "not not policy admins", "{" + kde + admins, Allow},
		{"under not in a block", "not (policy admins or sub is x)", "{" + gitlab + guests, Deny},
		{"a policy of a not", "good", "{" + kde + guests, Allow},
		{"a policy of a not, of the other one", "good", "{" + gitlab + guests, Deny},
		{"not a policy of a not", "not policy good", "{" + gitlab + `, "groups": ["bad"]}`, Deny},
		{"through a reference", "inner", "{" + gitlab + admins, Deny},
		{"through a reference, of the provider", "inner", "{" + kde + admins, Allow},
		{"through a reference under not", "not policy inner", "{" + gitlab + guests, Deny},
		{"an alternative without providers", "either", "{" + gitlab + guests, Allow},
		{"an alternative without providers, by the group", "either", "{" + gitlab + admins, Deny},
		{"a policy of one provider about a policy of another", "outer", "{" + gitlab + guests, Allow},
		{"a policy of one provider about a policy of another, theirs", "outer", "{" + kde + admins, Deny},
		{"a policy of one provider about a policy of another, nobody's", "outer", "{" + gitlab + admins, Deny},
		{"with a shadow", "tried", "{" + gitlab + admins, Deny},
		{"an empty list is every provider", "open", "{" + gitlab + admins, Allow},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rule := mustRule(t, set, text(tt.rule))
			got, trace := rule.Explain(Caller{Claims: claimsOf(t, tt.claims)})
			if got.Outcome != tt.want || got.Err != nil || trace.Holds != (tt.want == Allow) {
				t.Errorf("got %v (%v), trace %t, want %v", got.Outcome, got.Err, trace.Holds, tt.want)
			}
		})
	}
	if diff := cmp.Diff([]string{"groups", "provider"}, mustRule(t, set, text("inner")).Claims()); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	got := mustRule(t, set, text("inner")).Decide(Caller{Claims: claimsOf(t, "{"+gitlab+admins)})
	want := []string{`needs provider is one of [kde, "o\"d\\d"] - you have provider: gitlab`}
	if diff := cmp.Diff(want, sentences(got)); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
}

func sentences(d Decision) []string {
	var s []string
	for _, n := range d.Needs {
		s = append(s, n.String())
	}
	return s
}

// TestAskingForAClaim: a condition asks for a claim when nobody is let in without a look
// at it, whatever else is asked.
func TestAskingForAClaim(t *testing.T) {
	set, faults := Compile([]Definition{{Name: "asking", Require: Clause{Text: "provider is a"}}, {Name: "open", Require: Clause{Text: "groups contains a"}}})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	named := func(name string) bool { return name == "asking" }
	for text, want := range map[string]bool{
		"provider is a": true, "not provider is a": true, "provider.x is a": true, `"provider.x" is a`: false,
		"groups contains a": false, "provider is a and groups contains a": true, "provider is a or groups contains a": false,
		"not (provider is a and groups contains a)": false, "not (provider is a or groups contains a)": true,
		"asking": true, "open": false, "policy asking and policy open": true, "policy asking or policy open": false,
		"public": false, "signed-in": false, "groups contains": true,
	} {
		if got := set.Asks(Clause{Text: text}, "provider", named); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
	if !set.Asks(Clause{Expr: `claims.provider == "a" || true`}, "provider", named) {
		t.Error("an expression that looks at the claim: got false")
	}
}

// TestComparingWithWhatAClaimNeverIs: a slip in a value that is known beforehand is told,
// wherever it stands.
func TestComparingWithWhatAClaimNeverIs(t *testing.T) {
	set, faults := Compile([]Definition{{Name: "slip", Require: Clause{Text: "provider is ourz"}}})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for text, want := range map[string]string{
		"provider is ours": "", "not provider is ourz": "provider is never \"ourz\"; did you mean ours?",
		"groups contains a or (acr is gold and not provider is one of [ours, x])": "provider is never \"x\"; provider is one of: ours, partner",
		"provider starts with x":   "",
		"provider.name is x":       "",
		"groups contains x":        "",
		"policy slip and x is y":   "",
		"slip":                     "",
		"provider contains theirs": "provider is never \"theirs\"; provider is one of: ours, partner",
		"provider is":              "",
	} {
		got := ""
		for _, f := range set.Never(Clause{Text: text}, "provider", []string{"ours", "partner"}) {
			got += f.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
