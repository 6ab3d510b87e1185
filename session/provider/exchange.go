package provider

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// ErrGrantRefused says that the provider did not accept an authorization code or a
// refresh token.
var ErrGrantRefused = errors.New("the provider refused the grant")

// ErrServer is wrapped by a *session.Unavailable when the provider did answer, with a
// status of 500 or above: it may fail for this one request or person alone, see Answers.
var ErrServer = errors.New("the provider answered with a server error")

// Tokens is what the token endpoint gave for a code or a refresh token.
type Tokens struct {
	Access, Refresh, ID string
	// Expires is when the access token ends; zero when the provider did not say.
	Expires time.Time
}

// AuthorizationRequest is what one login attempt sends along.
type AuthorizationRequest struct {
	State, Nonce string
	// Verifier is the PKCE code verifier; its S256 challenge is what is sent (RFC
	// 7636 section 4.2).
	Verifier string
	// Again has the provider ask for a login even of somebody who is signed in
	// there (OpenID Connect Core section 3.1.2.1, prompt=login).
	Again bool
	// ACR are values of acr, separated by blanks, of which the provider is to come up to
	// one; empty for any. MaxAge is how long ago the person may have signed in there, zero
	// for as long as they like. Few providers promise to obey: what comes back says.
	ACR    string
	MaxAge time.Duration
	// Silent has the provider answer at once, with an error when it would have to ask
	// the person anything (prompt=none).
	Silent bool
}

// ownParams are never taken from the configuration: whoever set one would switch
// off a check of the callback or of the ID token.
var ownParams = map[string]bool{
	"response_type": true, "response_mode": true, "client_id": true, "redirect_uri": true, "scope": true, "state": true,
	"nonce": true, "code_challenge": true, "code_challenge_method": true, "request": true, "request_uri": true,
}

// AuthorizationURL is where a browser goes to sign in.
func (p *Provider) AuthorizationURL(ctx context.Context, a AuthorizationRequest) (string, error) {
	md, err := p.Metadata(ctx)
	if err != nil {
		return "", err
	}
	asked := a.asks()
	var begin string
	if len(asked) == 0 {
		begin = p.usual.of(p, md)
	} else {
		begin = p.authorization(md, asked)
	}
	challenge := sha256.Sum256([]byte(a.Verifier))
	return begin + "&code_challenge=" + base64.RawURLEncoding.EncodeToString(challenge[:]) +
		"&nonce=" + url.QueryEscape(a.Nonce) + "&state=" + url.QueryEscape(a.State), nil
}

// asks are the parameters that only some requests have; nil for the usual one.
func (a *AuthorizationRequest) asks() (asked []oauth2.AuthCodeOption) {
	add := func(name, value string) { asked = append(asked, oauth2.SetAuthURLParam(name, value)) }
	if a.ACR != "" {
		add("acr_values", a.ACR)
	}
	if a.MaxAge > 0 {
		add("max_age", strconv.FormatInt(int64(a.MaxAge/time.Second), 10))
	}
	switch {
	case a.Silent:
		add("prompt", "none")
	case a.Again:
		add("prompt", "login")
	}
	return asked
}

// authorization is the URL without what is another one each time: state, nonce and the
// challenge. It always has a query.
func (p *Provider) authorization(md *Metadata, asked []oauth2.AuthCodeOption) string {
	opts := []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("code_challenge_method", "S256")} // RFC 7636 section 4.3
	for k, v := range p.AuthorizeParams {
		if !ownParams[k] {
			opts = append(opts, oauth2.SetAuthURLParam(k, v))
		}
	}
	return p.oauth2(md).AuthCodeURL("", append(opts, asked...)...)
}

// usualURL is what authorization gives for the usual request, made once for each metadata.
type usualURL struct {
	made atomic.Pointer[struct {
		from *Metadata
		url  string
	}]
}

func (u *usualURL) of(p *Provider, md *Metadata) string {
	if made := u.made.Load(); made != nil && made.from == md {
		return made.url
	}
	made := &struct {
		from *Metadata
		url  string
	}{md, p.authorization(md, nil)}
	u.made.Store(made)
	return made.url
}

