package provider

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // which no algorithm has
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
)

// pairs are keys of every kind that is taken.
func pairs(t testing.TB) (public, private []any) {
	t.Helper()
	for _, bits := range []int{2048, 3072} {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		public, private = append(public, &k.PublicKey), append(private, k)
	}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public, private = append(public, &k.PublicKey), append(private, k)
	}
	pub, k, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return append(public, pub), append(private, k)
}

// names are the algorithms, and some that are none.
func names() []jose.SignatureAlgorithm {
	list := []jose.SignatureAlgorithm{"none", "HS256", "ES256K"}
	for name := range algorithms {
		list = append(list, jose.SignatureAlgorithm(name))
	}
	return list
}

// byJose is what go-jose says of a token and a key.
func byJose(raw string, public any) bool {
	var known []jose.SignatureAlgorithm
	for name := range algorithms {
		known = append(known, jose.SignatureAlgorithm(name))
	}
	jws, err := jose.ParseSignedCompact(raw, known)
	if err != nil {
		return false
	}
	_, err = jws.Verify(public)
	return err == nil
}

// byUs is what is said of it here.
func byUs(raw string, public any) bool {
	u, ok := Peek(raw)
	if !ok {
		return false
	}
	s, err := signedAs(u)
	k := newKey("", "", public)
	return err == nil && s.by(&k)
}

// TestSignaturesAreJudgedAsByGoJose: every algorithm with every key, whole and broken,
// under its own name and under every other.
func TestSignaturesAreJudgedAsByGoJose(t *testing.T) {
	public, private := pairs(t)
	good := 0
	for i, secret := range private {
		for _, alg := range names() {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: secret}, nil)
			if err != nil {
				continue // no algorithm for this key
			}
			jws, err := signer.Sign([]byte(`{"sub":"1"}`))
			if err != nil {
				continue
			}
			raw, err := jws.CompactSerialize()
			if err != nil {
				t.Fatal(err)
			}
			good++
			parts := strings.Split(raw, ".")
			signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
			for name, token := range broken(parts, signature) {
				for j, other := range public {
					got, want := byUs(token, other), byJose(token, other)
					if got != want {
						t.Errorf("%s with key %d, %s, checked with key %d: got %v, go-jose says %v", alg, i, name, j, got, want)
					}
					if got != (name == "whole" && i == j) {
						t.Errorf("%s with key %d, %s, checked with key %d: got %v", alg, i, name, j, got)
					}
				}
			}
		}
	}
	if good != 2*6+4 {
		t.Errorf("%d algorithms with keys were tried, want 16", good)
	}
}

// broken is a token whole and in ways in which it is none any more.
func broken(parts []string, signature []byte) map[string]string {
	enc := base64.RawURLEncoding.EncodeToString
	with := func(header string, signature []byte) string {
		return enc([]byte(header)) + "." + parts[1] + "." + enc(signature)
	}
	header, _ := base64.RawURLEncoding.DecodeString(parts[0])
	all := map[string]string{
		"whole":                  strings.Join(parts, "."),
		"without a signature":    parts[0] + "." + parts[1] + ".",
		"with other claims":      parts[0] + "." + enc([]byte(`{"sub":"2"}`)) + "." + parts[2],
		"with a zero before":     with(string(header), append([]byte{0}, signature...)),
		"with a zero behind":     with(string(header), append(bytes.Clone(signature), 0)),
		"without its first byte": with(string(header), signature[1:]),
		"without its last byte":  with(string(header), signature[:len(signature)-1]),
		"of zeros":               with(string(header), make([]byte, len(signature))),
		"of ones":                with(string(header), bytes.Repeat([]byte{0xff}, len(signature))),
	}
	for _, at := range []int{0, len(signature) / 2, len(signature) - 1} {
		flipped := bytes.Clone(signature)
		flipped[at] ^= 1
		all[fmt.Sprint("with a bit changed in byte ", at)] = with(string(header), flipped)
	}
	for _, name := range names() {
		other := fmt.Sprintf(`{"alg":%q}`, name)
		if !bytes.Contains(header, []byte(name)) {
			all["called "+string(name)] = with(other, signature)
		}
	}
	return all
}

// FuzzReadyRSA: a key that was made ready says what crypto/rsa says, whatever the signature;
// of bytes above all that are nearly one.
func FuzzReadyRSA(f *testing.F) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	ready := newReadyRSA(&private.PublicKey)
	hashed := sha256.Sum256([]byte("text"))
	good, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, hashed[:])
	if err != nil {
		f.Fatal(err)
	}
	modulus := private.N.Bytes()
	above := new(big.Int).Add(new(big.Int).SetBytes(good), private.N)
	// Signed forms that lenient verifiers have taken: other padding, something behind the
	// hash, no parameters in the DigestInfo, a hash of another kind.
	form := func(middle ...byte) []byte {
		em := append([]byte{0, 1}, middle...)
		em = append(em, make([]byte, 256-len(em))...)
		return new(big.Int).Exp(new(big.Int).SetBytes(em), private.D, private.N).FillBytes(make([]byte, 256))
	}
	info := append(bytes.Clone(digestInfo[crypto.SHA256]), hashed[:]...)
	for _, s := range [][]byte{
		good, nil, {}, modulus, make([]byte, 256), good[1:], append([]byte{0}, good...), above.Bytes(),
		form(append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0}, info...)...),
		form(append(append(bytes.Repeat([]byte{0xff}, 202), 0), info...)...),
		form(append(append(bytes.Repeat([]byte{0xff}, 201), 0xfe, 0), info...)...),
	} {
		f.Add(s, 0, byte(0))
		f.Add(s, 255, byte(1))
	}
	f.Fuzz(func(t *testing.T, signature []byte, at int, change byte) {
		signature = bytes.Clone(signature)
		if at >= 0 && at < len(signature) {
			signature[at] ^= change
		}
		for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA1} {
			sum := make([]byte, hash.Size())
			copy(sum, hashed[:])
			got, want := ready.fits(hash, sum, signature), rsa.VerifyPKCS1v15(&private.PublicKey, hash, sum, signature) == nil
			if got != want {
				t.Errorf("%v of %x: got %v, crypto/rsa says %v", hash, signature, got, want)
			}
			if got && !bytes.Equal(signature, good) {
				t.Errorf("%x is taken for a signature", signature)
			}
		}
	})
}

// TestOnlyUsualKeysAreMadeReady: what is unusual about a key is crypto/rsa's to judge.
func TestOnlyUsualKeysAreMadeReady(t *testing.T) {
	odd := func(bits uint) *big.Int {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return n.SetBit(n, 0, 1)
	}
	for name, test := range map[string]struct {
		key  rsa.PublicKey
		want bool
	}{
		"usual":              {rsa.PublicKey{N: odd(2048), E: 65537}, true},
		"larger":             {rsa.PublicKey{N: odd(4096), E: 65537}, true},
		"too small":          {rsa.PublicKey{N: odd(1024), E: 65537}, false},
		"too large":          {rsa.PublicKey{N: odd(8192), E: 65537}, false},
		"of broken bytes":    {rsa.PublicKey{N: odd(2049), E: 65537}, false},
		"another exponent":   {rsa.PublicKey{N: odd(2048), E: 3}, false},
		"the exponent one":   {rsa.PublicKey{N: odd(2048), E: 1}, false},
		"an even modulus":    {rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}, false},
		"a negative modulus": {rsa.PublicKey{N: new(big.Int).Neg(odd(2048)), E: 65537}, false},
		"no modulus":         {rsa.PublicKey{E: 65537}, false},
	} {
		if got := newReadyRSA(&test.key) != nil; got != test.want {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}
