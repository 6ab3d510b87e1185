package e2e

import (
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// button presses the button of a page's form that leads to an address.
func (b *browser) button(page *answer, leads string, values map[string]string) *answer {
	b.t.Helper()
	for _, f := range page.forms() {
		if f.method == http.MethodPost && strings.Contains(f.action, leads) {
			return b.submit(page, f, values)
		}
	}
	b.t.Fatalf("the page has no form that leads to %s\n%s", leads, clip(page.body))
	return nil
}

// TestSigningOutIsSigningOutAtTheProviderToo is RP-initiated logout with the certified
// provider: it knows the ID token and the address to lead back to, and asks for a
// password the next time.
func TestSigningOutIsSigningOutAtTheProviderToo(t *testing.T) {
	t.Parallel()
	p := newOIDCProvider(t)
	s := newSite(t, p)
	s.Recorder = newRecorder(t).url
	s.start()
	p.fixtureCall(t, http.MethodPut, "/_fixture/clients/proxy-web", map[string]any{"post_logout_redirect_uris": []string{s.url + "/.auth/sign-out"}})
	alice := people()["alice"]
	b := s.browser()
	b.signIn(s.url+"/recorder/", p, alice).wantStatus(t, http.StatusOK)

	page := b.visit(s.url+"/.auth/sign-out").wantStatus(t, http.StatusOK)
	if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' "+p.issuer+";") {
		t.Errorf("the form may not lead to the provider: %q", csp)
	}
	out := b.button(page, "/.auth/sign-out", nil).wantStatus(t, http.StatusSeeOther)
	b.fetch(http.MethodGet, s.url+"/recorder/").wantProblem(t, http.StatusUnauthorized, "no-credentials")
	q := out.location().Query()
	if !strings.HasPrefix(out.location().String(), p.issuer+"/session/end?") || q.Get("id_token_hint") == "" {
		t.Fatalf("signing out leads to %v", out.location())
	}
	s.leaks.add(q.Get("id_token_hint"), q.Get("state"))

	asks := b.follow(out).wantStatus(t, http.StatusOK)
	back := b.button(asks, "/session/end/confirm", map[string]string{"logout": "yes"})
	if to := back.location(); to == nil || to.String() != s.url+"/.auth/sign-out?state="+url.QueryEscape(q.Get("state")) {
		t.Fatalf("the provider leads to %v", back.location())
	}
	b.follow(back).wantStatus(t, http.StatusOK).wantText(t, "You are signed out here and at KDE Invent.")

	again := b.open(s.url + "/recorder/")
	for to := again.location(); to != nil; to = again.location() {
		again = b.follow(again)
	}
	if forms := again.forms(); len(forms) != 1 || !forms[0].password {
		t.Errorf("after signing out: got %s without a password to type\n%s", again.url, clip(again.body))
	}
}

// TestTheProvidersSignOutEndsTheSessionHere is back-channel logout with the certified
// provider: a person signs out there, and not here.
func TestTheProvidersSignOutEndsTheSessionHere(t *testing.T) {
	t.Parallel()
	p := newOIDCProvider(t)
	s := newSite(t, p)
	s.Recorder = newRecorder(t).url
	s.start()
	p.fixtureCall(t, http.MethodPut, "/_fixture/clients/proxy-web", map[string]any{
		"backchannel_logout_uri":              "http://" + s.Listen + "/.auth/backchannel-logout/invent",
		"backchannel_logout_session_required": true,
	})
	alice := people()["alice"]
	laptop, phone := s.browser(), s.browser()
	for _, b := range []*browser{laptop, phone} {
		b.signIn(s.url+"/recorder/", p, alice).wantStatus(t, http.StatusOK)
	}
	me := laptop.fetch(http.MethodGet, s.url+"/.auth/me").wantStatus(t, http.StatusOK).object(t)
	if list, _ := me["sessions"].([]any); len(list) != 2 {
		t.Errorf("got the sessions %v, want two", me["sessions"])
	}
	copied := s.sessionCookie(laptop)
	s.leaks.add(copied.Value)
	thief := withCookie(t, s.url, copied)
	thief.fetch(http.MethodGet, s.url+"/recorder/").wantStatus(t, http.StatusOK)

	asks := laptop.visit(p.issuer+"/session/end").wantStatus(t, http.StatusOK)
	laptop.button(asks, "/session/end/confirm", map[string]string{"logout": "yes"})
	eventually(t, 10*time.Second, "the provider has told of the sign-out", func() bool {
		return strings.Contains(s.process.out.since(0), "signed out by the provider")
	})
	for _, b := range []*browser{laptop, thief} {
		b.fetch(http.MethodGet, s.url+"/recorder/").wantProblem(t, http.StatusUnauthorized, "session-ended")
	}
	phone.fetch(http.MethodGet, s.url+"/recorder/").wantStatus(t, http.StatusOK)
	s.restart()
	thief.fetch(http.MethodGet, s.url+"/recorder/").wantProblem(t, http.StatusUnauthorized, "session-ended")
	phone.fetch(http.MethodGet, s.url+"/recorder/").wantStatus(t, http.StatusOK)
}

