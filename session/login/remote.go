package login

import (
	"context"
	"net/http"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// Remote knows sessions without their cookies, so that they can be ended from elsewhere:
// by the provider, by the person in another browser. *session.Store is one.
type Remote interface {
	// Current returns the ID of the request's session.
	Current(r *http.Request) (string, error)
	// List returns a person's sessions.
	List(ctx context.Context, issuer, subject string) ([]session.Summary, error)
	// EndOne ends one of a person's sessions, EndAll all but those with an ID in except.
	// Each returns what it has ended.
	EndOne(ctx context.Context, issuer, subject, id string) ([]session.Summary, error)
	EndAll(ctx context.Context, issuer, subject string, except ...string) ([]session.Summary, error)
	// EndLogin ends the sessions of one login at the provider and, where a subject is
	// given, those of that person of which it is not known which login they are of.
	EndLogin(ctx context.Context, issuer, sid, subject string) ([]session.Summary, error)
	// Once returns nil the first time that it is called for a name and session.ErrExists
	// each later time, until then; Used says whether it was.
	Once(ctx context.Context, name string, until time.Time) error
	Used(ctx context.Context, name string) (bool, error)
}

// Tokens is told when a provider has signed somebody out. *bearer.Verifier is one.
type Tokens interface {
	// Forget has the person's tokens checked again.
	Forget(issuer, subject string)
}

// forgetTokens has everybody's tokens checked again who has a session among those.
func (h *Handler) forgetTokens(ended []session.Summary) {
	if h.Tokens == nil {
		return
	}
	for _, s := range ended {
		if s.Subject != "" {
			h.Tokens.Forget(s.Issuer, s.Subject)
		}
	}
}
