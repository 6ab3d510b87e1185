package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// ErrClientRefused says that the provider did not accept a client's credentials.
// It says nothing about the token that was asked about.
var ErrClientRefused = errors.New("the provider refused the client's credentials")

// Introspection is the answer about a token (RFC 7662 section 2.2).
type Introspection struct {
	// Active is true only for the JSON boolean true. All else is empty unless it
	// is.
	Active bool
	// Claims is the whole reply.
	Claims session.Claims
	// Expires is exp; zero when the token does not end (Doorkeeper sends 0).
	Expires time.Time
	// NotBefore is nbf; zero when the reply does not say.
	NotBefore time.Time
}

// Introspect asks about a token with the credentials of one client. "Not active"
// is an answer to this client: Doorkeeper gives it to every client but the
// token's own. The error wraps ErrClientRefused, or is a *session.Unavailable.
func (p *Provider) Introspect(ctx context.Context, client Client, token string) (*Introspection, error) {
	md, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	if md.IntrospectionEndpoint == "" {
		return nil, p.unavailable("introspection", 0, errors.New("the provider announces no introspection_endpoint"))
	}
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	methods := md.IntrospectionAuth
	if len(methods) == 0 {
		methods = md.TokenAuth
	}
	req, err := p.formRequest(ctx, md.IntrospectionEndpoint, form, client, methods)
	if err != nil {
		return nil, p.unavailable("introspection", 0, err)
	}
	r, err := p.call(req)
	if err != nil {
		return nil, p.unavailable("introspection", 0, err)
	}
	switch {
	case r.status == http.StatusOK:
	case r.status == http.StatusTooManyRequests || r.status == http.StatusRequestTimeout || r.status >= 500 || r.status < 400:
		return nil, p.unavailable("introspection", retryAfter(r.header), fmt.Errorf("expected status 200, got %d", r.status))
	default:
		return nil, fmt.Errorf("%w: client %q: status %d, error %q", ErrClientRefused, client.ID, r.status, errorCode(r.body))
	}
	claims, err := parseReply(r.body)
	if err != nil {
		return nil, p.unavailable("introspection", 0, err)
	}
	in := &Introspection{Claims: claims}
	if active, ok := claims["active"].(bool); !ok || !active {
		return in, nil
	}
	in.Active = true
	if in.Expires, err = expiry(claims, "exp"); err != nil {
		return nil, p.unavailable("introspection", 0, err)
	}
	if in.NotBefore, err = expiry(claims, "nbf"); err != nil {
		return nil, p.unavailable("introspection", 0, err)
	}
	return in, nil
}

// expiry reads a date where zero and null mean that there is no end.
func expiry(c session.Claims, name string) (time.Time, error) {
	if c[name] == nil {
		return time.Time{}, nil
	}
	t, _, err := numericDate(c, name)
	if err != nil || t.Equal(time.Unix(0, 0)) {
		return time.Time{}, err
	}
	return t, nil
}
