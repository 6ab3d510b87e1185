package devprovider

import "net/http"

// serveIntrospect is token introspection (RFC 7662) as Doorkeeper does it. Asked
// by a client, or with another access token of the token's own client. It answers
// only a token's own client; says nothing about the person; and calls a refresh
// token active in the same words as an access token.
func (p *Provider) serveIntrospect(w http.ResponseWriter, r *http.Request) {
	now := p.opts.Now()
	token := r.PostForm.Get("token")
	client, known := p.authenticate(r)
	var asker string
	switch {
	case client != nil:
		asker = client.ID
	case known:
		writeInvalidClient(w)
		return
	case bearer(r) != "":
		t, ok := p.grants.byAccess(bearer(r), now)
		if !ok || t.access == token {
			writeInvalidToken(w)
			return
		}
		asker = t.client
	default:
		writeError(w, http.StatusBadRequest, "invalid_request", "The request is missing a required parameter, "+
			"includes an unsupported parameter value, or is otherwise malformed.")
		return
	}
	t, ok := p.grants.byAccess(token, now)
	if !ok {
		t, ok = p.grants.byRefresh(token)
	}
	doc := map[string]any{"active": false}
	if ok && t.client == asker {
		doc = map[string]any{
			"active": true, "scope": t.scope(), "client_id": t.client, "token_type": "Bearer",
			"iat": t.created.Unix(), "exp": int64(0),
		}
		if !t.expires.IsZero() {
			doc["exp"] = t.expires.Unix()
		}
	}
	writeJSON(w, http.StatusOK, p.rewritten(IntrospectionReply, doc))
}

// serveRevoke is token revocation (RFC 7009): either token ends both. A token of
// another client is refused in Doorkeeper's words; an unknown one is no error.
func (p *Provider) serveRevoke(w http.ResponseWriter, r *http.Request) {
	token := r.PostForm.Get("token")
	client, _ := p.authenticate(r)
	refused := client == nil
	p.grants.revoke(func(t *row) bool {
		if t.access != token && (t.refresh == "" || t.refresh != token) {
			return false
		}
		if client == nil || t.client != client.ID {
			refused = true
			return false
		}
		return true
	})
	if refused {
		writeJSON(w, http.StatusForbidden, map[string]any{
			"error": "unauthorized_client", "error_description": "You are not authorized to revoke this token",
		})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{})
}
