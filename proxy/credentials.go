package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

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

// maxToken bounds the length of a bearer token.
const maxToken = 8 << 10

// errNobody says that nobody is known; it may wrap a *session.Rejected of a session
// that is over.
var errNobody = errors.New("nobody is known")

// nobody is errNobody with the reason why.
type nobody struct{ why error }

func (e nobody) Error() string   { return errNobody.Error() + ": " + e.why.Error() }
func (e nobody) Unwrap() []error { return []error{errNobody, e.why} }

// whoSends says who sends a request to a route that asks for somebody. A bearer token
// on a route that takes them decides alone: no cookie makes up for it, and none is
// read. Otherwise the session cookie decides, where the route takes it. Other
// schemes of Authorization are the upstream's business.
func (p *Proxy) whoSends(ctx context.Context, q Question) (*session.Identity, error) {
	if q.Route.SignIn.Has(Bearer) {
		if authorization := q.Request.Header["Authorization"]; len(authorization) == 1 && isBearer(authorization[0]) {
			token, ok := bearerToken(authorization[0])
			if !ok {
				return nil, session.Reject(session.ReasonTokenInvalid, "The bearer token is malformed.", nil)
			}
			id, err := p.tokens.Verify(ctx, session.Presented{Token: token, Host: q.Target.Host, Path: q.Target.Path})
			if errors.Is(err, session.ErrNoCredentials) || err == nil && id == nil {
				return nil, session.Reject(session.ReasonTokenInvalid, "The bearer token is not known.", nil)
			}
			return id, err
		}
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

// isBearer reports whether the scheme of an Authorization field is Bearer, in any
// case (RFC 9110 section 11.1). The scheme ends where its letters end, so that
// "Bearer\tx" is a malformed bearer token and not some other scheme.
func isBearer(authorization string) bool {
	const scheme = "bearer"
	if len(authorization) < len(scheme) || !strings.EqualFold(authorization[:len(scheme)], scheme) {
		return false
	}
	if len(authorization) == len(scheme) {
		return true
	}
	return !isTokenByte(authorization[len(scheme)])
}

// bearerToken returns the token of an Authorization field whose scheme is Bearer.
// It must be "Bearer" 1*SP b64token (RFC 6750 section 2.1); whatever else it is,
// nobody is asked about it.
func bearerToken(authorization string) (string, bool) {
	rest := authorization[len("bearer"):]
	token := strings.TrimLeft(rest, " ")
	if token == rest || token == "" || len(token) > maxToken {
		return "", false
	}
	body := strings.TrimRight(token, "=")
	if body == "" {
		return "", false
	}
	for i := 0; i < len(body); i++ {
		if !isAlphanumeric(body[i]) && strings.IndexByte("-._~+/", body[i]) < 0 {
			return "", false
		}
	}
	return token, true
}

// ownWebsocket reports whether a request is no websocket, or comes from a page of
// its own origin. Browsers send cookies with websockets that any page opens, and no
// preflight asks before: the Origin is all there is (RFC 6455 section 10.2).
func ownWebsocket(q Question) bool {
	if !isWebsocket(q.Request) {
		return true
	}
	origins := q.Request.Header["Origin"]
	return len(origins) == 1 && sameOrigin(origins[0], &q.Target)
}

// sameOrigin reports whether an Origin field (RFC 6454 section 7) is the target's
// own.
func sameOrigin(field string, t *Target) bool {
	u, err := url.Parse(field)
	if err != nil || u.Scheme != t.Scheme || u.User != nil || u.Opaque != "" ||
		u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return false
	}
	host, authority, fault := canonicalHost(u.Host)
	return fault == nil && host == t.Host && effectivePort(u.Scheme, host, authority) == effectivePort(t.Scheme, t.Host, t.Authority)
}

func effectivePort(scheme, host, authority string) string {
	switch port := strings.TrimPrefix(authority[len(host):], ":"); {
	case port != "":
		return port
	case scheme == "https":
		return "443"
	default:
		return "80"
	}
}
