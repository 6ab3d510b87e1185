package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// The tests here are about opaque tokens, where what is known comes from several
// answers of the provider that do not always fit together.

// TestOneClientsRefusedCredentialsSayNothingAboutTokens has a client in the
// configuration whose secret is wrong.
func TestOneClientsRefusedCredentialsSayNothingAboutTokens(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		s.Recorder = newRecorder(t).url
		s.write("native-secret", "not-the-secret")
		s.start()
		alice := people()["alice"]
		// Of the others' tokens and of no tokens all is known that there is to know.
		s.bearer("/recorder/", s.native("native-public", "").signIn(alice).Access).wantStatus(t, http.StatusOK)
		s.bearer("/recorder/", "garbage").wantProblem(t, http.StatusUnauthorized, "token-invalid")
		s.bearer("/recorder/", s.native("native-foreign", "").signIn(alice).Access).wantProblem(t, http.StatusUnauthorized, "token-client", "token-invalid")
		// Of its own tokens Doorkeeper's token information tells whose they are, and
		// at oidc-provider every other client may ask.
		s.bearer("/recorder/", s.native("native-secret", "").signIn(alice).Access).wantStatus(t, http.StatusOK)
		s.bearer("/recorder/", s.native("native-secret", "").signIn(alice).Refresh).wantProblem(t, http.StatusUnauthorized, "token-invalid", "token-kind")
	})
}

// TestATokenWithoutEndIsNotOneThatHasEnded: Doorkeeper answers exp 0 for it.
func TestATokenWithoutEndIsNotOneThatHasEnded(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	s.Recorder = newRecorder(t).url
	s.config = strings.Replace(s.config, "      - client_id: native-brief\n", "      - client_id: native-noexpiry\n", 1)
	s.start()
	program := s.native("native-noexpiry", "")
	got := program.signIn(people()["alice"])
	if reply := program.introspect(got.Access); reply["exp"] != float64(0) {
		t.Logf("introspection says exp %v; this Doorkeeper is younger than those that say 0", reply["exp"])
	}
	s.bearer("/recorder/", got.Access).wantStatus(t, http.StatusOK)
	program.revoke(got.Access)
}

// TestATokenThatMayNotSayWhoseItIsLetsNobodyIn: without the scope openid there is
// a person behind the token, and no word about them.
func TestATokenThatMayNotSayWhoseItIsLetsNobodyIn(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	upstream := newRecorder(t)
	s.Recorder = upstream.url
	s.start()
	program := s.native("native-public", "")
	program.scope = "read_user"
	token := program.signIn(people()["alice"]).Access
	program.userinfo(token).wantStatus(t, http.StatusForbidden)
	for _, path := range []string{"/anybody/", "/recorder/"} {
		a := s.bearer(path, token)
		if a.status != http.StatusForbidden && a.status != http.StatusUnauthorized {
			t.Errorf("%s: got status %d, want a refusal", path, a.status)
		}
	}
	if upstream.count() != 0 {
		t.Error("a request reached the upstream")
	}
}
