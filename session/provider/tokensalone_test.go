package provider_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// alone makes a provider one at which nobody signs in.
func alone(c *provider.Config) { c.Client, c.Clients = provider.Client{}, nil }

// keysOf is the JWK set of a development provider.
func keysOf(t *testing.T, s *devprovider.Server) []byte {
	t.Helper()
	s.Key()
	res, err := http.Get(s.Provider.URL(devprovider.KeySet))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestAProviderOfTokensNeedsNoEndpoints: Kubernetes announces a urn where others have the
// address of a page, and no token endpoint.
func TestAProviderOfTokensNeedsNoEndpoints(t *testing.T) {
	kubernetes := func(doc map[string]any) {
		for name := range doc {
			if name != "issuer" && name != "jwks_uri" {
				delete(doc, name)
			}
		}
		doc["authorization_endpoint"] = "urn:kubernetes:programmatic_authorization"
	}
	r := start(t, alone)
	r.Rewrite(devprovider.DiscoveryDocument, kubernetes)
	if _, err := r.verify(t, r.sign(r.Key(), nil, map[string]any{"aud": "telemetry"})); err != nil {
		t.Errorf("got %v", err)
	}
	if md, err := r.p.Metadata(t.Context()); err != nil || md.AuthorizationEndpoint != "" {
		t.Errorf("got %v, %v, want no place to sign in at", md, err)
	}
	r = start(t) // the same, where people are to sign in
	r.Rewrite(devprovider.DiscoveryDocument, kubernetes)
	_, err := r.p.Metadata(t.Context())
	wantUnavailable(t, err)
}

// TestKeysOfAFileAskNobody: the provider cannot be reached from here, and need not be.
func TestKeysOfAFileAskNobody(t *testing.T) {
	r := start(t)
	data := keysOf(t, r.Server)
	if err := provider.CheckKeys(data); err != nil {
		t.Fatal(err)
	}
	r.p = speakWith(t, r.Issuer(), r.clock, alone, func(c *provider.Config) { c.Keys = data })
	before := r.Calls(devprovider.KeySet)
	good := r.sign(r.Key(), nil, map[string]any{"aud": "telemetry"})
	if _, err := r.verify(t, good); err != nil {
		t.Errorf("got %v", err)
	}
	// Not even for a key that nobody knows: no more is known about it later.
	other := devprovider.NewKey("ES256")
	_, err := r.verify(t, r.sign(other, nil, map[string]any{"aud": "telemetry"}))
	wantError(t, err, provider.ErrSignature)
	disguised := other
	disguised.ID = r.Key().ID
	_, err = r.verify(t, r.sign(disguised, nil, map[string]any{"aud": "telemetry"}))
	wantError(t, err, provider.ErrSignature)
	md, err := r.p.Metadata(t.Context())
	if err != nil || r.p.OpaqueMode(md) != provider.OpaqueOff {
		t.Errorf("got %v, %v, want nobody who knows opaque tokens", md, err)
	}
	if _, err := r.p.UserInfo(t.Context(), good); err != provider.ErrNoClaims {
		t.Errorf("got %v, want no claims", err)
	}
	r.wantCalls(t, devprovider.Discovery, 0)
	r.wantCalls(t, devprovider.KeySet, before)
	for _, bad := range []string{"", "x", "{}", `{"keys": []}`, `{"keys": [{"kty": "oct", "k": "AAAA"}]}`, `{"keys": [], "keys": []}`} {
		if provider.CheckKeys([]byte(bad)) == nil {
			t.Errorf("%s is a file of keys", bad)
		}
	}
}

// TestGoogleIsAskedInItsOwnManner: the token goes into a form, numbers come as texts.
func TestGoogleIsAskedInItsOwnManner(t *testing.T) {
	const good = `"azp":"native","aud":"native","sub":"110169","scope":"openid email","exp":"1795266000","expires_in":"3599","email":"a@b","email_verified":"true","access_type":"online"`
	body, status := "{"+good+"}", 200
	google := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" || r.Header.Get("Authorization") != "" || r.Method != http.MethodPost || r.PostFormValue("access_token") != "ya29.x" {
			t.Errorf("asked with %s %s, form %v", r.Method, r.URL, r.PostForm)
		}
		devprovider.Answer(status, "application/json; charset=utf-8", body)(w, r)
	})
	r := start(t, func(c *provider.Config) { c.Overrides.TokenInfoEndpoint = google.URL + "/tokeninfo" })
	info, err := r.p.TokenInfo(t.Context(), "ya29.x")
	if err != nil || info.ClientID != "native" || info.Audience != "native" || info.Subject != "110169" || info.Owner != "110169" || info.Alone ||
		strings.Join(info.Scope, " ") != "openid email" || info.Expires.Sub(r.clock.Now()).Seconds() != 3599 {
		t.Errorf("got %+v, %v", info, err)
	}
	for what, c := range map[string]struct {
		change [2]string
		ok     bool
	}{
		"another party":    {[2]string{`"aud":"native"`, `"aud":"web"`}, true},
		"no party":         {[2]string{`"azp":"native",`, ``}, true},
		"nobody":           {[2]string{`"sub":"110169",`, ``}, true},
		"somebody strange": {[2]string{`"sub":"110169"`, `"sub":["1"]`}, false},
		"no end":           {[2]string{`"expires_in":"3599",`, ``}, false},
		"an end of words":  {[2]string{`"3599"`, `"soon"`}, false},
		"an end in a way":  {[2]string{`"3599"`, `3599`}, true},
	} {
		body = "{" + strings.Replace(good, c.change[0], c.change[1], 1) + "}"
		info, err := r.p.TokenInfo(t.Context(), "ya29.x")
		switch {
		case !c.ok:
			wantUnavailable(t, err)
		case err != nil:
			t.Errorf("%s: %v", what, err)
		case what == "another party" && (info.ClientID != "native" || info.Audience != "web"),
			what == "no party" && info.ClientID != "native", what == "nobody" && (info.Owner != "" || info.Alone):
			t.Errorf("%s: got %+v", what, info)
		}
	}
	status, body = 400, `{"error":"invalid_token","error_description":"Invalid Value"}`
	_, err = r.p.TokenInfo(t.Context(), "ya29.x")
	wantError(t, err, provider.ErrTokenRefused)
}

