package login

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/stateless"
)

// statelessSite is a site whose sessions are in cookies alone, with the real renewer.
func statelessSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	log := slog.New(slog.NewJSONHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	store, err := stateless.New(stateless.Options{
		Sealer: s.Sealer, CookieName: "claimproxy", Idle: 8 * time.Hour, Lifetime: 24 * time.Hour, Now: s.clock.Now, Log: log,
		Renewer: NewRenewer(s.Providers, s.clock.Now, log, nil), Recheck: 10 * time.Minute, Grace: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Sessions, s.Remote, s.Parking, s.Cookies = store, nil, nil, store.Cookies()
	return s
}

func TestWhoDoesNotFitIntoCookiesIsToldSo(t *testing.T) {
	s := statelessSite(t)
	everywhere := make([]string, 1000)
	for i := range everywhere {
		everywhere[i] = fmt.Sprint("teams/number-", i)
	}
	s.idp.SetPerson(devprovider.Person{Name: "max", Groups: everywhere})
	s.idp.SignInAs("max")
	b := s.browser()
	p := b.signIn("/graph").want(http.StatusForbidden, "You cannot be signed in", "KDE Invent says more about you than fits", "Sign in as somebody else").wantNo("number-", "Try again")
	if b.session() != nil || strings.Contains(strings.Join(p.header["Set-Cookie"], "\n"), "number") {
		t.Error("a session was set, or a part of one")
	}
	if log := s.logs.String(); !strings.Contains(log, "a session does not fit into cookies") || !strings.Contains(log, "groups: ") || strings.Contains(log, "number-") {
		t.Errorf("the log does not say what takes up the room, or tells claims:\n%s", log)
	}
	// Somebody else signs in after that.
	s.idp.SignInAs("ada")
	b.signIn("/graph").wantTo(s, "/graph")
	if got := b.me(); got != "ada" {
		t.Errorf("got %q, want ada", got)
	}
}

// TestASessionInACookieFollowsThePerson: groups are fetched again while the access token
// lives, and when it ends the provider is asked without a question.
func TestASessionInACookieFollowsThePerson(t *testing.T) {
	s := statelessSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	groups := func() string {
		r := httptest.NewRequest(http.MethodGet, s.url, nil)
		r.AddCookie(b.session())
		id, err := s.Sessions.Identify(r)
		if err != nil {
			return err.Error()
		}
		return strings.Join(id.Claims.Strings("groups"), " ")
	}
	if got := groups(); got != "teams/kde-developers" {
		t.Fatalf("got the groups %s", got)
	}
	s.idp.SetPerson(devprovider.Person{Name: "ada", Groups: []string{"teams/emeritus"}})
	s.clock.Advance(10 * time.Minute)
	if got := groups(); got != "teams/emeritus" {
		t.Errorf("after recheck: got the groups %s", got)
	}
	refreshed := s.idp.Calls(devprovider.Token)
	s.clock.Advance(3 * time.Hour)
	b.open("/.auth/me", "Accept: application/json").want(http.StatusUnauthorized)
	p := b.follow(b.open("/.auth/sign-in?return_to=/graph")).want(http.StatusFound)
	if got := p.location().Query().Get("prompt"); got != "none" {
		t.Errorf("prompt: got %q, want none", got)
	}
	b.open(b.comeBack(p).String()).wantTo(s, "/graph")
	if got := groups(); got != "teams/emeritus" {
		t.Errorf("signed in again: got the groups %s", got)
	}
	if n := s.idp.Calls(devprovider.Token) - refreshed; n != 1 {
		t.Errorf("the provider was asked for tokens %d times, want once, for the code: there is no refresh token", n)
	}
	// Whose token is revoked has to ask the provider, too.
	s.idp.RevokeAll("ada")
	s.clock.Advance(10 * time.Minute)
	b.open("/.auth/me", "Accept: application/json").want(http.StatusUnauthorized)
}

// TestWhatASessionInACookieCannotDoIsSaid, and not done by halves: a provider is not told
// that a sign-out has worked, and nobody that all sessions are listed.
func TestWhatASessionInACookieCannotDoIsSaid(t *testing.T) {
	s := statelessSite(t)
	var tokens forgotten
	s.Tokens = &tokens
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	sub := b.open("/.auth/me", "Accept: application/json").object()["sub"]
	p := s.logout(s.idp.LogoutToken(s.idp.LogoutClaims("web", "ada", ""))).want(http.StatusBadRequest)
	if got := p.object()["error"]; got != "unsupported" {
		t.Errorf("the provider is told %v", got)
	}
	if len(tokens.subs) != 1 || tokens.subs[0] != sub {
		t.Errorf("the tokens of %q are checked again, want those of %v", tokens.subs, sub)
	}
	s.logout("nonsense").want(http.StatusBadRequest)
	b.submit(http.MethodPost, "/.auth/sessions/end", url.Values{"all": {"true"}}, "Sec-Fetch-Site: same-origin").
		want(http.StatusNotFound, "A session in another browser ends there")
	b.open("/.auth/me").want(http.StatusOK, "You are ada", "Where else you are signed in is not known here").wantNo("Where you are signed in", "End all")
	if me := b.open("/.auth/me", "Accept: application/json").object(); me["sessions"] != nil || me["user"] != "ada" {
		t.Errorf("got %v", me)
	}
	// Signing out is without a hint, which is as long as an ID token.
	out := b.submit(http.MethodPost, "/.auth/sign-out", nil, "Sec-Fetch-Site: same-origin").want(http.StatusSeeOther)
	if q := out.location().Query(); q.Has("id_token_hint") || q.Get("client_id") != "web" {
		t.Errorf("signing out leads to %v", out.location())
	}
	if b.session() != nil {
		t.Error("the cookie is still there")
	}
	// A form that was sent too late has no place to be kept.
	r := httptest.NewRequest(http.MethodPost, s.url+"/x", strings.NewReader("a=b"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if place, err := s.KeepForm(r, []byte("a=b"), "/x"); place != "" || err != nil {
		t.Errorf("a form is kept at %q, %v", place, err)
	}
}

// TestAFrameOfTheProviderEndsWhatItCarries and nothing else: the cookie of the frame, which
// browsers send along where both are one site.
func TestAFrameOfTheProviderEndsWhatItCarries(t *testing.T) {
	s := statelessSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	sid := b.sid()
	s.browser().frame("iss", s.idp.Issuer(), "sid", sid).want(http.StatusOK, "Nothing was ended here")
	b.frame("iss", s.idp.Issuer(), "sid", "another").want(http.StatusOK, "Nothing was ended here")
	if b.me() != "ada" {
		t.Fatal("a frame without the cookie, or of another login, has ended the session")
	}
	b.frame("iss", s.idp.Issuer(), "sid", sid).want(http.StatusOK, "Signed out")
	if b.me() != "" || b.session() != nil {
		t.Error("the session is still good")
	}
}

var _ Sessions = (*stateless.Store)(nil)
var _ Sessions = (*session.Store)(nil)
