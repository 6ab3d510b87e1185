package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// provider is an OpenID Provider as it is asked here: as a public client, which has no
// secret (RFC 8252 section 8.4).
type provider struct {
	oauth    oauth2.Config
	issuer   string
	http     *http.Client
	verifier *oidc.IDTokenVerifier
	// sendsIssuer is that it promises to name itself in each response (RFC 9207 section 3).
	sendsIssuer bool
	revocation  string
	// resource is what the token is to be for (RFC 8707), empty for what the provider
	// thinks.
	resource string
}

// provider reads the discovery document of an issuer, which has to name that very issuer
// (OpenID Connect Discovery section 4.3).
func (a *Agent) provider(ctx context.Context, issuer, clientID string, scopes []string, resource string) (*provider, error) {
	p := &provider{issuer: issuer, http: a.http(), resource: resource}
	found, err := oidc.NewProvider(p.context(ctx), issuer)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			return nil, unreached(err)
		}
		return nil, fmt.Errorf("%s is not to be used as a provider: %s", clean(issuer), clean(err.Error()))
	}
	var more struct {
		Iss        bool   `json:"authorization_response_iss_parameter_supported"`
		Revocation string `json:"revocation_endpoint"`
		UserInfo   string `json:"userinfo_endpoint"`
		Keys       string `json:"jwks_uri"`
	}
	if err := found.Claims(&more); err != nil {
		return nil, fmt.Errorf("%s: its discovery document has values of the wrong kind", clean(issuer))
	}
	p.sendsIssuer, p.revocation = more.Iss, more.Revocation
	p.verifier = found.VerifierContext(p.context(ctx), &oidc.Config{ClientID: clientID, Now: a.now})
	p.oauth = oauth2.Config{ClientID: clientID, Scopes: scopes, Endpoint: found.Endpoint()}
	p.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	if root, ok := strings.CutSuffix(p.oauth.Endpoint.TokenURL, "/oauth/token"); ok && p.oauth.Endpoint.DeviceAuthURL == "" &&
		more.UserInfo == root+"/oauth/userinfo" && more.Keys == root+"/oauth/discovery/keys" {
		// These are the paths of Doorkeeper, which GitLab is made of, and it announces no such
		// endpoint whether it has one or not.
		p.oauth.Endpoint.DeviceAuthURL = root + "/oauth/authorize_device"
	}
	for name, endpoint := range map[string]string{
		"authorization_endpoint": p.oauth.Endpoint.AuthURL, "token_endpoint": p.oauth.Endpoint.TokenURL,
		"device_authorization_endpoint": p.oauth.Endpoint.DeviceAuthURL, "revocation_endpoint": p.revocation,
	} {
		if endpoint == "" && name != "token_endpoint" {
			continue
		}
		if err := secureEndpoint(issuer, endpoint); err != nil {
			return nil, fmt.Errorf("%s: its %s may not be used: %w", clean(issuer), name, err)
		}
	}
	return p, nil
}

// context carries the HTTP client to go-oidc and x/oauth2.
func (p *provider) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.http)
}

// options are further parameters of a request.
func (p *provider) options(more ...oauth2.AuthCodeOption) []oauth2.AuthCodeOption {
	if p.resource != "" {
		more = append(more, oauth2.SetAuthURLParam("resource", p.resource))
	}
	return more
}

// refresh trades a refresh token for fresh tokens (RFC 6749 section 6).
func (p *provider) refresh(ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	config := p.oauth
	config.RedirectURL = ""
	ctx = p.context(ctx)
	var t *oauth2.Token
	var err error
	if p.resource == "" {
		t, err = config.TokenSource(ctx, &oauth2.Token{RefreshToken: refreshToken}).Token()
	} else { // x/oauth2 has no parameters at a refresh; an empty code counts as none (RFC 6749 section 3.2)
		t, err = config.Exchange(ctx, "", p.options(
			oauth2.SetAuthURLParam("grant_type", "refresh_token"), oauth2.SetAuthURLParam("refresh_token", refreshToken))...)
	}
	if err != nil {
		return nil, p.refused(err)
	}
	return t, p.check(t)
}

// check reports a token that could not be sent as one.
func (p *provider) check(t *oauth2.Token) error {
	switch {
	case !strings.EqualFold(t.Type(), "Bearer"):
		return fmt.Errorf("%s gave a token of the kind %s, which is not used here", clean(p.issuer), clean(t.Type()))
	case !isToken(t.AccessToken):
		return fmt.Errorf("%s gave a token that is none (RFC 6750 section 2.1)", clean(p.issuer))
	}
	return nil
}

// errEnded is that a sign-in is over: it has ended or was revoked.
var errEnded = errors.New("the sign-in has ended")

// refused puts into words why there is no token. The provider's whole reply, which x/oauth2
// has in its error, is not repeated.
func (p *provider) refused(err error) error {
	var reply *oauth2.RetrieveError
	switch {
	case !errors.As(err, &reply):
		return unreached(err)
	case reply.ErrorCode == "invalid_grant":
		return fmt.Errorf("%w: %s", errEnded, p.said(reply.ErrorCode, reply.ErrorDescription))
	case reply.ErrorCode != "":
		return errors.New(p.said(reply.ErrorCode, reply.ErrorDescription))
	}
	return fmt.Errorf("%s answered with status %d and gave no token", clean(p.issuer), reply.Response.StatusCode)
}

// said is an error of the provider (RFC 6749 sections 4.1.2.1 and 5.2) in a line.
func (p *provider) said(code, description string) string {
	text := clean(p.issuer) + " says " + clean(code)
	if description != "" {
		text += ": " + clean(description)
	}
	return text
}

// person verifies the ID token and returns whom it is about, "" where there is none and
// none was asked for. The nonce is empty in a flow that has none.
func (p *provider) person(ctx context.Context, t *oauth2.Token, nonce string) (string, error) {
	raw, _ := t.Extra("id_token").(string)
	if raw == "" {
		if nonce != "" && slices.Contains(p.oauth.Scopes, oidc.ScopeOpenID) {
			return "", fmt.Errorf("%s gave no ID token", clean(p.issuer))
		}
		return "", nil
	}
	id, err := p.verifier.Verify(p.context(ctx), raw)
	if err != nil {
		return "", fmt.Errorf("%s gave an ID token that is not good: %s", clean(p.issuer), clean(err.Error()))
	}
	if nonce != "" && id.Nonce != nonce {
		return "", fmt.Errorf("%s gave the ID token of another sign-in", clean(p.issuer))
	}
	var names struct {
		User  string `json:"preferred_username"`
		Email string `json:"email"`
		Name  string `json:"name"`
	}
	if err := id.Claims(&names); err != nil {
		return clean(id.Subject), nil
	}
	for _, name := range []string{names.User, names.Email, names.Name, id.Subject} {
		if name != "" {
			return clean(name), nil
		}
	}
	return "", nil
}

// revoke ends a refresh token at the provider, where that can be done (RFC 7009).
func (p *provider) revoke(ctx context.Context, token string) error {
	if p.revocation == "" {
		return fmt.Errorf("%s cannot be told", clean(p.issuer))
	}
	form := url.Values{"token": {token}, "token_type_hint": {"refresh_token"}, "client_id": {p.oauth.ClientID}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := p.http.Do(req)
	if err != nil {
		return unreached(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered with status %d", clean(p.issuer), res.StatusCode)
	}
	return nil
}
