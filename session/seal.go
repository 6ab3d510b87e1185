package session

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// Sizes of a sealed value: key id, salt, box. The box is the ciphertext and the
// 16 bytes of its authentication tag.
const (
	// MinSecret is the least length of a master secret, in bytes.
	MinSecret = 32

	keyIDSize = 4
	saltSize  = 24
	tagSize   = 16
)

// ErrNotOpened says that a sealed value was altered, was cut short, was sealed
// for another purpose or place, or was sealed with a secret that is not known
// here. It does not say which: the difference helps nobody but an attacker.
var ErrNotOpened = errors.New("sealed value cannot be opened")

// A Sealer encrypts and authenticates what claimproxy hands to browsers or writes
// to disk. Each value is sealed under a key of its own, derived with HKDF-SHA-256
// (RFC 5869) from a master secret, a random salt and a label, by AES-256-GCM:
//
//	key id (4) | salt (24) | ciphertext and tag
//
// A fresh key for every value means that nonces cannot repeat, however many values
// are sealed, and that sealing the same twice gives different output. The label
// keeps purposes apart: what was sealed as a sign-in attempt never opens as
// anything else. The additional data keeps places apart, such as cookie names.
//
// A Sealer is safe for concurrent use. The zero value opens nothing.
type Sealer struct {
	masters []master
}

type master struct {
	id     [keyIDSize]byte
	secret []byte
}

// NewSealer makes a Sealer. The first secret seals, all open: to rotate, put the
// new one first and take the old one away when all that it sealed is over. Each
// must be at least MinSecret bytes of randomness; a pass phrase is no secret.
func NewSealer(secrets [][]byte) (*Sealer, error) {
	if len(secrets) == 0 {
		return nil, errors.New("sealer: no secret")
	}
	s := &Sealer{masters: make([]master, 0, len(secrets))}
	for i, secret := range secrets {
		if len(secret) < MinSecret {
			return nil, fmt.Errorf("sealer: secret %d is %d bytes long, expected at least %d", i+1, len(secret), MinSecret)
		}
		m := master{secret: bytes.Clone(secret)}
		copy(m.id[:], deriveKey(m.secret, nil, "key id"))
		s.masters = append(s.masters, m)
	}
	return s, nil
}

// Seal encrypts plaintext for the purpose that label names and binds it to aad,
// which is not part of the result and must be given again to open it.
func (s *Sealer) Seal(label string, plaintext, aad []byte) []byte {
	m := s.masters[0]
	out := make([]byte, 0, keyIDSize+saltSize+len(plaintext)+tagSize)
	return sealUnder(append(out, m.id[:]...), m.secret, label, plaintext, aad)
}

// Open decrypts what Seal returned for the same label and aad. The error is
// ErrNotOpened.
func (s *Sealer) Open(label string, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < keyIDSize {
		return nil, ErrNotOpened
	}
	for _, m := range s.masters {
		if !bytes.Equal(m.id[:], sealed[:keyIDSize]) {
			continue
		}
		if plaintext, err := openUnder(m.secret, label, sealed, keyIDSize, aad); err == nil {
			return plaintext, nil
		}
	}
	return nil, ErrNotOpened
}

// Derive returns 48 bytes for a purpose, from each of the secrets in their order: whoever
// has the same secrets derives the same. That is enough for a number below any of 256 bits to
// be as good as random (FIPS 186-5 appendix A.2.1).
func (s *Sealer) Derive(purpose string) [][]byte {
	all := make([][]byte, len(s.masters))
	for i, m := range s.masters {
		all[i] = append(deriveKey(m.secret, nil, "derived "+purpose), deriveKey(m.secret, nil, "derived further "+purpose)[:16]...)
	}
	return all
}

