package main

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/session/stateless"
)

// inCookies is the configuration of sessions in cookies, with a fresh secret.
func inCookies(t *testing.T) string {
	t.Helper()
	_, secret, _ := command(t, "secret")
	return "session: {store: cookie, idle: 8h, secrets: [" + strings.TrimSpace(secret) + "]}\n"
}

// TestSessionsInCookiesAlone: they take no state directory, and what cannot be done with
// them is said to those who run claimproxy.
func TestSessionsInCookiesAlone(t *testing.T) {
	r := start(t, echo, "admin: {listen: 127.0.0.1:0}\n"+inCookies(t), signedIn)
	b := r.browser("ada")
	if status := r.program(b); status != http.StatusOK {
		t.Errorf("with the cookie: got %d", status)
	}
	for _, command := range []string{"list", "end"} {
		code, _, stderr := r.command(command, "--sub", "1")
		if code != exitFailed || !strings.Contains(stderr, "Sessions are kept in browsers alone") {
			t.Errorf("sessions %s: got %d and %q", command, code, stderr)
		}
	}
	if status, body := r.post("/sessions/end", "sub=1"); status != http.StatusNotImplemented || !strings.Contains(body, "session.store: cookie") {
		t.Errorf("got %d %s", status, body)
	}
	if status := r.program(b); status != http.StatusOK {
		t.Errorf("afterwards: got %d", status)
	}
	r.stop()
	if _, err := os.Stat(filepath.Join(r.dir, "state")); err == nil {
		t.Error("a state directory was made, and nothing is kept there")
	}
}

