package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/policy"
)

func TestTestsAreReadAsWritten(t *testing.T) {
	c := mustParse(t, strings.TrimPrefix(smallest, "\n")+`people:
  dev: {groups: [teams/a]}
tests:
  - {request: GET /, expect: sign-in}
  - request: [POST /a/*/b, "GET /f%C3%BC?x=%zz&y", "HEAD HTTPS://Telemetry.example.org:443?x"]
    as: dev
    auth: client
    from: 2001:db8::1
    expect: deny
    because: groups contains teams/b
  - {request: GET https://other.example.org, claims: {}, expect: not-found}
`)
	nobody, host := netip.MustParseAddr("192.0.2.1"), "telemetry.example.org"
	want := []Test{
		{Requests: []TestRequest{{Method: "GET", Host: host, Path: "/", Text: "GET /"}}, From: nobody, Expect: ExpectSignIn},
		{
			Requests: []TestRequest{
				{Method: "POST", Host: host, Path: "/a/*/b", Text: "POST /a/*/b"},
				{Method: "GET", Host: host, Path: "/f%C3%BC", Text: "GET /f%C3%BC?x=%zz&y"},
				{Method: "HEAD", Host: host, Path: "/", Text: "HEAD HTTPS://Telemetry.example.org:443?x"},
			},
			As: []string{"dev"}, Auth: TestClient, From: netip.MustParseAddr("2001:db8::1"), Expect: ExpectDeny, Because: "groups contains teams/b",
		},
		{
			Requests: []TestRequest{{Method: "GET", Host: "other.example.org", Path: "/", Text: "GET https://other.example.org"}},
			Claims:   map[string]any{}, From: nobody, Expect: ExpectNotFound,
		},
	}
	if diff := compare(want, c.Tests); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Somebody about whom nothing is known is somebody.
	if c.Tests[0].Claims != nil || c.Tests[2].Claims == nil {
		t.Errorf("claims: got %v and %v, expected nil and an empty mapping", c.Tests[0].Claims, c.Tests[2].Claims)
	}
	var places []string
	for _, value := range []any{&c.Tests[0], &c.Tests[0].Requests[0], &c.Tests[1].Requests[2], &c.People[0].Name, &c.Tests[1].Because} {
		at, path := c.Place(value)
		places = append(places, fmt.Sprintf("%d:%d %s", at.Line, at.Column, path))
	}
	if diff := cmp.Diff([]string{"9:5 tests[0]", "9:15 tests[0].request", "10:52 tests[1].request[2]", "7:3 people.dev", "15:14 tests[1].because"}, places); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
}

// What a test is given is what a provider could have sent: the file's YAML is as good
// as JSON, or refused.
func TestClaimsAreThoseOfJSON(t *testing.T) {
	c := mustParse(t, strings.TrimPrefix(smallest, "\n")+`people:
  dev:
    text: plain
    quoted: ["0x10", 'yes', "2026-11-21", "null", ""]
    block: |
      a
      b
    sign: "a\u0000\U0001F600"
    numbers: [0, -1, 12345678901234567890123, 1.10, -0.0, 1e3, 2E-7]
    others: [true, false, null]
    "https://gitlab.org/claims/groups/owner": [teams/sysadmin]
    realm_access: &roles {roles: [admin], empty: {}, none: []}
    again: *roles
    client_id: abc
    provider: invent
tests: [{request: GET /, as: dev, expect: allow}]
`)
	got := c.People[0].Claims
	var want map[string]any
	decoder := json.NewDecoder(strings.NewReader(`{"text": "plain", "quoted": ["0x10", "yes", "2026-11-21", "null", ""], "block": "a\nb\n", "sign": "a\u0000😀",
		"numbers": [0, -1, 12345678901234567890123, 1.10, -0.0, 1e3, 2E-7], "others": [true, false, null], "https://gitlab.org/claims/groups/owner": ["teams/sysadmin"],
		"realm_access": {"roles": ["admin"], "empty": {}, "none": []}, "again": {"roles": ["admin"], "empty": {}, "none": []}, "client_id": "abc", "provider": "invent"}`))
	decoder.UseNumber()
	if err := decoder.Decode(&want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := json.Marshal(got); err != nil {
		t.Errorf("the claims cannot be written as JSON: %v", err)
	}
}

func TestRoutesHaveNetworksProvidersAndShadows(t *testing.T) {
	c := mustParse(t, `public_url: https://telemetry.example.org
providers: [{id: invent, issuer: "https://invent.example.org", client_id: abc}]
policies:
  a:
    require: {any: [{expr: 'claims.email == "x"'}, groups contains a]}
    shadow: {not: groups contains b}
    providers: invent
    explain: none
routes:
  - upstream: "http://127.0.0.1:8000"
    allow: a
    shadow: nobody
    providers: [invent]
    cors_preflight: pass
    public_from: [10.0.0.0/8, 192.0.2.7, "2001:DB8::/32", "::1"]
  - {path: /b, host: b.example.org, sign_in: bearer, upstream: "http://127.0.0.1:8000", rules: [{methods: GET, allow: a, shadow: {expr: "claims.email_verified"}}]}
`)
	r := c.Routes[0]
	networks := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("::1/128")}
	if diff := cmp.Diff(networks, r.PublicFrom, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("networks (-want +got):\n%s", diff)
	}
	if r.CORSPreflight != CORSPreflightPass || r.Shadow.Text != "nobody" || len(r.Providers) != 1 || c.Routes[1].Rules[0].Shadow.Expr != "claims.email_verified" {
		t.Errorf("got %+v", c.Routes)
	}
	at := func(line, column int) policy.Position {
		return policy.Position{File: c.File, Line: line, Column: column}
	}
	want := policy.Definition{
		Name: "a", At: at(4, 3), Providers: []string{"invent"}, Explain: policy.ExplainNone,
		Require: policy.Clause{At: at(5, 14), Any: []policy.Clause{{Expr: `claims.email == "x"`, At: at(5, 29)}, {Text: "groups contains a", At: at(5, 52)}}},
		Shadow:  &policy.Clause{At: at(6, 13), Not: &policy.Clause{Text: "groups contains b", At: at(6, 19)}},
	}
	if diff := cmp.Diff(want, c.Definitions()[0]); diff != "" {
		t.Errorf("the definition (-want +got):\n%s", diff)
	}
}

