package login

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
)

// brokenSessions fails in a way that is none of the three outcomes.
type brokenSessions struct{ Sessions }

func (brokenSessions) Start(http.ResponseWriter, *http.Request, *session.Record) error {
	return errors.New("a fault of ours")
}
func (brokenSessions) End(http.ResponseWriter, *http.Request) error {
	return errors.New("a fault of ours")
}
func (brokenSessions) Identify(*http.Request) (*session.Identity, error) {
	return nil, errors.New("a fault of ours")
}

// TestSigningOutIsAskedForOnThisSiteAlone: nothing that another site can have a
// browser do ends a session.
func TestSigningOutIsAskedForOnThisSiteAlone(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	const none = "Sec-Fetch-Site:" // as browsers before 2023 do
	refused := [][]string{
		{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"},
		{"Sec-Fetch-Site: same-site", "Origin: https://sibling.example"},
		{"Sec-Fetch-Site: cross-site", "Origin: " + s.url},
		{"Sec-Fetch-Site: cross-site"},
		{"Sec-Fetch-Site: nonsense"},
		{none, "Origin: https://evil.example"},
		{none, "Origin: null"},
		{none, "Origin: " + s.url + ".evil.example"},
		{none, "Origin: " + s.url + "0"},
		{none, "Origin: http://127.0.0.1:1"},
	}
	for _, headers := range refused {
		p := b.send(http.MethodPost, "/.auth/sign-out", headers...).want(http.StatusForbidden, "Not signed out")
		if len(p.cookies) != 0 {
			t.Errorf("%q: sets cookies", headers)
		}
		p = b.send(http.MethodPost, "/.auth/sign-out", append(headers, "Accept: application/json")...).want(http.StatusForbidden)
		if got := p.object()["code"]; got != "not-allowed" {
			t.Errorf("got code %q, want not-allowed", got)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} { // a link, an image, a prefetch
		b.send(method, "/.auth/sign-out", "Sec-Fetch-Site: cross-site").want(http.StatusOK)
	}
	if got := b.me(); got != "ada" {
		t.Fatalf("got user %q, want ada still", got)
	}
	for _, headers := range [][]string{
		{"Sec-Fetch-Site: same-origin", "Origin: " + s.url},
		{"Sec-Fetch-Site: same-origin", "Origin: null"}, // a form of a page with no-referrer
		{none, "Origin: " + s.url},
		{none}, // a script
	} {
		b := s.browser()
		b.signIn("/").wantTo(s, "/")
		b.send(http.MethodPost, "/.auth/sign-out", headers...).want(http.StatusSeeOther)
		if got := b.me(); got != "" {
			t.Errorf("%q: %q is signed in still", headers, got)
		}
	}
}

// TestACopiedCookieIsDeadAfterSigningOut, and the browser's own is deleted with the
// attributes that it was set with.
func TestACopiedCookieIsDeadAfterSigningOut(t *testing.T) {
	for name, withTLS := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(set *setup) { set.tls = withTLS })
			b := s.browser()
			b.signIn("/").wantTo(s, "/")
			cookie := b.session()
			thief := s.browser()
			thief.put(cookie.Name, cookie.Value)
			if got := thief.me(); got != "ada" {
				t.Fatalf("the copy is %q, want ada before the sign-out", got)
			}

			p := b.open("/.auth/sign-out").want(http.StatusOK, "You are signed in as ada.", `<form method="post" action="/.auth/sign-out">`)
			if len(p.cookies) != 0 {
				t.Error("the page sets cookies")
			}
			p = b.send(http.MethodPost, "/.auth/sign-out", "Sec-Fetch-Site: same-origin").want(http.StatusSeeOther)
			var gone *http.Cookie
			for _, c := range p.cookies {
				if c.Name == cookie.Name {
					gone = c
				}
			}
			if gone == nil || gone.MaxAge >= 0 || gone.Value != "" || gone.SameSite != http.SameSiteLaxMode {
				t.Fatalf("got %v, want the cookie deleted", gone)
			}
			if b.session() != nil {
				t.Error("the browser keeps the cookie")
			}
			b.open("/.auth/sign-out").want(http.StatusOK, "You are signed out", "You may still be signed in at your provider")
			if got := thief.me(); got != "" {
				t.Errorf("the copy is still %q", got)
			}
			// Twice does no harm, and neither does signing out nobody.
			b.send(http.MethodPost, "/.auth/sign-out", "Sec-Fetch-Site: same-origin").want(http.StatusSeeOther)
			s.browser().send(http.MethodPost, "/.auth/sign-out", "Sec-Fetch-Site: same-origin").want(http.StatusSeeOther)
		})
	}
}

