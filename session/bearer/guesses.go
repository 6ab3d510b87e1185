package bearer

import (
	"fmt"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// Guesses bounds how many tokens that are no good an address may try. Its methods return
// quickly and may be called by several goroutines at once; an empty address is nobody's.
//
// It is asked about tokens that are not in the cache and that somebody would have to be
// asked about, and about JWTs that are bad, so that what is good goes on working for other
// people behind the same address. It is told of each token once, or twice of a JWT: a
// program that sends the same bad token all day guesses nothing. What is no token, or of no
// provider here, it is not told of.
type Guesses interface {
	// Wait says how long an address has to wait before a token of its is looked up; zero:
	// not at all.
	Wait(client string) time.Duration
	// Failed is told of a token of an address that was looked up and is no good.
	Failed(client string)
}

// unbounded are the Guesses of those who do not count them.
type unbounded struct{}

func (unbounded) Wait(string) time.Duration { return 0 }
func (unbounded) Failed(string)             {}

// guessed is what becomes of a JWT of an address that was found bad without asking anybody.
func (v *Verifier) guessed(e *entry, client string) (*entry, error) {
	if wait := v.Guesses.Wait(client); wait > 0 {
		return nil, tooManyGuesses(wait)
	}
	v.Guesses.Failed(client)
	return e, nil
}

// tooManyGuesses is the outcome of a token that is not looked up. Whether it is good is not
// known, or not told.
func tooManyGuesses(wait time.Duration) *session.Unavailable {
	return &session.Unavailable{
		Reason:     session.ReasonTooManyRequests,
		Sentence:   "Too many access tokens that are not valid came from your address within a minute.",
		RetryAfter: wait,
		Cause:      fmt.Errorf("too many bad tokens from one address: none is looked up for %v", wait.Round(time.Second)),
	}
}
