package login

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// forgotten notes whose tokens are to be checked again.
type forgotten struct {
	mu   sync.Mutex
	subs []string
}

func (f *forgotten) Forget(_, subject string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.subs, subject) {
		f.subs = append(f.subs, subject)
	}
}

// logout sends a logout token without cookies, as providers do.
func (s *site) logout(token string, headers ...string) *page {
	s.t.Helper()
	s.secret(token)
	program := []string{"Accept: */*", "Sec-Fetch-Mode:", "Sec-Fetch-Dest:", "Sec-Fetch-Site:"}
	return s.browser().submit(http.MethodPost, "/.auth/backchannel-logout/invent", url.Values{"logout_token": {token}}, append(program, headers...)...)
}

// sid is the provider's name for the login that a browser's session comes from.
func (b *browser) sid() string {
	b.t.Helper()
	claims, _ := b.open("/.auth/me", "Accept: application/json").want(http.StatusOK).object()["claims"].(map[string]any)
	sid, _ := claims["sid"].(string)
	if sid == "" {
		b.t.Fatal("the session has no sid")
	}
	return sid
}

func (p *page) wantLogoutRefused() {
	p.t.Helper()
	p.want(http.StatusBadRequest)
	if got := p.object()["error"]; got != "invalid_request" {
		p.t.Errorf("got error %v, want invalid_request", got)
	}
}

// TestAProviderEndsOneLogin is rp-backchannel-rpinitlogout: the session ends, a copied
// cookie is dead at once, and other logins of the same person go on.
func TestAProviderEndsOneLogin(t *testing.T) {
	var tokens forgotten
	s := newSite(t, func(set *setup) { set.config.Tokens = &tokens })
	laptop, phone := s.browser(), s.browser()
	laptop.signIn("/").wantTo(s, "/")
	phone.signIn("/").wantTo(s, "/")
	thief := s.browser()
	thief.put(laptop.session().Name, laptop.session().Value)
	if thief.me() != "ada" {
		t.Fatal("the copy is nobody's before")
	}
	p := s.logout(s.idp.LogoutToken(s.idp.LogoutClaims("web", "", laptop.sid()))).want(http.StatusOK)
	if p.body != "" || len(p.cookies) != 0 {
		t.Errorf("got the body %q and %d cookies", p.body, len(p.cookies))
	}
	if laptop.me() != "" || thief.me() != "" {
		t.Error("the session is still good")
	}
	if phone.me() != "ada" {
		t.Error("another login was ended too")
	}
	if !slices.Equal(tokens.subs, []string{"1"}) {
		t.Errorf("got the tokens of %q forgotten, want those of 1", tokens.subs)
	}
}

// TestAProviderEndsAllOfAPersons sessions with a token that names nobody's login.
func TestAProviderEndsAllOfAPersons(t *testing.T) {
	s := newSite(t)
	laptop, phone, eve := s.browser(), s.browser(), s.browser()
	laptop.signIn("/").wantTo(s, "/")
	phone.signIn("/").wantTo(s, "/")
	s.idp.SignInAs("eve")
	eve.signIn("/").wantTo(s, "/")
	s.logout(s.idp.LogoutToken(s.idp.LogoutClaims("web", "ada", ""))).want(http.StatusOK)
	if laptop.me() != "" || phone.me() != "" || eve.me() != "eve" {
		t.Errorf("got %q, %q and %q, want nobody twice, and eve", laptop.me(), phone.me(), eve.me())
	}
}

// TestSigningOutAtOneApplicationEndsTheSessionHere: the provider calls by itself when a
// person signs out there.
func TestSigningOutAtOneApplicationEndsTheSessionHere(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	b.open(s.idp.Provider.URL(devprovider.EndSession)).want(http.StatusOK)
	if got := b.me(); got != "" {
		t.Errorf("%q is signed in still", got)
	}
}

