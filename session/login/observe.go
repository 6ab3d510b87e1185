package login

import (
	"errors"

	"github.com/claimproxy/claimproxy/session"
)

// Observer is told of people who sign in and of sessions that are renewed, for those who
// count. Its methods return quickly and may be called by several goroutines at once.
type Observer interface {
	// SignedIn is told how a provider's answer came out, by the provider's id: ResultOK,
	// or the reason word.
	SignedIn(provider, result string)
	// Renewed is told how a renewal of a session came out, in the same way.
	Renewed(provider, result string)
}

// ResultOK is what came of something that worked.
const ResultOK = "ok"

// unobserved is the Observer of those who do not count.
type unobserved struct{}

func (unobserved) SignedIn(string, string) {}
func (unobserved) Renewed(string, string)  {}

// resultOf is the reason word of an error, or ResultOK.
func resultOf(err error) string {
	var (
		f        *failure
		rejected *session.Rejected
		u        *session.Unavailable
	)
	switch {
	case err == nil:
		return ResultOK
	case errors.As(err, &f):
		return string(f.reason)
	case errors.As(err, &rejected):
		return string(rejected.Reason)
	case errors.As(err, &u):
		return string(u.Reason)
	}
	return string(session.ReasonProviderUnavailable)
}
