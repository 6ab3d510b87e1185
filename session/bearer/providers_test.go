package bearer_test

import (
	"sync"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// pair is a rig with a second provider, which knows the same people under the same
// subjects and the same clients.
type pair struct {
	*rig
	other *rig // its v is the same
}

func startPair(t *testing.T, change ...func(second *provider.Config)) *pair {
	t.Helper()
	var second *devprovider.Server
	r := start(t, func(s *setup) {
		second = devprovider.NewServer(s.dev)
		t.Cleanup(second.Close)
		conf := s.provider
		conf.ID, conf.Name, conf.Issuer = "other", "Other", second.Issuer()
		for _, f := range change {
			f(&conf)
		}
		p := provider.New(conf)
		t.Cleanup(p.Close)
		s.verifier.Providers = append(s.verifier.Providers, p)
	})
	return &pair{r, &rig{Server: second, v: r.v, clock: r.clock, log: r.log}}
}

// calls is all that a provider was asked.
func (r *rig) calls() int {
	return r.asked() + r.Calls(devprovider.Discovery) + r.Calls(devprovider.KeySet)
}

// TestTokenIsTriedAtOneProviderOnly: a token that is shown to a stranger is the
// stranger's to use (RFC 9700 section 4.9.1).
func TestTokenIsTriedAtOneProviderOnly(t *testing.T) {
	t.Run("good", func(t *testing.T) {
		p := startPair(t)
		if id := p.wantIdentity(t, p.sign(map[string]any{"groups": nil})); id.Provider != "dev" || id.Issuer != p.Issuer() {
			t.Errorf("identity %+v", id)
		}
		if n := p.other.calls(); n != 0 {
			t.Errorf("the other provider was asked %d times", n)
		}
		if id := p.wantIdentity(t, p.other.sign(nil)); id.Provider != "other" || id.Issuer != p.other.Issuer() {
			t.Errorf("identity %+v", id)
		}
	})
	for name, c := range map[string]struct {
		token  func(p *pair) string
		reason session.Reason
	}{
		"expired":                  {func(p *pair) string { return p.sign(map[string]any{"exp": 1}) }, session.ReasonTokenExpired},
		"of a stranger":            {func(p *pair) string { return p.sign(map[string]any{"client_id": "stranger"}) }, session.ReasonTokenClient},
		"for others":               {func(p *pair) string { return p.sign(map[string]any{"aud": "x"}) }, session.ReasonTokenAudience},
		"signed by the other":      {func(p *pair) string { return p.signWith(p.other.Key(), nil, nil) }, session.ReasonTokenInvalid},
		"signed by the other, kid": {func(p *pair) string { return p.signWith(disguised(p), nil, nil) }, session.ReasonTokenInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			p := startPair(t)
			p.wantRejected(t, c.token(p), c.reason)
			if n := p.other.calls(); n != 0 {
				t.Errorf("the other provider was asked %d times", n)
			}
		})
	}
	t.Run("while the first sleeps", func(t *testing.T) {
		p := startPair(t)
		p.Fail(503, devprovider.KeySet)
		p.wantUnavailable(t, p.sign(nil))
		if n := p.other.calls(); n != 0 {
			t.Errorf("the other provider was asked %d times", n)
		}
		p.wantIdentity(t, p.other.sign(nil))
	})
}

// disguised is the other provider's key under the key id of the first.
func disguised(p *pair) devprovider.Key {
	key := p.other.Key()
	key.ID = p.Key().ID
	return key
}

// TestTokenWithoutAProviderIsRefused: nobody is asked on the off chance.
func TestTokenWithoutAProviderIsRefused(t *testing.T) {
	p := startPair(t)
	for name, c := range map[string]struct {
		token  string
		reason session.Reason
	}{
		"an opaque token":              {p.Issue("ada", "native", "openid").AccessToken, session.ReasonTokenProvider},
		"an opaque token of the other": {p.other.Issue("ada", "native", "openid").AccessToken, session.ReasonTokenProvider},
		"a stranger's issuer":          {p.sign(map[string]any{"iss": "https://evil.example"}), session.ReasonTokenProvider},
		"no issuer":                    {p.sign(map[string]any{"iss": nil}), session.ReasonTokenProvider},
		"two issuers":                  {p.sign(map[string]any{"iss": []string{p.Issuer(), p.other.Issuer()}}), session.ReasonTokenProvider},
		"an issuer with a slash":       {p.sign(map[string]any{"iss": p.Issuer() + "/"}), session.ReasonTokenProvider},
		"an issuer in capitals":        {p.sign(map[string]any{"iss": nil, "ISS": p.Issuer()}), session.ReasonTokenProvider},
		"two issuers, once and again":  {p.signMore(t, `"iss":"`+p.other.Issuer()+`",`), session.ReasonTokenInvalid},
	} {
		t.Run(name, func(t *testing.T) { p.wantRejected(t, c.token, c.reason) })
	}
	if n := p.calls() + p.other.calls(); n != 0 {
		t.Errorf("the providers were asked %d times", n)
	}
	p.wantIdentity(t, p.sign(nil))
}

