package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
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

// keySet is the provider's published keys.
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

// verify checks the signature of a JWT. The error wraps ErrSignature when the token is
// bad for certain, and is a *session.Unavailable when that cannot be known now.
func (s *keySet) verify(ctx context.Context, u *Unverified) error {
	sig, err := signedAs(u)
	if err != nil {
		return err
	}
	if s.fixed != nil {
		if s.fixed.verify(sig) != verified {
			return errNoConfiguredKey
		}
		return nil
	}
	held, looked, err := s.usable(ctx)
	if err != nil {
		return err
	}
	found := held.verify(sig)
	if found == unknownKey && !looked {
		// The provider may have rotated its keys. One look, at most every
		// fetchInterval; in between it cannot be known.
		looked, err = s.renew(ctx)
		if latest := s.snapshot(); latest != held {
			found = latest.verify(sig)
		}
	}
	switch {
	case found == verified:
		return nil
	case found == badSignature:
		return errBadSignature
	case err != nil:
		return s.unavailable(err)
	case looked:
		return fmt.Errorf("%w: no published key fits", ErrSignature)
	case sig.keyID == "": // every key was tried, and they are seconds old
		return fmt.Errorf("%w: no published key fits a token without key id", ErrSignature)
	}
	return s.unavailable(errors.New("they were just fetched and do not have this key id"))
}

var (
	errNoConfiguredKey = fmt.Errorf("%w: none of the configured keys fits", ErrSignature)
	errBadSignature    = fmt.Errorf("%w: bad signature under a known key id", ErrSignature)
)

// verifyHeld is verify with the keys that are here and have not aged. sure is false when
// they do not suffice, and whether the token is good has to be found out with verify.
func (s *keySet) verifyHeld(u *Unverified) (sure bool, err error) {
	sig, err := signedAs(u)
	if err != nil {
		return true, err
	}
	if s.fixed != nil {
		if s.fixed.verify(sig) != verified {
			return true, errNoConfiguredKey
		}
		return true, nil
	}
	held := s.snapshot()
	if held == nil || !s.p.Now().Before(held.renew) {
		return false, nil
	}
	switch held.verify(sig) {
	case verified:
		return true, nil
	case badSignature:
		return true, errBadSignature
	}
	return false, nil
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