// Whoever runs one of two providers can make a group of any name there.
func TestPoliciesForThePeopleOfAnyProviderAreWarnedAbout(t *testing.T) {
	text := func(providers string) string {
		return "public_url: https://telemetry.example.org\nproviders:\n  - {id: invent, issuer: \"https://invent.example.org\", client_id: abc}\n" + providers + `
policies:
  open: groups contains a
  named: {require: groups contains b, providers: [invent]}
  behind: groups contains c
  through: {require: policy behind, providers: [invent, lab]}
  on-route: groups contains d
  both: groups contains e
  asks: provider is lab and groups contains f
  shadow: groups contains g
  header: groups contains h
  built-on-named: policy named and acr is gold
  not-only-asks: provider is lab or groups contains i
  excludes: not (provider is lab or groups contains j)
routes:
  - {path: /a, upstream: "http://127.0.0.1:1", allow: {any: [policy open, policy named, policy through, policy asks]}, shadow: shadow}
  - {path: /b, upstream: "http://127.0.0.1:1", allow: policy on-route or policy both, providers: invent}
  - {path: /c, upstream: "http://127.0.0.1:1", rules: [{methods: GET, allow: both}], identity_headers: {X-Role: {header: Admin}}}
  - {path: /d, upstream: "http://127.0.0.1:1", allow: policy built-on-named or policy not-only-asks or policy excludes}
  - {path: /e, upstream: "http://127.0.0.1:1", allow: groups contains k}
  - {path: /f, upstream: "http://127.0.0.1:1", rules: [{methods: GET, allow: {all: [policy named, acr is gold]}}, {methods: PUT, allow: policy named or acr is gold}]}
  - {path: /g, upstream: "http://127.0.0.1:1", allow: groups contains l, providers: invent}
  - {path: /h, upstream: "http://127.0.0.1:1", allow: {expr: 'claims.provider == "lab" && claims.l == "l"'}}
  - {path: /i, upstream: "http://127.0.0.1:1", allow: signed-in}
`
	}
	_, r := parse(strings.NewReplacer("[invent, lab]", "[invent]", "provider is lab", "provider is invent").Replace(text("")))
	if got := rendered(t, r); got != "" {
		t.Errorf("with one provider: got\n%s", got)
	}
	_, r = parse(text(`  - {id: lab, issuer: "https://lab.example.org", client_id: abc}`))
	var got []string
	for _, f := range r.Warnings {
		got = append(got, f.Path)
	}
	if diff := cmp.Diff([]string{
		"policies.open", "policies.both", "policies.shadow", "policies.header", "policies.not-only-asks", "routes[4].allow", "routes[5].rules[1].allow",
	}, got); diff != "" || !r.OK() {
		t.Errorf("(-want +got):\n%s\n%s", diff, rendered(t, r))
	}
	if want := "this policy names no provider, so that each of invent, lab decides who passes (say providers: [invent], or name all of them)"; len(r.Warnings) > 0 && !strings.HasSuffix(r.Warnings[0].Error(), want) {
		t.Errorf("got %s, expected %s", r.Warnings[0].Error(), want)
	}
}
