package provider

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of the algorithms
	_ "crypto/sha512"
	"fmt"
	"math/big"
)

// algorithms are those that a signature may have (RFC 7518 section 3.1, RFC 8037), each
// with the keys and the check that belong to it. None is symmetric: a public key must
// never be usable as a shared secret (RFC 8725 section 3.1); and "none" is not there.
var algorithms = map[string]algorithm{
	"RS256": {crypto.SHA256, pkcs1}, "RS384": {crypto.SHA384, pkcs1}, "RS512": {crypto.SHA512, pkcs1},
	"PS256": {crypto.SHA256, pss}, "PS384": {crypto.SHA384, pss}, "PS512": {crypto.SHA512, pss},
	"ES256": {crypto.SHA256, ecdsaOn(elliptic.P256())}, "ES384": {crypto.SHA384, ecdsaOn(elliptic.P384())},
	"ES512": {crypto.SHA512, ecdsaOn(elliptic.P521())},
	"EdDSA": {0, edwards},
}

type algorithm struct {
	// hash is what is signed in place of the text; zero for the text itself.
	hash crypto.Hash
	// fits says whether a signature of what was hashed is by a key. It is not where the
	// key is of another kind.
	fits func(k *key, hash crypto.Hash, hashed, signature []byte) bool
}

// pkcs1 is RSASSA-PKCS1-v1_5 (RFC 7518 section 3.3).
func pkcs1(k *key, hash crypto.Hash, hashed, signature []byte) bool {
	if k.ready != nil {
		return k.ready.fits(hash, hashed, signature)
	}
	public, ok := k.public.(*rsa.PublicKey)
	return ok && rsa.VerifyPKCS1v15(public, hash, hashed, signature) == nil
}

// pss is RSASSA-PSS (section 3.5).
func pss(k *key, hash crypto.Hash, hashed, signature []byte) bool {
	public, ok := k.public.(*rsa.PublicKey)
	return ok && rsa.VerifyPSS(public, hash, hashed, signature, nil) == nil
}

// ecdsaOn is ECDSA on that curve alone: two numbers of its length (section 3.4).
func ecdsaOn(curve elliptic.Curve) func(*key, crypto.Hash, []byte, []byte) bool {
	length := (curve.Params().BitSize + 7) / 8
	return func(k *key, _ crypto.Hash, hashed, signature []byte) bool {
		public, ok := k.public.(*ecdsa.PublicKey)
		if !ok || public.Curve != curve || len(signature) != 2*length {
			return false
		}
		r, s := new(big.Int).SetBytes(signature[:length]), new(big.Int).SetBytes(signature[length:])
		return ecdsa.Verify(public, hashed, r, s)
	}
}

// edwards is Ed25519 (RFC 8037 section 3.1).
func edwards(k *key, _ crypto.Hash, text, signature []byte) bool {
	public, ok := k.public.(ed25519.PublicKey)
	return ok && len(public) == ed25519.PublicKeySize && ed25519.Verify(public, text, signature)
}

// signed is what a token's header says about its signature, and what the signature is of.
type signed struct {
	keyID, name string
	algorithm   algorithm
	hashed      []byte
	signature   []byte
}

// signedAs reads the header. What it does not say in the one way that is known here is no
// signature: extensions that it calls critical are not known (RFC 7515 section 4.1.11),
// b64 has no place in a JWT (RFC 7797 section 7), and a key that comes along with the
// token is never looked at.
func signedAs(u *Unverified) (*signed, error) {
	for _, name := range []string{"crit", "b64"} {
		if _, there := u.Header[name]; there {
			return nil, fmt.Errorf("%w: its header has %s", ErrSignature, name)
		}
	}
	s := &signed{signature: u.signature}
	if id, there := u.Header["kid"]; there {
		var ok bool
		if s.keyID, ok = id.(string); !ok {
			return nil, fmt.Errorf("%w: its key id is no text", ErrSignature)
		}
	}
	s.name, _ = u.Header.String("alg")
	var known bool
	if s.algorithm, known = algorithms[s.name]; !known {
		return nil, fmt.Errorf("%w: the algorithm is none that is accepted", ErrSignature)
	}
	text := []byte(u.raw[:u.signed])
	if s.algorithm.hash == 0 {
		s.hashed = text
		return s, nil
	}
	h := s.algorithm.hash.New()
	h.Write(text)
	s.hashed = h.Sum(nil)
	return s, nil
}

// by says whether the signature is by a key of the provider. A key that is for one
// algorithm is good for no other.
func (s *signed) by(k *key) bool {
	return (k.algorithm == "" || k.algorithm == s.name) && s.algorithm.fits(k, s.algorithm.hash, s.hashed, s.signature)
}