// TestNobodyIsToldThatTheyAreSignedOutWhenThatIsNotKnown.
func TestNobodyIsToldThatTheyAreSignedOutWhenThatIsNotKnown(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	real := s.Sessions
	check := func(t *testing.T) {
		for _, path := range []string{"/.auth/sign-out", "/.auth/me"} {
			b.open(path).want(http.StatusServiceUnavailable, "Not possible right now", "Try again", `href="`+path+`"`).wantNo("signed out", "Nobody")
			p := b.open(path, "Accept: application/json").want(http.StatusServiceUnavailable)
			if got := p.object()["code"]; got != "store-unavailable" {
				t.Errorf("%s: got code %q, want store-unavailable", path, got)
			}
		}
		p := b.send(http.MethodPost, "/.auth/sign-out", "Sec-Fetch-Site: same-origin").want(http.StatusServiceUnavailable, "Try again").wantNo("are signed out")
		if len(p.cookies) != 0 {
			t.Error("the cookie is deleted, so that it cannot be tried again")
		}
	}
	t.Run("the store is down", func(t *testing.T) {
		s.keep.fail(errors.New("disk on fire"))
		s.clock.Advance(2 * time.Hour) // beyond what is answered from memory
		check(t)
		s.keep.fail(nil)
		s.clock.Advance(-2 * time.Hour)
	})
	t.Run("a fault of ours", func(t *testing.T) {
		s.Sessions = brokenSessions{real}
		check(t)
		s.Sessions = real
	})
	if got := b.me(); got != "ada" {
		t.Errorf("got user %q, want ada", got)
	}
}

// TestMeGivesNoTokenAway: whatever runs in a page may ask for it.
func TestMeGivesNoTokenAway(t *testing.T) {
	s := newSite(t)
	var rec *session.Record
	s.Sessions = startSpy{s.Sessions, &rec}
	b := s.browser()
	p := b.leave("/")
	nonce, state := p.location().Query().Get("nonce"), p.location().Query().Get("state")
	back := b.comeBack(p)
	b.open(back.String()).wantTo(s, "/")
	for _, accept := range []string{firefox, "application/json"} {
		b.open("/.auth/me", "Accept: "+accept).want(http.StatusOK, "ada@kde.example", "teams/kde-developers").
			wantNo(rec.AccessToken, rec.RefreshToken, rec.IDToken, "eyJ", nonce, state, back.Query().Get("code"), b.session().Value, clientSecret)
	}
}

func TestMeIsADocumentForProgramsAndAPageForPeople(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	// Nobody yet.
	p := b.open("/.auth/me", "Accept: application/json").want(http.StatusUnauthorized)
	got := p.object()
	want := map[string]any{
		"type": "about:blank", "title": "Unauthorized", "status": 401.0, "detail": "Nobody is signed in here.", "message": "Nobody is signed in here.",
		"code": "no-credentials", "request_id": "kq3v5n7x2m4p6r8t", "sign_in_url": s.url + "/.auth/sign-in?return_to=%2F.auth%2Fme",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
	p = b.open("/.auth/me").want(http.StatusUnauthorized, "Nobody is signed in", `href="/.auth/sign-in?return_to=%2F.auth%2Fme"`)
	if got := p.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("got Content-Type %q, want a page", got)
	}

	b.signIn("/.auth/me").wantTo(s, "/.auth/me")
	for accept, kind := range map[string]string{
		firefox: "text/html; charset=utf-8", "text/html": "text/html; charset=utf-8",
		"application/json": "application/json", "*/*": "application/json", "": "application/json", "text/html;q=0, */*": "application/json",
	} {
		p := b.open("/.auth/me", "Accept: "+accept).want(http.StatusOK)
		if got := p.header.Get("Content-Type"); got != kind {
			t.Errorf("Accept %q: got %q, want %q", accept, got, kind)
		}
	}
	p = b.open("/.auth/me", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty")
	if got := p.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("a script gets %q, want the document", got)
	}
	b.open("/.auth/me").want(http.StatusOK, "You are ada", "KDE Invent", "21 November 2026, 12:00 UTC", "21 November 2026, 20:00 UTC", "Sign out")
	got = b.open("/.auth/me", "Accept: application/json").object()
	delete(got, "claims")
	delete(got, "sessions")
	want = map[string]any{
		"provider": "invent", "issuer": s.idp.Issuer(), "sub": "1", "user": "ada",
		"signed_in": "2026-11-21T12:00:00Z", "until": "2026-11-21T20:00:00Z",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("me (-want +got):\n%s", diff)
	}
	if got := b.send(http.MethodHead, "/.auth/me"); got.status != http.StatusOK || got.body != "" {
		t.Errorf("HEAD: got %d %q", got.status, got.body)
	}
}

