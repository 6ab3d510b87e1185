package login

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
)

func TestClaimsAreShownToPeopleAsWhatTheyAre(t *testing.T) {
	claims, err := session.ParseClaims([]byte(`{
		"auth_time": 1795633647, "exp": 1795633767.5, "iat": -1, "nbf": 1e99, "updated_at": "yesterday", "number": 1795633647,
		"groups": ["teams/a", "teams/a ", "", "a,b", "line\nbreak", "zero\u200bwidth", 7],
		"none": [], "true": true, "null": null, "object": {"a": [1]}, "name": "Ødd Üser \ud83d\udc09"
	}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []answer.Row{
		{Name: "auth_time", Values: []string{"25 Nov 2026, 19:07:27 UTC"}},
		{Name: "exp", Values: []string{"25 Nov 2026, 19:09:27 UTC"}},
		{Name: "groups", Values: []string{"teams/a", `"teams/a "`, `""`, "a,b", `"line\nbreak"`, `"zero\u200bwidth"`, "7"}},
		{Name: "iat", Values: []string{"-1"}},
		{Name: "name", Values: []string{"Ødd Üser \U0001F409"}},
		{Name: "nbf", Values: []string{"1e99"}},
		{Name: "none", Values: []string{"none"}},
		{Name: "null", Values: []string{"null"}},
		{Name: "number", Values: []string{"1795633647"}},
		{Name: "object", Values: []string{`{"a":[1]}`}},
		{Name: "true", Values: []string{"true"}},
		{Name: "updated_at", Values: []string{"yesterday"}},
	}
	if diff := cmp.Diff(want, rowsOf(claims)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
