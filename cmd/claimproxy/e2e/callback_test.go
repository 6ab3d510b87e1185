package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// comeBack walks to the provider and signs in there, and returns the browser
// and the redirect to the callback, which is not followed.
func comeBack(s *site, who person, consent bool) (*browser, *answer) {
	s.t.Helper()
	b := s.browser()
	a := b.atProvider(b.open(s.url+"/recorder/wanted"), s.idp, who, consent)
	if to := a.location(); to == nil || !strings.HasPrefix(to.String(), s.url+"/.auth/callback/invent?") {
		s.t.Fatalf("the provider leads to %v, want the callback\n%s", to, clip(a.body))
	}
	s.leaks.add(a.location().Query().Get("code"))
	return b, a
}

// wantHelp fails the test unless the answer is a page for people that says what
// is wrong and offers to try again, and no session was opened.
func wantHelp(t testing.TB, s *site, b *browser, a *answer, status int) {
	t.Helper()
	a.wantStatus(t, status).wantOwn(t)
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		t.Errorf("got Content-Type %q, want a page", a.header.Get("Content-Type"))
	}
	if !strings.Contains(a.body, "/.auth/start/invent") && !strings.Contains(a.body, "/.auth/sign-in") {
		t.Errorf("the page does not offer to try again\n%s", clip(a.body))
	}
	if s.sessionCookie(b) != nil {
		t.Error("a session was opened")
	}
}

func TestACallbackWithoutItsAttemptIsRefused(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := setup.site(t).start()
		_, a := comeBack(s, people()["alice"], true)
		victim := s.browser() // follows a link that somebody else was given
		wantHelp(t, s, victim, victim.visit(a.location().String()), http.StatusBadRequest)
	})
}

func TestACallbackIsGoodOnce(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		s.Recorder = newRecorder(t).url
		s.start()
		b, a := comeBack(s, people()["alice"], true)
		b.followWithin(b.follow(a), a.location().Host).wantStatus(t, http.StatusOK)
		again := b.visit(a.location().String()).wantStatus(t, http.StatusBadRequest)
		again.wantOwn(t)
		b.visit(s.url+"/recorder/").wantStatus(t, http.StatusOK) // the session is as it was
	})
}

func TestSomebodyWhoSaysNoAtTheProviderIsToldSo(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := setup.site(t).start()
		// Consent is remembered, so somebody who has never been asked says no.
		b, a := comeBack(s, s.idp.newPerson(t, "teams/kde-developers"), false)
		if got := a.location().Query().Get("error"); got != "access_denied" {
			t.Fatalf("the provider says %q, want access_denied", got)
		}
		wantHelp(t, s, b, b.follow(a), http.StatusForbidden)
	})
}

func TestACallbackThatWasTamperedWithIsRefused(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := setup.site(t).start()
		for _, tc := range []struct {
			name   string
			change func(url.Values)
		}{
			{"another state", func(q url.Values) { q.Set("state", strings.Repeat("A", len(q.Get("state")))) }},
			{"no state", func(q url.Values) { q.Del("state") }},
			{"two states", func(q url.Values) { q.Add("state", q.Get("state")) }},
			{"two codes", func(q url.Values) { q.Add("code", q.Get("code")) }},
			{"no code", func(q url.Values) { q.Del("code") }},
			{"an unknown code", func(q url.Values) { q.Set("code", "unknown") }},
			{"a code of a megabyte", func(q url.Values) { q.Set("code", strings.Repeat("x", 100<<10)) }},
			{"another provider's name", func(q url.Values) { q.Set("iss", "https://evil.example") }},
			{"an error that is markup", func(q url.Values) {
				q.Del("code")
				q.Set("error", "<script>alert(1)</script>")
				q.Set("error_description", "<script>alert(2)</script>")
			}},
			{"a code and an error", func(q url.Values) { q.Set("error", "access_denied") }},
			{"nothing at all", func(q url.Values) { clear(q) }},
		} {
			t.Run(tc.name, func(t *testing.T) {
				b, a := comeBack(s, people()["alice"], true)
				to := *a.location()
				q := to.Query()
				tc.change(q)
				to.RawQuery = q.Encode()
				got := b.visit(to.String())
				wantHelp(t, s, b, got, http.StatusBadRequest)
				if strings.Contains(got.body, "<script>") {
					t.Error("the page repeats markup from the address")
				}
			})
		}
		t.Run("a malformed query", func(t *testing.T) {
			b, a := comeBack(s, people()["alice"], true)
			wantHelp(t, s, b, b.visit(a.location().String()+"&x=%zz"), http.StatusBadRequest)
		})
	})
}

// TestAMixedUpProviderIsNoticed is the attack that RFC 9207 ends: a provider that
// announces the iss parameter and does not send it was not the one that answered.
func TestAMixedUpProviderIsNoticed(t *testing.T) {
	t.Parallel()
	s := setups[1].site(t).start()
	b, a := comeBack(s, people()["alice"], true)
	to := *a.location()
	q := to.Query()
	if q.Get("iss") != s.idp.issuer {
		t.Fatalf("the provider sent iss %q, want %q", q.Get("iss"), s.idp.issuer)
	}
	q.Del("iss")
	to.RawQuery = q.Encode()
	wantHelp(t, s, b, b.visit(to.String()), http.StatusBadRequest)
}

func TestACallbackIsAGet(t *testing.T) {
	t.Parallel()
	s := setups[1].site(t).start()
	a := postForm(t, s.url+"/.auth/callback/invent", url.Values{"code": {"c"}, "state": {"s"}}, "Accept: "+acceptPage)
	a.wantStatus(t, http.StatusMethodNotAllowed).wantOwn(t)
	get(t, s.url+"/.auth/callback/nobody?code=c&state=s").wantStatus(t, http.StatusNotFound).wantOwn(t)
}

// TestACodeOfAnotherPersonsAttemptIsRefused is login by injected code: the
// attacker's code with the victim's own state.
func TestACodeOfAnotherPersonsAttemptIsRefused(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := setup.site(t).start()
		_, attackers := comeBack(s, people()["bob"], true)
		victim, a := comeBack(s, people()["alice"], true)
		to := *a.location()
		q := to.Query()
		q.Set("code", attackers.location().Query().Get("code"))
		to.RawQuery = q.Encode()
		wantHelp(t, s, victim, victim.visit(to.String()), http.StatusBadRequest)
	})
}

func TestAConfiguredCallbackPathIsUsed(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	s.Recorder = newRecorder(t).url
	s.config = strings.Replace(s.config, "    user: preferred_username\n", "    user: preferred_username\n    callback_path: /oauth/return\n", 1)
	s.idp.register(t, "proxy-web", s.url+"/oauth/return")
	s.start()
	b := s.browser()
	a := b.atProvider(b.open(s.url+"/recorder/"), s.idp, people()["alice"], true)
	if to := a.location(); to == nil || to.Path != "/oauth/return" {
		t.Fatalf("the provider leads to %v, want /oauth/return", to)
	}
	b.followWithin(a, mustParse(t, s.url).Host).wantStatus(t, http.StatusOK)
}
