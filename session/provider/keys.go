package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/claimproxy/claimproxy/session"
)

const (
	// fetchInterval is the least time between two fetches of keys, whatever
	// clients send.
	fetchInterval = 10 * time.Second
	// The age of keys is what Cache-Control says, within these bounds.
	minKeyAge     = 5 * time.Minute
	defaultKeyAge = time.Hour
	maxKeyAge     = 24 * time.Hour
	// maxKeys bounds a key set.
	maxKeys = 100
)

// ErrSignature says that a token's signature is bad, or made with a key that the
// provider does not publish. It says so for certain.
var ErrSignature = errors.New("signature is not by a key of the provider")

// keySet is the provider's published keys. It implements oidc.KeySet.
//
// go-oidc's own RemoteKeySet fetches for every token that it cannot verify and
// never forgets a key. This one fetches at most every fetchInterval, forgets
// keys when they have aged, and goes on with the old ones while the provider is
// down.
type keySet struct {
	p      *Provider
	flight flight

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	expires time.Time // of keys; zero when there are none yet
	tried   time.Time // the last fetch, successful or not
	err     error     // of the last fetch
}

// VerifySignature returns the payload of a signed JWT. The error wraps
// ErrSignature when the token is bad for certain, and is a *session.Unavailable
// when that cannot be known now.
func (s *keySet) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	algs := make([]jose.SignatureAlgorithm, len(signingAlgs))
	for i, a := range signingAlgs {
		algs[i] = jose.SignatureAlgorithm(a)
	}
	jws, err := jose.ParseSignedCompact(raw, algs)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	header := jws.Signatures[0].Protected
	if _, ok := header.ExtraHeaders["b64"]; ok { // RFC 7797 section 7
		return nil, fmt.Errorf("%w: b64 has no place in a JWT", ErrSignature)
	}

	keys, err := s.fresh(ctx)
	if err != nil {
		return nil, err
	}
	payload, known := verifyWith(jws, keys)
	if payload != nil {
		return payload, nil
	}
	if known && header.KeyID != "" {
		return nil, fmt.Errorf("%w: bad signature under the known key id", ErrSignature)
	}
	// The key is unknown: the provider may have rotated. One look, at most every
	// fetchInterval; in between it cannot be known.
	looked, err := s.renew(ctx)
	switch {
	case err != nil:
		return nil, s.p.unavailable("fetching keys", s.wait(), err)
	case !looked && known: // no key id: every published key was tried
		return nil, fmt.Errorf("%w: no published key fits", ErrSignature)
	case !looked:
		return nil, s.p.unavailable("keys were just fetched and do not have this key id", s.wait(), errors.New("unknown key id"))
	}
	if payload, _ = verifyWith(jws, s.snapshot()); payload != nil {
		return payload, nil
	}
	return nil, fmt.Errorf("%w: no published key fits", ErrSignature)
}

// verifyWith tries the keys that fit the header. known says whether there was
// one.
func verifyWith(jws *jose.JSONWebSignature, keys []jose.JSONWebKey) (payload []byte, known bool) {
	h := jws.Signatures[0].Protected
	for i := range keys {
		k := &keys[i]
		if h.KeyID != "" && k.KeyID != h.KeyID || k.Algorithm != "" && k.Algorithm != h.Algorithm {
			continue
		}
		known = true
		if p, err := jws.Verify(k.Key); err == nil {
			return p, true
		}
	}
	return nil, known
}

// fresh returns keys that have not aged, or aged ones while the provider is down.
func (s *keySet) fresh(ctx context.Context) ([]jose.JSONWebKey, error) {
	now := s.p.Now()
	s.mu.Lock()
	keys, aged, last := s.keys, !now.Before(s.expires), s.err
	s.mu.Unlock()
	if !aged {
		return keys, nil
	}
	looked, err := s.renew(ctx)
	if !looked {
		err = last
	}
	if keys = s.snapshot(); keys == nil {
		return nil, s.p.unavailable("fetching keys", s.wait(), err)
	}
	return keys, nil
}

// renew fetches the keys unless that was done within fetchInterval, or waits for
// the fetch that is under way. looked says whether either happened.
func (s *keySet) renew(ctx context.Context) (looked bool, err error) {
	if !s.mayFetch() && !s.flight.running() {
		return false, nil
	}
	return true, s.flight.do(ctx, s.fetch)
}

func (s *keySet) snapshot() []jose.JSONWebKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys
}

func (s *keySet) mayFetch() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tried.IsZero() || s.p.Now().Sub(s.tried) >= fetchInterval
}

// wait is the time until the next fetch is allowed.
func (s *keySet) wait() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(fetchInterval-s.p.Now().Sub(s.tried), time.Second)
}

// fetch replaces the keys. On failure the old ones stay.
func (s *keySet) fetch(ctx context.Context) error {
	now := s.p.Now()
	s.mu.Lock()
	if !s.tried.IsZero() && now.Sub(s.tried) < fetchInterval {
		defer s.mu.Unlock()
		return s.err // another caller's flight has just landed
	}
	s.tried = now
	s.mu.Unlock()

	keys, age, err := s.load(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	if err != nil {
		s.p.Log.Warn("fetching keys failed", "error", err, "known", len(s.keys))
		return err
	}
	s.keys, s.expires = keys, now.Add(age)
	return nil
}

func (s *keySet) load(ctx context.Context) ([]jose.JSONWebKey, time.Duration, error) {
	md, err := s.p.Metadata(ctx)
	if err != nil {
		return nil, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, md.JWKSURI, nil)
	if err != nil {
		return nil, 0, err
	}
	r, err := s.p.call(req)
	if err != nil {
		return nil, 0, err
	}
	if r.status != http.StatusOK {
		return nil, 0, fmt.Errorf("expected status 200, got %d", r.status)
	}
	keys, err := parseKeys(r.body)
	return keys, keyAge(r.header), err
}

// parseKeys reads a JWK set (RFC 7517 section 5). Keys that cannot verify a
// signature, and kinds of key that are not known, are passed over.
func parseKeys(body []byte) ([]jose.JSONWebKey, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	if len(doc.Keys) > maxKeys {
		return nil, fmt.Errorf("key set has %d keys, more than %d", len(doc.Keys), maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, raw := range doc.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) != nil || k.Use != "" && k.Use != "sig" || !k.IsPublic() || !k.Valid() {
			continue
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("key set has no public signing key")
	}
	return keys, nil
}

func keyAge(h http.Header) time.Duration {
	for _, d := range strings.Split(h.Get("Cache-Control"), ",") {
		if v, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(d)), "max-age="); ok {
			if n, err := strconv.ParseUint(v, 10, 31); err == nil {
				return min(max(time.Duration(n)*time.Second, minKeyAge), maxKeyAge)
			}
		}
	}
	return defaultKeyAge
}

var _ interface {
	VerifySignature(context.Context, string) ([]byte, error)
} = (*keySet)(nil)

// asUnavailable finds the outcome "cannot know now" in an error.
func asUnavailable(err error) (*session.Unavailable, bool) {
	var u *session.Unavailable
	return u, errors.As(err, &u)
}
