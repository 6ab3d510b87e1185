package bearer_test

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// claims are those of an access token of RFC 9068 that lacks nothing, of ada at
// the client native. What is given replaces them, and nil leaves one out.
func (r *rig) claims(change map[string]any) map[string]any {
	now := r.clock.Now()
	all := map[string]any{
		"iss": r.Issuer(), "sub": "1", "aud": "web", "client_id": "native", "scope": "openid",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"preferred_username": "ada", "groups": []string{"teams/kde-developers"},
	}
	maps.Copy(all, change)
	for name, v := range all {
		if v == nil {
			delete(all, name)
		}
	}
	return all
}

// sign makes an access token of the provider.
func (r *rig) sign(change map[string]any) string { return r.signWith(r.Key(), nil, change) }

func (r *rig) signWith(key devprovider.Key, header, change map[string]any) string {
	all := map[string]any{"typ": "at+jwt"}
	maps.Copy(all, header)
	return devprovider.SignJWT(key, all, r.claims(change))
}

// want checks one outcome: an identity where reason is empty.
func (r *rig) want(t testing.TB, token string, reason session.Reason) {
	t.Helper()
	if reason == "" {
		r.wantIdentity(t, token)
		return
	}
	r.wantRejected(t, token, reason)
}

// TestJWTIsProvedWithoutAskingAboutIt: the keys are all that is fetched.
func TestJWTIsProvedWithoutAskingAboutIt(t *testing.T) {
	r := start(t)
	token := r.sign(nil)
	id := r.wantIdentity(t, token)
	ends := r.clock.Now().Add(time.Hour)
	if id.Provider != "dev" || id.Issuer != r.Issuer() || id.Subject != "1" || id.ClientID != "native" ||
		id.Auth != session.AuthBearer || id.User != "ada" || !id.SignedIn.Equal(r.clock.Now()) || !id.Until.Equal(ends) {
		t.Errorf("identity %+v", id)
	}
	for name, want := range map[string]any{"provider": "dev", "auth": "bearer", "client_id": "native", "scope": "openid", "sub": "1"} {
		if id.Claims[name] != want {
			t.Errorf("claim %s: got %v, want %v", name, id.Claims[name], want)
		}
	}
	if id.Origins["groups"] != session.SourceAccessToken || id.Origins["client_id"] != session.SourceVirtual {
		t.Errorf("origins %v", id.Origins)
	}
	if again := r.wantIdentity(t, token); again != id {
		t.Error("another identity, want the one that was cached")
	}
	if r.asked() != 0 {
		t.Errorf("the provider was asked %d times about a token that says all", r.asked())
	}
	r.wantCalls(t, devprovider.KeySet, 1)
	r.wantQuiet(t, token)
}

// TestVirtualClaimsOfATokenAreIgnored: a provider that lets people name claims
// must not let them say how they were proved.
func TestVirtualClaimsOfATokenAreIgnored(t *testing.T) {
	r := start(t)
	id := r.wantIdentity(t, r.sign(map[string]any{"provider": "other", "auth": "browser", "client_id": nil, "azp": "native"}))
	if id.Claims["provider"] != "dev" || id.Claims["auth"] != "bearer" || id.Claims["client_id"] != "native" {
		t.Errorf("claims %v", id.Claims)
	}
}

