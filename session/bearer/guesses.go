package bearer

import (
	"fmt"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// Guesses bounds how many tokens that are no good an address may try. Its methods return
// quickly and may be called by several goroutines at once; an empty address is nobody's.
//
// It is asked about tokens that are not in the cache, so that those of other people behind
// the same address go on working, and told of each token once: a program that sends the
// same bad token all day guesses nothing. What is refused without asking anybody, because
// it is no token or of no provider here, is not told either.
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

// tooManyGuesses is the outcome of a token that is not looked up: whether it is good is
// not known, so that it is no bad one.
func tooManyGuesses(wait time.Duration) *session.Unavailable {
	return &session.Unavailable{
		Reason:     session.ReasonTooManyRequests,
		Sentence:   "Too many access tokens that are not valid came from your address. Please try again in a moment.",
		RetryAfter: wait,
		Cause:      fmt.Errorf("too many bad tokens from one address: none is looked up for %v", wait.Round(time.Second)),
	}
}
