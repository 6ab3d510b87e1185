package devprovider

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// bearer returns the access token of a request to userinfo or token/info, in the
// ways Doorkeeper knows: the header (RFC 6750 section 2.1), a form or query
// parameter (sections 2.2 and 2.3).
func bearer(r *http.Request) string {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return token
	}
	return r.Form.Get("access_token")
}

// serveUserInfo is the userinfo endpoint (OpenID Connect Core 1.0 section 5.3).
// Its errors have no body, and a blocked person is an error 500: GitLab's provider
// trips over somebody who is not there.
func (p *Provider) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	t, ok := p.grants.byAccess(bearer(r), p.opts.Now())
	if !ok {
		challenge(w, "invalid_token")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if !t.has("openid") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	person := p.person(t.person)
	if person == nil || person.Blocked {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	writeJSON(w, http.StatusOK, p.userInfo(person, t.grant))
}

// serveTokenInfo is Doorkeeper's token/info with GitLab's two aliases: it wants
// nothing but the token itself, and names the client and the person's number.
func (p *Provider) serveTokenInfo(w http.ResponseWriter, r *http.Request) {
	now := p.opts.Now()
	t, ok := p.grants.byAccess(bearer(r), now)
	if !ok {
		writeInvalidToken(w)
		return
	}
	var owner, left any
	if person := p.person(t.person); person != nil {
		owner = person.Subject
		if n, err := strconv.ParseInt(person.Subject, 10, 64); err == nil {
			owner = n
		}
	}
	if !t.expires.IsZero() {
		left = int64(t.expires.Sub(now) / time.Second)
	}
	writeJSON(w, http.StatusOK, p.rewritten(TokenInfoReply, map[string]any{
		"resource_owner_id": owner, "application": map[string]any{"uid": t.client}, "created_at": t.created.Unix(),
		"scope": t.scopes, "scopes": t.scopes, "expires_in": left, "expires_in_seconds": left,
	}))
}

func writeInvalidToken(w http.ResponseWriter) {
	challenge(w, "invalid_token")
	writeJSON(w, http.StatusUnauthorized, map[string]any{
		"error": "invalid_token", "error_description": "The access token is invalid", "state": "unauthorized",
	})
}
