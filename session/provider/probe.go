package provider

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// The functions here ask a provider what only somebody who sets claimproxy up wants to
// know. No request of a user comes here.

// KeyCount fetches the signing keys, unless they are known, and says how many there are.
func (p *Provider) KeyCount(ctx context.Context) (int, error) {
	held, _, err := p.keys.usable(ctx)
	if err != nil {
		return 0, err
	}
	return len(held.list), nil
}

// ErrNoDate says that a provider's answers have no date to compare clocks by.
var ErrNoDate = errors.New("the provider's answers have no Date")

// ClockSkew is how far the provider's clock is ahead of this one, by the Date of an answer,
// which has seconds alone (RFC 9110 section 6.6.1). Less than the time that the answer
// took, and a second, is not told from none and comes as zero.
func (p *Provider) ClockSkew(ctx context.Context) (time.Duration, error) {
	req, err := http.NewRequestWithContext(asking(ctx, EndpointDiscovery), http.MethodGet, p.discoveryURL(), nil)
	if err != nil {
		return 0, err
	}
	before := p.Now()
	r, err := p.call(req)
	if err != nil {
		return 0, err
	}
	after := p.Now()
	date, err := http.ParseTime(r.header.Get("Date"))
	switch {
	case err != nil:
		return 0, ErrNoDate
	case date.Before(before.Add(-time.Second)):
		return date.Sub(before), nil
	case date.After(after):
		return date.Sub(after), nil
	}
	return 0, nil
}

// TryClient says whether the provider accepts a client's id and secret: it is shown an
// authorization code that nobody has, and refuses that or the client (RFC 6749 section
// 5.2). The error wraps ErrClientRefused when it is the client.
func (p *Provider) TryClient(ctx context.Context, client Client) error {
	md, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {"nobody-" + rand.Text()},
		"redirect_uri": {p.RedirectURI}, "code_verifier": {oauth2.GenerateVerifier()},
	}
	req, err := p.formRequest(asking(ctx, EndpointToken), md.TokenEndpoint, form, client, md.TokenAuth)
	if err != nil {
		return p.unavailable("token endpoint", 0, err)
	}
	r, err := p.call(req)
	if err != nil {
		return p.unavailable("token endpoint", 0, err)
	}
	switch code := errorCode(r.body); {
	case code == "invalid_grant":
		return nil
	case code == "invalid_client" || code == "unauthorized_client" || r.status == http.StatusUnauthorized:
		return fmt.Errorf("%w: status %d, error %q", ErrClientRefused, r.status, code)
	default:
		return p.unavailable("token endpoint", 0, fmt.Errorf("expected the error invalid_grant about a code that nobody has, got status %d, error %q", r.status, code))
	}
}

// Redirect is what a provider does with a redirect URI that it is shown.
type Redirect int

const (
	// RedirectUnclear: the provider has people sign in before it looks.
	RedirectUnclear Redirect = iota
	// RedirectAccepted: it leads there.
	RedirectAccepted
	// RedirectRefused: it shows an error and does not lead there, as for one that is not
	// registered (RFC 6749 section 4.1.2.1).
	RedirectRefused
)

// TryRedirect says whether RedirectURI is registered, as far as that can be known without
// signing in.
func (p *Provider) TryRedirect(ctx context.Context) (Redirect, error) {
	where, err := p.AuthorizationURL(ctx, AuthorizationRequest{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Silent: true})
	if err != nil {
		return RedirectUnclear, err
	}
	req, err := http.NewRequestWithContext(asking(ctx, EndpointAuthorization), http.MethodGet, where, nil)
	if err != nil {
		return RedirectUnclear, p.unavailable("authorization endpoint", 0, err)
	}
	req.Header.Set("Accept", "text/html")
	resp, err := p.http.Do(req)
	if err != nil {
		return RedirectUnclear, p.unavailable("authorization endpoint", 0, outage(err))
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxReply))
	switch to := resp.Header.Get("Location"); {
	case resp.StatusCode >= 300 && resp.StatusCode < 400 && (to == p.RedirectURI || strings.HasPrefix(to, p.RedirectURI+"?")):
		return RedirectAccepted, nil
	case resp.StatusCode >= 400 && resp.StatusCode < 500:
		return RedirectRefused, nil
	}
	return RedirectUnclear, nil
}
