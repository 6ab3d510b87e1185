package provider

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

const (
	// The age of keys is what Cache-Control says, within these bounds.
	minKeyAge     = 5 * time.Minute
	defaultKeyAge = time.Hour
	maxKeyAge     = 24 * time.Hour
	// maxKeys bounds a key set.
	maxKeys = 100
)

// keys is one fetched key set. It is not changed.
type keys struct {
	list []key
	// renew is when they are fetched again beside requests, expires when a request
	// waits for that.
	renew, expires time.Time
}

// key is one public key of a provider, as crypto/rsa, crypto/ecdsa and crypto/ed25519 have
// it.
type key struct {
	// id and algorithm are empty where the provider does not say.
	id, algorithm string
	public        any
	ready         *readyRSA // nil where there is none
}

func newKey(id, algorithm string, public any) key {
	k := key{id: id, algorithm: algorithm, public: public}
	if r, ok := public.(*rsa.PublicKey); ok {
		k.ready = newReadyRSA(r)
	}
	return k
}

// finding is what a key set says of a signature.
type finding int

const (
	unknownKey   finding = iota // no key has the token's key id, or it has none and no key fits
	badSignature                // a key has the token's key id, and the signature is not by it
	verified
)

// verify tries the keys that the header may mean. A key id that is known decides,
// also where its key is for another algorithm: otherwise a token under a known key
// id could make us fetch.
func (k *keys) verify(s *signed) finding {
	found := unknownKey
	for i := range k.list {
		key := &k.list[i]
		if s.keyID != "" && key.id != s.keyID {
			continue
		}
		if s.keyID != "" {
			found = badSignature
		}
		if s.by(key) {
			return verified
		}
	}
	return found
}

// parseKeys reads a JWK set (RFC 7517 section 5). Keys that cannot verify a
// signature, and kinds of key that are not known, are passed over; so are private
// ones, with which anybody can sign. A set without any key is an answer: the
// provider has withdrawn them all.
func parseKeys(body []byte) ([]key, error) {
	if _, err := parseReply(body); err != nil { // no member twice
		return nil, err
	}
	var doc map[string]json.RawMessage // names exact, unlike those of a struct
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, errors.New("the reply is not JSON")
	}
	var list []json.RawMessage
	if err := json.Unmarshal(doc["keys"], &list); err != nil || list == nil {
		return nil, errors.New("key set has no list of keys")
	}
	if len(list) > maxKeys {
		return nil, fmt.Errorf("key set has %d keys, more than %d", len(list), maxKeys)
	}
	usable := make([]key, 0, len(list))
	for _, raw := range list {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) != nil || k.Use != "" && k.Use != "sig" || !k.IsPublic() || !k.Valid() {
			continue
		}
		usable = append(usable, newKey(k.KeyID, k.Algorithm, k.Key))
	}
	return usable, nil
}

// CheckKeys reports why a file of keys cannot be used.
func CheckKeys(data []byte) error {
	list, err := parseKeys(data)
	if err == nil && len(list) == 0 {
		err = errors.New("it has no public key for signatures")
	}
	return err
}

// keyAge reads Cache-Control (RFC 9111 section 5.2.2).
func keyAge(h http.Header) time.Duration {
	age := defaultKeyAge
	for _, d := range strings.Split(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), ",") {
		d = strings.TrimSpace(d)
		if d == "no-store" || d == "no-cache" {
			return minKeyAge
		}
		v, ok := strings.CutPrefix(d, "max-age=")
		if !ok {
			continue
		}
		// A number beyond all bounds counts as the largest (section 1.2.2).
		if n, err := strconv.ParseUint(v, 10, 31); err == nil {
			age = time.Duration(n) * time.Second
		} else if errors.Is(err, strconv.ErrRange) {
			age = maxKeyAge
		}
	}
	return min(max(age, minKeyAge), maxKeyAge)
}
