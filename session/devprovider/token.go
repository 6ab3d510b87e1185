package devprovider

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// oauthError is an error of RFC 6749 section 5.2.
type oauthError struct {
	status            int
	code, description string
}

func (e *oauthError) Error() string { return e.code + ": " + e.description }

var (
	errInvalidGrant = &oauthError{http.StatusBadRequest, "invalid_grant", "The provided authorization grant is invalid, " +
		"expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client."}
	errInvalidScope = &oauthError{http.StatusBadRequest, "invalid_scope",
		"The requested scope is invalid, unknown, or malformed."}
	errUnsupportedGrant = &oauthError{http.StatusBadRequest, "unsupported_grant_type",
		"The authorization grant type is not supported by the authorization server."}
	errUnauthorizedClient = &oauthError{http.StatusBadRequest, "unauthorized_client",
		"The client is not authorized to perform this request using this method."}
	// errBlocked is no answer of OAuth: GitLab breaks on blocked people, and so
	// does this.
	errBlocked = errors.New("the person is blocked")
)

func missing(parameter string) *oauthError {
	return &oauthError{http.StatusBadRequest, "invalid_request", "Missing required parameter: " + parameter + "."}
}

// serveToken is the token endpoint (RFC 6749 section 3.2).
func (p *Provider) serveToken(w http.ResponseWriter, r *http.Request) {
	client, _ := p.authenticate(r)
	if client == nil {
		writeInvalidClient(w)
		return
	}
	var tokens Tokens
	var created time.Time
	var err error
	switch grantType := r.PostForm.Get("grant_type"); grantType {
	case "authorization_code":
		tokens, created, err = p.exchange(client, r)
	case "refresh_token":
		tokens, created, err = p.refresh(client, r)
	case deviceGrant:
		tokens, created, err = p.poll(client, r)
	case "client_credentials":
		tokens, created, err = p.clientCredentials(client, r)
	case "":
		err = missing("grant_type")
	default:
		err = errUnsupportedGrant
	}
	if refused, ok := errors.AsType[*oauthError](err); ok {
		writeError(w, refused.status, refused.code, refused.description)
		return
	}
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, map[string]any{"status": 500, "error": "Internal Server Error"})
		return
	}
	writeJSON(w, http.StatusOK, p.rewritten(TokenReply, reply(tokens, created)))
}

// reply is the successful answer of RFC 6749 section 5.1 with Doorkeeper's
// created_at.
func reply(t Tokens, created time.Time) map[string]any {
	doc := map[string]any{
		"access_token": t.AccessToken, "token_type": "Bearer", "scope": t.Scope, "created_at": created.Unix(),
	}
	if t.ExpiresIn > 0 {
		doc["expires_in"] = int64(t.ExpiresIn / time.Second)
	}
	if t.RefreshToken != "" {
		doc["refresh_token"] = t.RefreshToken
	}
	if t.IDToken != "" {
		doc["id_token"] = t.IDToken
	}
	return doc
}

// exchange turns a code into tokens (RFC 6749 section 4.1.3). A second use is
// refused; unlike other providers, Doorkeeper leaves the first use's tokens good.
func (p *Provider) exchange(client *Client, r *http.Request) (Tokens, time.Time, error) {
	form := r.PostForm
	for _, name := range []string{"code", "redirect_uri"} {
		if form.Get(name) == "" {
			return Tokens{}, time.Time{}, missing(name)
		}
	}
	c, ok := p.grants.takeCode(form.Get("code"))
	now := p.opts.Now()
	if !ok || c.client != client.ID || c.redirectURI != form.Get("redirect_uri") || !now.Before(c.expires) {
		return Tokens{}, time.Time{}, errInvalidGrant
	}
	verifier := form.Get("code_verifier")
	switch {
	case c.challenge != "" && verifier == "":
		return Tokens{}, time.Time{}, missing("code_verifier")
	case c.challenge != "" && !verifies(c.challenge, verifier),
		c.challenge == "" && verifier != "": // a downgrade, RFC 9700 section 4.8.2
		return Tokens{}, time.Time{}, errInvalidGrant
	}
	tokens, t, err := p.issue(client, c.grant, c.nonce)
	if err != nil {
		return Tokens{}, time.Time{}, err
	}
	p.grants.addRow(t)
	return tokens, t.created, nil
}