// Exchange trades an authorization code for tokens. The error wraps
// ErrGrantRefused or ErrClientRefused, or is a *session.Unavailable. It never
// contains the provider's reply, of which x/oauth2 would print every byte.
func (p *Provider) Exchange(ctx context.Context, code, verifier string) (*Tokens, error) {
	md, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	t, err := p.oauth2(md).Exchange(p.withClient(ctx), code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, p.exchangeError(err)
	}
	return p.tokens(t)
}

// Refresh trades a refresh token for new tokens (RFC 6749 section 6). Where the
// provider rotates, Refresh of the result is another one and the old one is worth
// nothing, or ends the whole grant when it is shown again: nobody may call this twice
// with one token at once. ID is empty when the provider gives none (OpenID Connect Core
// section 12.2). The errors are those of Exchange.
func (p *Provider) Refresh(ctx context.Context, refreshToken string) (*Tokens, error) {
	md, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	t, err := p.oauth2(md).TokenSource(p.withClient(ctx), &oauth2.Token{RefreshToken: refreshToken}).Token()
	if err != nil {
		return nil, p.exchangeError(err)
	}
	return p.tokens(t)
}

// withClient has x/oauth2 use the provider's own HTTP client.
func (p *Provider) withClient(ctx context.Context) context.Context {
	return context.WithValue(asking(ctx, EndpointToken), oauth2.HTTPClient, p.http)
}

// tokens reads a reply of the token endpoint.
func (p *Provider) tokens(t *oauth2.Token) (*Tokens, error) {
	if !strings.EqualFold(t.TokenType, "Bearer") && t.TokenType != "" {
		return nil, p.unavailable("token endpoint", 0, fmt.Errorf("expected token_type Bearer, got %q", CleanCode(t.TokenType)))
	}
	// x/oauth2 reads names in any case; Extra reads them as they are.
	if exact, _ := t.Extra("access_token").(string); exact != t.AccessToken {
		return nil, p.unavailable("token endpoint", 0, errors.New("the reply has no access_token, but one like it"))
	}
	id, _ := t.Extra("id_token").(string)
	tokens := &Tokens{Access: t.AccessToken, Refresh: t.RefreshToken, ID: id}
	if t.ExpiresIn > 0 {
		tokens.Expires = p.Now().Add(time.Duration(t.ExpiresIn) * time.Second)
	}
	return tokens, nil
}

func (p *Provider) exchangeError(err error) error {
	var re *oauth2.RetrieveError
	if !errors.As(err, &re) || re.Response == nil {
		return p.unavailable("token endpoint", 0, withoutBody(err))
	}
	status, code := re.Response.StatusCode, CleanCode(re.ErrorCode)
	switch {
	case code == "invalid_client" || code == "unauthorized_client" || status == 401:
		return fmt.Errorf("%w: client %q: status %d, error %q", ErrClientRefused, p.Client.ID, status, code)
	case code != "" && (status == 400 || status == 200): // some say 200 and mean 400
		return fmt.Errorf("%w: status %d, error %q", ErrGrantRefused, status, code)
	}
	cause := fmt.Errorf("expected status 200, got %d, error %q", status, code)
	if status >= 500 {
		cause = fmt.Errorf("%w: %w", ErrServer, cause)
	}
	return p.unavailable("token endpoint", retryAfter(re.Response.Header), cause)
}

// withoutBody keeps the cause of a failed call and drops what x/oauth2 quotes.
func withoutBody(err error) error {
	var call *url.Error
	if errors.As(err, &call) {
		return outage(call.Err)
	}
	return errors.New("the reply is not a token reply")
}

func (p *Provider) oauth2(md *Metadata) *oauth2.Config {
	style := oauth2.AuthStyleInHeader
	// Never auto-detect: it repeats a failed request, and a code is good once.
	if p.Client.Secret == "" || inForm(md.TokenAuth) {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID:     p.Client.ID,
		ClientSecret: p.Client.Secret,
		RedirectURL:  p.RedirectURI,
		Scopes:       p.Scopes,
		Endpoint:     oauth2.Endpoint{AuthURL: md.AuthorizationEndpoint, TokenURL: md.TokenEndpoint, AuthStyle: style},
	}
}
