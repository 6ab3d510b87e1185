package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// native is a program that gets its tokens as RFC 8252 says: it opens the system
// browser, listens on a loopback port for the redirect and proves with PKCE
// (RFC 7636) that the code is its own.
type native struct {
	t      testing.TB
	idp    *idp
	client string
	// secret is empty for a public client.
	secret string
	// resource is sent when it is not empty (RFC 8707); oidc-provider then gives
	// out a JWT access token.
	resource string
	// scope is "openid profile email" when empty.
	scope string
	// leaks, where set, learns what may not show up in logs.
	leaks *leaks
}

// tokens are what a token endpoint gave out.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Expires int    `json:"expires_in"`
}

// signIn walks a person through the authorization code flow.
func (n native) signIn(who person) tokens {
	n.t.Helper()
	redirects := make(chan url.Values, 1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	server := &http.Server{
		ReadHeaderTimeout: patience,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			redirects <- r.URL.Query()
			_, _ = w.Write([]byte("You may close this window."))
		}),
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	defer func() { server.Close(); <-served }()

	redirectURI := "http://" + listener.Addr().String() + "/callback"
	verifier, state := rand.Text()+rand.Text(), rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	query := n.withResource(url.Values{
		"response_type":         {"code"},
		"client_id":             {n.client},
		"redirect_uri":          {redirectURI},
		"scope":                 {n.scopes()},
		"state":                 {state},
		"nonce":                 {rand.Text()},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	})

	b := newBrowser(n.t)
	a := b.atProvider(b.visit(n.idp.issuer+n.idp.authorizePath+"?"+query.Encode()), n.idp, who, true)
	if to := a.location(); to == nil || !strings.HasPrefix(to.String(), redirectURI) {
		n.t.Fatalf("%s for %s: got status %d, want a redirect to %s\n%s", n.client, who.Username, a.status, redirectURI, clip(a.body))
	}
	b.follow(a)

	var got url.Values
	select {
	case got = <-redirects:
	case <-time.After(patience):
		n.t.Fatal("the redirect did not reach the loopback listener")
	}
	if got.Get("state") != state || got.Get("code") == "" {
		n.t.Fatalf("redirect: got %v, want a code and state %s", got, state)
	}
	return n.exchange(url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {got.Get("code")},
		"redirect_uri":  {redirectURI},
		"code_verifier": {verifier},
	})
}

// refresh trades a refresh token for a new pair.
func (n native) refresh(old tokens) tokens {
	n.t.Helper()
	return n.exchange(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {old.Refresh}})
}

// alone gets a token for the program itself, with no person behind it.
func (n native) alone(scope string) tokens {
	n.t.Helper()
	return n.exchange(url.Values{"grant_type": {"client_credentials"}, "scope": {scope}})
}

func (n native) exchange(form url.Values) tokens {
	n.t.Helper()
	a := n.post(n.idp.tokenPath, n.withResource(form)).wantStatus(n.t, http.StatusOK)
	var got tokens
	a.decode(n.t, &got)
	if got.Access == "" {
		n.t.Fatalf("token endpoint: no access token in %s", a.body)
	}
	if n.leaks != nil {
		n.leaks.add(got.Access, got.Refresh, got.ID, n.secret)
	}
	return got
}

// revoke ends a token (RFC 7009).
func (n native) revoke(token string) {
	n.t.Helper()
	n.post(n.idp.revokePath, url.Values{"token": {token}}).wantStatus(n.t, http.StatusOK)
}

// introspect asks the provider about a token with the client's own credentials
// (RFC 7662).
func (n native) introspect(token string) map[string]any {
	n.t.Helper()
	return n.post(n.idp.introspectPath, url.Values{"token": {token}}).wantStatus(n.t, http.StatusOK).object(n.t)
}

// userinfo asks the provider who the token's person is.
func (n native) userinfo(token string) *answer {
	n.t.Helper()
	return get(n.t, n.idp.issuer+n.idp.userinfoPath, "Authorization: Bearer "+token)
}

// post sends a form with the client's credentials.
func (n native) post(path string, form url.Values) *answer {
	n.t.Helper()
	if n.secret == "" {
		form.Set("client_id", n.client)
		return postForm(n.t, n.idp.issuer+path, form)
	}
	basic := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(n.client) + ":" + url.QueryEscape(n.secret)))
	return postForm(n.t, n.idp.issuer+path, form, "Authorization: Basic "+basic)
}

func (n native) withResource(form url.Values) url.Values {
	if n.resource != "" {
		form.Set("resource", n.resource)
	}
	return form
}

func (n native) scopes() string {
	if n.scope != "" {
		return n.scope
	}
	return "openid profile email"
}

// telemetryAPI is the resource whose access tokens are JWTs that carry groups,
// see testdata/oidc-provider/provider.mjs.
const telemetryAPI = "https://telemetry-api.example.test/"
