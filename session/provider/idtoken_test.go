package provider_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

const nonce, accessToken = "nonce-4b1f", "access-token-77d0"

// atHash is at_hash for the algorithms with SHA-256 (OpenID Connect Core section
// 3.1.3.6).
func atHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// idToken signs an ID token for the login that the tests expect.
func (r *rig) idToken(key devprovider.Key, header, claims map[string]any) string {
	all := map[string]any{"aud": "web", "nonce": nonce}
	for name, v := range claims {
		all[name] = v
	}
	return r.sign(key, header, all)
}

func (r *rig) verifyIDToken(t *testing.T, token string) (session.Claims, error) {
	t.Helper()
	return r.p.VerifyIDToken(t.Context(), token, provider.Expected{Nonce: nonce, AccessToken: accessToken})
}

// TestIDTokenChecks is the list of the OpenID Foundation's RP conformance plans
// (their module names without oidcc-client-test- or
// fapi2-security-profile-final-client-test-) and what attackers add to it.
func TestIDTokenChecks(t *testing.T) {
	r := start(t)
	now := r.clock.Now().Unix()
	type m = map[string]any
	null := json.RawMessage("null")
	for _, c := range []struct {
		name   string
		header m
		claims m
		good   bool
	}{
		// Basic RP and Config RP.
		{"B1 a good token", nil, nil, true},
		{"B2 invalid-iss", nil, m{"iss": "https://evil.example"}, false},
		{"iss with a slash at the end", nil, m{"iss": r.Issuer() + "/"}, false},
		{"invalid-missing-iss", nil, m{"iss": nil}, false},
		{"B3 missing-sub", nil, m{"sub": nil}, false},
		{"B4 invalid-aud", nil, m{"aud": "somebody"}, false},
		{"missing-aud", nil, m{"aud": nil}, false},
		{"aud empty", nil, m{"aud": ""}, false},
		{"aud an empty list", nil, m{"aud": []string{}}, false},
		{"aud null", nil, m{"aud": null}, false},
		{"aud a number", nil, m{"aud": 5}, false},
		{"aud begins with ours", nil, m{"aud": "web-evil"}, false},
		{"aud in other letters only", nil, m{"aud": nil, "AUD": "web"}, false},
		{"B5 missing-iat", nil, m{"iat": nil}, false},
		{"B14 nonce-invalid", nil, m{"nonce": "another"}, false},
		{"invalid-missing-nonce", nil, m{"nonce": nil}, false},
		{"nonce empty", nil, m{"nonce": ""}, false},
		{"nonce a list", nil, m{"nonce": []string{nonce}}, false},
		{"nonce in other letters only", nil, m{"nonce": nil, "Nonce": nonce}, false},
		{"nonce with something after", nil, m{"nonce": nonce + " "}, false},

		// FAPI 2.0.
		{"valid-aud-as-array", nil, m{"aud": []string{"web"}}, true},
		{"invalid-secondary-aud", nil, m{"aud": []string{"web", "unknown"}, "azp": "web"}, false},
		{"invalid-secondary-aud, before ours", nil, m{"aud": []string{"unknown", "web"}}, false},
		{"a second audience that is listed here", nil, m{"aud": []string{"web", "native"}, "azp": "web"}, true},
		{"several audiences without azp", nil, m{"aud": []string{"web", "native"}}, false},
		{"aud of a further client alone", nil, m{"aud": "native"}, false},
		{"aud with something that is no string", nil, m{"aud": []any{"web", 5}, "azp": "web"}, false},
		{"azp ours", nil, m{"azp": "web"}, true},
		{"azp of a further client", nil, m{"azp": "native"}, false},
		{"azp of a stranger", nil, m{"azp": "stranger"}, false},
		{"azp null", nil, m{"azp": null}, false},
		{"azp a list", nil, m{"azp": []string{"web"}}, false},
		{"invalid-missing-exp", nil, m{"exp": nil}, false},
		{"invalid-expired-exp", nil, m{"exp": now - 301}, false},
		{"expired beyond the leeway", nil, m{"exp": now - 60}, false},
		{"expired within the leeway", nil, m{"exp": now - 59}, true},
		{"exp null", nil, m{"exp": null}, false},
		{"exp a string", nil, m{"exp": "9999999999"}, false},
		{"exp 1e300", nil, m{"exp": 1e300}, false},
		{"nbf in the future", nil, m{"nbf": now + 61}, false},
		{"iat-is-week-in-past", nil, m{"iat": now - 7*24*3600}, false},
		{"iat more than an hour ago", nil, m{"iat": now - 3601}, false},
		{"iat an hour ago", nil, m{"iat": now - 3600}, true},
		{"iat a year ahead", nil, m{"iat": now + 365*24*3600}, false},
		{"iat ahead within the leeway", nil, m{"iat": now + 60}, true},
		{"iat ahead beyond the leeway", nil, m{"iat": now + 61}, false},
		{"iat a string", nil, m{"iat": "1"}, false},
		{"iat null", nil, m{"iat": null}, false},

		// What names the person.
		{"sub empty", nil, m{"sub": ""}, false},
		{"sub null", nil, m{"sub": null}, false},
		{"sub a number", nil, m{"sub": 1}, false},
		{"sub a list", nil, m{"sub": []string{"1"}}, false},
		{"sub of 255 characters", nil, m{"sub": strings.Repeat("x", 255)}, true},
		{"sub of 256 characters", nil, m{"sub": strings.Repeat("x", 256)}, false},
		{"sub beyond ASCII", nil, m{"sub": "ünal"}, false},
		{"sub with a line break", nil, m{"sub": "1\n2"}, false},
		{"sub with a NUL", nil, m{"sub": "1\x00"}, false},
		{"sub in other letters beside it", nil, m{"SUB": "admin"}, true}, // and sub stays 1
		{"sub with U+017F beside it", nil, m{"\u017fub": "admin"}, true},
		{"sub in other letters only", nil, m{"sub": nil, "Sub": "admin"}, false},

		// Other kinds of token (RFC 8725 section 3.12).
		{"typ JWT", m{"typ": "JWT"}, nil, true},
		{"typ of an access token", m{"typ": "at+jwt"}, nil, false},
		{"typ of an access token, long form", m{"typ": "application/at+jwt"}, nil, false},
		{"typ of a logout token", m{"typ": "logout+jwt"}, nil, false},
		{"typ of an introspection reply", m{"typ": "token-introspection+jwt"}, nil, false},
		{"typ made up", m{"typ": "x"}, nil, false},
		{"a logout token without typ", nil, m{"events": m{"http://schemas.openid.net/event/backchannel-logout": m{}}}, false},
		{"Keycloak's ID token", nil, m{"typ": "ID"}, true},
		{"Keycloak's access token", nil, m{"typ": "Bearer"}, false},
		{"Keycloak's refresh token", nil, m{"typ": "Refresh"}, false},
		{"payload typ null", nil, m{"typ": null}, false},

		// The access token beside it.
		{"at_hash right", nil, m{"at_hash": atHash(accessToken)}, true},
		{"invalid-athash", nil, m{"at_hash": atHash("another")}, false},
		{"at_hash empty", nil, m{"at_hash": ""}, false},
		{"at_hash null", nil, m{"at_hash": null}, false},
		{"at_hash whole", nil, m{"at_hash": base64.RawURLEncoding.EncodeToString(make([]byte, 32))}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims, err := r.verifyIDToken(t, r.idToken(r.Key(), c.header, c.claims))
			if !c.good {
				wantError(t, err, provider.ErrIDToken)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want, _ := c.claims["sub"].(string); want == "" && claims["sub"] != "1" {
				t.Errorf("sub: got %v, want 1", claims["sub"])
			}
		})
	}
}

