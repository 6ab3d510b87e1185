package e2e

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

// asPassword is an Authorization line as programs send it that know Basic alone.
func asPassword(user, token string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+token))
}

// TestEveryWayATokenArrives: as a password, with an ID token beside it as QField sends it,
// and as the application's own.
func TestEveryWayATokenArrives(t *testing.T) {
	eachSetup(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		upstream := newRecorder(t)
		s.Recorder = upstream.url
		s.config = strings.NewReplacer(
			"\nroutes:\n", `
native: {provider_header: X-QFC-IDP-ID}
routes:
  - {path: /git/, upstream: recorder, allow: developers, accept_basic_token: true}
  - {path: /own/, upstream: recorder, allow: developers, pass_schemes: [Token, "Bearer glsa_"]}
  - {path: /open/, upstream: recorder, allow: public, identify: true}
`,
			"    bearer:\n", "    bearer:\n      id_token_header: X-QFC-ID-Token\n").Replace(s.config)
		s.start()
		program := native{t: t, idp: s.idp, client: "native-public", resource: setup.resource, leaks: &s.leaks}
		alice, bob := program.signIn(people()["alice"]), program.signIn(people()["bob"])
		user := func() string {
			t.Helper()
			r := upstream.latest()
			for name := range r.Header {
				if strings.Contains(strings.ToLower(name), "qfc") {
					t.Errorf("the application got %s", name)
				}
			}
			if got := r.Header.Get("Authorization"); got != "" && !strings.HasPrefix(got, "Token ") && !strings.HasPrefix(got, "Bearer glsa_") {
				t.Error("the application got a token that is not its own")
			}
			return r.Header.Get("X-Forwarded-User")
		}
		bearer := "Authorization: Bearer " + alice.Access

		a := get(t, s.url+"/git/").wantStatus(t, http.StatusUnauthorized)
		if got := a.header.Values("WWW-Authenticate"); len(got) != 2 || !strings.HasPrefix(got[0], "Bearer ") || !strings.HasPrefix(got[1], "Basic realm=") {
			t.Errorf("WWW-Authenticate: %q", got)
		}
		get(t, s.url+"/git/", asPassword("git", alice.Access)).wantStatus(t, http.StatusOK)
		if got := user(); got != "alice" {
			t.Errorf("a token as a password: got %q", got)
		}
		get(t, s.url+"/git/", asPassword("alice", "secret")).wantStatus(t, http.StatusUnauthorized)
		get(t, s.url+"/git/", asPassword("git", bob.Access)).wantStatus(t, http.StatusForbidden)
		get(t, s.url+"/recorder/", asPassword("git", alice.Access)).wantStatus(t, http.StatusUnauthorized)

		get(t, s.url+"/recorder/", bearer, "X-QFC-IDP-ID: invent", "X-QFC-ID-Token: "+alice.ID).wantStatus(t, http.StatusOK)
		if got := user(); got != "alice" {
			t.Errorf("with both tokens: got %q", got)
		}
		get(t, s.url+"/recorder/", bearer, "X-QFC-IDP-ID: invent", "X-QFC-ID-Token: "+bob.ID).wantProblem(t, http.StatusUnauthorized, "token-invalid")
		get(t, s.url+"/recorder/", bearer, "X-QFC-IDP-ID: invent", "X-QFC-ID-Token: "+bob.ID[:len(bob.ID)-8]).wantStatus(t, http.StatusOK)
		get(t, s.url+"/recorder/", bearer, "X-QFC-IDP-ID: elsewhere").wantProblem(t, http.StatusUnauthorized, "token-provider")
		get(t, s.url+"/recorder/", "X-QFC-ID-Token: "+alice.ID).wantProblem(t, http.StatusUnauthorized, "no-credentials")

		for _, own := range []string{"Token abc", "Bearer glsa_abc"} {
			get(t, s.url+"/own/", "Authorization: "+own).wantStatus(t, http.StatusOK)
			if got := upstream.latest().Header.Get("Authorization"); got != own || user() != "" {
				t.Errorf("%s: the application got %q, and %q as user", own, got, user())
			}
		}
		get(t, s.url+"/own/", "Authorization: Bearer other").wantStatus(t, http.StatusUnauthorized)

		get(t, s.url+"/open/").wantStatus(t, http.StatusOK)
		if got := user(); got != "" {
			t.Errorf("nobody on a public route: got %q", got)
		}
		get(t, s.url+"/open/", "Authorization: Bearer "+bob.Access).wantStatus(t, http.StatusOK)
		if got := user(); got != "bob" {
			t.Errorf("somebody on a public route: got %q", got)
		}
		get(t, s.url+"/open/", "Authorization: Bearer other").wantStatus(t, http.StatusUnauthorized)
	})
}

// latest is what the upstream got last.
func (r *recorder) latest() arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[len(r.seen)-1]
}
