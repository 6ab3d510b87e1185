package bearer_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/bearer"
	"github.com/claimproxy/claimproxy/session/devprovider"
)

const (
	idHeader       = "X-QFC-ID-Token"
	providerHeader = "X-QFC-IDP-ID"
)

func withIDTokens(s *setup) { s.provider.Bearer.IDTokenHeader = idHeader }

// beside presents an access token with fields beside it, each "Name", "value".
func beside(token string, fields ...string) session.Presented {
	h := http.Header{}
	for i := 0; i+1 < len(fields); i += 2 {
		h.Add(fields[i], fields[i+1])
	}
	return session.Presented{Token: token, Header: h, Host: "api.example", Path: "/x"}
}

// idToken makes an ID token as a provider would for a person who signed in.
func (r *rig) idToken(change map[string]any) string {
	all := map[string]any{"scope": nil, "client_id": nil, "groups": nil, "nonce": "n", "aud": "native"}
	for name, v := range change {
		all[name] = v
	}
	return r.signWith(r.Key(), map[string]any{"typ": "JWT"}, all)
}

// TestTwoTokensOfTwoPeopleAreRefused, and one that says nothing changes nothing: programs
// renew their access tokens alone.
func TestTwoTokensOfTwoPeopleAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		token  func(r *rig) []string
		reason session.Reason
	}{
		"of the same person":                       {func(r *rig) []string { return []string{r.idToken(nil)} }, ""},
		"of somebody else":                         {func(r *rig) []string { return []string{r.idToken(map[string]any{"sub": "2"})} }, session.ReasonTokenInvalid},
		"of somebody else, without nonce":          {func(r *rig) []string { return []string{r.idToken(map[string]any{"sub": "2", "nonce": nil})} }, session.ReasonTokenInvalid},
		"of somebody else, another client of ours": {func(r *rig) []string { return []string{r.idToken(map[string]any{"sub": "2", "aud": "web"})} }, session.ReasonTokenInvalid},
		"two of them":                              {func(r *rig) []string { return []string{r.idToken(nil), r.idToken(nil)} }, session.ReasonTokenInvalid},
		"expired, of somebody else":                {func(r *rig) []string { return []string{r.idToken(map[string]any{"sub": "2", "exp": 1})} }, ""},
		"just expired, of somebody else": {func(r *rig) []string {
			return []string{r.idToken(map[string]any{"sub": "2", "exp": r.clock.Now().Unix() - 1})}
		}, ""},
		"of a stranger's client":    {func(r *rig) []string { return []string{r.idToken(map[string]any{"sub": "2", "aud": "stranger"})} }, ""},
		"authorized for a stranger": {func(r *rig) []string { return []string{r.idToken(map[string]any{"sub": "2", "azp": "stranger"})} }, ""},
		"of another issuer": {func(r *rig) []string {
			return []string{r.idToken(map[string]any{"sub": "2", "iss": "https://evil.example"})}
		}, ""},
		"with a bad signature": {func(r *rig) []string { return []string{r.idToken(map[string]any{"sub": "2"})[1:]} }, ""},
		"by a stranger under a known key id": {func(r *rig) []string {
			key := devprovider.NewKey("ES256")
			key.ID = r.Key().ID
			return []string{r.signWith(key, map[string]any{"typ": "JWT"}, map[string]any{"sub": "2", "scope": nil, "client_id": nil, "nonce": "n"})}
		}, ""},
		"an access token in its place": {func(r *rig) []string { return []string{r.sign(map[string]any{"sub": "2"})} }, ""},
		"a logout token in its place": {func(r *rig) []string {
			return []string{r.idToken(map[string]any{"sub": "2", "events": map[string]any{}})}
		}, ""},
		"without sub":                   {func(r *rig) []string { return []string{r.idToken(map[string]any{"sub": nil})} }, ""},
		"no token at all":               {func(r *rig) []string { return []string{"x"} }, ""},
		"nothing":                       {func(r *rig) []string { return []string{""} }, ""},
		"what no header of ours may be": {func(r *rig) []string { return []string{"a b"} }, ""},
		"very long":                     {func(r *rig) []string { return []string{strings.Repeat("x", 1<<20)} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, withIDTokens)
			for kind, access := range map[string]string{"jwt": r.sign(nil), "opaque": r.Issue("ada", "native", "openid").AccessToken} {
				var fields []string
				for _, token := range c.token(r) {
					fields = append(fields, idHeader, token)
				}
				for range 2 { // from the cache, too
					id, err := r.v.Verify(t.Context(), beside(access, fields...))
					if c.reason == "" {
						if err != nil || id.Subject != "1" {
							t.Errorf("%s: got %v, %v, want ada", kind, id, err)
						}
						continue
					}
					wantReason(t, id, err, c.reason)
				}
			}
		})
	}
}

// TestAnIDTokenAloneIsNothing: it speaks against an access token, and never for one.
func TestAnIDTokenAloneIsNothing(t *testing.T) {
	r := start(t, withIDTokens)
	good := r.idToken(nil)
	r.wantRejected(t, good, session.ReasonTokenKind)
	id, err := r.v.Verify(t.Context(), beside("bad-token", idHeader, good))
	wantReason(t, id, err, session.ReasonTokenInvalid)
	// A program's own token has nobody behind it, whoever is named beside it.
	client := r.sign(map[string]any{"sub": "native"})
	id, err = r.v.Verify(t.Context(), beside(client, idHeader, good))
	wantReason(t, id, err, session.ReasonTokenInvalid)
	if id, err := r.v.Verify(t.Context(), beside(client)); err != nil || id.Auth != session.AuthClient {
		t.Errorf("got %v, %v, want the client", id, err)
	}
	// Where the field has no meaning it is not read.
	r = start(t)
	if _, err := r.v.Verify(t.Context(), beside(r.sign(nil), idHeader, r.idToken(map[string]any{"sub": "2"}))); err != nil {
		t.Errorf("got %v, want an identity", err)
	}
}