// TestSigningOutRevokesTheTokens at Doorkeeper, which GitLab is made of: both of the
// session's are dead there.
func TestSigningOutRevokesTheTokens(t *testing.T) {
	t.Parallel()
	p := newDoorkeeper(t)
	s := newSite(t, p)
	s.Recorder = newRecorder(t).url
	s.start()
	alice := people()["alice"]
	other, b := s.browser(), s.browser()
	for _, each := range []*browser{other, b} {
		each.signIn(s.url+"/recorder/", p, alice).wantStatus(t, http.StatusOK)
	}
	if got := p.revoked(t); got != "0 of 2" {
		t.Fatalf("before: %s tokens are revoked, want none of two", got)
	}
	page := b.visit(s.url+"/.auth/sign-out").wantStatus(t, http.StatusOK)
	out := b.button(page, "/.auth/sign-out", nil).wantStatus(t, http.StatusSeeOther)
	if got := out.header.Get("Location"); got != "/.auth/sign-out" {
		t.Errorf("leads to %q, want here: Doorkeeper has no end session endpoint", got)
	}
	if got := p.revoked(t); got != "1 of 2" {
		t.Errorf("after: %s tokens are revoked, want one of two", got)
	}
	b.follow(out).wantText(t, "You are signed out")
	other.fetch(http.MethodGet, s.url+"/recorder/").wantStatus(t, http.StatusOK)

	// The other session ends from here, and cannot be ended twice.
	b.signIn(s.url+"/recorder/", p, alice).wantStatus(t, http.StatusOK)
	mine := b.visit(s.url+"/.auth/me").wantText(t, "Firefox on Linux (this session)", "signed in from 127.0.0.1", "End all other sessions")
	b.button(mine, "/.auth/sessions/end", nil).wantStatus(t, http.StatusSeeOther)
	other.fetch(http.MethodGet, s.url+"/recorder/").wantProblem(t, http.StatusUnauthorized, "session-ended")
	b.fetch(http.MethodGet, s.url+"/recorder/").wantStatus(t, http.StatusOK)

	// A provider that is away keeps nobody signed in.
	p.stop(t)
	page = b.visit(s.url+"/.auth/sign-out").wantStatus(t, http.StatusOK)
	b.button(page, "/.auth/sign-out", nil).wantStatus(t, http.StatusSeeOther)
	b.fetch(http.MethodGet, s.url+"/recorder/").wantProblem(t, http.StatusUnauthorized, "no-credentials")
}

// revoked counts Doorkeeper's access tokens, whose refresh tokens are in the same rows.
func (p *idp) revoked(t testing.TB) string {
	t.Helper()
	const count = `print SQLite3::Database.new(ARGV[0]).execute(
		"SELECT COUNT(revoked_at) || ' of ' || COUNT(*) FROM oauth_access_tokens")[0][0]`
	out, err := exec.Command("ruby", "-rsqlite3", "-e", count, filepath.Join(p.dir, "db.sqlite3")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