// Knows reports whether a text may have been made by SealText with one of the secrets,
// and whether that is the first. It looks at the key's id alone, which costs nothing:
// who is right about it need not be able to open anything.
func (s *Sealer) Knows(text string) (known, first bool) {
	const enough = 8 // characters for six bytes
	if len(text) < enough {
		return false, false
	}
	var in, raw [enough]byte
	copy(in[:], text)
	if n, err := base64.RawURLEncoding.Decode(raw[:], in[:]); err != nil || n < keyIDSize {
		return false, false
	}
	for i := range s.masters {
		if [keyIDSize]byte(raw[:keyIDSize]) == s.masters[i].id {
			return true, i == 0
		}
	}
	return false, false
}

// Tags hash a text for the purpose that label names: one result for each secret, that
// of the first secret first. Without a secret nobody can tell which text a tag is of.
func (s *Sealer) Tags(label, text string) []Tag {
	tags := make([]Tag, len(s.masters))
	for i, m := range s.masters {
		mac := hmac.New(sha256.New, deriveKey(m.secret, nil, "tag "+label))
		mac.Write([]byte(text))
		mac.Sum(tags[i][:0])
	}
	return tags
}

// SealText is Seal in the alphabet of cookies and URLs: base64url without padding
// (RFC 4648 section 5).
func (s *Sealer) SealText(label string, plaintext, aad []byte) string {
	return base64.RawURLEncoding.EncodeToString(s.Seal(label, plaintext, aad))
}

// OpenText is Open for what SealText returned.
func (s *Sealer) OpenText(label, text string, aad []byte) ([]byte, error) {
	sealed, err := decodeText(text)
	if err != nil {
		return nil, ErrNotOpened
	}
	return s.Open(label, sealed, aad)
}

// decodeText accepts exactly one spelling of each value: no padding, no line
// breaks, no spare bits. Otherwise two different cookies could be the same.
func decodeText(text string) ([]byte, error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, err
	}
	if len(text) != base64.RawURLEncoding.EncodedLen(len(data)) {
		return nil, errors.New("line break in base64url text")
	}
	return data, nil
}

// sealUnder appends salt, ciphertext and tag to prefix, which is authenticated
// with the rest. The secret is a master secret, or a session's own key from the
// cookie; both go through the same derivation.
func sealUnder(prefix, secret []byte, label string, plaintext, aad []byte) []byte {
	n := len(prefix)
	var salt [saltSize]byte
	rand.Read(salt[:]) // never fails: crypto/rand ends the program instead
	out := append(prefix, salt[:]...)
	return newAEAD(secret, salt[:], label).Seal(out, zeroNonce[:], plaintext, joinAAD(out[:n], aad))
}

// openUnder reverses sealUnder; the first prefix bytes of sealed are its prefix.
func openUnder(secret []byte, label string, sealed []byte, prefix int, aad []byte) ([]byte, error) {
	if len(sealed) < prefix+saltSize+tagSize {
		return nil, ErrNotOpened
	}
	salt, box := sealed[prefix:prefix+saltSize], sealed[prefix+saltSize:]
	plaintext, err := newAEAD(secret, salt, label).Open(nil, zeroNonce[:], box, joinAAD(sealed[:prefix], aad))
	if err != nil {
		return nil, ErrNotOpened
	}
	return plaintext, nil
}

// zeroNonce may be constant because no key seals twice: 192 bits of salt make
// each key.
var zeroNonce [12]byte

// joinAAD needs no separator: for one format the prefix has always one length.
func joinAAD(prefix, aad []byte) []byte {
	return append(bytes.Clone(prefix), aad...)
}

func newAEAD(secret, salt []byte, label string) cipher.AEAD {
	block, err := aes.NewCipher(deriveKey(secret, salt, "seal "+label))
	if err != nil {
		panic(err) // the key is 32 bytes long by construction
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size that GCM asks for
	}
	return aead
}

// deriveKey makes 32 bytes from a secret for one purpose. The version in info
// would change with the construction.
func deriveKey(secret, salt []byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, secret, salt, "claimproxy v1 "+purpose, 32)
	if err != nil {
		panic(err) // 32 bytes are within HKDF's limit of 255 blocks
	}
	return key
}