// TestAnIDTokenCostsOneCheck: a program sends the same one with each request, for hours.
func TestAnIDTokenCostsOneCheck(t *testing.T) {
	r := start(t, withIDTokens)
	access := r.sign(nil)
	r.wantIdentity(t, access)
	before := r.Calls(devprovider.KeySet)
	stale := r.idToken(map[string]any{"exp": 1})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for _, token := range []string{stale, r.idToken(nil)} {
				if _, err := r.v.Verify(t.Context(), beside(access, idHeader, token)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := r.Calls(devprovider.KeySet); got != before {
		t.Errorf("keys were fetched %d times more", got-before)
	}
	// One that is over needs no keys, so that a provider that sleeps does not matter.
	r = start(t, withIDTokens)
	token := r.Issue("ada", "native", "openid").AccessToken
	r.wantIdentity(t, token)
	r.Fail(503, devprovider.KeySet)
	r.clock.Advance(time.Minute)
	if _, err := r.v.Verify(t.Context(), beside(token, idHeader, r.idToken(map[string]any{"exp": 1}))); err != nil {
		t.Errorf("got %v, want an identity", err)
	}
	if _, err := r.v.Verify(t.Context(), beside(token, idHeader, r.idToken(nil))); err == nil {
		t.Error("an ID token that cannot be checked passes")
	}
}

// TestTheProviderOfATokenIsSaidBesideIt, and it is asked, whatever the token says.
func TestTheProviderOfATokenIsSaidBesideIt(t *testing.T) {
	startNamed := func(t *testing.T) *pair {
		p := startPair(t)
		v := bearer.New(bearer.Config{Providers: p.v.Providers, ProviderHeader: providerHeader, Needs: []string{"groups"}, Now: p.clock.Now})
		t.Cleanup(v.Close)
		p.v, p.other.v = v, v
		return p
	}
	as := func(token, user string) session.Presented { return session.Presented{Token: token, User: user} }
	for name, c := range map[string]struct {
		shown  func(p *pair) session.Presented
		who    string
		reason session.Reason
	}{
		"an opaque token, by the header": {func(p *pair) session.Presented {
			return beside(p.other.Issue("ada", "native", "openid").AccessToken, providerHeader, "other")
		}, "other", ""},
		"an opaque token, by the user name": {func(p *pair) session.Presented {
			return as(p.other.Issue("ada", "native", "openid").AccessToken, "other")
		}, "other", ""},
		"an opaque token, by a user name that is nobody's": {func(p *pair) session.Presented {
			return as(p.other.Issue("ada", "native", "openid").AccessToken, "git")
		}, "", session.ReasonTokenProvider},
		"a JWT with a user name that is nobody's": {func(p *pair) session.Presented { return as(p.other.sign(nil), "git") }, "other", ""},
		"a JWT, by its issuer":                    {func(p *pair) session.Presented { return beside(p.other.sign(nil)) }, "other", ""},
		"a JWT, by both":                          {func(p *pair) session.Presented { return beside(p.other.sign(nil), providerHeader, "other") }, "other", ""},
		"a JWT of another than the header says":   {func(p *pair) session.Presented { return beside(p.other.sign(nil), providerHeader, "dev") }, "", session.ReasonTokenProvider},
		"a provider that there is not":            {func(p *pair) session.Presented { return beside(p.sign(nil), providerHeader, "nobody") }, "", session.ReasonTokenProvider},
		"in another case":                         {func(p *pair) session.Presented { return beside(p.sign(nil), providerHeader, "DEV") }, "", session.ReasonTokenProvider},
		"nothing in it":                           {func(p *pair) session.Presented { return beside(p.sign(nil), providerHeader, "") }, "dev", ""},
		"twice": {func(p *pair) session.Presented {
			return beside(p.sign(nil), providerHeader, "dev", providerHeader, "dev")
		}, "", session.ReasonTokenProvider},
		"two that do not agree": {func(p *pair) session.Presented {
			shown := beside(p.sign(nil), providerHeader, "dev")
			shown.User = "other"
			return shown
		}, "", session.ReasonTokenProvider},
	} {
		t.Run(name, func(t *testing.T) {
			p := startNamed(t)
			shown := c.shown(p)
			id, err := p.v.Verify(t.Context(), shown)
			if c.reason != "" {
				wantReason(t, id, err, c.reason)
			} else if err != nil || id.Provider != c.who {
				t.Errorf("got %v, %v, want somebody of %s", id, err, c.who)
			}
			asked := map[string]int{"dev": p.calls(), "other": p.other.calls()}
			for who, n := range asked {
				if who != c.who && n > 0 {
					t.Errorf("%s was asked %d times", who, n)
				}
			}
		})
	}
	// An opaque token that is sent to the wrong provider is known there to nobody.
	p := startNamed(t)
	token := p.Issue("ada", "native", "openid").AccessToken
	id, err := p.v.Verify(t.Context(), beside(token, providerHeader, "other"))
	wantReason(t, id, err, session.ReasonTokenInvalid)
	if p.calls() != 0 {
		t.Error("and the right one was asked afterwards")
	}
	if id, err := p.v.Verify(t.Context(), beside(token, providerHeader, "dev")); err != nil || id.Provider != "dev" {
		t.Errorf("got %v, %v: what was found at one provider decides for another", id, err)
	}
}
