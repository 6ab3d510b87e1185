package provider

import (
	"context"
	"errors"
	"fmt"
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
	case r.status == http.StatusTooManyRequests || r.status >= 500 || r.status < 400:
		return nil, p.unavailable("introspection", retryAfter(r.header), fmt.Errorf("expected status 200, got %d", r.status))
	default:
		return nil, fmt.Errorf("%w: client %q: status %d, error %q", ErrClientRefused, client.ID, r.status, errorCode(r.body))
	}
	claims, err := session.ParseClaims(r.body)
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
	return in, nil
}

// expiry reads a date where zero and null mean that there is no end.
func expiry(c session.Claims, name string) (time.Time, error) {
	if c[name] == nil {
		return time.Time{}, nil
	}
	t, _, err := numericDate(c, name)
	if err != nil || t.Unix() == 0 {
		return time.Time{}, err
	}
	return t, nil
}

// TokenInfo is Doorkeeper's answer about a token, given to whoever holds it.
type TokenInfo struct {
	// ClientID is the application the token was issued to.
	ClientID string
	// Owner is the id of the person, empty for a token without a user.
	Owner string
	// Scope lists the token's scopes.
	Scope []string
	// Expires is zero when the token does not end.
	Expires time.Time
}

// TokenInfo asks Doorkeeper's token information with nothing but the token. The
// error wraps ErrTokenRefused, or is a *session.Unavailable.
func (p *Provider) TokenInfo(ctx context.Context, token string) (*TokenInfo, error) {
	md, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	if md.TokenInfoEndpoint == "" {
		return nil, p.unavailable("token information", 0, errors.New("the provider has no token_info_endpoint"))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, md.TokenInfoEndpoint, nil)
	if err != nil {
		return nil, p.unavailable("token information", 0, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	r, err := p.call(req)
	if err != nil {
		return nil, p.unavailable("token information", 0, err)
	}
	switch {
	case r.status == http.StatusOK:
	case r.status == http.StatusUnauthorized,
		// GitLab's own words for a token it does not know
		r.status == http.StatusBadRequest && slices.Contains([]string{"invalid_request", "invalid_token"}, errorCode(r.body)):
		return nil, ErrTokenRefused
	default:
		return nil, p.unavailable("token information", retryAfter(r.header), fmt.Errorf("expected status 200, got %d", r.status))
	}
	c, err := session.ParseClaims(r.body)
	if err != nil {
		return nil, p.unavailable("token information", 0, err)
	}
	info := &TokenInfo{Owner: text(c["resource_owner_id"]), Scope: c.Strings("scope")}
	if app, ok := c["application"].(map[string]any); ok {
		info.ClientID, _ = app["uid"].(string)
	}
	if c["expires_in"] != nil {
		left, _, err := numericDate(c, "expires_in")
		if err != nil {
			return nil, p.unavailable("token information", 0, err)
		}
		info.Expires = p.Now().Add(time.Duration(left.Unix()) * time.Second)
	}
	return info, nil
}

// formRequest makes a POST that authenticates a client as the provider's list of
// methods asks: by default with HTTP Basic (RFC 6749 section 2.3.1); a public
// client names itself in the form.
func (p *Provider) formRequest(ctx context.Context, endpoint string, form url.Values, client Client, methods []string) (*http.Request, error) {
	basic := client.Secret != "" && !inForm(methods)
	if !basic {
		form.Set("client_id", client.ID)
		if client.Secret != "" {
			form.Set("client_secret", client.Secret)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if basic {
		req.SetBasicAuth(url.QueryEscape(client.ID), url.QueryEscape(client.Secret))
	}
	return req, nil
}

// inForm says whether a client secret goes into the form: only where the
// provider lists client_secret_post and not client_secret_basic.
func inForm(methods []string) bool {
	return slices.Contains(methods, "client_secret_post") && !slices.Contains(methods, "client_secret_basic")
}

// errorCode reads the error member of an OAuth error reply (RFC 6749 section
// 5.2), in the characters that section allows, for the log.
func errorCode(body []byte) string {
	c, err := session.ParseClaims(body)
	if err != nil {
		return ""
	}
	code, _ := c.String("error")
	return CleanCode(code)
}

// CleanCode keeps of an error code what RFC 6749 section 5.2 allows in one, bounded,
// so that it can be logged.
func CleanCode(code string) string {
	code = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, code)
	return code[:min(len(code), 64)]
}
