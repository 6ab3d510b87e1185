package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// jwk writes a key as a member of a key set; private keys are written whole.
func jwk(t *testing.T, k jose.JSONWebKey) json.RawMessage {
	t.Helper()
	data, err := k.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// publish has the rig's provider publish these keys and no other.
func (r *rig) publish(t *testing.T, keys ...json.RawMessage) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	r.Override(devprovider.KeySet, devprovider.Answer(http.StatusOK, "application/jwk-set+json", string(body)))
}

func publicOf(t *testing.T, key devprovider.Key) any {
	t.Helper()
	switch k := key.Private.(type) {
	case *ecdsa.PrivateKey:
		return k.Public()
	case *rsa.PrivateKey:
		return k.Public()
	}
	t.Fatalf("key of type %T", key.Private)
	return nil
}

// TestKeySetOfUnknownAndUnusableKeys: what cannot verify is passed over and what
// can is used; none of the others ever verifies anything.
func TestKeySetOfUnknownAndUnusableKeys(t *testing.T) {
	good := devprovider.NewKey("ES256")
	goodJWK := jwk(t, jose.JSONWebKey{Key: publicOf(t, good), KeyID: good.ID, Use: "sig"})
	forEncryption := devprovider.NewKey("ES256")
	leaked := devprovider.NewKey("ES256")
	shared := devprovider.Key{ID: "shared", Algorithm: "HS256", Private: []byte(strings.Repeat("k", 32))}
	otherAlg := devprovider.NewKey("ES256")
	bad := []struct {
		name string
		key  json.RawMessage
		sign devprovider.Key
	}{
		{"an unknown kind of key", json.RawMessage(`{"kty":"ML-DSA","alg":"ML-DSA-65","kid":"pq","pub":"AAAA"}`), devprovider.Key{}},
		{"a key without kind", json.RawMessage(`{"kid":"x"}`), devprovider.Key{}},
		{"no object", json.RawMessage(`"x"`), devprovider.Key{}},
		{"null", json.RawMessage(`null`), devprovider.Key{}},
		{"a point off the curve", json.RawMessage(`{"kty":"EC","crv":"P-256","kid":"off","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}`), devprovider.Key{}},
		{"a key for encryption", jwk(t, jose.JSONWebKey{Key: publicOf(t, forEncryption), KeyID: forEncryption.ID, Use: "enc"}), forEncryption},
		{"a private key, with which anybody signs", jwk(t, jose.JSONWebKey{Key: leaked.Private, KeyID: leaked.ID, Use: "sig"}), leaked},
		{"a shared secret", jwk(t, jose.JSONWebKey{Key: shared.Private, KeyID: shared.ID, Algorithm: "HS256"}), shared},
		{"a key for another algorithm", jwk(t, jose.JSONWebKey{Key: publicOf(t, otherAlg), KeyID: otherAlg.ID, Algorithm: "ES384"}), otherAlg},
	}
	r := start(t)
	all := []json.RawMessage{}
	for _, b := range bad {
		all = append(all, b.key)
	}
	r.publish(t, append(all, goodJWK)...)
	if _, err := r.verify(t, r.sign(good, nil, nil)); err != nil {
		t.Errorf("the good key among them: %v", err)
	}
	for _, b := range bad {
		if b.sign.Private == nil {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			r := start(t)
			r.publish(t, b.key, goodJWK)
			_, err := r.verify(t, r.sign(b.sign, nil, nil))
			wantError(t, err, provider.ErrSignature)
		})
	}
}

func TestKeySetIsBounded(t *testing.T) {
	r := start(t)
	good := devprovider.NewKey("ES256")
	one := jwk(t, jose.JSONWebKey{Key: publicOf(t, good), KeyID: good.ID})
	var many []json.RawMessage
	for range 100 {
		many = append(many, one)
	}
	r.publish(t, many...)
	if _, err := r.verify(t, r.sign(good, nil, nil)); err != nil {
		t.Errorf("a hundred keys: %v", err)
	}
	r = start(t)
	r.publish(t, append(many, one)...)
	_, err := r.verify(t, r.sign(good, nil, nil))
	wantUnavailable(t, err)
}

// TestKeySetWithAMemberTwice: two readers of one document would see two sets.
func TestKeySetWithAMemberTwice(t *testing.T) {
	good := devprovider.NewKey("ES256")
	one := string(jwk(t, jose.JSONWebKey{Key: publicOf(t, good), KeyID: good.ID}))
	for name, body := range map[string]string{
		"keys":             `{"keys":[],"keys":[` + one + `]}`,
		"a member of one":  `{"keys":[` + strings.Replace(one, `{`, `{"kid":"x",`, 1) + `]}`,
		"in other letters": `{"KEYS":[` + one + `]}`,
		"a mapping":        `{"keys":{"a":` + one + `}}`,
		"null":             `{"keys":null}`,
	} {
		r := start(t)
		r.Override(devprovider.KeySet, devprovider.Answer(200, "application/json", body))
		_, err := r.verify(t, r.sign(good, nil, nil))
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantUnavailable(t, err)
	}
}