// TestBadLogoutTokensEndNothing: the negative modules of the plan, and more of them in
// package provider.
func TestBadLogoutTokensEndNothing(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	sid := b.sid()
	with := func(change func(map[string]any)) map[string]any {
		claims := s.idp.LogoutClaims("web", "ada", sid)
		change(claims)
		return claims
	}
	for name, token := range map[string]string{
		"alg-none":    devprovider.SignJWT(devprovider.Key{Algorithm: "none"}, nil, with(func(map[string]any) {})),
		"wrong-alg":   devprovider.SignJWT(devprovider.Key{ID: s.idp.Key().ID, Algorithm: "HS256", Private: []byte(strings.Repeat(clientSecret, 2))}, nil, with(func(map[string]any) {})),
		"no-event":    s.idp.LogoutToken(with(func(c map[string]any) { delete(c, "events") })),
		"wrong-event": s.idp.LogoutToken(with(func(c map[string]any) { c["events"] = map[string]any{"urn:x": map[string]any{}} })),
		"with-nonce":  s.idp.LogoutToken(with(func(c map[string]any) { c["nonce"] = "n" })),
		"wrong-aud":   s.idp.LogoutToken(with(func(c map[string]any) { c["aud"] = "other" })),
		"wrong-iss":   s.idp.LogoutToken(with(func(c map[string]any) { c["iss"] = "https://evil.example" })),
		"old iat":     s.idp.LogoutToken(with(func(c map[string]any) { c["iat"] = s.clock.Now().Add(-time.Hour).Unix() })),
		"no jti":      s.idp.LogoutToken(with(func(c map[string]any) { delete(c, "jti") })),
		"nobody":      s.idp.LogoutToken(with(func(c map[string]any) { delete(c, "sub"); delete(c, "sid") })),
		"an ID token": s.idp.Issue("ada", "web", "openid").IDToken,
		"no token":    "x", "an empty one": "",
	} {
		t.Run(name, func(t *testing.T) {
			s.logout(token).wantLogoutRefused()
			if got := b.me(); got != "ada" {
				t.Errorf("got user %q, want ada still", got)
			}
		})
	}
	s.logout(s.idp.LogoutToken(s.idp.LogoutClaims("web", "ada", sid))).want(http.StatusOK)
	if b.me() != "" {
		t.Error("the good one does nothing")
	}
}

// TestAReplayedLogoutTokenEndsNothing: who has overheard one must not sign people out
// with it again.
func TestAReplayedLogoutTokenEndsNothing(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	claims := s.idp.LogoutClaims("web", "ada", "")
	token := s.idp.LogoutToken(claims)
	s.logout(token).want(http.StatusOK)
	b.signIn("/").wantTo(s, "/")
	s.logout(token).wantLogoutRefused()
	s.logout(s.idp.LogoutToken(claims)).wantLogoutRefused() // another signature, the same jti
	s.clock.Advance(150 * time.Second)
	s.logout(token).wantLogoutRefused()
	if got := b.me(); got != "ada" {
		t.Errorf("got user %q, want ada still", got)
	}
	s.logout(s.idp.LogoutToken(s.idp.LogoutClaims("web", "ada", ""))).want(http.StatusOK)
	if b.me() != "" {
		t.Error("a new one does nothing")
	}
}

// TestAReplayAfterAReloadOrAtAReplicaEndsNothing: what was used is known to whoever keeps
// sessions in the same place, and not to one handler alone.
func TestAReplayAfterAReloadOrAtAReplicaEndsNothing(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	token := s.idp.LogoutToken(s.idp.LogoutClaims("web", "ada", ""))
	s.logout(token).want(http.StatusOK)
	b.signIn("/").wantTo(s, "/")
	s.Handler = New(s.Config)
	s.logout(token).wantLogoutRefused()
	if got := b.me(); got != "ada" {
		t.Errorf("got user %q, want ada still", got)
	}
	s.logout(s.idp.LogoutToken(s.idp.LogoutClaims("web", "ada", ""))).want(http.StatusOK)
	if b.me() != "" {
		t.Error("a new one does nothing")
	}
}

// TestALogoutThatMatchesNobodyIsFine: the sessions may have ended before (Back-Channel
// Logout section 2.7).
func TestALogoutThatMatchesNobodyIsFine(t *testing.T) {
	s := newSite(t)
	s.logout(s.idp.LogoutToken(s.idp.LogoutClaims("web", "ada", "unknown"))).want(http.StatusOK)
	s.logout(s.idp.LogoutToken(s.idp.LogoutClaims("web", "eve", ""))).want(http.StatusOK)
}