// TestSameSubjectAtTwoProvidersIsTwoPeople (OpenID Connect Core section 5.7): ada is
// the first person at one, eve is at the other.
func TestSameSubjectAtTwoProvidersIsTwoPeople(t *testing.T) {
	p := startPair(t)
	ada := p.wantIdentity(t, p.sign(nil))
	eve := p.wantIdentity(t, p.other.sign(map[string]any{"preferred_username": "eve", "groups": []string{}}))
	if ada == eve || ada.Subject != "1" || eve.Subject != "1" || ada.Issuer == eve.Issuer || ada.Provider == eve.Provider {
		t.Errorf("got %+v and %+v", ada, eve)
	}
	if ada.User != "ada" || eve.User != "eve" || len(eve.Claims.Strings("groups")) != 0 || eve.Claims["provider"] != "other" {
		t.Errorf("claims %v of the second", eve.Claims)
	}
	t.Run("also where userinfo names them", func(t *testing.T) {
		p := startPair(t)
		p.userInfoSays(200, `{"sub":"1","groups":["admins"]}`)
		p.other.userInfoSays(200, `{"sub":"1","groups":["guests"]}`)
		for r, want := range map[*rig]string{p.rig: "admins", p.other: "guests"} {
			id := p.wantIdentity(t, r.sign(map[string]any{"groups": nil}))
			if groups := id.Claims.Strings("groups"); len(groups) != 1 || groups[0] != want {
				t.Errorf("%s: groups %v, want %s", id.Provider, groups, want)
			}
		}
	})
}

// TestCacheOfOneProviderIsNoKeyToAnother: Oathkeeper's CVE-2026-33496. What a token
// is worth at its own provider is worth nothing where another is asked for.
func TestCacheOfOneProviderIsNoKeyToAnother(t *testing.T) {
	p := startPair(t)
	token := p.sign(nil)
	id := p.wantIdentity(t, token)
	// The very same claims, said to be the other's.
	p.wantRejected(t, p.signWith(p.Key(), nil, map[string]any{"iss": p.other.Issuer()}), session.ReasonTokenInvalid)
	p.wantRejected(t, p.signWith(disguised(p), nil, nil), session.ReasonTokenInvalid)
	if again := p.wantIdentity(t, token); again != id || again.Provider != "dev" {
		t.Errorf("identity %+v, want the first", again)
	}
	t.Run("clients of one are none of the other", func(t *testing.T) {
		p := startPair(t, func(c *provider.Config) { c.Clients = []provider.Client{{ID: "elsewhere"}} })
		p.wantIdentity(t, p.sign(nil))
		p.wantRejected(t, p.other.sign(nil), session.ReasonTokenClient)
		p.wantIdentity(t, p.other.sign(map[string]any{"client_id": "elsewhere"}))
		p.wantRejected(t, p.sign(map[string]any{"client_id": "elsewhere"}), session.ReasonTokenClient)
	})
}

// TestManyTokensOfTwoProvidersAtOnce: no lookup's result is given to another.
func TestManyTokensOfTwoProvidersAtOnce(t *testing.T) {
	p := startPair(t)
	tokens := map[string]string{"dev": p.sign(nil), "other": p.other.sign(nil)}
	var wg sync.WaitGroup
	for range 50 {
		for name, token := range tokens {
			wg.Go(func() {
				id, err := p.v.Verify(t.Context(), session.Presented{Token: token})
				if err != nil || id.Provider != name {
					t.Errorf("got %v, %v, want an identity of %s", id, err, name)
				}
			})
		}
	}
	wg.Wait()
}
