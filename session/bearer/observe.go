package bearer

import (
	"errors"

	"github.com/claimproxy/claimproxy/session"
)

// Observer is told about tokens, for those who count. What it has called returns quickly
// and may be called by several goroutines at once.
type Observer interface {
	// LookedUp is told of a token that was not in the cache: the id of its provider, its
	// kind, and what was found out.
	LookedUp(provider, kind, result string)
	// Found returns what is to be called whenever a token like that is found in the
	// cache. It is asked beforehand, so that a request, which is in a hurry, only has to
	// count.
	Found(provider, kind, result string) (count func())
}

// The kinds of tokens, by how they are looked up.
const (
	KindJWT    = "jwt"
	KindOpaque = "opaque"
	// KindIDToken is an ID token beside an access token.
	KindIDToken = "id_token"
)

// What is found out about a token.
const (
	// ResultGood is a token that is good, for one resource at least.
	ResultGood = "good"
	// ResultRefused is one that is not.
	ResultRefused = "refused"
	// ResultUnknown says that it could not be known.
	ResultUnknown = "unknown"
)

// unobserved is the Observer of those who do not count.
type unobserved struct{}

func (unobserved) LookedUp(string, string, string)     {}
func (unobserved) Found(string, string, string) func() { return func() {} }

// sort is what tokens that are counted together have in common.
type sort struct{ provider, kind, result string }

// counts returns what counts each sort of token in the cache.
func counts(c *Config) map[sort]func() {
	all := make(map[sort]func())
	for _, p := range c.Providers {
		for _, kind := range []string{KindJWT, KindOpaque, KindIDToken} {
			for _, result := range []string{ResultGood, ResultRefused} {
				all[sort{p.ID, kind, result}] = c.Observer.Found(p.ID, kind, result)
			}
		}
	}
	return all
}

// resultOf says what came of a lookup.
func resultOf(e *entry, err error) string {
	switch {
	case err != nil && !errors.As(err, new(*session.Rejected)):
		return ResultUnknown
	case err != nil || e.refused != nil:
		return ResultRefused
	}
	return ResultGood
}
