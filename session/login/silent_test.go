package login

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// tokenless is a renewer with nothing left to ask with.
type tokenless struct{}

func (tokenless) Renew(_ context.Context, rec *session.Record, _ func(*session.Record)) (*session.Record, error) {
	return nil, session.Reject(session.ReasonSessionExpired, "Please sign in again.", &session.Unchecked{Provider: rec.Identity.Provider})
}

// uncheckedSite is a site whose sessions cannot be checked after ten minutes, with two
// providers.
func uncheckedSite(t *testing.T) *site {
	t.Helper()
	return newSite(t, func(set *setup) {
		set.store.Renewer, set.store.Recheck = tokenless{}, 10*time.Minute
		set.more = []provider.Config{{ID: "other", Issuer: "https://other.example", Client: provider.Client{ID: "x"}, RedirectURI: "https://x.example/"}}
	})
}

// TestSessionThatCannotBeCheckedIsRenewedWithoutAQuestion where the person is still
// signed in at the provider, and at the right one of several.
func TestSessionThatCannotBeCheckedIsRenewedWithoutAQuestion(t *testing.T) {
	s := uncheckedSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	if q := b.leave("/").location().Query(); q.Has("prompt") {
		t.Errorf("while the session is good, signing in again has prompt=%s", q.Get("prompt"))
	}
	s.clock.Advance(10 * time.Minute)
	b.open("/.auth/me", "Accept: application/json").want(http.StatusUnauthorized)

	p := b.open("/.auth/sign-in?return_to=/graph").want(http.StatusFound)
	p = b.follow(p).want(http.StatusFound)
	if got := p.location().Query().Get("prompt"); got != "none" {
		t.Fatalf("prompt: got %q, want none", got)
	}
	b.open(b.comeBack(p).String()).wantTo(s, "/graph")
	if got := b.me(); got != "ada" {
		t.Errorf("got user %q, want ada", got)
	}
}

// TestSilentSignInThatFailsAsksTheOrdinaryWay, once, and without a loop.
func TestSilentSignInThatFailsAsksTheOrdinaryWay(t *testing.T) {
	s := uncheckedSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	s.clock.Advance(10 * time.Minute)
	real := s.idp.Real(devprovider.Authorization)
	s.idp.Override(devprovider.Authorization, func(w http.ResponseWriter, r *http.Request) {
		if r.Form.Get("prompt") != "none" {
			real(w, r)
			return
		}
		q := url.Values{"error": {"login_required"}, "state": {r.Form.Get("state")}}
		http.Redirect(w, r, r.Form.Get("redirect_uri")+"?"+q.Encode(), http.StatusFound)
	})
	p := b.follow(b.open("/.auth/sign-in?return_to=/graph"))
	p = b.open(b.comeBack(p).String()).want(http.StatusFound)
	p = b.follow(p).want(http.StatusFound)
	if to := p.location(); to.Host == "" || to.Query().Has("prompt") || to.Query().Get("client_id") != "web" {
		t.Fatalf("the second attempt goes to %s, want the provider without prompt", to)
	}
	b.open(b.comeBack(p).String()).wantTo(s, "/graph")
}

// TestStrangersAreAskedTheOrdinaryWay: a link cannot begin a sign-in that nobody sees.
func TestStrangersAreAskedTheOrdinaryWay(t *testing.T) {
	s := uncheckedSite(t)
	for _, link := range []string{"/.auth/start/invent?return_to=/", "/.auth/start/invent?prompt=none", "/.auth/start/invent?silent=true"} {
		if q := s.browser().open(link).want(http.StatusFound).location().Query(); q.Has("prompt") {
			t.Errorf("%s: prompt is %q", link, q.Get("prompt"))
		}
	}
	s.browser().open("/.auth/sign-in").want(http.StatusOK, "Choose where to sign in")
	// Nor for somebody who wants to be somebody else.
	b := s.browser()
	b.signIn("/")
	s.clock.Advance(10 * time.Minute)
	if got := b.open("/.auth/start/invent?prompt=select_account").location().Query().Get("prompt"); got != "login" {
		t.Errorf("as somebody else: got prompt %q, want login", got)
	}
}