// TestASessionThatIsOverIsSaidToBe rather than never to have been.
func TestASessionThatIsOverIsSaidToBe(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	s.clock.Advance(90 * time.Minute)
	if got := b.open("/.auth/me", "Accept: application/json").want(http.StatusUnauthorized).object()["code"]; got != "session-expired" {
		t.Errorf("got code %q, want session-expired", got)
	}
	b.open("/.auth/sign-out").want(http.StatusOK, "You are signed out")
}

// TestClaimsAreTextOnEveryPage: people choose their own names, and claims come in
// all shapes.
func TestClaimsAreTextOnEveryPage(t *testing.T) {
	const attack = `"><script>alert(1)</script>&{{.}}${x}`
	s := newSite(t)
	s.idp.Rewrite(devprovider.UserInfoClaims, func(c map[string]any) {
		c["preferred_username"], c["name"], c[attack] = attack, attack, attack
		c["groups"] = []any{attack, 9007199254740993, nil, true, []any{attack}, map[string]any{attack: attack}}
	})
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	for _, path := range []string{"/.auth/me", "/.auth/sign-out"} {
		b.open(path).want(http.StatusOK, "&lt;script&gt;alert(1)&lt;/script&gt;&amp;{{.}}${x}").wantNo("<script")
	}
	p := b.open("/.auth/me", "Accept: application/json").want(http.StatusOK, "9007199254740993").wantNo("<script")
	if got := p.object()["user"]; got != attack {
		t.Errorf("got user %q, want %q", got, attack)
	}
}

// TestAPersonWithoutANameHasASubject: there is no fallback to another claim.
func TestAPersonWithoutANameHasASubject(t *testing.T) {
	s := newSite(t)
	s.idp.Rewrite(devprovider.UserInfoClaims, func(c map[string]any) { delete(c, "preferred_username") })
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	if got := b.open("/.auth/me", "Accept: application/json").object()["user"]; got != "" {
		t.Errorf("got user %q, want none", got)
	}
	b.open("/.auth/me").want(http.StatusOK, "You are 1")
	if got := nameOf(&session.Identity{}); got != "somebody without a name" {
		t.Errorf("got %q", got)
	}
}

// TestGarbageInTheCookieHeaderIsNobody, never a fault.
func TestGarbageInTheCookieHeaderIsNobody(t *testing.T) {
	s := newSite(t)
	for _, header := range []string{
		";", "=", "a=1; ; b", "claimproxy", "claimproxy=", "claimproxy=%%%", "claimproxy-login-=x", "claimproxy-login-x=" + strings.Repeat("A", 60<<10),
		"claimproxy=" + strings.Repeat("A", 66), strings.Repeat("claimproxy-login-x=1; ", 2000), strings.Repeat("a=;", 4000),
	} {
		name := fmt.Sprintf("%.40q", header)
		b := s.browser()
		if got := b.open("/.auth/me", "Cookie: "+header).status; got != http.StatusUnauthorized {
			t.Errorf("%s: me gives %d, want 401", name, got)
		}
		if got := b.open("/.auth/callback/invent?code=c&state=s", "Cookie: "+header).status; got != http.StatusBadRequest {
			t.Errorf("%s: the callback gives %d, want 400", name, got)
		}
		if got := b.open("/.auth/start/invent", "Cookie: "+header); got.status != http.StatusFound || len(got.cookies) > maxForgotten+1 {
			t.Errorf("%s: start gives %d and %d cookies", name, got.status, len(got.cookies))
		}
	}
}
