package devprovider

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// serveEndSession is RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0
// section 2): the browser's memory of who was picked ends, then it leads back to
// a registered address, or to a page that says so. Nobody is asked to confirm. Clients
// that want to know are told first.
func (p *Provider) serveEndSession(w http.ResponseWriter, r *http.Request) {
	id := r.Form.Get("client_id")
	if hint := r.Form.Get("id_token_hint"); hint != "" {
		audience, ok := p.hintedClient(hint)
		if !ok || (id != "" && id != audience) {
			p.refusePage(w, "Signing out did not work.", "The id_token_hint is not a token of this provider for that client.")
			return
		}
		id = audience
	}
	back := r.Form.Get("post_logout_redirect_uri")
	client := p.client(id)
	if back != "" && (client == nil || !slices.Contains(client.PostLogoutRedirectURIs, back)) {
		p.refusePage(w, "This address is not registered.",
			"The post_logout_redirect_uri of the request is not one of the client's.")
		return
	}
	p.tell(p.forget(w, r))
	if back == "" {
		p.signedOutPage(w)
		return
	}
	if state := r.Form.Get("state"); state != "" {
		sep := "?"
		if strings.Contains(back, "?") {
			sep = "&"
		}
		back += sep + url.Values{"state": {state}}.Encode()
	}
	w.Header().Set("Location", back)
	w.WriteHeader(http.StatusSeeOther)
}

// hintedClient returns the audience of an ID token of ours. That it has expired
// does not matter (section 4).
func (p *Provider) hintedClient(hint string) (string, bool) {
	signed, err := jose.ParseSignedCompact(hint, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		return "", false
	}
	for _, key := range p.keys.all() {
		payload, err := signed.Verify(key.public())
		if err != nil {
			continue
		}
		var claims struct {
			Audience string `json:"aud"`
		}
		return claims.Audience, json.Unmarshal(payload, &claims) == nil
	}
	return "", false
}
