package login

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// signOut presses the button.
func (b *browser) signOut() *page {
	b.t.Helper()
	return b.send(http.MethodPost, "/.auth/sign-out", "Sec-Fetch-Site: same-origin").want(http.StatusSeeOther)
}

// TestSigningOutIsSigningOutAtTheProviderToo is the module rp-init-logout of the OpenID
// Foundation's plan: the provider is called, and the return is handled.
func TestSigningOutIsSigningOutAtTheProviderToo(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	thief := s.browser()
	thief.put(b.session().Name, b.session().Value)
	button := b.open("/.auth/sign-out").want(http.StatusOK, "You are signed in as ada.")
	if csp := button.header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' "+s.idp.Issuer()+";") {
		t.Errorf("the button may not lead to the provider: %q", csp)
	}

	p := b.signOut()
	away := p.location()
	q := away.Query()
	if got := away.Scheme + "://" + away.Host + away.Path; got != s.idp.Provider.URL(devprovider.EndSession) {
		t.Errorf("leads to %q, want the end session endpoint", got)
	}
	if q.Get("id_token_hint") == "" || q.Get("client_id") != "web" || q.Get("post_logout_redirect_uri") != s.origin+"/.auth/sign-out" || len(q.Get("state")) < 22 {
		t.Errorf("got the query %v", q)
	}
	if got := s.idp.Calls(devprovider.Revocation); got != 1 {
		t.Errorf("tokens were revoked %d times, want once", got)
	}
	if b.me() != "" || thief.me() != "" {
		t.Error("somebody is signed in before the provider has answered")
	}

	back := b.follow(p)
	if to := back.location(); to == nil || to.Query().Get("state") != q.Get("state") {
		t.Fatalf("the provider leads to %v", to)
	}
	b.follow(back).want(http.StatusOK, "You are signed out here and at KDE Invent.")
	// Once: a reload says what can be said.
	b.follow(back).want(http.StatusOK, "You are signed out", "You may still be signed in")
	if kept := b.attempts(); len(kept) != 0 {
		t.Errorf("%d cookies of the sign-out are left", len(kept))
	}
}

// TestAReturnWithAnotherStateOrNoneActsOnNothing: rp-init-logout-other-state and
// rp-init-logout-no-state. Somebody may just as well have made a link of it.
func TestAReturnWithAnotherStateOrNoneActsOnNothing(t *testing.T) {
	s := newSite(t)
	b, other := s.browser(), s.browser()
	b.signIn("/").wantTo(s, "/")
	other.signIn("/").wantTo(s, "/")
	state := b.signOut().location().Query().Get("state")
	foreign := other.signOut().location().Query().Get("state")
	for _, query := range []string{
		"", "?", "?state=", "?state=x", "?state=" + foreign, "?state=" + state + "x", "?state=" + state + "&state=" + state,
		"?state=" + url.QueryEscape("<script>alert(1)</script>"), "?state=" + strings.Repeat("x", 8000), "?%zz", "?error=access_denied&state=x",
	} {
		p := b.open("/.auth/sign-out"+query).want(http.StatusOK, "You are signed out", "You may still be signed in at your provider").wantNo("<script")
		if len(p.cookies) != 0 {
			t.Errorf("%.40q: sets cookies", query)
		}
	}
	// Signed in again in between: nobody is signed out by a link, and nobody is told so.
	b.signIn("/").wantTo(s, "/")
	for _, query := range []string{"", "?state=x", "?state=" + state, "?state=" + foreign} {
		b.open("/.auth/sign-out"+query, "Sec-Fetch-Site: cross-site").want(http.StatusOK, "Sign out?", "You are signed in as ada.")
	}
	if got := b.me(); got != "ada" {
		t.Errorf("got user %q, want ada still", got)
	}
}

// TestTheCookieOfASignOutIsGoodForThatAlone: it is sealed, and it ends.
func TestTheCookieOfASignOutIsGoodForThatAlone(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	state := b.signOut().location().Query().Get("state")
	kept := b.attempts()
	if len(kept) != 1 {
		t.Fatalf("got %d cookies, want one", len(kept))
	}
	forged := s.browser()
	forged.put(kept[0].Name, kept[0].Value[:len(kept[0].Value)-2]+"AA")
	forged.open("/.auth/sign-out?state=" + state).want(http.StatusOK).wantNo("at KDE Invent")
	moved := s.browser() // as the cookie of an attempt at signing in
	moved.put(s.cookieOf(state), kept[0].Value)
	moved.wantHelp(moved.open("/.auth/callback/invent?code=c&state="+state), http.StatusBadRequest)
	s.clock.Advance(leaveLife)
	b.open("/.auth/sign-out?state=" + state).want(http.StatusOK).wantNo("at KDE Invent")
}

