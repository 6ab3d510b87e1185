package provider

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
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
	req, err := p.formRequest(asking(ctx, EndpointIntrospection), md.IntrospectionEndpoint, form, client, methods)
	if err != nil {
		return nil, p.unavailable("introspection", 0, err)
	}
	req.Header.Set("Accept", "application/json, application/"+introspectionJWT+";q=0.9")
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
	claims, err := p.readIntrospection(ctx, r, client)
	if u, ok := asUnavailable(err); ok {
		return nil, u
	}
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

// introspectionJWT is the type of a signed reply.
const introspectionJWT = "token-introspection+jwt"

// readIntrospection reads a reply: JSON, or JSON in a JWT (RFC 9701 section 5), which has
// to be of this provider and for the client that has asked. What such a JWT says stands in
// one member of it, so that it is no token about anybody.
func (p *Provider) readIntrospection(ctx context.Context, r *reply, client Client) (session.Claims, error) {
	if kind, _, _ := mime.ParseMediaType(r.header.Get("Content-Type")); kind != "application/"+introspectionJWT {
		return parseReply(r.body)
	}
	raw := strings.TrimSpace(string(r.body))
	u, ok := Peek(raw)
	if !ok {
		return nil, ErrMalformed
	}
	if err := p.keys.verify(ctx, u); err != nil {
		return nil, err
	}
	if typ := (&JWT{Header: u.Header}).Typ(); typ != introspectionJWT {
		return nil, fmt.Errorf("the reply is another kind of JWT, %s", quote(typ))
	}
	if iss, _ := u.Claims.String("iss"); iss != p.Issuer {
		return nil, ErrIssuer
	}
	if !slices.Contains(u.Claims.Strings("aud"), client.ID) {
		return nil, errors.New("aud of the signed reply is not the client that has asked")
	}
	iat, ok, err := numericDate(u.Claims, "iat")
	if err != nil || !ok || iat.After(p.Now().Add(leeway)) || iat.Before(p.Now().Add(-callTimeout-leeway)) {
		return nil, errors.New("the signed reply was not made just now")
	}
	claims, ok := u.Claims["token_introspection"].(map[string]any)
	if !ok {
		return nil, errors.New("the signed reply has no token_introspection")
	}
	return claims, nil
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
