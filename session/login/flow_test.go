package login

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// TestAPersonSignsIn looks at each step of the way, over plain http on loopback and
// over https.
func TestAPersonSignsIn(t *testing.T) {
	for name, withTLS := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(set *setup) { set.tls = withTLS })
			b := s.browser()
			const place = "/classic/graph?g0.expr=up&g0.tab=1"

			p := b.open("/.auth/sign-in?return_to=" + url.QueryEscape(place))
			p.wantTo(s, "/.auth/start/invent?return_to="+url.QueryEscape(place))
			if len(p.cookies) != 0 {
				t.Errorf("sign-in sets %d cookies, want none before the attempt begins", len(p.cookies))
			}
			p = b.follow(p).want(http.StatusFound)
			to := p.location()
			if got := to.Scheme + "://" + to.Host + to.Path; got != s.idp.URL+"/oauth/authorize" {
				t.Fatalf("start leads to %s, want the provider", got)
			}
			q := to.Query()
			for name, want := range map[string]string{
				"response_type": "code", "client_id": "web", "redirect_uri": s.url + "/.auth/callback/invent",
				"scope": "openid profile email", "code_challenge_method": "S256", "prompt": "",
			} {
				if got := q.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			c := p.cookie(s.Cookies.AttemptPrefix)
			if c == nil || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 900 {
				t.Fatalf("attempt cookie: got %v, want Lax for 900 seconds", c)
			}
			if strings.Contains(c.Name, q.Get("state")) || strings.Contains(c.Value, q.Get("nonce")) {
				t.Error("the attempt cookie shows what it seals")
			}

			p = b.open(b.comeBack(p).String(), "Sec-Fetch-Site: cross-site").wantTo(s, place)
			if gone := p.cookie(s.Cookies.AttemptPrefix); gone == nil || gone.Name != c.Name || gone.MaxAge >= 0 {
				t.Errorf("the callback sets %v, want the attempt's cookie deleted", gone)
			}
			c = nil
			for _, set := range p.cookies {
				if set.Name == s.Cookies.Session {
					c = set
				}
			}
			if c == nil || c.SameSite != http.SameSiteLaxMode {
				t.Fatalf("session cookie: got %v, want a Lax one", c)
			}
			b.follow(p).want(http.StatusOK, "application: "+place)
			if got := len(b.jar(s.Cookies.Session)); got != 1 {
				t.Errorf("the browser has %d cookies, want the session's alone", got)
			}
			if got := b.me(); got != "ada" {
				t.Errorf("got user %q, want ada", got)
			}
		})
	}
}

// TestClaimsOfBothSourcesAreMerged: userinfo beats the ID token, protocol claims
// come from the ID token alone, and what bound it to the attempt is gone.
func TestClaimsOfBothSourcesAreMerged(t *testing.T) {
	s := newSite(t)
	s.idp.Rewrite(devprovider.IDTokenClaims, func(c map[string]any) {
		c["groups"], c["acr"], c["provider"], c["auth"] = []string{"from-id-token"}, "gold", "forged", "bearer"
	})
	s.idp.Rewrite(devprovider.UserInfoClaims, func(c map[string]any) {
		c["acr"], c["aud"], c["client_id"], c["exp"] = "forged", "forged", "forged", 1
	})
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	claims := b.open("/.auth/me", "Accept: application/json").want(http.StatusOK).object()["claims"].(map[string]any)
	want := map[string]any{
		"groups": []any{"teams/kde-developers"}, "groups_direct": []any{"teams/direct"}, "acr": "gold", "aud": "web",
		"provider": "invent", "auth": "browser", "client_id": "web", "preferred_username": "ada", "sub": "1",
	}
	got := map[string]any{}
	for name := range want {
		got[name] = claims[name]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	for _, name := range bindings {
		if _, there := claims[name]; there {
			t.Errorf("claim %q is still there", name)
		}
	}
}

func TestTwoTabsAtOnceDoNotDisturbEachOther(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	first, second := b.leave("/first"), b.leave("/second")
	if got := len(b.attempts()); got != 2 {
		t.Fatalf("got %d attempt cookies, want 2", got)
	}
	backOfSecond := b.comeBack(second)
	backOfFirst := b.comeBack(first)
	b.open(backOfSecond.String()).wantTo(s, "/second")
	b.open(backOfFirst.String()).wantTo(s, "/first")
	if got := len(b.attempts()); got != 0 {
		t.Errorf("got %d attempt cookies, want none left", got)
	}
}

// TestManyPeopleSignInAtOnce is what a verifier or token kept in a shared place
// would mix up.
func TestManyPeopleSignInAtOnce(t *testing.T) {
	s := newSite(t)
	var all sync.WaitGroup
	var turn sync.Mutex // the development provider signs in one person at a time
	for i := range 8 {
		b := s.browser()
		name := []string{"ada", "eve"}[i%2]
		all.Go(func() {
			turn.Lock()
			s.idp.SignInAs(name)
			p := b.open("/.auth/start/invent")
			code := b.open(p.header.Get("Location")).location()
			turn.Unlock()
			if code == nil {
				t.Error("the provider leads nowhere")
				return
			}
			if p := b.open(code.String()); p.status != http.StatusFound {
				t.Errorf("%s: got %d", p.request, p.status)
			}
			if got := b.me(); got != name {
				t.Errorf("got user %q, want %q", got, name)
			}
		})
	}
	all.Wait()
}

// TestTheVerifierIsAlwaysSentAndItsHashBefore is PKCE, which a provider that does
// not insist on it would let one forget (RFC 9700 section 4.8).
func TestTheVerifierIsAlwaysSentAndItsHashBefore(t *testing.T) {
	s := newSite(t)
	var verifier, secret string
	s.idp.Override(devprovider.Token, func(w http.ResponseWriter, r *http.Request) {
		verifier = r.PostForm.Get("code_verifier")
		_, secret, _ = r.BasicAuth()
		s.idp.Real(devprovider.Token)(w, r)
	})
	b := s.browser()
	p := b.leave("/")
	challenge := p.location().Query().Get("code_challenge")
	b.open(b.comeBack(p).String()).wantTo(s, "/")
	sum := sha256.Sum256([]byte(verifier))
	if len(verifier) < 43 || challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		t.Errorf("challenge %q is not the hash of the verifier %q", challenge, verifier)
	}
	if secret != clientSecret {
		t.Errorf("got client secret %q, want it in the header", secret)
	}
	s.secret(verifier)
}

