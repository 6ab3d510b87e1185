package devprovider

import (
	"crypto/subtle"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
)

// authenticate returns the client that a request to the token endpoint or its
// siblings comes from (RFC 6749 section 2.3): client_secret_basic,
// client_secret_post, or none for a public client. known is false when the
// request names no client at all.
func (p *Provider) authenticate(r *http.Request) (c *Client, known bool) {
	id, secret, basic := r.BasicAuth()
	if basic {
		// Section 2.3.1: both halves are form-encoded before they are joined.
		var errID, errSecret error
		id, errID = url.QueryUnescape(id)
		secret, errSecret = url.QueryUnescape(secret)
		if errID != nil || errSecret != nil {
			return nil, true
		}
	} else {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if id == "" {
		return nil, false
	}
	c = p.client(id)
	if c == nil || subtle.ConstantTimeCompare([]byte(secret), []byte(c.Secret)) != 1 {
		return nil, true
	}
	return c, true
}

func writeInvalidClient(w http.ResponseWriter) {
	writeError(w, http.StatusUnauthorized, "invalid_client", "Client authentication failed due to unknown client, "+
		"no client authentication included, or unsupported authentication method.")
}

// allows reports whether the redirect URI is one of the client's.
func (c *Client) allows(redirectURI string) bool {
	if slices.Contains(c.RedirectURIs, redirectURI) {
		return true
	}
	return c.Native && slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		return sameButPort(registered, redirectURI)
	})
}

// sameButPort compares two URIs on a loopback address regardless of the port
// (RFC 8252 section 7.3). The name localhost does not count, as section 8.3 asks.
func sameButPort(registered, given string) bool {
	a, errA := url.Parse(registered)
	b, errB := url.Parse(given)
	if errA != nil || errB != nil || a.Scheme != "http" || a.Hostname() != b.Hostname() || b.Port() == "0" {
		return false
	}
	if ip, err := netip.ParseAddr(a.Hostname()); err != nil || !ip.IsLoopback() {
		return false
	}
	a.Host, b.Host = "", ""
	return a.String() == b.String()
}
