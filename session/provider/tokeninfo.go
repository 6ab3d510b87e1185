package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// TokenInfo is what token information says about a token, to whoever holds it. There are
// two manners: Doorkeeper's (GitLab) and Google's.
type TokenInfo struct {
	// ClientID is the application the token was issued to. Audience is the application
	// it is for, where Google names another one; else it is the same.
	ClientID, Audience string
	// Owner is the id of the person, in the provider's own way of counting; empty where
	// none is named.
	Owner string
	// Subject is sub. Doorkeeper does not say it.
	Subject string
	// Alone says for certain that there is no person behind the token.
	Alone bool
	// Scope lists the token's scopes.
	Scope []string
	// Expires is zero when the token does not end.
	Expires time.Time
}

// googleTokenInfo is where Google tells about tokens. Its discovery document does not say.
const googleTokenInfo = "https://oauth2.googleapis.com/tokeninfo"

// inGooglesManner says whether an endpoint is asked as Google's is: by its name.
func inGooglesManner(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && strings.HasSuffix(u.Path, "/tokeninfo")
}

// tokenInfoRequest asks with nothing but the token. Google reads it from a form, and
// never is it put into the address, which is logged.
func (p *Provider) tokenInfoRequest(ctx context.Context, endpoint, token string) (*http.Request, error) {
	if inGooglesManner(endpoint) {
		form := url.Values{"access_token": {token}}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
		if err == nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		return req, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint, nil)
	if err == nil {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, err
}

// TokenInfo asks token information. The error wraps ErrTokenRefused, or is a
// *session.Unavailable.
func (p *Provider) TokenInfo(ctx context.Context, token string) (*TokenInfo, error) {
	md, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	if md.TokenInfoEndpoint == "" {
		return nil, p.unavailable("token information", 0, errors.New("the provider has no token_info_endpoint"))
	}
	req, err := p.tokenInfoRequest(asking(ctx, EndpointTokenInfo), md.TokenInfoEndpoint, token)
	if err != nil {
		return nil, p.unavailable("token information", 0, err)
	}
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
	read := doorkeepersInfo
	if inGooglesManner(md.TokenInfoEndpoint) {
		read = googlesInfo
	}
	info, err := read(c, asked)
	if err != nil {
		return nil, p.unavailable("token information", 0, err)
	}
	return info, nil
}

// doorkeepersInfo reads a reply in Doorkeeper's manner.
func doorkeepersInfo(c session.Claims, asked time.Time) (*TokenInfo, error) {
	info := &TokenInfo{Owner: text(c["resource_owner_id"]), Scope: c.Strings("scope")}
	info.Alone = info.Owner == ""
	if app, ok := c["application"].(map[string]any); ok {
		info.ClientID, _ = app["uid"].(string)
	}
	info.Audience = info.ClientID
	left, err := seconds(c["expires_in"])
	switch {
	case err != nil:
		return nil, fmt.Errorf("expires_in: %w", err)
	case left != nil:
		info.Expires = asked.Add(*left)
	}
	return info, nil
}

// googlesInfo reads a reply in Google's manner, where numbers are texts. Google knows no
// token without an end: a reply that has none is no such reply.
func googlesInfo(c session.Claims, asked time.Time) (*TokenInfo, error) {
	info := &TokenInfo{}
	info.Audience, _ = c.String("aud")
	if info.ClientID, _ = c.String("azp"); info.ClientID == "" {
		info.ClientID = info.Audience
	}
	if c["sub"] != nil {
		if err := CheckSubject(c); err != nil {
			return nil, err
		}
		info.Subject, _ = c.String("sub")
		info.Owner = info.Subject
	}
	scope, _ := c.String("scope")
	info.Scope = strings.Fields(scope)
	left, err := strconv.ParseInt(text(c["expires_in"]), 10, 32)
	if err != nil {
		return nil, errors.New("expires_in is no number of seconds")
	}
	info.Expires = asked.Add(time.Duration(max(left, 0)) * time.Second)
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