// TestCheckSaysWhatSessionsInCookiesCannot: before anybody finds out.
func TestCheckSaysWhatSessionsInCookiesCannot(t *testing.T) {
	path := good(t)
	check := func(session string) (string, checkResult) {
		t.Helper()
		if err := os.WriteFile(path, []byte("trusted_proxies: 10.0.0.1\n"+smallConfig+session), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, stderr := command(t, "check", "-c", path)
		if code != exitFine {
			t.Fatalf("check: %d\n%s", code, stderr)
		}
		_, text, _ := command(t, "check", "-c", path, "--json")
		var result checkResult
		if err := json.Unmarshal([]byte(text), &result); err != nil {
			t.Fatal(err)
		}
		return out, result
	}
	out, result := check("")
	if strings.Contains(out, "To know:") || len(result.Notes) > 0 || len(result.BackChannel) != 1 {
		t.Errorf("the file store: got %s\n%+v", out, result)
	}
	out, result = check(inCookies(t))
	if !strings.Contains(out, "Sessions are in cookies alone") || strings.Contains(out, "backchannel-logout") || !strings.Contains(out, "/.auth/sign-out") {
		t.Errorf("got %s", out)
	}
	if len(result.Notes) != 4 || len(result.BackChannel) != 0 || len(result.PostLogout) != 1 || len(result.FrontChannel) != 1 {
		t.Errorf("got %+v", result)
	}
}

// TestWhatACookieKeeps of a person's claims, by what rules and headers use.
func TestWhatACookieKeeps(t *testing.T) {
	const rules, header = longForRules, longForHeader
	for _, test := range []struct {
		name   string
		routes []string
		claims []string
		parts  map[string]stateless.Part
	}{
		{"no headers and one group", []string{`identity_headers: none, allow: groups contains a`},
			[]string{"groups", "preferred_username"}, map[string]stateless.Part{"groups": {Members: []string{"a"}, Above: rules}}},
		{"several rules and a shadow", []string{
			`identity_headers: none, path: /a, allow: groups contains b, shadow: "groups contains all of [c, a]"`, `identity_headers: none, allow: policy p and not roles contains x`},
			[]string{"acr", "groups", "preferred_username", "roles"}, map[string]stateless.Part{
				"groups": {Members: []string{"a", "b", "c", "z"}, Above: rules}, "acr": {Members: []string{"1"}, Above: rules}, "roles": {Members: []string{"x"}, Above: rules},
			}},
		{"an expression", []string{`identity_headers: none, allow: {all: [groups contains a, {expr: 'len(claims.groups) > 1'}]}`},
			[]string{"groups", "preferred_username"}, map[string]stateless.Part{}},
		{"the usual headers", []string{`allow: groups contains a`},
			[]string{"email", "email_verified", "groups", "preferred_username"}, map[string]stateless.Part{
				"groups": {Members: []string{"a"}, Above: header}, "email": {Members: []string{"a"}, Above: header}, "preferred_username": {Members: []string{"a"}, Above: header},
			}},
		{"a header below a claim, and one by policy", []string{`identity_headers: {X-Roles: realm_access.roles, X-Admin: {p: "yes"}}, allow: signed-in`},
			[]string{"acr", "groups", "preferred_username", "realm_access"}, map[string]stateless.Part{
				"groups": {Members: []string{"z"}, Above: rules}, "acr": {Members: []string{"1"}, Above: rules}, "realm_access": {Members: []string{"1", "z"}, Above: header},
			}},
		{"nothing", []string{`identity_headers: none, allow: signed-in`}, []string{"preferred_username"}, map[string]stateless.Part{}},
	} {
		var text strings.Builder
		for _, route := range test.routes {
			text.WriteString("  - {upstream: \"http://127.0.0.1:1\", " + route + "}\n")
		}
		path := write(t, "claimproxy.yaml", `
public_url: https://app.example.org
providers:
  - {id: idp, issuer: https://idp.example.org, client_id: web, user: preferred_username}
policies:
  p: groups contains z and acr is "1"
`+inCookies(t)+"routes:\n"+text.String())
		c, report := load(path, config.Env{})
		if c == nil {
			t.Fatalf("%s: %+v", test.name, report.Errors)
		}
		got := c.keep()
		if diff := cmp.Diff(stateless.Keep{Claims: test.claims, Parts: test.parts}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestAPolicyThatAsksForSomethingNew does not take what a session has left out for what a
// person does not have: they sign in again, and are asked nothing.
func TestAPolicyThatAsksForSomethingNew(t *testing.T) {
	r := start(t, echo, inCookies(t), "  - {path: /, upstream: app, allow: developers}")
	b := r.browser("ada")
	r.edit("developers: groups contains teams/a", "developers: groups contains teams/a and suspended is missing")
	r.told(1, loadedAgain)
	if status := r.program(b); status != http.StatusUnauthorized {
		t.Errorf("a session that is older than the policy: got %d", status)
	}
	if status, body := get(t, b); status != http.StatusOK {
		t.Errorf("the next page: got %d %s", status, body)
	}
	if status := r.program(b); status != http.StatusOK {
		t.Errorf("afterwards: got %d", status)
	}
	r.edit(" and suspended is missing", "")
	r.told(2, loadedAgain)
	if status := r.program(b); status != http.StatusOK {
		t.Errorf("a policy that asks for less: got %d", status)
	}
	r.stop()
}

// TestASignOutOutlivesAConfiguration: a copied cookie does not come back to life with
// another one.
func TestASignOutOutlivesAConfiguration(t *testing.T) {
	r := start(t, echo, inCookies(t), signedIn)
	b := r.browser("ada")
	here, err := url.Parse("http://localhost/")
	if err != nil {
		t.Fatal(err)
	}
	thief := *b
	if thief.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	thief.Jar.SetCookies(here, b.Jar.Cookies(here))
	if status := r.program(&thief); status != http.StatusOK {
		t.Fatalf("the copied cookie: got %d", status)
	}
	res, err := b.Post("http://localhost/.auth/sign-out", "application/x-www-form-urlencoded", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	for i, change := range [][2]string{{"teams/a", "teams/b"}, {"idle: 8h", "idle: 7h"}} {
		if status := r.program(&thief); status != http.StatusUnauthorized {
			t.Errorf("after the sign-out: got %d", status)
		}
		r.edit(change[0], change[1])
		r.told(i+1, loadedAgain)
	}
	if status := r.program(&thief); status != http.StatusUnauthorized {
		t.Errorf("with another configuration: got %d", status)
	}
	r.stop()
}
