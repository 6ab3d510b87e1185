package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	jose "github.com/go-jose/go-jose/v4"
)

const (
	// fetchInterval is the least time between two fetches of keys, whatever
	// clients send.
	fetchInterval = 10 * time.Second
	// outageMemory is how long after a failed fetch aged keys are used at once:
	// requests do not queue up behind a provider that hangs.
	outageMemory = time.Minute
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
	fixed  *keys // configured, and never fetched; nil for fetched ones

	mu    sync.Mutex
	held  *keys     // nil until the first fetch
	tried time.Time // the last fetch, successful or not
	err   error     // of the last fetch
}

var _ oidc.KeySet = (*keySet)(nil)

// VerifySignature returns the payload of a signed JWT. The error wraps
// ErrSignature when the token is bad for certain, and is a *session.Unavailable
// when that cannot be known now.
func (s *keySet) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	jws, err := parseJWS(raw)
	if err != nil {
		return nil, err
	}
	if s.fixed != nil {
		payload, found := s.fixed.verify(jws)
		if found != verified {
			return nil, fmt.Errorf("%w: none of the configured keys fits", ErrSignature)
		}
		return payload, nil
	}
	held, looked, err := s.usable(ctx)
	if err != nil {
		return nil, err
	}
	payload, found := held.verify(jws)
	if found == unknownKey && !looked {
		// The provider may have rotated its keys. One look, at most every
		// fetchInterval; in between it cannot be known.
		looked, err = s.renew(ctx)
		if latest := s.snapshot(); latest != held {
			payload, found = latest.verify(jws)
		}
	}
	switch {
	case found == verified:
		return payload, nil
	case found == badSignature:
		return nil, fmt.Errorf("%w: bad signature under a known key id", ErrSignature)
	case err != nil:
		return nil, s.unavailable(err)
	case looked:
		return nil, fmt.Errorf("%w: no published key fits", ErrSignature)
	case keyID(jws) == "": // every key was tried, and they are seconds old
		return nil, fmt.Errorf("%w: no published key fits a token without key id", ErrSignature)
	}
	return nil, s.unavailable(errors.New("they were just fetched and do not have this key id"))
}

// usable returns keys that have not aged, or aged ones while the provider is
// down. looked says that they were fetched during this call.
func (s *keySet) usable(ctx context.Context) (held *keys, looked bool, err error) {
	now := s.p.Now()
	s.mu.Lock()
	held, down := s.held, s.err != nil && now.Sub(s.tried) < outageMemory
	s.mu.Unlock()
	switch {
	case held == nil:
	case now.Before(held.renew):
		return held, false, nil
	case now.Before(held.expires), down:
		if s.mayFetch() {
			s.flight.start(ctx, s.p, s.fetch) // beside this request
		}
		return held, false, nil
	}
	looked, err = s.renew(ctx)
	if held = s.snapshot(); held == nil {
		return nil, false, s.unavailable(err)
	}
	return held, looked && err == nil, nil
}

// renew fetches the keys unless that was done within fetchInterval, or waits for
// the fetch that is under way. looked says whether either happened; the error is
// that of the last fetch.
func (s *keySet) renew(ctx context.Context) (looked bool, err error) {
	if s.mayFetch() {
		return true, s.flight.start(ctx, s.p, s.fetch).wait(ctx)
	}
	// Asked in this order: no fetch is allowed because one has begun, which is under
	// way or has ended, and then snapshot has what it brought.
	if r := s.flight.join(); r != nil {
		return true, r.wait(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return false, s.err
}

func (s *keySet) snapshot() *keys {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

func (s *keySet) mayFetch() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tried.IsZero() || s.p.Now().Sub(s.tried) >= fetchInterval
}

// unavailable is the outcome while the keys that are needed cannot be had.
func (s *keySet) unavailable(cause error) error {
	if u, ok := asUnavailable(cause); ok { // discovery, which knows when to try again
		return u
	}
	s.mu.Lock()
	wait := fetchInterval - s.p.Now().Sub(s.tried)
	s.mu.Unlock()
	return s.p.unavailable("signing keys", max(wait, time.Second), cause)
}

// fetch replaces the keys. On failure the old ones stay.
func (s *keySet) fetch(ctx context.Context) error {
	// Where the keys are is asked first: an outage of discovery has its own
	// back-off and is no fetch of keys.
	md, err := s.p.Metadata(ctx)
	if err != nil {
		return err
	}
	now := s.p.Now()
	s.mu.Lock()
	if !s.tried.IsZero() && now.Sub(s.tried) < fetchInterval {
		defer s.mu.Unlock()
		return s.err // another caller's fetch has just ended
	}
	s.tried = now
	s.mu.Unlock()

	fresh, err := s.load(ctx, md.JWKSURI, now)
	if o := s.p.Observer; o != nil {
		o.KeysFetched(err == nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	if err != nil {
		s.p.Log.Warn("fetching keys failed", "error", err, "known", s.held != nil)
		return err
	}
	s.held = fresh
	return nil
}

func (s *keySet) load(ctx context.Context, uri string, now time.Time) (*keys, error) {
	req, err := http.NewRequestWithContext(asking(ctx, EndpointKeys), http.MethodGet, uri, nil)
	if err != nil {
		return nil, err
	}
	r, err := s.p.call(req)
	if err != nil {
		return nil, err
	}
	if r.status != http.StatusOK {
		return nil, fmt.Errorf("expected status 200, got %d", r.status)
	}
	list, err := parseKeys(r.body)
	if err != nil {
		return nil, err
	}
	age := keyAge(r.header)
	return &keys{list: list, renew: now.Add(age - age/5), expires: now.Add(age)}, nil
}

// parseJWS reads the compact form. Extensions that a header calls critical are
// not known here (RFC 7515 section 4.1.11), and b64 has no place in a JWT (RFC
// 7797 section 7). go-jose's own errors quote the header, which anybody may have
// written.
func parseJWS(raw string) (*jose.JSONWebSignature, error) {
	jws, err := jose.ParseSignedCompact(raw, joseAlgs)
	if err != nil {
		var alg *jose.ErrUnexpectedSignatureAlgorithm
		if errors.As(err, &alg) {
			return nil, fmt.Errorf("%w: the algorithm is none that is accepted", ErrSignature)
		}
		return nil, fmt.Errorf("%w: the signed form cannot be read", ErrSignature)
	}
	for _, name := range []jose.HeaderKey{"crit", "b64"} {
		if _, there := jws.Signatures[0].Protected.ExtraHeaders[name]; there {
			return nil, fmt.Errorf("%w: its header has %s", ErrSignature, name)
		}
	}
	return jws, nil
}

func keyID(jws *jose.JSONWebSignature) string { return jws.Signatures[0].Protected.KeyID }
