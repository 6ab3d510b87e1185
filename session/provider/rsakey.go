package provider

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	"crypto/rsa"

	"filippo.io/bigmod"
)

// crypto/rsa makes a public key ready for calculating with it anew for each signature,
// which is a third of what a signature costs. A provider's keys are few and are here for
// hours, so they are made ready once; the calculation is that of the standard library,
// which filippo.io/bigmod gives out. What is verified is public, so no time that it takes
// tells anything.

// readyRSA is an RSA key that is ready for RSASSA-PKCS1-v1_5.
type readyRSA struct {
	modulus *bigmod.Modulus
	size    int // of the modulus and of every signature, in bytes
}

// exponent is that of practically every key; the others are left to crypto/rsa.
const exponent = 65537

// newReadyRSA returns nil for a key that is left to crypto/rsa: one of an unusual size or
// exponent, and every one where the standard library's own module is to be used (FIPS 140).
func newReadyRSA(k *rsa.PublicKey) *readyRSA {
	if fips140.Enabled() || k.E != exponent || k.N == nil || k.N.Sign() <= 0 || k.N.Bit(0) == 0 {
		return nil
	}
	if bits := k.N.BitLen(); bits%8 != 0 || bits < 2048 || bits > 4096 {
		return nil
	}
	modulus, err := bigmod.NewModulus(k.N.Bytes())
	if err != nil {
		return nil
	}
	return &readyRSA{modulus: modulus, size: modulus.Size()}
}

// digestInfo begins the DER encoding of a DigestInfo, whose hash follows (RFC 8017 section
// 9.2 note 1).
var digestInfo = map[crypto.Hash][]byte{
	crypto.SHA256: {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20},
	crypto.SHA384: {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30},
	crypto.SHA512: {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40},
}

// fits is RSASSA-PKCS1-V1_5-VERIFY (RFC 8017 section 8.2.2). What the signature has to
// come to is made whole and compared whole: nothing of what it does come to is read, so
// that there is nothing to be lenient about.
func (k *readyRSA) fits(hash crypto.Hash, hashed, signature []byte) bool {
	prefix, known := digestInfo[hash]
	if !known || len(hashed) != hash.Size() || len(signature) != k.size {
		return false
	}
	s, err := bigmod.NewNat().SetBytes(signature, k.modulus) // an error if it is not below the modulus
	if err != nil {
		return false
	}
	got := bigmod.NewNat().ExpShortVarTime(s, exponent, k.modulus).Bytes(k.modulus)

	want := make([]byte, k.size)
	padding := k.size - len(prefix) - len(hashed)
	want[1] = 1
	for i := 2; i < padding-1; i++ {
		want[i] = 0xff
	}
	copy(want[padding:], prefix)
	copy(want[padding+len(prefix):], hashed)
	return bytes.Equal(got, want)
}