// TestAttemptsCannotBeGuessed begins a thousand of them.
func TestAttemptsCannotBeGuessed(t *testing.T) {
	s := newSite(t)
	seen := map[string]bool{}
	for range 1000 {
		a := newAttempt("invent", "/", s.clock.Now())
		for what, text := range map[string]string{"state": a.State, "nonce": a.Nonce, "verifier": a.Verifier} {
			if len(text) < 26 || strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
				t.Fatalf("%s %q has less than 128 bits in base32", what, text)
			}
			if seen[text] {
				t.Fatalf("%s %q came twice", what, text)
			}
			seen[text] = true
		}
		if seen[s.cookieOf(a.State)] {
			t.Fatal("two attempts share a cookie")
		}
		seen[s.cookieOf(a.State)] = true
	}
	// And what is sent is what was made.
	b := s.browser()
	one, two := b.leave("/").location().Query(), b.leave("/").location().Query()
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if one.Get(name) == two.Get(name) || len(one.Get(name)) < 26 {
			t.Errorf("%s: got %q and %q", name, one.Get(name), two.Get(name))
		}
	}
}

// TestAPlantedSessionIsNotTakenOver is session fixation: the victim signs in with a
// session cookie that the attacker knows.
func TestAPlantedSessionIsNotTakenOver(t *testing.T) {
	s := newSite(t)
	attacker := s.browser()
	s.idp.SignInAs("eve")
	attacker.signIn("/").wantTo(s, "/")
	planted := attacker.session()

	victim := s.browser()
	victim.put(planted.Name, planted.Value)
	s.idp.SignInAs("ada")
	victim.signIn("/").wantTo(s, "/")
	if got := victim.session(); got == nil || got.Value == planted.Value {
		t.Error("the session cookie is the planted one")
	}
	if got := victim.me(); got != "ada" {
		t.Errorf("the victim is %q, want ada", got)
	}
	if got := attacker.me(); got != "" {
		t.Errorf("the planted session goes on as %q", got)
	}
}

func TestSigningInAsSomebodyElseAsksTheProviderForALogin(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	for prompt, want := range map[string]string{"select_account": "login", "login": "login", "none": "", "consent": "", "": "", "login none": ""} {
		p := b.open("/.auth/sign-in?return_to=/x&prompt=" + url.QueryEscape(prompt)).want(http.StatusFound)
		if got := b.follow(p).location().Query().Get("prompt"); got != want {
			t.Errorf("%q: the provider is asked with prompt %q, want %q", prompt, got, want)
		}
	}
}

// TestAStrictCookieDoesNotLoop: a redirect from the callback would not carry the
// cookie that the callback sets.
func TestAStrictCookieDoesNotLoop(t *testing.T) {
	s := newSite(t, func(set *setup) {
		set.store.SameSite, set.config.StrictCookie = http.SameSiteStrictMode, true
	})
	b := s.browser()
	p := b.leave("/wanted?a=1;b='2")
	if c := p.cookie(s.Cookies.AttemptPrefix); c == nil || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("attempt cookie: got %v, want Lax all the same", c)
	}
	p = b.open(b.comeBack(p).String()).want(http.StatusOK, "You are signed in", "Go on")
	if got, want := p.header.Get("Refresh"), "0; url="+s.url+"/wanted?a=1;b='2"; got != want {
		t.Errorf("Refresh: got %q, want %q", got, want)
	}
	for _, c := range p.cookies {
		if c.Name == s.Cookies.Session && c.SameSite != http.SameSiteStrictMode {
			t.Errorf("session cookie: got %v, want Strict", c.SameSite)
		}
	}
	if b.session() == nil {
		t.Error("no session has begun")
	}
}