// verifies is RFC 7636 section 4.6 for S256.
func verifies(challenge, verifier string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// refresh replaces a refresh token and the access token beside it (RFC 6749
// section 6). Of several at once one wins; the others have an invalid grant.
func (p *Provider) refresh(client *Client, r *http.Request) (Tokens, time.Time, error) {
	token := r.PostForm.Get("refresh_token")
	if token == "" {
		return Tokens{}, time.Time{}, missing("refresh_token")
	}
	old, ok := p.grants.byRefresh(token)
	if !ok || old.client != client.ID {
		return Tokens{}, time.Time{}, errInvalidGrant
	}
	g := old.grant
	if asked := strings.Fields(r.PostForm.Get("scope")); len(asked) > 0 {
		for _, s := range asked {
			if !old.has(s) {
				return Tokens{}, time.Time{}, errInvalidScope
			}
		}
		g.scopes = asked
	}
	tokens, t, err := p.issue(client, g, "")
	if err != nil {
		return Tokens{}, time.Time{}, err
	}
	if !p.grants.replace(token, t, client.RevokeOnUse) {
		return Tokens{}, time.Time{}, errInvalidGrant
	}
	return tokens, t.created, nil
}

// clientCredentials gives a token without a user (RFC 6749 section 4.4).
func (p *Provider) clientCredentials(client *Client, r *http.Request) (Tokens, time.Time, error) {
	if client.public() {
		return Tokens{}, time.Time{}, errUnauthorizedClient
	}
	scopes, err := p.scopes(r.PostForm.Get("scope"))
	if err != nil {
		return Tokens{}, time.Time{}, err
	}
	if slices.Contains(scopes, "openid") {
		return Tokens{}, time.Time{}, errors.New("an ID token for nobody") // 500, as Doorkeeper
	}
	tokens, t, err := p.issue(client, grant{client: client.ID, scopes: scopes}, "")
	if err != nil {
		return Tokens{}, time.Time{}, err
	}
	p.grants.addRow(t)
	return tokens, t.created, nil
}

// scopes reads a scope parameter: all of it must be known.
func (p *Provider) scopes(asked string) ([]string, error) {
	scopes := strings.Fields(asked)
	if len(scopes) == 0 {
		return []string{"api"}, nil
	}
	for _, s := range scopes {
		if !slices.Contains(p.opts.Scopes, s) {
			return nil, errInvalidScope
		}
	}
	return scopes, nil
}

// issue makes the tokens for a grant. The caller stores the row.
func (p *Provider) issue(client *Client, g grant, nonce string) (Tokens, *row, error) {
	now := p.opts.Now()
	t := &row{grant: g, access: random(), created: now}
	tokens := Tokens{Scope: g.scope()}
	if !client.NoExpiry {
		t.expires = now.Add(p.opts.AccessTokenLife)
		tokens.ExpiresIn = p.opts.AccessTokenLife
	}
	var person *Person
	if g.person != "" {
		if person = p.person(g.person); person == nil || person.Blocked {
			return Tokens{}, nil, errBlocked
		}
		if !client.NoRefresh {
			t.refresh = random()
		}
	}
	if client.JWT {
		t.access = p.accessJWT(client, person, t)
	}
	if person != nil && g.has("openid") {
		tokens.IDToken = p.idToken(client, person, g, nonce)
	}
	tokens.AccessToken, tokens.RefreshToken = t.access, t.refresh
	return tokens, t, nil
}
