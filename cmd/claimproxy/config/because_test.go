package config

import "testing"

// A reason is compared with what is told about a decision, so that it has to be in the
// same form, however it was written.
func TestBecauseIsInTheFormThatIsTold(t *testing.T) {
	for text, want := range map[string]string{
		`no-credentials`:                        "no-credentials",
		`developers`:                            "developers",
		`not developers`:                        "not developers",
		`policy developers`:                     "developers",
		`groups  contains "teams/a"`:            "groups contains teams/a",
		`groups contains any of [a,b]`:          "groups contains any of [a, b]",
		`not groups contains "Field Team"`:      `not groups contains "Field Team"`,
		`expr: claims.email_verified && x == 1`: "expr: claims.email_verified && x == 1",
	} {
		c := mustParse(t, `
public_url: https://telemetry.example.org
providers:
  - {id: invent, issuer: "https://invent.example.org", client_id: abc}
policies:
  developers: groups contains teams/a
routes:
  - {upstream: "http://127.0.0.1:8000", allow: developers}
tests:
  - {request: GET /, expect: sign-in, because: '`+text+`'}
`)
		if got := c.Tests[0].Because; got != want {
			t.Errorf("%s: got %q, expected %q", text, got, want)
		}
	}
}