// TestTheChooserEscapesNames: what an administrator calls a provider is text.
func TestTheChooserEscapesNames(t *testing.T) {
	s := newSite(t, func(set *setup) {
		set.alter = func(c *provider.Config) { c.Name = `<script>alert("a")</script>` }
		set.more = []provider.Config{{
			ID: "other", Name: `Other & "Sons"`, Issuer: "https://other.example", Client: provider.Client{ID: "web"},
			Logo: `javascript:alert(1)`, Color: `red"><script>`,
		}, {ID: "nameless", Issuer: "https://nameless.example", Client: provider.Client{ID: "web"}}}
	})
	p := s.browser().open("/.auth/sign-in?return_to=/x&prompt=select_account").want(http.StatusOK,
		`&lt;script&gt;alert(&#34;a&#34;)&lt;/script&gt;`, `Other &amp; &#34;Sons&#34;`, `<span>nameless</span>`,
		`href="/.auth/start/invent?prompt=select_account&amp;return_to=%2Fx"`, `href="/.auth/start/other?prompt=select_account&amp;return_to=%2Fx"`)
	p.wantNo("<script", "javascript:")
	if len(p.cookies) != 0 {
		t.Error("the chooser sets cookies")
	}
}

// TestNobodyCanSignInWhereNoProviderIs, or none that has a client here.
func TestNobodyCanSignInWhereNoProviderIs(t *testing.T) {
	s := newSite(t, func(set *setup) { set.alter = func(c *provider.Config) { c.Client = provider.Client{} } })
	b := s.browser()
	b.open("/.auth/sign-in").want(http.StatusNotFound, "Nobody can sign in here")
	b.open("/.auth/start/invent").want(http.StatusNotFound)
	b.open("/.auth/callback/invent?code=c&state=s").want(http.StatusNotFound)
}

func TestAConfiguredCallbackPathIsTheOneThatIsUsed(t *testing.T) {
	s := newSite(t, func(set *setup) {
		set.comeTo = "/oauth/return"
		set.config.CallbackPaths = map[string]string{"/oauth/return": "invent"}
	})
	b := s.browser()
	back := b.visit("/wanted")
	if back.Path != "/oauth/return" {
		t.Fatalf("the provider leads to %s, want /oauth/return", back.Path)
	}
	b.open(back.String()).wantTo(s, "/wanted")
	// It is part of the flow, so nobody is sent back into it.
	b.open("/.auth/sign-in?return_to=/oauth/return?code=x").wantTo(s, "/.auth/start/invent?return_to=%2F")
}

// TestOtherHostsAreSentToPublicURL: cookies and the registered callback are there.
func TestOtherHostsAreSentToPublicURL(t *testing.T) {
	s := newSite(t, func(set *setup) { set.publicU = "https://Telemetry.Example.org:443" })
	b := s.browser()
	for _, host := range []string{"other.example.org", "evil.example", "telemetry.example.org.evil.example", "127.0.0.1"} {
		b.open("/.auth/sign-in?return_to=/x&prompt=login", "Host: "+host).
			wantTo(s, "https://telemetry.example.org/.auth/sign-in?prompt=select_account&return_to=%2Fx")
		p := b.open("/.auth/start/invent?return_to=//evil.example&x=%0d%0aSet-Cookie:a=b", "Host: "+host).
			wantTo(s, "https://telemetry.example.org/.auth/start/invent?return_to=%2F")
		if len(p.cookies) != 0 {
			t.Errorf("%s: an attempt begins on another host", host)
		}
	}
	for _, host := range []string{"telemetry.example.org", "TELEMETRY.example.org", "telemetry.example.org:443", "telemetry.example.org."} {
		p := b.open("/.auth/start/invent?return_to=https://telemetry.example.org/x", "Host: "+host).want(http.StatusFound)
		if to := p.location(); !strings.HasPrefix(to.String(), s.idp.URL) {
			t.Errorf("Host %s: leads to %s, want the provider", host, to)
		}
	}
}

func TestASessionKeepsWhatSigningOutAndRefreshingNeed(t *testing.T) {
	s := newSite(t)
	var rec *session.Record
	s.Sessions = startSpy{s.Sessions, &rec}
	s.browser().signIn("/").wantTo(s, "/")
	if rec == nil || rec.AccessToken == "" || rec.RefreshToken == "" || rec.IDToken == "" {
		t.Fatal("the session lacks tokens")
	}
	if want := s.clock.Now().Add(2 * time.Hour); !rec.AccessExpiry.Equal(want) {
		t.Errorf("got access expiry %s, want %s", rec.AccessExpiry, want)
	}
	if !rec.Identity.SignedIn.Equal(s.clock.Now()) || rec.Identity.Auth != session.AuthBrowser || rec.Identity.Issuer != s.idp.Issuer() {
		t.Errorf("got identity %+v", rec.Identity)
	}
}

// startSpy sees the record that a session begins with.
type startSpy struct {
	Sessions
	rec **session.Record
}

func (s startSpy) Start(w http.ResponseWriter, r *http.Request, rec *session.Record) error {
	*s.rec = rec
	return s.Sessions.Start(w, r, rec)
}