// TestIDTokenSignatures: conformance modules B6 to B10, C4 to C6, and what is sent
// by whom.
func TestIDTokenSignatures(t *testing.T) {
	r := startWith(t, devprovider.Options{Algorithm: "RS256"})
	key := r.Key()
	unnamed := key
	unnamed.ID = ""
	good := r.idToken(key, nil, nil)
	parts := strings.Split(good, ".")
	for _, c := range []struct {
		name  string
		token string
		good  bool
	}{
		{"B8 idtoken-sig-rs256", good, true},
		{"B6 kid-absent-single-jwks", r.idToken(unnamed, nil, nil), true},
		{"B9 and C4 idtoken-sig-none", r.idToken(devprovider.Key{ID: key.ID, Algorithm: "none"}, nil, nil), false},
		{"B10 invalid-sig-rs256", r.idToken(strangersKey(key.ID), nil, nil), false},
		{"invalid-sig-hs256, with the client secret", r.idToken(devprovider.Key{Algorithm: "HS256", Private: []byte(strings.Repeat(webSecret, 3))}, nil, nil), false},
		{"invalid-alternate-alg", r.idToken(devprovider.Key{ID: key.ID, Algorithm: "PS256", Private: key.Private}, nil, nil), false},
		{"four parts", good + "." + parts[2], false},
		{"two parts", parts[0] + "." + parts[1], false},
		{"a line break inside", parts[0] + "." + parts[1][:8] + "\n" + parts[1][8:] + "." + parts[2], false},
		{"blanks around", " " + good + " ", false},
		{"JSON serialization", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, false},
		{"a member twice", devprovider.SignBytes(key, nil, []byte(`{"iss":"`+r.Issuer()+
			`","sub":"1","sub":"admin","aud":"web","nonce":"`+nonce+`","iat":1,"exp":99999999999}`)), false},
		{"no token", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.verifyIDToken(t, c.token)
			if c.good && err != nil {
				t.Errorf("got %v, want it accepted", err)
			}
			if !c.good {
				wantError(t, err, provider.ErrIDToken)
			}
		})
	}
	t.Run("C5 and C6 signing-key-rotation", func(t *testing.T) {
		r.RotateKeys()
		r.clock.Advance(10 * time.Second)
		if _, err := r.verifyIDToken(t, r.idToken(r.Key(), nil, nil)); err != nil {
			t.Error(err)
		}
		r.RotateKeys()
		r.clock.Advance(10 * time.Second)
		if _, err := r.verifyIDToken(t, r.idToken(r.Key(), nil, nil)); err != nil {
			t.Error(err)
		}
	})
}