// TestGoogleIsKnownByItsName: its discovery document does not say where it tells about
// tokens.
func TestGoogleIsKnownByItsName(t *testing.T) {
	p := speakWith(t, "https://accounts.google.com", nil, func(c *provider.Config) {
		c.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			body := `{"issuer":"https://accounts.google.com","authorization_endpoint":"https://accounts.google.com/o/oauth2/v2/auth",
				"token_endpoint":"https://oauth2.googleapis.com/token","userinfo_endpoint":"https://openidconnect.googleapis.com/v1/userinfo",
				"revocation_endpoint":"https://oauth2.googleapis.com/revoke","jwks_uri":"https://www.googleapis.com/oauth2/v3/certs"}`
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})
	})
	md, err := p.Metadata(t.Context())
	if err != nil || md.TokenInfoEndpoint != "https://oauth2.googleapis.com/tokeninfo" || p.OpaqueMode(md) != provider.OpaqueTokenInfo {
		t.Errorf("got %+v, %v", md, err)
	}
}

// TestSignedIntrospection (RFC 9701): a reply in a JWT is this provider's, for the client
// that has asked, of just now, or no answer.
func TestSignedIntrospection(t *testing.T) {
	r := start(t)
	stranger := devprovider.NewKey("ES256")
	for name, c := range map[string]struct {
		key    *devprovider.Key
		typ    string
		change map[string]any
		ok     bool
	}{
		"a good one":                  {nil, "", nil, true},
		"a type in full":              {nil, "application/token-introspection+jwt", nil, true},
		"for several":                 {nil, "", map[string]any{"aud": []string{"native", "web"}}, true},
		"by a stranger":               {&stranger, "", nil, false},
		"of another issuer":           {nil, "", map[string]any{"iss": "https://evil.example"}, false},
		"without an issuer":           {nil, "", map[string]any{"iss": nil}, false},
		"for another client":          {nil, "", map[string]any{"aud": "native"}, false},
		"for nobody":                  {nil, "", map[string]any{"aud": nil}, false},
		"of long ago":                 {nil, "", map[string]any{"iat": r.clock.Now().Unix() - 120}, false},
		"of the future":               {nil, "", map[string]any{"iat": r.clock.Now().Unix() + 120}, false},
		"of no time":                  {nil, "", map[string]any{"iat": nil}, false},
		"an access token":             {nil, "at+jwt", nil, false},
		"an ID token":                 {nil, "JWT", nil, false},
		"the members outside":         {nil, "", map[string]any{"token_introspection": nil, "active": true}, false},
		"the members in a text":       {nil, "", map[string]any{"token_introspection": `{"active":true}`}, false},
		"active beside and not in it": {nil, "", map[string]any{"token_introspection": map[string]any{"active": false}, "active": true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			claims := map[string]any{
				"iss": r.Issuer(), "aud": "web", "iat": r.clock.Now().Unix(),
				"token_introspection": map[string]any{"active": true, "client_id": "native", "sub": "1", "exp": r.clock.Now().Unix() + 60},
			}
			for k, v := range c.change {
				if claims[k] = v; v == nil {
					delete(claims, k)
				}
			}
			key, typ := r.Key(), "token-introspection+jwt"
			if c.key != nil {
				key = *c.key
				key.ID = r.Key().ID
			}
			if c.typ != "" {
				typ = c.typ
			}
			jwt := devprovider.SignJWT(key, map[string]any{"typ": typ}, claims)
			r.Override(devprovider.Introspection, func(w http.ResponseWriter, req *http.Request) {
				if !strings.Contains(req.Header.Get("Accept"), "application/token-introspection+jwt") {
					t.Errorf("Accept %q", req.Header.Get("Accept"))
				}
				devprovider.Answer(200, "application/token-introspection+jwt", jwt)(w, req)
			})
			in, err := r.p.Introspect(t.Context(), provider.Client{ID: "web", Secret: webSecret}, "x")
			if !c.ok {
				wantUnavailable(t, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := name != "active beside and not in it"; in.Active != want || want && in.Claims["client_id"] != "native" {
				t.Errorf("got %+v", in)
			}
		})
	}
	// A JWT that does not say that it is one is no JSON.
	r.Override(devprovider.Introspection, devprovider.Answer(200, "application/json", "a.b.c"))
	_, err := r.p.Introspect(t.Context(), provider.Client{ID: "web", Secret: webSecret}, "x")
	wantUnavailable(t, err)
}
