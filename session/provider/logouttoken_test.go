package provider_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// TestLogoutTokenChecks is the OpenID Foundation's plan for back-channel logout (its
// module names without oidcc-client-test-rp-backchannel-), section 2.6 of the
// specification, and what attackers add to both.
func TestLogoutTokenChecks(t *testing.T) {
	r := start(t)
	now := r.clock.Now().Unix()
	null := json.RawMessage("null")
	type m = map[string]any
	for _, c := range []struct {
		name   string
		header m
		claims m // nil leaves one out
		good   bool
	}{
		{"rpinitlogout: a good token", nil, nil, true},
		{"with sub alone", nil, m{"sid": nil}, true},
		{"with sid alone", nil, m{"sub": nil}, true},
		{"no-event", nil, m{"events": nil}, false},
		{"events without a member", nil, m{"events": m{}}, false},
		{"wrong-event", nil, m{"events": m{"http://schemas.openid.net/event/foo": m{}}}, false},
		{"the event beside another", nil, m{"events": m{logoutEvent: m{}, "http://schemas.openid.net/event/foo": m{}}}, true},
		{"the event with something in it", nil, m{"events": m{logoutEvent: m{"reason": "x"}}}, true},
		{"the event as true", nil, m{"events": m{logoutEvent: true}}, false},
		{"the event as null", nil, m{"events": m{logoutEvent: null}}, false},
		{"the event in a list", nil, m{"events": []any{logoutEvent}}, false},
		{"the event in other letters", nil, m{"events": m{strings.ToUpper(logoutEvent): m{}}}, false},
		{"with-nonce", nil, m{"nonce": "n"}, false},
		{"with a nonce that is null", nil, m{"nonce": null}, false},
		{"wrong-aud", nil, m{"aud": "somebody"}, false},
		{"no aud", nil, m{"aud": nil}, false},
		{"aud as a list", nil, m{"aud": []string{"web"}}, true},
		{"aud with a client that is listed", nil, m{"aud": []string{"web", "native"}}, true},
		{"aud with one that is not", nil, m{"aud": []string{"web", "somebody"}}, false},
		{"aud of a listed client alone", nil, m{"aud": "native"}, false},
		{"aud with numbers", nil, m{"aud": []any{"web", 1}}, false},
		{"wrong-iss", nil, m{"iss": "https://evil.example"}, false},
		{"iss with a slash at the end", nil, m{"iss": r.Issuer() + "/"}, false},
		{"no iss", nil, m{"iss": nil}, false},
		{"neither sub nor sid", nil, m{"sub": nil, "sid": nil}, false},
		{"an empty sub", nil, m{"sub": ""}, false},
		{"an empty sub beside a sid", nil, m{"sub": "", "sid": "s"}, false},
		{"a sub that is a number", nil, m{"sub": 1}, false},
		{"an empty sid", nil, m{"sid": ""}, false},
		{"a sid that is a list", nil, m{"sid": []string{"s"}}, false},
		{"a sid without end", nil, m{"sid": strings.Repeat("s", 2000)}, false},
		{"no jti", nil, m{"jti": nil}, false},
		{"an empty jti", nil, m{"jti": ""}, false},
		{"a jti that is a number", nil, m{"jti": 1}, false},
		{"a jti without end", nil, m{"jti": strings.Repeat("j", 2000)}, false},
		{"no iat", nil, m{"iat": nil}, false},
		{"old iat", nil, m{"iat": now - 361, "exp": now + 600}, false},
		{"iat a few minutes ago", nil, m{"iat": now - 299}, true},
		{"iat a week ago", nil, m{"iat": now - 7*24*3600}, false},
		{"iat in the future", nil, m{"iat": now + 61}, false},
		{"iat as text", nil, m{"iat": "1795262400"}, false},
		{"no exp", nil, m{"exp": nil}, false},
		{"expired", nil, m{"exp": now - 61}, false},
		{"exp within leeway", nil, m{"exp": now - 59}, true},
		{"nbf in the future", nil, m{"nbf": now + 120}, false},
		{"typ absent", m{"typ": nil}, nil, true},
		{"typ JWT", m{"typ": "JWT"}, nil, true},
		{"typ whole", m{"typ": "application/logout+jwt"}, nil, true},
		{"typ in other letters", m{"typ": "Logout+JWT"}, nil, true},
		{"typ of an access token", m{"typ": "at+jwt"}, nil, false},
		{"typ of an ID token", m{"typ": "id_token+jwt"}, nil, false},
		{"typ of a security event", m{"typ": "secevent+jwt"}, nil, false},
		{"typ that is a number", m{"typ": 1}, nil, false},
		{"a critical extension", m{"crit": []string{"x"}, "x": 1}, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := r.logoutToken(r.Key(), c.header, c.claims)
			got, err := r.p.VerifyLogoutToken(t.Context(), token)
			if !c.good {
				wantError(t, err, provider.ErrLogoutToken)
				wantNoCanary(t, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Subject == "" && got.SID == "" || got.ID != "jti-1" {
				t.Errorf("got %+v", got)
			}
			// Remembered for as long as the token could be shown again.
			r.clock.Advance(got.Until.Sub(r.clock.Now()))
			defer r.clock.Advance(time.Unix(now, 0).Sub(got.Until))
			if _, err := r.p.VerifyLogoutToken(t.Context(), token); err == nil {
				t.Error("the token is good beyond Until")
			}
		})
	}
}

// logoutToken signs a logout token; a claim or header that is nil is left out.
func (r *rig) logoutToken(key devprovider.Key, header, claims map[string]any) string {
	now := r.clock.Now()
	h := map[string]any{"typ": "logout+jwt"}
	for name, v := range header {
		h[name] = v
		if v == nil {
			delete(h, name)
		}
	}
	all := map[string]any{
		"aud": "web", "jti": "jti-1", "sid": "sid-1", "exp": now.Add(2 * time.Minute).Unix(),
		"events": map[string]any{logoutEvent: map[string]any{}},
	}
	for name, v := range claims {
		all[name] = v
	}
	return r.sign(key, h, all)
}

// TestLogoutTokensAreSignedByTheProvider, with what it signs ID tokens with.
func TestLogoutTokensAreSignedByTheProvider(t *testing.T) {
	r := start(t)
	good := r.logoutToken(r.Key(), nil, nil)
	parts := strings.Split(good, ".")
	public := "the public key as a secret"
	rsa := devprovider.NewKey("RS256")
	for name, token := range map[string]string{
		"alg-none":                   r.logoutToken(devprovider.Key{ID: r.Key().ID, Algorithm: "none"}, nil, nil),
		"alg none without a key id":  r.logoutToken(devprovider.Key{Algorithm: "none"}, nil, nil),
		"wrong-alg: HS256":           r.logoutToken(devprovider.Key{ID: r.Key().ID, Algorithm: "HS256", Private: []byte(public + public)}, nil, nil),
		"wrong-alg: RS256, not ours": r.logoutToken(devprovider.Key{ID: r.Key().ID, Algorithm: "RS256", Private: rsa.Private}, nil, nil),
		"a stranger's key":           r.logoutToken(devprovider.NewKey("ES256"), nil, nil),
		"a stranger's key, our id":   r.logoutToken(devprovider.Key{ID: r.Key().ID, Algorithm: "ES256", Private: devprovider.NewKey("ES256").Private}, nil, nil),
		"another payload":            parts[0] + "." + strings.Split(r.logoutToken(r.Key(), nil, map[string]any{"sub": "2"}), ".")[1] + "." + parts[2],
		"no signature":               parts[0] + "." + parts[1] + ".",
		"a line break":               good[:10] + "\n" + good[10:],
		"a member twice": devprovider.SignBytes(r.Key(), map[string]any{"typ": "logout+jwt"},
			[]byte(`{"iss":"`+r.Issuer()+`","aud":"web","jti":"j","sub":"1","sub":"2","iat":1795262400,"exp":1795262500,"events":{"`+logoutEvent+`":{}}}`)),
		"no JWT": "x", "nothing": "",
	} {
		t.Run(name, func(t *testing.T) {
			r.clock.Advance(10 * time.Second) // keys are looked at again
			_, err := r.p.VerifyLogoutToken(t.Context(), token)
			wantError(t, err, provider.ErrLogoutToken)
		})
	}
	if _, err := r.p.VerifyLogoutToken(t.Context(), r.logoutToken(r.Key(), nil, nil)); err != nil {
		t.Error(err)
	}
}

// TestAnAlgorithmThatTheProviderDoesNotAnnounceIsNone: its keys may be published for
// something else.
func TestAnAlgorithmThatTheProviderDoesNotAnnounceIsNone(t *testing.T) {
	r := start(t)
	r.Rewrite(devprovider.DiscoveryDocument, func(doc map[string]any) {
		doc["id_token_signing_alg_values_supported"] = []string{"RS256"}
	})
	_, err := r.p.VerifyLogoutToken(t.Context(), r.logoutToken(r.Key(), nil, nil))
	wantError(t, err, provider.ErrLogoutToken)
}

// TestOtherTokensOfTheProviderAreNoLogoutTokens, and a logout token is no ID token.
func TestOtherTokensOfTheProviderAreNoLogoutTokens(t *testing.T) {
	r := start(t)
	r.SetClient(devprovider.Client{ID: "jwt", Secret: "x", JWT: true, Audience: []string{"web"}})
	for name, token := range map[string]string{
		"ID token":              r.Issue("ada", "web", "openid").IDToken,
		"ID token of a login":   r.idToken(r.Key(), nil, nil),
		"JWT access token":      r.Issue("ada", "jwt", "openid").AccessToken,
		"ID token with a jti":   r.idToken(r.Key(), nil, map[string]any{"jti": "j", "sid": "s"}),
		"the same with events":  r.idToken(r.Key(), nil, map[string]any{"jti": "j", "sid": "s", "events": map[string]any{logoutEvent: map[string]any{}}}),
		"another event's token": r.logoutToken(r.Key(), map[string]any{"typ": "secevent+jwt"}, nil),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.p.VerifyLogoutToken(t.Context(), token)
			wantError(t, err, provider.ErrLogoutToken)
		})
	}
	_, err := r.verifyIDToken(t, r.logoutToken(r.Key(), map[string]any{"typ": "JWT"}, map[string]any{"nonce": nonce}))
	wantError(t, err, provider.ErrIDToken)
}