// TestAlgorithmConfusion: the classes of RFC 8725 section 2.1. The public key is
// public, so as the secret of an HMAC it is no secret.
func TestAlgorithmConfusion(t *testing.T) {
	r := startWith(t, devprovider.Options{Algorithm: "RS256"})
	r.warm(t)
	key := r.Key()
	public := publicOf(t, key)
	asText := jwk(t, jose.JSONWebKey{Key: public, KeyID: key.ID, Algorithm: "RS256", Use: "sig"})
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		key    devprovider.Key
		header map[string]any
	}{
		{"none", devprovider.Key{ID: key.ID, Algorithm: "none"}, nil},
		{"none in other letters", devprovider.Key{ID: key.ID, Algorithm: "none"}, map[string]any{"alg": "NonE"}},
		{"no alg at all", devprovider.Key{ID: key.ID, Algorithm: "none"}, map[string]any{"alg": nil}},
		{"HS256 with the modulus", devprovider.Key{ID: key.ID, Algorithm: "HS256", Private: public.(*rsa.PublicKey).N.Bytes()}, nil},
		{"HS256 with the published key", devprovider.Key{ID: key.ID, Algorithm: "HS256", Private: []byte(asText)}, nil},
		{"HS256 with an empty secret", devprovider.Key{ID: key.ID, Algorithm: "HS256", Private: make([]byte, 32)}, nil},
		{"the right key, PS256 instead of the announced RS256", devprovider.Key{ID: key.ID, Algorithm: "PS256", Private: key.Private}, nil},
		{"RS256 called ES256", key, map[string]any{"alg": "ES256"}},
		{"another key of the same name", devprovider.Key{ID: key.ID, Algorithm: "ES384", Private: p384}, nil},
		{"a critical extension", key, map[string]any{"crit": []string{"exp"}}},
		{"a critical extension nobody has", key, map[string]any{"crit": []string{"x"}, "x": true}},
		{"an empty crit", key, map[string]any{"crit": []string{}}},
		{"b64 true", key, map[string]any{"b64": true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.verify(t, r.sign(c.key, c.header, nil))
			wantError(t, err, provider.ErrSignature)
		})
	}
	r.wantCalls(t, devprovider.KeySet, 1)
}

// TestUnencodedPayloadIsRefused: RFC 7797 would have two readers see two payloads.
func TestUnencodedPayloadIsRefused(t *testing.T) {
	r := start(t)
	r.warm(t)
	token := r.sign(r.Key(), map[string]any{"b64": false, "crit": []string{"b64"}}, nil)
	_, err := r.verify(t, token)
	if err == nil {
		t.Fatal("accepted")
	}
}

// TestKeysNamedInTheHeaderAreNotUsed: jwk, jku and x5u are the sender's words
// (RFC 8725 section 3.10).
func TestKeysNamedInTheHeaderAreNotUsed(t *testing.T) {
	evil := devprovider.NewKey("ES256")
	evilJWK := jwk(t, jose.JSONWebKey{Key: publicOf(t, evil), KeyID: evil.ID, Algorithm: "ES256", Use: "sig"})
	var hits atomic.Int64
	elsewhere := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		devprovider.Answer(200, "application/json", `{"keys":[`+string(evilJWK)+`]}`)(w, nil)
	})
	r := start(t)
	r.warm(t)
	for name, header := range map[string]map[string]any{
		"jwk": {"jwk": evilJWK},
		"jku": {"jku": elsewhere.URL + "/keys"},
		"x5u": {"x5u": elsewhere.URL + "/chain"},
		"all": {"jwk": evilJWK, "jku": elsewhere.URL, "x5u": elsewhere.URL},
	} {
		for _, kid := range []string{r.Key().ID, ""} {
			evil.ID = kid
			_, err := r.verify(t, r.sign(evil, header, nil))
			if err == nil {
				t.Errorf("%s with key id %q: accepted", name, kid)
			}
		}
		// The same words beside a good signature do no harm.
		if name == "jku" || name == "x5u" {
			if _, err := r.verify(t, r.sign(r.Key(), header, nil)); err != nil {
				t.Errorf("%s beside a good signature: %v", name, err)
			}
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the sender's server was called %d times", n)
	}
	r.wantCalls(t, devprovider.KeySet, 1)
}

// TestErrorsDoNotQuoteTheHeader: anybody writes a header, and errors go to the log.
func TestErrorsDoNotQuoteTheHeader(t *testing.T) {
	r := start(t)
	r.warm(t)
	canary := strings.Repeat("canary\n", 1000)
	for _, header := range []string{
		fmt.Sprintf(`{"alg":%q,"kid":"x"}`, canary),
		fmt.Sprintf(`{"alg":"ES256","kid":%q}`, canary),
		fmt.Sprintf(`{"alg":"ES256","kid":["%s"]}`, "canary"),
		fmt.Sprintf(`{"alg":["%s"]}`, "canary"),
		fmt.Sprintf(`{"alg":"ES256","x5c":["%s"]}`, "canary"),
		fmt.Sprintf(`{"alg":"ES256","jwk":{"kty":"%s"}}`, "canary"),
	} {
		b64 := base64.RawURLEncoding
		token := b64.EncodeToString([]byte(header)) + "." +
			b64.EncodeToString([]byte(`{"iss":"`+r.Issuer()+`","sub":"canary","exp":1}`)) + "." + b64.EncodeToString(make([]byte, 64))
		_, err := r.verify(t, token)
		if err == nil || strings.Contains(err.Error(), "canary") || len(err.Error()) > 500 {
			t.Errorf("header %.40s: got %.200v, want a short error without it", header, err)
		}
	}
}
