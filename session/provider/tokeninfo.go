package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

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
	asked := p.Now() // what is left was counted before the reply came
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
	c, err := parseReply(r.body)
	if err != nil {
		return nil, p.unavailable("token information", 0, err)
	}
	info := &TokenInfo{Owner: text(c["resource_owner_id"]), Scope: c.Strings("scope")}
	if app, ok := c["application"].(map[string]any); ok {
		info.ClientID, _ = app["uid"].(string)
	}
	left, err := seconds(c["expires_in"])
	switch {
	case err != nil:
		return nil, p.unavailable("token information", 0, fmt.Errorf("expires_in: %w", err))
	case left != nil:
		info.Expires = asked.Add(*left)
	}
	return info, nil
}

// seconds reads a number of seconds that are left, nil for none. Beyond a century
// it is a century: a time.Duration holds no more than three.
func seconds(v any) (*time.Duration, error) {
	if v == nil {
		return nil, nil
	}
	n, ok := v.(json.Number)
	if !ok {
		return nil, errors.New("it is not a number")
	}
	f, err := n.Float64()
	if err != nil {
		return nil, errors.New("it is out of range")
	}
	const century = 100 * 365 * 24 * 60 * 60
	left := time.Duration(min(max(f, 0), century) * float64(time.Second))
	return &left, nil
}
