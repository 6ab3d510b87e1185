package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// ErrNoEndpoint says that a provider does not have what it would take.
var ErrNoEndpoint = errors.New("the provider has no such endpoint")

// maxHint bounds the ID token in a URL. Many servers refuse a request line beyond 8 KiB,
// and an ID token may have a person's five hundred groups.
const maxHint = 6 << 10

// Revoke has the provider end a token, and what was granted with it (RFC 7009 section
// 2.1). kind is "refresh_token" or "access_token". A token that the provider does not
// know is as good as revoked. The error wraps ErrNoEndpoint or ErrClientRefused, or is a
// *session.Unavailable.
func (p *Provider) Revoke(ctx context.Context, token, kind string) error {
	md, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	if md.RevocationEndpoint == "" {
		return fmt.Errorf("revocation: %w", ErrNoEndpoint)
	}
	methods := md.RevocationAuth
	if len(methods) == 0 {
		methods = md.TokenAuth
	}
	form := url.Values{"token": {token}, "token_type_hint": {kind}}
	req, err := p.formRequest(asking(ctx, EndpointRevocation), md.RevocationEndpoint, form, p.Client, methods)
	if err != nil {
		return p.unavailable("revocation", 0, err)
	}
	r, err := p.call(req)
	switch {
	case err != nil:
		return p.unavailable("revocation", 0, err)
	case r.status == http.StatusOK || r.status == http.StatusNoContent:
		return nil
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden:
		return fmt.Errorf("%w: revocation: status %d, error %q", ErrClientRefused, r.status, errorCode(r.body))
	}
	return p.unavailable("revocation", retryAfter(r.header), fmt.Errorf("expected status 200, got %d, error %q", r.status, errorCode(r.body)))
}

// EndSessionURL is where a browser goes to sign out at the provider, and which leads it
// back to returnTo with state (OpenID Connect RP-Initiated Logout section 2). idToken may
// be empty: then the provider asks the person. The error wraps ErrNoEndpoint, or is a
// *session.Unavailable.
func (p *Provider) EndSessionURL(ctx context.Context, idToken, returnTo, state string) (string, error) {
	md, err := p.Metadata(ctx)
	if err != nil {
		return "", err
	}
	if md.EndSessionEndpoint == "" {
		return "", fmt.Errorf("end_session_endpoint: %w", ErrNoEndpoint)
	}
	q := url.Values{"client_id": {p.Client.ID}, "post_logout_redirect_uri": {returnTo}, "state": {state}}
	if idToken != "" && len(idToken) <= maxHint {
		q.Set("id_token_hint", idToken)
	}
	sep := "?"
	if strings.Contains(md.EndSessionEndpoint, "?") {
		sep = "&"
	}
	return md.EndSessionEndpoint + sep + q.Encode(), nil
}
