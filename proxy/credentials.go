package proxy

import (
	"context"
	"errors"
	"net/http"

	"github.com/claimproxy/claimproxy/session"
)

// Sessions says who a request's session cookie belongs to. The error is one of the
// outcomes of package session. *session.Store is one.
type Sessions interface {
	Identify(r *http.Request) (*session.Identity, error)
}

// Tokens says whom an access token was given to. The error is one of the outcomes
// of package session.
type Tokens interface {
	Verify(ctx context.Context, p session.Presented) (*session.Identity, error)
}

// errNobody says that nobody is known; it may wrap a *session.Rejected of a session
// that is over.
var errNobody = errors.New("nobody is known")

// nobody is errNobody with the reason why.
type nobody struct{ why error }

func (e nobody) Error() string   { return errNobody.Error() + ": " + e.why.Error() }
func (e nobody) Unwrap() []error { return []error{errNobody, e.why} }

// whoSends says who sends a request to a route that asks for somebody. An access token
// on a route that takes them decides alone: no cookie makes up for it, and none is
// read. Otherwise the session cookie decides, where the route takes it. Other
// schemes of Authorization are the upstream's business.
func (p *Proxy) whoSends(ctx context.Context, q Question) (*session.Identity, error) {
	switch shown, shows, err := q.Route.shown(q.Request); {
	case err != nil:
		return nil, err
	case shows:
		shown.Header, shown.Host, shown.Path = q.Request.Header, q.Target.Host, q.Target.Path
		if !q.again { // what was let in does not wait because others guess
			shown.Client = q.Client
		}
		id, err := p.tokens.Verify(ctx, shown)
		if errors.Is(err, session.ErrNoCredentials) || err == nil && id == nil {
			return nil, session.Reject(session.ReasonTokenInvalid, "The access token is not known.", nil)
		}
		return id, err
	}
	if !q.Route.SignIn.Has(Browser) {
		return nil, errNobody
	}
	identify := p.sessions.Identify
	if l, ok := p.sessions.(looker); ok && q.again {
		identify = l.Look
	}
	id, err := identify(q.Request)
	var rejected *session.Rejected
	switch {
	case errors.Is(err, session.ErrNoCredentials), err == nil && id == nil:
		return nil, errNobody
	case errors.As(err, &rejected):
		return nil, nobody{rejected}
	}
	return id, err
}
