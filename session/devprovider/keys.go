package devprovider

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// Key signs tokens.
type Key struct {
	// ID is the kid header.
	ID string
	// Algorithm is RS256, ES256, or any other name that go-jose knows; "none"
	// leaves the signature empty.
	Algorithm string
	// Private is an *rsa.PrivateKey, an *ecdsa.PrivateKey, or the []byte of an
	// HMAC.
	Private any
}

// NewKey generates a key for RS256 or ES256. Its ID is its thumbprint (RFC 7638).
// No provider publishes it: what it signs is signed by a stranger.
func NewKey(algorithm string) Key {
	var private crypto.Signer
	var err error
	switch algorithm {
	case "RS256":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		panic(fmt.Sprintf("devprovider: algorithm %q, want RS256 or ES256", algorithm))
	}
	if err != nil {
		panic(fmt.Sprintf("devprovider: generating a key: %v", err))
	}
	print, err := (&jose.JSONWebKey{Key: private.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		panic(fmt.Sprintf("devprovider: thumbprint of a new key: %v", err))
	}
	return Key{ID: base64.RawURLEncoding.EncodeToString(print), Algorithm: algorithm, Private: private}
}

func (k Key) public() jose.JSONWebKey {
	return jose.JSONWebKey{
		Key: k.Private.(crypto.Signer).Public(), KeyID: k.ID, Algorithm: k.Algorithm, Use: "sig",
	}
}

// keyring is the keys of a provider, the newest first. The first is generated
// when it is needed, which most tests with opaque tokens never do.
type keyring struct {
	algorithm string
	mu        sync.Mutex
	keys      []Key
}

func (r *keyring) all() []Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys) == 0 {
		r.keys = []Key{NewKey(r.algorithm)}
	}
	return r.keys
}

func (r *keyring) rotate() Key {
	fresh := NewKey(r.algorithm)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = append([]Key{fresh}, r.keys...)
	return fresh
}

func (r *keyring) retire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys) > 1 {
		r.keys = r.keys[:1:1]
	}
}

// Key returns the key that signs now.
func (p *Provider) Key() Key { return p.keys.all()[0] }

// RotateKeys makes a new key that signs from now on and returns it. The older
// ones stay published, so that tokens signed with them stay good.
func (p *Provider) RotateKeys() Key {
	p.keys.all() // there must be something to rotate away from
	return p.keys.rotate()
}

// RetireKeys stops publishing all keys but the one that signs now.
func (p *Provider) RetireKeys() { p.keys.retire() }

// SignJWT signs claims with the provider's key. Members of header are added to
// the usual alg and kid, or replace them; typ is not set unless named there.
func (p *Provider) SignJWT(header, claims map[string]any) string {
	return SignJWT(p.Key(), header, claims)
}

// SignJWT signs claims with any key, in the compact form (RFC 7515 section 7.1).
// Members of header are added to the key's alg and kid, or replace them, so that
// a header can lie about the key, the algorithm and the kind of token.
func SignJWT(key Key, header, claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(fmt.Sprintf("devprovider: claims to sign: %v", err))
	}
	return SignBytes(key, header, payload)
}

// SignBytes is SignJWT for a payload that json.Marshal would not write: a key
// twice, invalid UTF-8, no JSON at all.
func SignBytes(key Key, header map[string]any, payload []byte) string {
	if key.Algorithm == "none" {
		return unsigned(key, header, payload)
	}
	opts := &jose.SignerOptions{ExtraHeaders: make(map[jose.HeaderKey]any)}
	for name, value := range header {
		opts.ExtraHeaders[jose.HeaderKey(name)] = value
	}
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.SignatureAlgorithm(key.Algorithm),
		Key:       jose.JSONWebKey{Key: key.Private, KeyID: key.ID},
	}, opts)
	if err != nil {
		panic(fmt.Sprintf("devprovider: signing with %s: %v", key.Algorithm, err))
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		panic(fmt.Sprintf("devprovider: signing with %s: %v", key.Algorithm, err))
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		panic(fmt.Sprintf("devprovider: writing a signed token: %v", err))
	}
	return compact
}

// unsigned makes the unsecured JWS of RFC 7515 appendix A.5, which nobody may
// accept.
func unsigned(key Key, header map[string]any, payload []byte) string {
	all := map[string]any{"alg": "none"}
	if key.ID != "" {
		all["kid"] = key.ID
	}
	for name, value := range header {
		all[name] = value
	}
	first, err := json.Marshal(all)
	if err != nil {
		panic(fmt.Sprintf("devprovider: header to sign: %v", err))
	}
	b64 := base64.RawURLEncoding
	return b64.EncodeToString(first) + "." + b64.EncodeToString(payload) + "."
}
