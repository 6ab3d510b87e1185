package main

import (
	"strings"
	"testing"
)

// TestPoliciesThatNoTestCovers are warned of: nothing shows whom they let in. A request of
// nobody shows nothing either, whatever the policy says.
func TestPoliciesThatNoTestCovers(t *testing.T) {
	const head = `
public_url: https://app.example.org
providers: [{id: idp, issuer: "https://idp.example.org", client_id: web}]
policies: {developers: groups contains a, inner: groups contains b, outer: policy inner and acr is gold, tried: groups contains c}
routes:
  - {path: /a, upstream: "http://127.0.0.1:8000", allow: developers, shadow: tried, public_from: 10.0.0.0/8}
  - {path: /b, upstream: "http://127.0.0.1:8000", rules: [{methods: GET, allow: public}, {methods: PUT, allow: outer}]}
tests:
`
	const developers, inner, outer = "policies.developers: no test covers", "policies.inner: no test covers", "policies.outer: no test covers"
	for tests, want := range map[string][]string{
		"  - {request: GET /a, expect: sign-in}":                                                                             {developers, inner, outer},
		"  - {request: GET /a, from: 10.0.0.1, claims: {groups: a}, expect: allow}":                                          {developers, inner, outer},
		"  - {request: GET /a, claims: {groups: a}, expect: allow}":                                                          {inner, outer},
		"  - {request: GET /b, claims: {groups: a}, expect: allow}\n  - {request: GET /a, claims: {}, expect: deny}":         {inner, outer},
		"  - {request: PUT /b, claims: {groups: a}, expect: deny}\n  - {request: GET /a, claims: {groups: b}, expect: deny}": nil,
		"  - {request: DELETE /b, claims: {groups: a}, expect: deny}":                                                        {developers, inner, outer},
		"  - {request: PUT /b, claims: {groups: a}, auth: client, expect: deny}":                                             {developers},
		"  - {request: GET https://other.example.org/, claims: {groups: a}, expect: not-found}":                              {developers, inner, outer},
	} {
		code, _, stderr := command(t, "check", "-c", write(t, "claimproxy.yaml", head+tests+"\n"))
		if code != exitFine || strings.Count(stderr, "no test covers") != len(want) {
			t.Errorf("%s: exit code %d, %s", tests, code, stderr)
		}
		for _, w := range want {
			if !strings.Contains(stderr, w) {
				t.Errorf("%s: got %s, want %s", tests, stderr, w)
			}
		}
	}
}

// TestCheckSaysWhenEverybodyHasOneAddress: where TLS ends in front, somebody is in front.
func TestCheckSaysWhenEverybodyHasOneAddress(t *testing.T) {
	for config, want := range map[string]bool{
		"public_url: https://app.example.org":                                    true,
		"public_url: https://app.example.org\ntrusted_proxies: 10.0.0.1":         false,
		"public_url: https://app.example.org\ntls: {acme: {email: a@b.example}}": false,
		"public_url: http://localhost:8080":                                      false,
	} {
		code, out, stderr := command(t, "check", "-c", write(t, "claimproxy.yaml", config+"\nroutes: [{upstream: \"http://127.0.0.1:8000\", allow: public}]\n"))
		if code != exitFine || strings.Contains(out, "all clients count as one address") != want {
			t.Errorf("%s: exit code %d, %s%s", config, code, out, stderr)
		}
	}
}
