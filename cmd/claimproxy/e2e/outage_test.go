package e2e

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestWhatIsKnownGoesOnWhileTheProviderIsDown(t *testing.T) {
	eachSetup(t, func(t *testing.T, setup setup) {
		p := setup.fresh(t)
		s := setup.siteAt(t, p)
		s.Recorder = newRecorder(t).url
		s.start()
		program := s.native("native-public", setup.resource)
		known, unseen := program.signIn(people()["alice"]), program.signIn(people()["erin"])
		s.bearer("/recorder/", known.Access).wantStatus(t, http.StatusOK)
		b := s.browser()
		b.signIn(s.url+"/recorder/", p, people()["alice"]).wantStatus(t, http.StatusOK)
		late := s.browser()
		callback := late.atProvider(late.open(s.url+"/recorder/late"), p, people()["alice"], true)

		p.stop(t)
		s.bearer("/recorder/", known.Access).wantStatus(t, http.StatusOK)
		b.visit(s.url+"/recorder/").wantStatus(t, http.StatusOK)
		get(t, s.url+"/receiver/submit/x").wantStatus(t, http.StatusOK)
		if setup.jwt() {
			// Its signature is checked here, with keys that are already known.
			s.bearer("/recorder/", unseen.Access).wantStatus(t, http.StatusOK)
		} else {
			s.bearer("/recorder/", unseen.Access).wantUnavailable(t)
			s.bearer("/recorder/", "some-other-token").wantUnavailable(t)
		}
		// Somebody who was at the provider when it went comes back to a page.
		a := late.follow(callback)
		a.wantUnavailable(t)
		if len(a.forms()) == 0 && !strings.Contains(a.body, "<a ") {
			t.Error("the page offers no way to try again")
		}

		p.start(t)
		eventually(t, patience, "a token that could not be checked is accepted, without a restart of the proxy", func() bool {
			return s.bearer("/recorder/", unseen.Access).status == http.StatusOK
		})
		eventually(t, patience, "people can sign in again", func() bool {
			to := s.browser().open(s.url + "/recorder/").location()
			return to != nil && strings.HasPrefix(to.String(), p.issuer)
		})
		s.browser().signIn(s.url+"/recorder/", p, people()["alice"]).wantStatus(t, http.StatusOK)
		s.bearer("/recorder/", "some-other-token").wantProblem(t, http.StatusUnauthorized, "token-invalid")
	})
}

func TestTheProxyComesUpWhileTheProviderIsDown(t *testing.T) {
	eachSetup(t, func(t *testing.T, setup setup) {
		p := setup.fresh(t)
		s := setup.siteAt(t, p)
		s.Recorder = newRecorder(t).url
		token := s.native("native-public", setup.resource).signIn(people()["alice"]).Access
		p.stop(t)

		s.start()
		s.bearer("/recorder/", token).wantUnavailable(t)
		b := s.browser()
		b.open(s.url + "/recorder/").wantUnavailable(t)
		get(t, s.url+"/recorder/").wantProblem(t, http.StatusUnauthorized, "no-credentials")
		get(t, s.url+"/receiver/submit/x").wantStatus(t, http.StatusOK)

		p.start(t)
		eventually(t, patience, "the token is accepted", func() bool {
			return s.bearer("/recorder/", token).status == http.StatusOK
		})
		b.signIn(s.url+"/recorder/", p, people()["alice"]).wantStatus(t, http.StatusOK)
	})
}

// TestTheProviderChangesItsKeys restarts the provider with another signing key:
// tokens of the new key may be put off while keys may not be fetched yet, and are
// never called bad.
func TestTheProviderChangesItsKeys(t *testing.T) {
	t.Parallel()
	setup := setups[2]
	p := setup.fresh(t)
	s := setup.siteAt(t, p)
	s.Recorder = newRecorder(t).url
	s.start()
	program := s.native("native-public", setup.resource)
	s.bearer("/recorder/", program.signIn(people()["alice"]).Access).wantStatus(t, http.StatusOK)

	p.stop(t)
	p.start(t, "ROTATE_KEYS=1")
	token := program.signIn(people()["alice"]).Access
	eventually(t, patience, "a token of the new key is accepted", func() bool {
		a := s.bearer("/recorder/", token)
		if a.status != http.StatusOK {
			a.wantUnavailable(t)
		}
		return a.status == http.StatusOK
	})
}

func TestAnUpstreamThatIsAwayIsNotTheCallersFault(t *testing.T) {
	t.Parallel()
	s := setups[1].site(t).start() // there is nobody at the recorder's address
	a := get(t, s.url+"/receiver/submit/x")
	if a.status != http.StatusBadGateway && a.status != http.StatusServiceUnavailable {
		t.Fatalf("got status %d, want 502 or 503", a.status)
	}
	a.wantProblem(t, a.status, "upstream-unavailable")
}

// wantUnavailable fails the test when the answer is not "cannot know now".
func (a *answer) wantUnavailable(t testing.TB) {
	t.Helper()
	a.wantStatus(t, http.StatusServiceUnavailable).wantOwn(t)
	if seconds, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || seconds < 1 || time.Duration(seconds)*time.Second > 5*time.Minute {
		t.Errorf("%s %s: got Retry-After %q, want some seconds", a.method, a.url, a.header.Get("Retry-After"))
	}
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") {
		a.wantProblem(t, http.StatusServiceUnavailable, "provider-unavailable")
	}
}
