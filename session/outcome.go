package session

import (
	"errors"
	"fmt"
	"time"
)

// Three outcomes stay three. Asking who is calling ends with an identity, or
// with one of these errors:
//
//   - ErrNoCredentials: nothing was presented that counts here; ask the next way.
//   - *Rejected: something was presented and it is bad; 401, never a fallback.
//   - *Unavailable: it cannot be known now; 503, never 401.
//
// Any other error is a fault of ours and is treated as Unavailable would be.

// ErrNoCredentials says that the request carries no credentials of the kind that
// was asked for.
var ErrNoCredentials = errors.New("no credentials")

// Reason is the stable word for an outcome, written to the audit log and sent as
// the code of problem+json. Words are never renamed.
type Reason string

// The reasons why a caller is not known.
const (
	ReasonNoCredentials       Reason = "no-credentials"
	ReasonSessionExpired      Reason = "session-expired"
	ReasonSessionEnded        Reason = "session-ended"
	ReasonStepUp              Reason = "step-up"
	ReasonTokenInvalid        Reason = "token-invalid"
	ReasonTokenExpired        Reason = "token-expired"
	ReasonTokenClient         Reason = "token-client"
	ReasonTokenAudience       Reason = "token-audience"
	ReasonTokenKind           Reason = "token-kind"
	ReasonTokenProvider       Reason = "token-provider"
	ReasonTwoCredentials      Reason = "two-credentials"
	ReasonProviderUnavailable Reason = "provider-unavailable"
	ReasonStoreUnavailable    Reason = "store-unavailable"
	// ReasonTooManyRequests: it is not looked up, as the client has had too many looked up.
	ReasonTooManyRequests Reason = "too-many-requests"
)

// Rejected is the outcome "bad credentials".
type Rejected struct {
	// Reason is the stable word.
	Reason Reason
	// Sentence tells a person what is wrong. It never quotes the credential.
	Sentence string
	// Cause is for the log and may be nil. It never contains a secret.
	Cause error
}

func (e *Rejected) Error() string { return outcomeText(e.Reason, e.Sentence, e.Cause) }

// Unwrap returns the cause.
func (e *Rejected) Unwrap() error { return e.Cause }

// Reject makes a Rejected.
func Reject(reason Reason, sentence string, cause error) *Rejected {
	return &Rejected{Reason: reason, Sentence: sentence, Cause: cause}
}

// Unavailable is the outcome "cannot know now".
type Unavailable struct {
	// Reason is the stable word.
	Reason Reason
	// Sentence tells a person what is missing and that trying again may help.
	Sentence string
	// RetryAfter is when asking again makes sense; zero means a few seconds.
	RetryAfter time.Duration
	// Cause is for the log and may be nil. It never contains a secret.
	Cause error
}

func (e *Unavailable) Error() string { return outcomeText(e.Reason, e.Sentence, e.Cause) }

// Unwrap returns the cause.
func (e *Unavailable) Unwrap() error { return e.Cause }

// Seconds is RetryAfter as the Retry-After header has it: whole seconds, rounded
// up, at least one; a few when nothing is known (RFC 9110 section 10.2.3).
func (e *Unavailable) Seconds() int {
	const few = 5 * time.Second
	wait := e.RetryAfter
	if wait <= 0 {
		wait = few
	}
	return int((wait + time.Second - 1) / time.Second)
}

func outcomeText(reason Reason, sentence string, cause error) string {
	if cause == nil {
		return fmt.Sprintf("%s: %s", reason, sentence)
	}
	return fmt.Sprintf("%s: %s: %v", reason, sentence, cause)
}
