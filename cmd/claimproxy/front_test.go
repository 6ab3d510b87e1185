package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestProxiesInFrontAsk: the keys of the file reach the proxy, and what nobody may ask
// is not answered.
func TestProxiesInFrontAsk(t *testing.T) {
	const routes = `
  - {host: localhost, path: /wiki/, allow: developers, identity_headers: remote-user}
  - {path: /near/, upstream: app, allow: developers, public_from: 192.0.2.0/24}
  - {path: /, upstream: app, allow: public}
`
	question := func(r *running, target string, headers ...string) *http.Response {
		t.Helper()
		req, err := http.NewRequest("GET", r.public+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.token != "" {
			req.Header.Set("Authorization", "Bearer "+r.token)
		}
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			req.Header.Set(name, value)
		}
		res, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res
	}
	original := func(uri string) []string {
		return []string{"X-Original-Method: GET", "X-Original-URL: http://localhost" + uri, "X-Forwarded-Method: GET", "X-Forwarded-Proto: http", "X-Forwarded-Host: localhost", "X-Forwarded-Uri: /near/"}
	}

	r := start(t, echo, "trusted_proxies: 127.0.0.1\nforward_auth: x-original", routes)
	if res := question(r, "/.auth/check", original("/wiki/a")...); res.StatusCode != 401 {
		t.Errorf("nobody: got %d, want 401", res.StatusCode)
	}
	r.signIn("ada")
	if res := question(r, "/.auth/check", original("/wiki/a")...); res.StatusCode != 200 || res.Header.Get("Remote-User") != "ada" || res.Header["Remote-Email"] == nil || res.Header["X-Forwarded-User"] != nil {
		t.Errorf("Ada: got %d %v", res.StatusCode, res.Header)
	}
	if res := question(r, "/.auth/check?policy=developers", original("/.other")...); res.StatusCode != 200 {
		t.Errorf("Ada, by a policy as well: got %d", res.StatusCode)
	}
	if res := question(r, "/.auth/check?policy=nobodys", original("/wiki/")...); res.StatusCode != 403 {
		t.Errorf("a policy that is not there: got %d, want 403", res.StatusCode)
	}
	if status, _ := r.ask("GET", r.public+"/wiki/a"); status != 404 {
		t.Errorf("a route that is only asked about: got %d, want 404", status)
	}
	r.token = ""
	for address, want := range map[string]int{"192.0.2.7": 200, "203.0.113.9": 401} {
		req, err := http.NewRequest("GET", r.public+"/near/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "localhost"
		req.Header.Set("X-Forwarded-For", "192.0.2.9, "+address)
		res, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("public_from, behind a proxy that says %s: got %d, want %d", address, res.StatusCode, want)
		}
	}
	r.stop()
	if !strings.Contains(r.stderr.String(), `"client_ip":"203.0.113.9"`) {
		t.Errorf("the client's address is not in the log:\n%s", r.stderr.String())
	}

	for keys, want := range map[string]int{"": 400, `trusted_proxies: "unix:"`: 400, "trusted_proxies: 127.0.0.1\nforward_auth: off": 404} {
		r := start(t, echo, keys, "  - {path: /, upstream: app, allow: public}\n")
		if res := question(r, "/.auth/check", original("/")...); res.StatusCode != want {
			t.Errorf("%q: got %d, want %d", keys, res.StatusCode, want)
		}
		r.stop()
	}
}

// TestRoutesWithoutAnUpstreamAreTested and explained like any other.
func TestRoutesWithoutAnUpstreamAreTested(t *testing.T) {
	text := strings.Replace(strings.Replace(smallConfig, ", client_secret: {file: secret}", "", 1), `upstream: "http://127.0.0.1:8000", `, "", 1) + `
trusted_proxies: 10.0.0.5
tests:
  - {request: GET /, expect: sign-in}
  - {request: GET /, claims: {groups: [teams/a]}, expect: allow}
  - {request: GET /, claims: {groups: [teams/b]}, expect: deny}
`
	path := write(t, "claimproxy.yaml", text)
	if code, stdout, stderr := command(t, "check", "-c", path); code != exitFine || stderr != "" || !strings.Contains(stdout, "5 tested decisions") {
		t.Errorf("check: got %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := command(t, "explain", "GET", "/", "--claims", `{"groups": ["teams/a"]}`, "-c", path); code != exitFine || !strings.Contains(stdout, "allow") {
		t.Errorf("explain: got %d\n%s%s", code, stdout, stderr)
	}
}