// TestKeysThatCannotBeHadAreNoBadLogoutToken: the provider tries again.
func TestKeysThatCannotBeHadAreNoBadLogoutToken(t *testing.T) {
	r := start(t)
	token := r.logoutToken(r.Key(), nil, nil)
	r.Fail(http.StatusInternalServerError, devprovider.KeySet)
	_, err := r.p.VerifyLogoutToken(t.Context(), token)
	wantUnavailable(t, err)
	// What is no logout token is not looked at any further.
	calls := r.Calls(devprovider.KeySet)
	_, err = r.p.VerifyLogoutToken(t.Context(), r.logoutToken(devprovider.NewKey("ES256"), nil, map[string]any{"aud": "somebody"}))
	wantError(t, err, provider.ErrLogoutToken)
	r.wantCalls(t, devprovider.KeySet, calls)
}

// TestProvidersWithoutABrowserLoginEndNothing.
func TestProvidersWithoutABrowserLoginEndNothing(t *testing.T) {
	r := start(t, func(c *provider.Config) { c.Client = provider.Client{} })
	for _, aud := range []string{"", "web", "native"} {
		_, err := r.p.VerifyLogoutToken(t.Context(), r.logoutToken(r.Key(), nil, map[string]any{"aud": aud}))
		wantError(t, err, provider.ErrLogoutToken)
	}
}
