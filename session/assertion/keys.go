package assertion

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
	"math/big"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/claimproxy/claimproxy/session"
)

// rotation is how long a key signs.
const rotation = 7 * 24 * time.Hour

// keys are those of one week.
type keys struct {
	week   int64
	signer jose.Signer
	// published is the key set: those of the week before, of this one and the next, of every
	// secret, since replicas may not all have the newest secret yet.
	published string
}

// current returns the keys of this week.
func (s *Signer) current() (*keys, error) {
	week := s.now().Unix() / int64(rotation/time.Second)
	if k := s.keys.Load(); k != nil && k.week == week {
		return k, nil
	}
	k, err := newKeys(s.sealer, week)
	if err != nil {
		return nil, fmt.Errorf("assertion: %w", err)
	}
	s.keys.Store(k) // whoever comes at the same time derives the same
	return k, nil
}

func newKeys(sealer *session.Sealer, week int64) (*keys, error) {
	k := &keys{week: week}
	var public []jose.JSONWebKey
	for _, w := range []int64{week, week + 1, week - 1} {
		for i, seed := range sealer.Derive(fmt.Sprintf("assertion %d", w)) {
			private, err := keyFrom(seed)
			if err != nil {
				return nil, err
			}
			jwk := jose.JSONWebKey{Key: private, Algorithm: string(jose.ES256), Use: "sig"}
			print, err := jwk.Thumbprint(crypto.SHA256) // RFC 7638
			if err != nil {
				return nil, err
			}
			jwk.KeyID = base64.RawURLEncoding.EncodeToString(print[:12])
			public = append(public, jwk.Public())
			if w == week && i == 0 {
				k.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jwk}, (&jose.SignerOptions{}).WithType("JWT"))
				if err != nil {
					return nil, err
				}
			}
		}
	}
	var err error
	k.published, err = set(public)
	return k, err
}

// keyFrom makes a key of random bytes, of which there are enough for none to be likelier
// than another (FIPS 186-5 appendix A.2.1).
func keyFrom(seed []byte) (*ecdsa.PrivateKey, error) {
	order := new(big.Int).Sub(elliptic.P256().Params().N, big.NewInt(1))
	d := new(big.Int).SetBytes(seed)
	d.Mod(d, order).Add(d, big.NewInt(1))
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), d.FillBytes(make([]byte, 32)))
}
