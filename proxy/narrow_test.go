package proxy

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session"
)

// providerHouse knows jane of two providers, by cookie and by token: invent, which
// is KDE Invent, and other, which has no name.
func providerHouse(t *testing.T, u *wire) *house {
	r := newRules(t)
	kinds := Browser | Bearer
	jane := func(provider string, auth session.Auth) (*session.Identity, error) {
		if provider == "" {
			return nil, session.ErrNoCredentials
		}
		id := developer(auth, session.Claims{"scope": "openid"})
		id.Provider, id.Issuer = provider, "https://"+provider+".example.org"
		if auth == session.AuthClient {
			id.Subject, id.User = "", ""
		}
		id.SetVirtual()
		return id, nil
	}
	return build(t, []Route{
		{Path: "/one/", SignIn: kinds, Allow: r.of("developers"), Providers: []string{"invent"}, Upstream: u.upstream()},
		{Path: "/two/", SignIn: kinds, Allow: r.of("developers"), Providers: []string{"invent", "guests"}, Upstream: u.upstream()},
		{Path: "/signed-in/", SignIn: kinds, Allow: r.of("signed-in"), Providers: []string{"invent"}, Upstream: u.upstream()},
		{Path: "/admins/", SignIn: kinds, Allow: r.of("admins"), Providers: []string{"invent"}, Upstream: u.upstream()},
		{Path: "/scoped/", SignIn: kinds, Allow: r.of("scoped"), Providers: []string{"invent"}, Upstream: u.upstream()},
		{Path: "/public/", SignIn: kinds, Allow: r.of("public"), Providers: []string{"invent"}, Upstream: u.upstream()},
		{Path: "/nobody/", SignIn: kinds, Allow: r.of("nobody"), Providers: []string{"invent"}, Upstream: u.upstream()},
		{Path: "/", SignIn: kinds, Allow: r.of("developers"), Upstream: u.upstream()},
	}, func(c *Config) {
		c.ProviderNames = map[string]string{"invent": "KDE Invent", "guests": "Guests"}
		c.Sessions = fakeSessions{func(r *http.Request) (*session.Identity, error) {
			if c, err := r.Cookie(cookieName); err == nil {
				return jane(c.Value, session.AuthBrowser)
			}
			return nil, session.ErrNoCredentials
		}}
		c.Tokens = fakeTokens{func(_ context.Context, p session.Presented) (*session.Identity, error) {
			provider, robot := strings.CutSuffix(p.Token, "-robot")
			if robot {
				return jane(provider, session.AuthClient)
			}
			return jane(provider, session.AuthBearer)
		}}
	})
}

// TestGroupOfOneProviderIsNoGroupOfAnother: whoever runs another provider can make
// any group there (class C9, trap of one name in two places).
func TestGroupOfOneProviderIsNoGroupOfAnother(t *testing.T) {
	const (
		needsInvent = "needs an account at KDE Invent - "
		cookie      = "you are signed in at "
		token       = "your token is from "
	)
	u := newWire(t)
	h := providerHouse(t, u)
	for _, test := range []struct {
		name, target, provider string
		status                 int
		reason                 Reason
		detail                 string // after who they are
		other                  string // whose account they have
	}{
		{"the right one", "/one/", "invent", 200, "policy", "", ""},
		{"another one", "/one/", "other", 403, "not-allowed", needsInvent, "other"},
		{"another one that has a name", "/one/", "guests", 403, "not-allowed", needsInvent, "Guests"},
		{"one whose id only begins alike", "/one/", "invent2", 403, "not-allowed", needsInvent, "invent2"},
		{"one in another case", "/one/", "Invent", 403, "not-allowed", needsInvent, "Invent"},
		{"the first of two", "/two/", "invent", 200, "policy", "", ""},
		{"the second of two", "/two/", "guests", 200, "policy", "", ""},
		{"neither of two", "/two/", "other", 403, "not-allowed", "needs an account at KDE Invent or Guests - ", "other"},
		{"signed in at the right one", "/signed-in/", "invent", 200, "signed-in", "", ""},
		{"signed in at another one", "/signed-in/", "other", 403, "not-allowed", needsInvent, "other"},
		{"another one, and not in the group", "/admins/", "other", 403, "not-allowed", needsInvent, "other"},
		{"another one, and without the scope", "/scoped/", "other", 403, "not-allowed", needsInvent, "other"},
		{"public", "/public/", "other", 200, "public", "", ""},
		{"nobody", "/nobody/", "invent", 403, "nobody", "", ""},
		{"a route that names none", "/", "other", 200, "policy", "", ""},
	} {
		for credential, have := range map[string]string{"Cookie: " + cookieName + "=": cookie, "Authorization: Bearer ": token} {
			t.Run(test.name+", "+have, func(t *testing.T) {
				res := h.get(t, test.target, credential+test.provider)
				event := h.events.next(t)
				if res.StatusCode != test.status || event.Reason != test.reason {
					t.Fatalf("got %d %q, want %d %q", res.StatusCode, event.Reason, test.status, test.reason)
				}
				if test.status == 200 {
					u.one(t)
					return
				}
				u.none(t)
				if test.detail == "" {
					return
				}
				if event.Provider != test.provider || event.Decision != "deny" {
					t.Errorf("event %+v", event)
				}
				if got, want := problemOf(t, res)["detail"], test.detail+have+test.other; got != want {
					t.Errorf("detail %q, want %q", got, want)
				}
			})
		}
	}
}

// TestProvidersAndProgramsAlone: a token without a user is from a provider too.
func TestProvidersAndProgramsAlone(t *testing.T) {
	u := newWire(t)
	h := providerHouse(t, u)
	for token, want := range map[string]int{"invent-robot": 200, "other-robot": 403} {
		if res := h.get(t, "/one/", "Authorization: Bearer "+token); res.StatusCode != want {
			t.Errorf("%s: got %d, want %d", token, res.StatusCode, want)
		}
	}
	if res := h.get(t, "/signed-in/", "Authorization: Bearer invent-robot"); res.StatusCode != 403 || strings.Contains(res.body, "account at") {
		t.Errorf("a program at signed-in: got %d %s", res.StatusCode, res.body)
	}
}

// TestProvidersAndStrangers: who is not known signs in as ever, and is judged then.
func TestProvidersAndStrangers(t *testing.T) {
	u := newWire(t)
	h := providerHouse(t, u)
	if res := h.get(t, "/one/", navigation); res.StatusCode != 302 {
		t.Errorf("navigation: got %d, want 302", res.StatusCode)
	}
	if res := h.get(t, "/one/"); res.StatusCode != 401 || problemOf(t, res)["code"] != "no-credentials" {
		t.Errorf("program: got %d %s", res.StatusCode, res.body)
	}
	u.none(t)
	// The page says what is needed, and offers to sign in as somebody else.
	res := h.get(t, "/one/", navigation, "Cookie: "+cookieName+"=other")
	for _, want := range []string{"an account at KDE Invent", "you are signed in at other", "Sign in as somebody else"} {
		if res.StatusCode != 403 || !strings.Contains(res.body, want) {
			t.Errorf("got %d, a page without %q:\n%s", res.StatusCode, want, res.body)
		}
	}
}

func TestProviderWithoutAnID(t *testing.T) {
	_, err := NewTable([]Route{{Hosts: []string{publicHost}, Path: "/", Allow: newRules(t).of("public"), Providers: []string{""}}})
	if err == nil {
		t.Error("an empty id is taken")
	}
}