// TestNothingAtTheProviderKeepsAnybodySignedIn here.
func TestNothingAtTheProviderKeepsAnybodySignedIn(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*site)
		away  bool
		log   string
	}{
		"revocation fails":                {func(s *site) { s.idp.Fail(http.StatusInternalServerError, devprovider.Revocation) }, true, "were not revoked"},
		"revocation is refused":           {func(s *site) { s.idp.Fail(http.StatusUnauthorized, devprovider.Revocation) }, true, "were not revoked"},
		"revocation drops the connection": {func(s *site) { s.idp.Override(devprovider.Revocation, devprovider.Drop) }, true, "were not revoked"},
		"the provider is away":            {func(s *site) { s.idp.Close() }, true, "were not revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			b := s.browser()
			b.signIn("/").wantTo(s, "/")
			c.spoil(s)
			p := b.signOut()
			if strings.HasPrefix(p.location().String(), s.idp.Issuer()) != c.away {
				t.Errorf("leads to %v", p.location())
			}
			if b.me() != "" || b.session() != nil {
				t.Error("still signed in")
			}
			if logs := s.logs.String(); !strings.Contains(logs, c.log) || !strings.Contains(logs, `"request_id":"kq3v5n7x2m4p6r8t"`) {
				t.Errorf("the log lacks %q\n%s", c.log, logs)
			}
		})
	}
}

// TestAProviderThatHangsAtRevocationIsNotWaitedFor longer than a moment.
func TestAProviderThatHangsAtRevocationIsNotWaitedFor(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	hold := s.idp.Hang(devprovider.Revocation)
	defer hold.Release()
	begun := time.Now()
	b.signOut()
	if took := time.Since(begun); took > leaveTimeout+2*time.Second {
		t.Errorf("took %s", took)
	}
	if b.me() != "" {
		t.Error("still signed in")
	}
}

// TestAProviderWithoutEndpointsIsNotMissed: GitLab has no end session endpoint.
func TestAProviderWithoutEndpointsIsNotMissed(t *testing.T) {
	s := newSite(t)
	s.idp.Rewrite(devprovider.DiscoveryDocument, func(doc map[string]any) {
		delete(doc, "end_session_endpoint")
		delete(doc, "revocation_endpoint")
	})
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	button := b.open("/.auth/sign-out")
	if csp := button.header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self';") {
		t.Errorf("the button may lead elsewhere: %q", csp)
	}
	p := b.signOut()
	if got := p.header.Get("Location"); got != "/.auth/sign-out" || b.me() != "" {
		t.Errorf("leads to %q", got)
	}
	b.follow(p).want(http.StatusOK, "You are signed out", "You may still be signed in at your provider")
	if strings.Contains(s.logs.String(), `"level":"WARN"`) {
		t.Errorf("the log warns of what is no news\n%s", s.logs)
	}
}

// TestWhatThereIsIsRevoked: the refresh token, else the access token.
func TestWhatThereIsIsRevoked(t *testing.T) {
	for name, withRefresh := range map[string]bool{"refresh_token": true, "access_token": false} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			if !withRefresh {
				s.rewriteTokens(func(reply map[string]any) { delete(reply, "refresh_token") })
			}
			var form url.Values
			s.idp.Override(devprovider.Revocation, func(w http.ResponseWriter, r *http.Request) { form = r.PostForm })
			b := s.browser()
			b.signIn("/").wantTo(s, "/")
			b.signOut()
			if form.Get("token_type_hint") != name || len(form.Get("token")) != 64 {
				t.Errorf("got the hint %q and %d bytes of token", form.Get("token_type_hint"), len(form.Get("token")))
			}
		})
	}
}

// TestAnExpiredSessionSignsOutHere: there is nothing left to end elsewhere.
func TestAnExpiredSessionSignsOutHere(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	s.clock.Advance(90 * time.Minute)
	if got := b.signOut().header.Get("Location"); got != "/.auth/sign-out" {
		t.Errorf("leads to %q", got)
	}
	if got := s.idp.Calls(devprovider.Revocation); got != 0 {
		t.Errorf("the provider was asked %d times", got)
	}
}
