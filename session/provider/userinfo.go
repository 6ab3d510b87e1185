package provider

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// Answers of a provider about a token that are no outage.
var (
	// ErrTokenRefused: the provider does not know the token, or no longer (401).
	ErrTokenRefused = errors.New("the provider refused the token")
	// ErrNoClaims: the provider knows the token, but gives no claims for it (403:
	// a token without the scope openid), or has no userinfo endpoint.
	ErrNoClaims = errors.New("the provider gives no claims for the token")
)

// UserInfo asks the userinfo endpoint with an access token (OpenID Connect Core
// section 5.3). The reply has a sub; comparing it is for the caller, who knows
// with what. The error wraps ErrTokenRefused or ErrNoClaims, or is a
// *session.Unavailable: a 5xx is never read as an answer, GitLab gives one for
// blocked people.
func (p *Provider) UserInfo(ctx context.Context, accessToken string) (session.Claims, error) {
	md, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	if md.UserInfoEndpoint == "" {
		return nil, ErrNoClaims
	}
	req, err := http.NewRequestWithContext(asking(ctx, EndpointUserInfo), http.MethodGet, md.UserInfoEndpoint, nil)
	if err != nil {
		return nil, p.unavailable("userinfo", 0, err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	r, err := p.call(req)
	if err != nil {
		return nil, p.unavailable("userinfo", 0, err)
	}
	switch r.status {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return nil, ErrTokenRefused
	case http.StatusForbidden:
		return nil, ErrNoClaims
	default:
		cause := fmt.Errorf("expected status 200, got %d", r.status)
		if r.status >= 500 {
			cause = fmt.Errorf("%w: %w", ErrServer, cause)
		}
		return nil, p.unavailable("userinfo", retryAfter(r.header), cause)
	}
	claims, err := p.readUserInfo(ctx, r)
	if err != nil {
		if u, ok := asUnavailable(err); ok {
			return nil, u
		}
		return nil, p.unavailable("userinfo", 0, err)
	}
	dropElsewhere(claims)
	return claims, nil
}

// Answers reports whether the provider answers others while it fails for one person: it
// is asked about a token that nobody has, which needs what a person's needs, and should
// refuse it. GitLab fails with status 500 for people who are blocked, and for them alone.
func (p *Provider) Answers(ctx context.Context) bool {
	_, err := p.UserInfo(ctx, "nobody-"+rand.Text())
	return errors.Is(err, ErrTokenRefused) || errors.Is(err, ErrNoClaims)
}

func (p *Provider) readUserInfo(ctx context.Context, r *reply) (session.Claims, error) {
	var claims session.Claims
	var err error
	switch kind, _, _ := mime.ParseMediaType(r.header.Get("Content-Type")); kind {
	case "application/jwt":
		claims, err = p.readSignedUserInfo(ctx, strings.TrimSpace(string(r.body)))
	case "application/json":
		claims, err = parseReply(r.body)
	default:
		err = errors.New("expected application/json or application/jwt, got another type")
	}
	if err != nil {
		return nil, err
	}
	return claims, CheckSubject(claims)
}

// readSignedUserInfo checks a signed reply including iss and aud, which go-oidc
// does not (Core section 5.3.2). It need not have exp.
func (p *Provider) readSignedUserInfo(ctx context.Context, raw string) (session.Claims, error) {
	u, ok := Peek(raw)
	if !ok {
		return nil, ErrMalformed
	}
	claims := u.Claims
	if err := p.keys.verify(ctx, u); err != nil {
		return nil, err
	}
	if iss, _ := claims.String("iss"); iss != p.Issuer {
		return nil, ErrIssuer
	}
	if !slices.ContainsFunc(claims.Strings("aud"), p.Listed) {
		return nil, errors.New("aud of the signed reply names no client listed here")
	}
	if exp, there, err := numericDate(claims, "exp"); err != nil {
		return nil, err
	} else if there && !p.Now().Add(-leeway).Before(exp) {
		return nil, ErrExpired
	}
	return claims, nil
}

// retryAfter reads Retry-After in seconds, at most a minute; zero if there is
// none (RFC 9110 section 10.2.3).
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.ParseUint(h.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Second, time.Minute)
}