// TestForgedSignaturesAreRefused, with no call about the token and no second fetch
// of keys: whoever has seen one token knows a key id.
func TestForgedSignaturesAreRefused(t *testing.T) {
	r := start(t)
	good := r.sign(nil)
	r.wantIdentity(t, good)
	stranger := devprovider.NewKey("ES256")
	own := stranger
	stranger.ID = r.Key().ID
	der, err := x509.MarshalPKIXPublicKey(r.Key().Private.(crypto.Signer).Public())
	if err != nil {
		t.Fatal(err)
	}
	// Forms in which a careless library takes the public key for a shared secret.
	secret := func(b []byte) devprovider.Key {
		return devprovider.Key{ID: r.Key().ID, Algorithm: "HS256", Private: b}
	}
	parts, other := strings.Split(good, "."), strings.Split(r.sign(map[string]any{"sub": "2"}), ".")
	unsigned := func(alg string) string {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"` + alg + `","kid":"` + r.Key().ID + `","typ":"at+jwt"}`))
		return header + "." + parts[1] + "."
	}
	r.clock.Advance(11 * time.Second) // a fetch would be allowed
	for name, token := range map[string]string{
		"a stranger's key under a known key id":  r.signWith(stranger, nil, nil),
		"a key that the token brings along":      r.signWith(stranger, map[string]any{"jwk": map[string]any{"kty": "EC"}}, nil),
		"alg none":                               unsigned("none"),
		"alg None":                               unsigned("None"),
		"alg nOnE":                               unsigned("nOnE"),
		"alg empty":                              unsigned(""),
		"alg ES256 and no signature":             unsigned("ES256"),
		"alg none with a signature":              unsigned("none") + parts[2],
		"HS256 with the public key, DER":         r.signWith(secret(der), nil, nil),
		"HS256 with the public key, PEM":         r.signWith(secret(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil, nil),
		"another token's claims":                 parts[0] + "." + other[1] + "." + parts[2],
		"another token's signature":              parts[0] + "." + parts[1] + "." + other[2],
		"a critical extension that nobody knows": r.signWith(r.Key(), map[string]any{"crit": []string{"x"}, "x": 1}, nil),
	} {
		t.Run(name, func(t *testing.T) { r.wantRejected(t, token, session.ReasonTokenInvalid) })
	}
	r.wantCalls(t, devprovider.KeySet, 1)
	if r.asked() != 0 {
		t.Errorf("the provider was asked %d times about forged tokens", r.asked())
	}
	r.wantIdentity(t, good)
	r.wantRejected(t, r.signWith(own, nil, nil), session.ReasonTokenInvalid) // after one look at the keys
	r.wantCalls(t, devprovider.KeySet, 2)
}

// TestUnknownKeyWithinTheFetchWindowIsAnOutage: the provider may have a new key
// that must not be fetched yet. Calling the token bad would have programs delete
// their login at each rotation, and a cached outage would outlast it.
func TestUnknownKeyWithinTheFetchWindowIsAnOutage(t *testing.T) {
	r := start(t)
	old := r.sign(nil)
	r.wantIdentity(t, old)
	r.RotateKeys()
	fresh := r.sign(map[string]any{"jti": "2"})
	for range 3 {
		r.wantUnavailable(t, fresh)
	}
	r.wantCalls(t, devprovider.KeySet, 1)
	r.wantIdentity(t, old)
	r.clock.Advance(10 * time.Second)
	r.wantIdentity(t, fresh)
	r.wantCalls(t, devprovider.KeySet, 2)
	r.wantIdentity(t, r.sign(map[string]any{"jti": "3"}))
	r.wantCalls(t, devprovider.KeySet, 2)
}

// TestSleepingKeysAreNoBadToken, at first sight and for tokens not seen before;
// keys once learnt stay.
func TestSleepingKeysAreNoBadToken(t *testing.T) {
	for _, endpoint := range []devprovider.Endpoint{devprovider.KeySet, devprovider.Discovery} {
		t.Run(string(endpoint), func(t *testing.T) {
			r := start(t)
			token := r.sign(nil)
			r.Fail(503, endpoint)
			r.wantUnavailable(t, token)
			r.wantUnavailable(t, token)
			r.Restore()
			r.clock.Advance(10 * time.Second)
			r.wantIdentity(t, token)
			r.Fail(503, endpoint)
			r.clock.Advance(time.Minute)
			r.wantIdentity(t, r.sign(map[string]any{"jti": "2"}))
		})
	}
}

func TestTimesOfAJWT(t *testing.T) {
	r := start(t)
	now := r.clock.Now().Unix()
	for _, c := range []struct {
		name   string
		change map[string]any
		reason session.Reason
	}{
		{"a second left", map[string]any{"exp": now + 1}, ""},
		{"a fraction left", map[string]any{"exp": float64(now) + 0.5}, ""},
		{"over now, and no leeway for bearer tokens", map[string]any{"exp": now}, session.ReasonTokenExpired},
		{"over for two minutes", map[string]any{"exp": now - 120}, session.ReasonTokenExpired},
		{"no end", map[string]any{"exp": nil}, session.ReasonTokenInvalid},
		{"an end of null", map[string]any{"exp": json.RawMessage("null")}, session.ReasonTokenInvalid},
		{"an end that is text", map[string]any{"exp": fmt.Sprint(now + 60)}, session.ReasonTokenInvalid},
		{"an end beyond all calendars", map[string]any{"exp": 1e300}, session.ReasonTokenInvalid},
		{"an end in other letters", map[string]any{"exp": nil, "EXP": now + 60}, session.ReasonTokenInvalid},
		{"an end, and a later one in other letters", map[string]any{"exp": now - 120, "Exp": now + 60}, session.ReasonTokenExpired},
		{"from now on", map[string]any{"nbf": now}, ""},
		{"not before two minutes", map[string]any{"nbf": now + 120}, session.ReasonTokenInvalid},
		{"a beginning that is text", map[string]any{"nbf": "0"}, session.ReasonTokenInvalid},
	} {
		t.Run(c.name, func(t *testing.T) { r.want(t, r.sign(c.change), c.reason) })
	}
	if r.asked() != 0 {
		t.Error("the provider was asked about a token whose time is not now")
	}
}

// TestCachedJWTEndsWithItsExp: the cache is no leeway.
func TestCachedJWTEndsWithItsExp(t *testing.T) {
	r := start(t)
	token := r.sign(map[string]any{"exp": r.clock.Now().Add(time.Minute).Unix()})
	r.wantIdentity(t, token)
	r.clock.Advance(time.Minute - time.Nanosecond)
	r.wantIdentity(t, token)
	r.clock.Advance(time.Nanosecond)
	r.wantRejected(t, token, session.ReasonTokenExpired)
}

// TestIssuerIsComparedByteForByte: an issuer that is not known is no reason to let
// anybody through as nobody, Envoy's CVE-2021-21378.
func TestIssuerIsComparedByteForByte(t *testing.T) {
	r := start(t)
	r.wantIdentity(t, r.sign(nil))
	for name, iss := range map[string]any{
		"another": "https://evil.example", "none": nil, "null": json.RawMessage("null"), "a list": []string{r.Issuer()},
		"with a slash": r.Issuer() + "/", "in capitals": strings.ToUpper(r.Issuer()), "empty": "", "longer": r.Issuer() + ".evil.example",
	} {
		t.Run(name, func(t *testing.T) {
			r.wantRejected(t, r.sign(map[string]any{"iss": iss}), session.ReasonTokenProvider)
		})
	}
	r.wantRejected(t, r.sign(map[string]any{"iss": nil, "ISS": r.Issuer()}), session.ReasonTokenProvider)
}

// TestMemberTwiceIsRefused: two readers of one token must not see two people, not
// even where the provider itself would vouch for one of them.
func TestMemberTwiceIsRefused(t *testing.T) {
	for _, opaque := range []provider.Opaque{provider.OpaqueAuto, provider.OpaqueOff} {
		t.Run(string(opaque), func(t *testing.T) {
			r := start(t, func(s *setup) { s.provider.Bearer.Opaque = opaque })
			r.vouchForAll()
			for _, c := range []struct {
				name, more string
				reason     session.Reason
			}{
				{"another claim", `"x":1,`, ""},
				{"sub", `"sub":"2",`, session.ReasonTokenInvalid},
				{"sub, once escaped", `"\u0073ub":"2",`, session.ReasonTokenInvalid},
				{"aud", `"aud":"x",`, session.ReasonTokenInvalid},
				{"exp", `"exp":9999999999,`, session.ReasonTokenInvalid},
				{"groups", `"groups":["admins"],`, session.ReasonTokenInvalid},
				{"a member of a claim", `"x":{"a":1,"a":2},`, session.ReasonTokenInvalid},
			} {
				t.Run(c.name, func(t *testing.T) { r.want(t, r.signMore(t, c.more), c.reason) })
			}
			if r.asked() != 0 {
				t.Errorf("the provider was asked %d times about tokens that cannot be read", r.asked())
			}
		})
	}
}

// TestMangledJWTIsNoOpaqueToken: a text that its provider may still read, and we do
// not, would have been asked about and so passed by the rules for audience and kind.
func TestMangledJWTIsNoOpaqueToken(t *testing.T) {
	r := start(t)
	good := r.sign(nil)
	r.wantIdentity(t, good)
	r.vouchForAll()
	parts := strings.Split(good, ".")
	for name, bad := range map[string]string{
		"padding":                    good + "==",
		"claims in standard base64":  parts[0] + "." + parts[1] + "+/." + parts[2],
		"unused bits":                looseEnd(good),
		"claims that are a list":     parts[0] + ".W10." + parts[2],
		"claims that are empty":      parts[0] + ".." + parts[2],
		"a header with a line break": "ewp9." + parts[1] + "." + parts[2] + "=",
	} {
		t.Run(name, func(t *testing.T) { r.wantRejected(t, bad, session.ReasonTokenInvalid) })
	}
	if r.asked() != 0 {
		t.Errorf("the provider was asked %d times about mangled tokens", r.asked())
	}
	// Tokens with dots that are none.
	for _, opaque := range []string{"ya29.a.b", "a.b.c", "ey.b.c", "eyJ.b", parts[0] + "." + parts[1], good + ".a.b"} {
		r.wantIdentity(t, opaque)
	}
}

// vouchForAll has the provider call every token a good access token of ada's.
func (r *rig) vouchForAll() {
	r.introspectionSays(`{"active":true,"client_id":"native","sub":"1","token_type":"access_token"}`)
	r.userInfoSays(200, `{"sub":"1","preferred_username":"ada"}`)
}

// signMore signs claims that json.Marshal would not write: more is put in front of
// those there are.
func (r *rig) signMore(t testing.TB, more string) string {
	t.Helper()
	payload, err := json.Marshal(r.claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	return devprovider.SignBytes(r.Key(), map[string]any{"typ": "at+jwt"}, []byte("{"+more+string(payload[1:])))
}

// looseEnd sets unused bits of the last character, which lenient decoders drop.
func looseEnd(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last|1])
}

// TestClaimNamesAreExact: encoding/json would let SUB, and sub with a long s,
// overwrite sub.
func TestClaimNamesAreExact(t *testing.T) {
	r := start(t)
	for _, c := range []struct {
		name   string
		change map[string]any
		reason session.Reason
	}{
		{"SUB beside sub", map[string]any{"SUB": "2"}, ""},
		{"sub with a long s beside sub", map[string]any{"\u017fub": "2"}, ""},
		{"an audience in capitals", map[string]any{"aud": "https://other.example", "AUD": "web"}, session.ReasonTokenAudience},
		{"a client in capitals", map[string]any{"client_id": "stranger", "CLIENT_ID": "native"}, session.ReasonTokenClient},
		{"a stranger in capitals names nobody", map[string]any{"Client_Id": "stranger"}, ""},
		{"groups in capitals are other groups", map[string]any{"Groups": []string{"admins"}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := r.sign(c.change)
			if r.want(t, token, c.reason); c.reason != "" {
				return
			}
			id := r.wantIdentity(t, token)
			groups := id.Claims.Strings("groups")
			if id.Subject != "1" || id.Claims["sub"] != "1" || len(groups) != 1 || groups[0] != "teams/kde-developers" {
				t.Errorf("subject %q, claims %v, want ada's", id.Subject, id.Claims)
			}
		})
	}
}

// TestTokensBoundToAKeyAreRefused: whoever merely holds one has not proved to be
// its owner (RFC 7800, RFC 8705, RFC 9449).
func TestTokensBoundToAKeyAreRefused(t *testing.T) {
	r := start(t)
	for name, cnf := range map[string]any{
		"to a certificate": map[string]any{"x5t#S256": "x"}, "to a DPoP key": map[string]any{"jkt": "x"},
		"to nothing": map[string]any{}, "to null": json.RawMessage("null"),
	} {
		t.Run(name, func(t *testing.T) {
			r.wantRejected(t, r.sign(map[string]any{"cnf": cnf}), session.ReasonTokenKind)
		})
	}
}
