package e2e

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The tests here are about sessions that go on: rights follow the person, tokens are
// refreshed once, and an outage is not a sign-out.

// briskly has sessions checked every second.
const briskly = "{recheck: 1s, grace: 3s}"

// signedInAs prepares an installation whose sessions are checked every second, and signs
// somebody in whom no other test knows.
func signedInAs(t *testing.T, setup setup, p *idp) (*site, *browser, person) {
	t.Helper()
	s := setup.siteAt(t, p)
	s.Recorder = newRecorder(t).url
	s.Session = briskly
	s.start()
	who := p.newPerson(t, "teams/kde-developers")
	b := s.browser()
	b.signIn(s.url+"/recorder/", p, who).wantStatus(t, http.StatusOK)
	return s, b, who
}

func TestAGroupThatIsLostIsLostWithinRecheck(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		p := setup.shared(t)
		s, b, who := signedInAs(t, setup, p)
		p.change(t, who, map[string]any{"groups": []string{"teams/kde-developers-emeritus"}})
		eventually(t, patience, "who lost the group is refused", func() bool {
			return b.visit(s.url+"/recorder/").status == http.StatusForbidden
		})
		p.change(t, who, map[string]any{"groups": []string{"teams/kde-developers"}})
		eventually(t, patience, "who is in the group again is let in, without signing in", func() bool {
			return b.visit(s.url+"/recorder/").status == http.StatusOK
		})
	})
}

// TestFiftyRequestsWithAnExpiredTokenRefreshOnce at Doorkeeper in both of its ways to
// rotate, and at oidc-provider, which ends the whole grant when a refresh token is shown
// twice.
func TestFiftyRequestsWithAnExpiredTokenRefreshOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		setup setup
		env   string
	}{
		{"Doorkeeper ends the old tokens at once", setups[0], "ROTATION=instant"},
		{"Doorkeeper ends the old tokens when the new ones are used", setups[0], "ROTATION=on_use"},
		{"oidc-provider ends the grant when a token comes twice", setups[1], ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := test.setup.fresh(t, test.env)
			s, b, who := signedInAs(t, test.setup, p)
			refreshOnce(t, p, who, s.url, s.sessionCookie(b))
		})
	}
}

// refreshOnce has 50 requests with one session come at once whenever its access token has
// expired, three times: all are let in, and Doorkeeper, whose log tells, is asked for tokens
// once.
func refreshOnce(t *testing.T, p *idp, who person, url string, cookie *http.Cookie) {
	t.Helper()
	for round := range 3 {
		before := strings.Count(p.process.out.since(0), `Started POST "/oauth/token"`)
		p.expireAll(t, who)
		time.Sleep(1100 * time.Millisecond) // until the session has to be checked
		var good atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if withCookie(t, url, cookie).visit(url+"/recorder/").status == http.StatusOK {
					good.Add(1)
				}
			})
		}
		wg.Wait()
		if good.Load() != 50 {
			t.Errorf("round %d: %d of 50 requests were let in", round, good.Load())
		}
		if n := strings.Count(p.process.out.since(0), `Started POST "/oauth/token"`) - before; p.kind == "doorkeeper" && n != 1 {
			t.Errorf("round %d: Doorkeeper was asked for tokens %d times, want once", round, n)
		}
	}
}

// TestWhoIsBlockedIsOutWithinRecheck: Doorkeeper fails with 500 for such people and for
// them alone, oidc-provider refuses their tokens.
func TestWhoIsBlockedIsOutWithinRecheck(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		p := setup.shared(t)
		s, b, who := signedInAs(t, setup, p)
		p.change(t, who, map[string]any{"blocked": true})
		want := map[string]int{"doorkeeper": http.StatusServiceUnavailable, "oidc-provider": http.StatusFound}[p.kind]
		eventually(t, patience, "who is blocked is out", func() bool {
			return b.visit(s.url+"/recorder/").status == want
		})
	})
}

func TestWhoseTokensAreRevokedSignsInAgain(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		p := setup.shared(t)
		s, b, who := signedInAs(t, setup, p)
		p.revokeAll(t, who)
		eventually(t, patience, "the session has ended", func() bool {
			return b.visit(s.url+"/recorder/").status == http.StatusFound
		})
		b.fetch(http.MethodGet, s.url+"/recorder/").wantStatus(t, http.StatusUnauthorized)
	})
}

// TestAnOutageEndsNoSession: it goes on for its grace, is 503 and no sign-in after
// that, and goes on when the provider is back.
func TestAnOutageEndsNoSession(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		p := setup.fresh(t)
		s, b, _ := signedInAs(t, setup, p)
		p.stop(t)
		b.visit(s.url+"/recorder/").wantStatus(t, http.StatusOK)
		eventually(t, patience, "the grace has ended", func() bool {
			a := b.visit(s.url + "/recorder/")
			if a.status == http.StatusServiceUnavailable {
				a.wantUnavailable(t)
				return true
			}
			a.wantStatus(t, http.StatusOK)
			return false
		})
		p.start(t)
		eventually(t, patience, "the session goes on", func() bool {
			a := b.visit(s.url + "/recorder/")
			if a.status != http.StatusServiceUnavailable {
				a.wantStatus(t, http.StatusOK)
			}
			return a.status == http.StatusOK
		})
	})
}

// TestAFormSurvivesASessionThatIsOver: what somebody typed while their session ended is
// there again when they have signed in, and is sent when they say so.
func TestAFormSurvivesASessionThatIsOver(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		p := setup.shared(t)
		s := setup.site(t)
		s.Recorder = newRecorder(t).url
		s.Session = "{idle: 2s}"
		s.start()
		alice := people()["alice"]
		b := s.browser()
		place := mustParse(t, s.url+"/recorder/notes?draft=1")
		b.signIn(s.url+"/recorder/", p, alice).wantStatus(t, http.StatusOK)
		typed := url.Values{"text": {"a & b <c>"}, "tag": {"1", "2"}}
		b.navigate(http.MethodPost, place, typed, "same-origin", place).wantStatus(t, http.StatusOK)
		time.Sleep(2100 * time.Millisecond)

		a := b.navigate(http.MethodPost, place, typed, "same-origin", place).wantStatus(t, http.StatusUnauthorized)
		link := regexp.MustCompile(`href="([^"]*/\.auth/sign-in\?return_to=[^"]*resend[^"]*)"`).FindStringSubmatch(a.body)
		if link == nil {
			t.Fatalf("the page does not say that the form was kept:\n%s", a.body)
		}
		page := b.signIn(html.UnescapeString(link[1]), p, alice).wantStatus(t, http.StatusOK)
		forms := page.forms()
		if len(forms) != 1 {
			t.Fatalf("got %d forms on the page, want the one that sends it again\n%s", len(forms), page.body)
		}
		got := b.submit(page, forms[0], nil).arrival(t)
		if sent, _ := url.ParseQuery(got.Body); got.Method != http.MethodPost || got.URI != "/recorder/notes?draft=1" || sent.Encode() != typed.Encode() {
			t.Errorf("the application got %s %s with %q, want the form as it was", got.Method, got.URI, got.Body)
		}
	})
}
