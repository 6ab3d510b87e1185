package bearer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// lookupTimeout bounds all calls to the provider that one unknown token causes.
const lookupTimeout = 10 * time.Second

// Config is what a Verifier needs.
type Config struct {
	// Providers are those whose tokens are accepted.
	Providers []*provider.Provider
	// Needs are the top-level claims that policies and headers use. Where a JWT
	// lacks one of them, userinfo is asked for it.
	Needs []string
	// Resource is the identifier, without path, under which a host is published as
	// a protected resource (RFC 9728), such as https://api.example.org. Tokens for
	// it, or for a path below it that the request is in, are accepted. Nil
	// publishes nothing.
	Resource func(host string) string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log receives what lookups met; nil discards it.
	Log *slog.Logger
}

// Verifier checks tokens. It is safe for concurrent use; Close ends it.
type Verifier struct {
	Config
	cache   *cache
	lookups singleflight.Group
}

// New makes a verifier. Nobody is called.
func New(c Config) *Verifier {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Resource == nil {
		c.Resource = func(string) string { return "" }
	}
	return &Verifier{Config: c, cache: newCache(c.Now)}
}

// Close forgets all tokens and ends the cache's goroutine.
func (v *Verifier) Close() { v.cache.close() }

// Verify says whose token was presented. The error is a *session.Rejected or a
// *session.Unavailable, or the context's own.
func (v *Verifier) Verify(ctx context.Context, shown session.Presented) (*session.Identity, error) {
	p, err := v.providerOf(shown.Token)
	if err != nil {
		return nil, err
	}
	key := keyOf(p.ID, shown.Token)
	e, ok := v.cache.get(key)
	if !ok {
		if e, err = v.lookUpOnce(ctx, p, key, shown.Token); err != nil {
			return nil, err
		}
	}
	return v.admit(e, shown)
}

// admit answers one request from what is known about its token. What depends on
// the request is decided here, each time; what depends on the token alone is in
// the entry.
func (v *Verifier) admit(e *entry, shown session.Presented) (*session.Identity, error) {
	switch {
	case e.refused != nil:
		return nil, e.refused
	case !e.expires.IsZero() && !v.Now().Before(e.expires):
		return nil, session.Reject(session.ReasonTokenExpired, "The access token has expired.", nil)
	case e.audience != nil && !v.published(e.audience, shown):
		return nil, session.Reject(session.ReasonTokenAudience, "The access token was issued for another service.",
			fmt.Errorf("aud %q names no listed client, no configured audience and not this resource", e.audience))
	}
	return e.identity, nil
}

// published says whether an audience is the resource published for this host, or
// a path below it that the request is in.
func (v *Verifier) published(audience []string, shown session.Presented) bool {
	origin := v.Resource(shown.Host)
	if origin == "" {
		return false
	}
	for _, aud := range audience {
		below, ok := strings.CutPrefix(aud, origin)
		if !ok {
			continue
		}
		if below = strings.TrimSuffix(below, "/"); below == "" || shown.Path == below ||
			below[0] == '/' && strings.HasPrefix(shown.Path, below+"/") {
			return true
		}
	}
	return false
}

// providerOf says which provider a token is from: the issuer that a JWT names,
// else the only provider there is. What an unverified token says only decides
// whose keys it must fit.
func (v *Verifier) providerOf(token string) (*provider.Provider, error) {
	if _, claims, ok := provider.Peek(token); ok {
		if iss, ok := claims.String("iss"); ok {
			for _, p := range v.Providers {
				if p.Issuer == iss {
					return p, nil
				}
			}
			return nil, session.Reject(session.ReasonTokenProvider, "The access token is from a provider that is not accepted here.", nil)
		}
	}
	if len(v.Providers) == 1 {
		return v.Providers[0], nil
	}
	return nil, session.Reject(session.ReasonTokenProvider, "It cannot be told which provider the access token is from.", nil)
}

// lookUpOnce finds out about a token. However many requests bring the same new
// token at once, the provider is asked once; a waiter whose request ends leaves.
func (v *Verifier) lookUpOnce(ctx context.Context, p *provider.Provider, key key, token string) (*entry, error) {
	result := v.lookups.DoChan(string(key[:]), func() (any, error) {
		if e, ok := v.cache.get(key); ok { // another lookup has just ended
			return e, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		e, err := v.lookUp(ctx, p, token)
		if err != nil {
			return nil, err
		}
		v.cache.put(key, e, p.Bearer.CacheMax)
		return e, nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*entry), nil
	}
}

// lookUp finds out about a token: an entry, also for a refusal, or the error
// that it cannot be known now.
func (v *Verifier) lookUp(ctx context.Context, p *provider.Provider, token string) (*entry, error) {
	check := v.checkOpaque
	if _, _, ok := provider.Peek(token); ok {
		check = v.checkJWT
	}
	e, err := check(ctx, p, token)
	var rejected *session.Rejected
	if errors.As(err, &rejected) {
		v.Log.Debug("token refused", "provider", p.ID, "reason", string(rejected.Reason), "cause", rejected.Cause)
		return &entry{refused: rejected}, nil
	}
	return e, err
}
