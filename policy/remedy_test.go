package policy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestWhatAnotherSignInWouldMend: only where nothing else fails does it say so, since
// people are sent to sign in for it, and programs begin anew.
func TestWhatAnotherSignInWouldMend(t *testing.T) {
	set := mustCompile(t, "strong", "acr is one of [gold, platinum]")
	at := time.Unix(1_700_000_000, 0)
	const silver, old = `"acr": "silver"`, `"auth_time": 1699990000`
	gold := &StepUp{ACR: []string{"gold"}}
	for _, tt := range []struct {
		name, condition, claims string
		want                    *StepUp
	}{
		{"another acr", "acr is gold", `{` + silver + `}`, gold},
		{"an acr that nobody told", "acr is gold", `{}`, gold},
		{"one of several", "policy strong", `{` + silver + `}`, &StepUp{ACR: []string{"gold", "platinum"}}},
		{"long ago", "auth_time within 1h", `{` + old + `}`, &StepUp{MaxAge: time.Hour}},
		{"a time that nobody told", "auth_time within 1h", `{}`, &StepUp{MaxAge: time.Hour}},
		{"the shorter of two", "auth_time within 1h and auth_time within 10m", `{` + old + `}`, &StepUp{MaxAge: 10 * time.Minute}},
		{"both", "acr is gold and auth_time within 1h", `{` + silver + `, ` + old + `}`, &StepUp{ACR: []string{"gold"}, MaxAge: time.Hour}},
		{"what holds is not asked for", "acr is gold and auth_time within 1d", `{` + silver + `, ` + old + `}`, gold},
		{"beside what holds", "groups contains a and acr is gold", `{"groups": ["a"], ` + silver + `}`, gold},
		{"beside what fails", "groups contains a and acr is gold", `{"groups": ["b"], ` + silver + `}`, nil},
		{"in the other alternative", "groups contains a or acr is gold", `{"groups": ["b"], ` + silver + `}`, gold},
		{"in an alternative that fails anyway", "groups contains a or (acr is gold and groups contains c)", `{"groups": ["b"], ` + silver + `}`, nil},
		{"the first alternative that it mends", "(acr is bronze and groups contains c) or acr is gold", `{"groups": ["b"], ` + silver + `}`, gold},
		{"under not", "not acr is silver", `{` + silver + `}`, nil},
		{"of a list", "acr is gold", `{"acr": ["gold"]}`, nil},
		{"a time that is none", "auth_time within 1h", `{"auth_time": "noon"}`, nil},
		{"a time to come", "auth_time within 1h", `{"auth_time": 1800000000}`, nil},
		{"inside another claim", "event.acr is gold", `{"event": {"acr": "silver"}}`, nil},
		{"a claim of that kind", "amr contains otp", `{"amr": ["pwd"]}`, nil},
		{"beside a scope", "scope contains a and acr is gold", `{"scope": "b", ` + silver + `}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rule := mustRule(t, set, text(tt.condition))
			person := Caller{Claims: claimsOf(t, tt.claims), User: true, Now: at}
			got := rule.Decide(person)
			if diff := cmp.Diff(tt.want, got.StepUp); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if stepUp := got.Outcome == SignIn && got.Reason == ReasonStepUp; stepUp != (tt.want != nil) || got.Outcome == Allow {
				t.Errorf("got %v for %v", got.Outcome, got.Reason)
			}
			// A program by itself has nobody who could sign in.
			person.User = false
			if got := rule.Decide(person); got.Outcome != Deny || got.StepUp != nil {
				t.Errorf("of a program: got %v for %v", got.Outcome, got.Reason)
			}
		})
	}
}

// TestWhichScopesWouldDo: a program asks for these and no others.
func TestWhichScopesWouldDo(t *testing.T) {
	for _, tt := range []struct {
		condition, claims string
		want              []string
	}{
		{"scope contains write", `{"scope": "read"}`, []string{"write"}},
		{"scope contains write and scope contains admin", `{}`, []string{"admin", "write"}},
		{"scope contains all of [read, write]", `{"scope": "read"}`, []string{"write"}},
		{"scope contains any of [write, admin]", `{"scope": "read"}`, []string{"write"}},
		{"scope contains write or scope contains admin", `{"scope": "read"}`, []string{"write"}},
		{"scope matches /^w.*$/", `{"scope": "read"}`, nil},
		{"scope contains write and groups contains a", `{"groups": ["b"]}`, nil},
	} {
		got := mustRule(t, nil, text(tt.condition)).Decide(Caller{Claims: claimsOf(t, tt.claims), User: true})
		if diff := cmp.Diff(tt.want, got.Scopes); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.condition, diff)
		}
	}
}