// TestTheSameSidAtTwoIssuersIsTwoLogins, and so is the same sub.
func TestTheSameSidAtTwoIssuersIsTwoLogins(t *testing.T) {
	other := devprovider.NewServer(devprovider.Options{
		People: []devprovider.Person{{Name: "ada"}}, Algorithm: "ES256",
		Now: func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }, // the site's
	})
	t.Cleanup(other.Close)
	other.SignInAs("ada")
	s := newSite(t, func(set *setup) {
		set.more = []provider.Config{{
			ID: "other", Issuer: other.Issuer(), Client: provider.Client{ID: "web", Secret: clientSecret},
			Scopes: []string{"openid"}, RedirectURI: "", UserClaim: "preferred_username",
		}}
	})
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	sid := b.sid()
	at := func(name string, idp *devprovider.Provider, claims map[string]any) *page {
		t.Helper()
		return s.browser().submit(http.MethodPost, "/.auth/backchannel-logout/"+name, url.Values{"logout_token": {idp.LogoutToken(claims)}})
	}
	at("other", other.Provider, other.LogoutClaims("web", "ada", sid)).want(http.StatusOK)
	at("other", other.Provider, other.LogoutClaims("web", "ada", "")).want(http.StatusOK)
	// One provider's token at the other's address, and about the other's people.
	at("other", s.idp.Provider, s.idp.LogoutClaims("web", "ada", sid)).wantLogoutRefused()
	at("invent", other.Provider, other.LogoutClaims("web", "ada", sid)).wantLogoutRefused()
	lying := other.LogoutClaims("web", "ada", sid)
	lying["iss"] = s.idp.Issuer()
	at("other", other.Provider, lying).wantLogoutRefused()
	at("invent", other.Provider, lying).want(http.StatusServiceUnavailable) // a key that is not known yet
	if got := b.me(); got != "ada" {
		t.Fatalf("got user %q, want ada still", got)
	}
	at("invent", s.idp.Provider, s.idp.LogoutClaims("web", "", sid)).want(http.StatusOK)
	if b.me() != "" {
		t.Error("the right one does nothing")
	}
}

// TestLogoutRequestsHaveOneShape: one token, in a form, of bounded size (section 2.5).
func TestLogoutRequestsHaveOneShape(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	token := s.idp.LogoutToken(s.idp.LogoutClaims("web", "ada", ""))
	const path = "/.auth/backchannel-logout/invent"
	form := url.Values{"logout_token": {token}}
	for name, p := range map[string]*page{
		"in the query":        s.browser().submit(http.MethodPost, path+"?"+form.Encode(), url.Values{}),
		"twice":               s.browser().submit(http.MethodPost, path, url.Values{"logout_token": {token, token}}),
		"under another name":  s.browser().submit(http.MethodPost, path, url.Values{"token": {token}}),
		"as JSON":             s.browser().submit(http.MethodPost, path, form, "Content-Type: application/json"),
		"as a file":           s.browser().submit(http.MethodPost, path, form, "Content-Type: multipart/form-data; boundary=x"),
		"without a type":      s.browser().submit(http.MethodPost, path, form, "Content-Type:"),
		"beside a megabyte":   s.browser().submit(http.MethodPost, path, url.Values{"logout_token": {token}, "x": {strings.Repeat("x", 1<<20)}}),
		"in a broken form":    s.browser().submit(http.MethodPost, path, url.Values{"logout_token": {token + "%"}}),
		"of a hundred blanks": s.logout(strings.Repeat(" ", 100)),
	} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			p.wantLogoutRefused()
		})
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodOptions} {
		if p := b.send(method, path+"?"+form.Encode()).want(http.StatusMethodNotAllowed); p.header.Get("Allow") != "POST" {
			t.Errorf("%s: allows %q", method, p.header.Get("Allow"))
		}
	}
	for _, path := range []string{"/.auth/backchannel-logout", "/.auth/backchannel-logout/", "/.auth/backchannel-logout/nobody", path + "/x"} {
		s.browser().submit(http.MethodPost, path, form).want(http.StatusNotFound)
	}
	if got := b.me(); got != "ada" {
		t.Fatalf("got user %q, want ada still", got)
	}
	// Further parameters are passed over; a cookie and an Origin make no difference.
	form.Set("more", "x")
	b.submit(http.MethodPost, path, form, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site", "Content-Type: application/x-www-form-urlencoded; charset=utf-8").want(http.StatusOK)
	if b.me() != "" {
		t.Error("the good one does nothing")
	}
}

// TestALogoutThatCannotBeDoneIsTriedAgain, with the same token: it was not used up.
func TestALogoutThatCannotBeDoneIsTriedAgain(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	token := s.idp.LogoutToken(s.idp.LogoutClaims("web", "ada", ""))
	s.keep.fail(errors.New("disk on fire"))
	p := s.logout(token).want(http.StatusServiceUnavailable)
	if got := p.object()["error"]; got != "temporarily_unavailable" {
		t.Errorf("got error %v", got)
	}
	s.keep.fail(nil)
	s.logout(token).want(http.StatusOK)
	if b.me() != "" {
		t.Error("still signed in")
	}
}

// TestALogoutWithoutKeysIsTriedAgain: 503, and never 400.
func TestALogoutWithoutKeysIsTriedAgain(t *testing.T) {
	s := newSite(t)
	s.idp.Fail(http.StatusBadGateway, devprovider.KeySet)
	s.logout(s.idp.LogoutToken(s.idp.LogoutClaims("web", "ada", ""))).want(http.StatusServiceUnavailable)
	s.idp.Restore()
	s.clock.Advance(10 * time.Second)
	s.logout(s.idp.LogoutToken(s.idp.LogoutClaims("web", "ada", ""))).want(http.StatusOK)
}