// TestIDTokenAlgorithmMustBeAnnounced: the key is the provider's, the algorithm is
// a good one, but not one that it signs ID tokens with.
func TestIDTokenAlgorithmMustBeAnnounced(t *testing.T) {
	r := start(t)
	r.Rewrite(devprovider.DiscoveryDocument, func(doc map[string]any) {
		doc["id_token_signing_alg_values_supported"] = []string{"RS256"}
	})
	token := r.idToken(r.Key(), nil, nil)
	_, err := r.verifyIDToken(t, token)
	wantError(t, err, provider.ErrIDToken)
	if _, err := r.verify(t, token); err != nil {
		t.Errorf("as a JWT: %v", err)
	}
}

func TestAccessTokenHashFollowsTheAlgorithm(t *testing.T) {
	for _, algorithm := range []string{"RS256", "ES256"} {
		r := startWith(t, devprovider.Options{Algorithm: algorithm})
		if _, err := r.verifyIDToken(t, r.idToken(r.Key(), nil, map[string]any{"at_hash": atHash(accessToken)})); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		_, err := r.verifyIDToken(t, r.idToken(r.Key(), nil, map[string]any{"at_hash": atHash(accessToken + "x")}))
		wantError(t, err, provider.ErrIDToken)
	}
}

// TestIDTokenNeedsANonceThatWasSent: a caller that expects nothing gets nothing.
func TestIDTokenNeedsANonceThatWasSent(t *testing.T) {
	r := start(t)
	for _, n := range []any{nil, "", nonce} {
		_, err := r.p.VerifyIDToken(t.Context(), r.idToken(r.Key(), nil, map[string]any{"nonce": n}), provider.Expected{})
		wantError(t, err, provider.ErrIDToken)
	}
}

// TestIDTokenForAProviderWithoutLogin: tokens of further clients are no login.
func TestIDTokenForAProviderWithoutLogin(t *testing.T) {
	r := start(t, func(c *provider.Config) { c.Client = provider.Client{} })
	for _, aud := range []any{"native", "", "web"} {
		_, err := r.verifyIDToken(t, r.idToken(r.Key(), nil, map[string]any{"aud": aud}))
		wantError(t, err, provider.ErrIDToken)
	}
}

// TestIDTokenDuringAnOutageIsNotCalledBad: who signs in while the keys cannot be
// fetched is told to try again.
func TestIDTokenDuringAnOutageIsNotCalledBad(t *testing.T) {
	for _, name := range []devprovider.Endpoint{devprovider.Discovery, devprovider.KeySet} {
		r := start(t)
		r.Fail(500, name)
		_, err := r.verifyIDToken(t, r.idToken(r.Key(), nil, nil))
		wantUnavailable(t, err)
		if errors.Is(err, provider.ErrIDToken) {
			t.Errorf("%s away: got %v, want no verdict on the token", name, err)
		}
	}
}

// TestIDTokenErrorsHaveNoToken: the error goes to the log.
func TestIDTokenErrorsHaveNoToken(t *testing.T) {
	r := start(t)
	for _, claims := range []map[string]any{
		{"aud": "somebody"}, {"nonce": "canary"}, {"at_hash": "canary"}, {"sub": nil}, {"exp": 1}, {"iss": "canary"}, {"email": "canary", "azp": "x"},
	} {
		token := r.idToken(r.Key(), nil, claims)
		_, err := r.verifyIDToken(t, token)
		if err == nil {
			t.Fatalf("%v: accepted", claims)
		}
		for _, secret := range append(strings.Split(token, "."), nonce, accessToken, "canary") {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%v: the error contains %q: %v", claims, secret, err)
			}
		}
	}
}
