package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// steppedRoutes ask for more than that somebody signed in.
const steppedRoutes = `
  - {path: /strong/, upstream: recorder, allow: groups contains teams/kde-developers and acr is gold}
  - {path: /recent/, upstream: recorder, allow: auth_time within 1h}
  - {path: /beyond/, upstream: recorder, allow: acr is platinum}
`

// TestAPersonStepsUpAtTheProviderAndDoesNotLoop: who lacks nothing but a stronger or a more
// recent sign-in is sent through the provider for it, and lands where they wanted to go or
// on a page that says why not.
func TestAPersonStepsUpAtTheProviderAndDoesNotLoop(t *testing.T) {
	t.Parallel()
	setup := setups[1]
	s := setup.site(t)
	s.Recorder = newRecorder(t).url
	s.config = strings.Replace(s.config, "\nroutes:\n", "\nroutes:"+steppedRoutes, 1)
	s.start()
	b := s.browser()
	alice := people()["alice"]
	b.signIn(s.url+"/anybody/", s.idp, alice).wantStatus(t, http.StatusOK)

	// The provider says when somebody signed in where it is asked for that, and asks the
	// person nothing.
	a := b.open(s.url + "/recent/")
	if q := a.location().Query(); q.Get("max_age") != "3600" || q.Has("acr_values") || q.Has("prompt") {
		t.Fatalf("the provider is asked %v, want max_age alone", q)
	}
	a = b.atProvider(a, s.idp, person{}, true)
	b.followWithin(a, mustParse(t, s.url).Host).wantStatus(t, http.StatusOK)
	b.visit(s.url+"/recent/x").wantStatus(t, http.StatusOK)

	// A stronger sign-in is one more password.
	a = b.open(s.url + "/strong/")
	if q := a.location().Query(); q.Get("acr_values") != "gold" {
		t.Fatalf("the provider is asked %v, want acr_values gold", q)
	}
	a = b.atProvider(a, s.idp, alice, true)
	if a = b.followWithin(a, mustParse(t, s.url).Host).wantStatus(t, http.StatusOK); a.url.Path != "/strong/" {
		t.Errorf("stepping up leads to %s", a.url)
	}
	b.visit(s.url+"/strong/again").wantStatus(t, http.StatusOK)

	// What the provider cannot do ends on a page, and not in another round.
	a = b.atProvider(b.open(s.url+"/beyond/"), s.idp, alice, true)
	b.followWithin(a, mustParse(t, s.url).Host).wantStatus(t, http.StatusForbidden).wantText(t, "This sign-in is not enough")

	// A script is told, and not led anywhere.
	b.fetch(http.MethodGet, s.url+"/beyond/").wantProblem(t, http.StatusUnauthorized, "step-up")
	// Somebody who lacks a group as well gains nothing by it.
	c := s.browser()
	c.signIn(s.url+"/anybody/", s.idp, people()["bob"]).wantStatus(t, http.StatusOK)
	c.visit(s.url+"/strong/").wantStatus(t, http.StatusForbidden)
}

// TestAProgramIsToldToStepUp (RFC 9470 section 3).
func TestAProgramIsToldToStepUp(t *testing.T) {
	eachSetup(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		s.Recorder = newRecorder(t).url
		s.config = strings.Replace(s.config, "\nroutes:\n", "\nroutes:"+steppedRoutes, 1)
		s.start()
		token := native{t: t, idp: s.idp, client: "native-public", resource: setup.resource, leaks: &s.leaks}.signIn(people()["alice"]).Access
		a := get(t, s.url+"/strong/", "Authorization: Bearer "+token).wantStatus(t, http.StatusUnauthorized)
		if got := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer resource_metadata=") ||
			!strings.Contains(got, `error="insufficient_user_authentication"`) || !strings.Contains(got, `acr_values="gold"`) || strings.Contains(got, "max_age") {
			t.Errorf("WWW-Authenticate: %s", got)
		}
	})
}
