package provider_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// TestWhoMayIntrospectWhat is Doorkeeper's rule: the token's own client, public
// ones too, gets the answer, every other "not active".
func TestWhoMayIntrospectWhat(t *testing.T) {
	r := start(t)
	web, native, stranger := r.p.Client, provider.Client{ID: "native"}, provider.Client{ID: "stranger", Secret: "strange"}
	ofWeb, ofNative := r.Issue("ada", "web", "openid").AccessToken, r.Issue("ada", "native", "openid").AccessToken
	for _, c := range []struct {
		name   string
		client provider.Client
		token  string
		active bool
	}{
		{"a client about its own token", web, ofWeb, true},
		{"a public client about its own token", native, ofNative, true},
		{"a client about another's token", web, ofNative, false},
		{"a stranger about ours", stranger, ofWeb, false},
		{"about nothing that exists", web, "unknown", false},
		{"about a refresh token: active all the same", web, r.Issue("ada", "web", "openid").RefreshToken, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := r.p.Introspect(t.Context(), c.client, c.token)
			if err != nil {
				t.Fatal(err)
			}
			if in.Active != c.active {
				t.Errorf("active: got %v, want %v", in.Active, c.active)
			}
			if c.active && in.Claims["client_id"] != c.client.ID {
				t.Errorf("client_id: got %v, want %s", in.Claims["client_id"], c.client.ID)
			}
		})
	}
	for name, client := range map[string]provider.Client{
		"a wrong secret": {ID: "web", Secret: "wrong"}, "no secret": {ID: "web"},
		"an unknown client": {ID: "unknown", Secret: "x"}, "a secret for a public client": {ID: "native", Secret: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.p.Introspect(t.Context(), client, ofWeb)
			wantError(t, err, provider.ErrClientRefused)
			wantNoCanary(t, err)
		})
	}
}

// TestClientAuthentication: the secret goes where the provider wants it, form-encoded
// (RFC 6749 section 2.3.1), the token into the body and never into a URL.
func TestClientAuthentication(t *testing.T) {
	const id, secret = "my:app %+ü", "p:ass+w%rd &=/?ü"
	for _, c := range []struct {
		name      string
		document  func(doc map[string]any)
		secret    string
		wantBasic bool
		wantForm  url.Values
	}{
		{"Basic when nothing is announced", func(doc map[string]any) { delete(doc, "token_endpoint_auth_methods_supported") }, secret, true,
			url.Values{}},
		{"Basic when both are announced", nil, secret, true, url.Values{}},
		{"the form where only that is announced",
			func(doc map[string]any) {
				doc["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
			}, secret, false, url.Values{"client_id": {id}, "client_secret": {secret}}},
		{"introspection's own list wins",
			func(doc map[string]any) {
				doc["token_endpoint_auth_methods_supported"] = []string{"client_secret_basic"}
				doc["introspection_endpoint_auth_methods_supported"] = []string{"client_secret_post", "private_key_jwt"}
			}, secret, false, url.Values{"client_id": {id}, "client_secret": {secret}}},
		{"a public client says its id", nil, "", false, url.Values{"client_id": {id}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t)
			r.SetClient(devprovider.Client{ID: id, Secret: c.secret})
			if c.document != nil {
				r.Rewrite(devprovider.DiscoveryDocument, c.document)
			}
			token := r.Issue("ada", id, "openid").AccessToken
			real := r.Real(devprovider.Introspection)
			r.Override(devprovider.Introspection, func(w http.ResponseWriter, req *http.Request) {
				_, _, basic := req.BasicAuth()
				if basic != c.wantBasic || req.Method != http.MethodPost || req.URL.RawQuery != "" {
					t.Errorf("%s with Basic %v and query %q, want POST, %v and none", req.Method, basic, req.URL.RawQuery, c.wantBasic)
				}
				want := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
				for name, v := range c.wantForm {
					want[name] = v
				}
				if diff := cmp.Diff(want, req.PostForm); diff != "" {
					t.Errorf("form (-want +got):\n%s", diff)
				}
				real(w, req)
			})
			in, err := r.p.Introspect(t.Context(), provider.Client{ID: id, Secret: c.secret}, token)
			if err != nil || !in.Active {
				t.Errorf("got %v, %v, want an active token", in, err)
			}
		})
	}
}

// TestActiveIsTheBooleanTrueOnly (RFC 7662 section 2.2).
func TestActiveIsTheBooleanTrueOnly(t *testing.T) {
	for _, c := range []struct {
		body   string
		active bool
	}{
		{`{"active":true}`, true},
		{`{"active":false}`, false},
		{`{"active":"true"}`, false},
		{`{"active":1}`, false},
		{`{"active":[true]}`, false},
		{`{"active":null}`, false},
		{`{}`, false},
		{`{"ACTIVE":true}`, false},
		{`{"active":false,"ACTIVE":true,"Active":true}`, false},
		{`{"\u0061ctive":true}`, true},
	} {
		r := start(t)
		r.Override(devprovider.Introspection, devprovider.Answer(200, "application/json", c.body))
		in, err := r.p.Introspect(t.Context(), r.p.Client, "x")
		if err != nil || in.Active != c.active {
			t.Errorf("%s: got %v, %v, want active %v", c.body, in, err, c.active)
		}
	}
	for _, body := range []string{
		`{"active":false,"active":true}`, `{"active":true,"active":true}`, `{"active":true,"\u0061ctive":false}`,
		`[{"active":true}]`, `true`, `{"active":true`, `{"active":true}}`, `<html>`,
	} {
		r := start(t)
		r.Override(devprovider.Introspection, devprovider.Answer(200, "application/json", body))
		_, err := r.p.Introspect(t.Context(), r.p.Client, "x")
		if err == nil {
			t.Errorf("%s: accepted", body)
			continue
		}
		wantUnavailable(t, err)
	}
}

func TestExpiryOfAnIntrospectedToken(t *testing.T) {
	r := start(t)
	for _, c := range []struct {
		exp  string
		want int64 // 0: does not end; -1: no answer
	}{
		{`1700000000`, 1700000000}, {`0`, 0}, {`null`, 0}, {`0.5`, 0}, {`"1700000000"`, -1}, {`true`, -1}, {`-1`, -1}, {`1e300`, -1}, {`[]`, -1},
	} {
		r.Override(devprovider.Introspection, devprovider.Answer(200, "application/json", `{"active":true,"exp":`+c.exp+`}`))
		in, err := r.p.Introspect(t.Context(), r.p.Client, "x")
		switch {
		case c.want < 0:
			wantUnavailable(t, err)
		case err != nil:
			t.Errorf("exp %s: %v", c.exp, err)
		case c.exp == "0.5":
			if in.Expires.IsZero() {
				t.Error("exp half a second after the epoch counts as no end")
			}
		case c.want == 0 != in.Expires.IsZero() || c.want > 0 && in.Expires.Unix() != c.want:
			t.Errorf("exp %s: got %v, want %d", c.exp, in.Expires, c.want)
		}
	}
}

// TestRefusedCredentialsSayNothingOfTheToken: every status of 4xx but those that
// ask to come again is about us.
func TestRefusedCredentialsSayNothingOfTheToken(t *testing.T) {
	for status, refused := range map[int]bool{
		400: true, 401: true, 403: true, 404: true, 405: true, 408: false, 429: false, 500: false, 503: false, 204: false, 302: false,
	} {
		r := start(t)
		r.Override(devprovider.Introspection, devprovider.Answer(status, "application/json", `{"error":"invalid_client","active":true}`))
		_, err := r.p.Introspect(t.Context(), r.p.Client, "x")
		if refused {
			wantError(t, err, provider.ErrClientRefused)
		} else {
			wantUnavailable(t, err)
		}
	}
}

func TestTokenInfoNeedsNothingButTheToken(t *testing.T) {
	r := start(t)
	r.SetClient(devprovider.Client{ID: "endless", Secret: "x", NoExpiry: true})
	token := r.Issue("ada", "native", "openid email").AccessToken
	r.Override(devprovider.TokenInfo, func(w http.ResponseWriter, req *http.Request) {
		if got := req.Header.Get("Authorization"); got != "Bearer "+token || req.URL.RawQuery != "" {
			t.Errorf("Authorization %q, query %q, want the token and none", got, req.URL.RawQuery)
		}
		r.Real(devprovider.TokenInfo)(w, req)
	})
	got, err := r.p.TokenInfo(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	want := &provider.TokenInfo{ClientID: "native", Audience: "native", Owner: "1", Scope: []string{"openid", "email"}, Expires: r.clock.Now().Add(2 * time.Hour)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("token information (-want +got):\n%s", diff)
	}
	r.Restore()
	for name, c := range map[string]struct {
		token, owner string
		endless      bool
	}{
		"a client's own token":    {r.Issue("", "web", "api").AccessToken, "", false},
		"a token that never ends": {r.Issue("ada", "endless", "api").AccessToken, "1", true},
	} {
		if info, err := r.p.TokenInfo(t.Context(), c.token); err != nil || info.Owner != c.owner || info.Expires.IsZero() != c.endless {
			t.Errorf("%s: got %v, %v, want owner %q, endless %v", name, info, err, c.owner, c.endless)
		}
	}
	for name, bad := range map[string]string{
		"unknown": "unknown", "a refresh token": r.Issue("ada", "native", "openid").RefreshToken, "empty": "",
	} {
		_, err := r.p.TokenInfo(t.Context(), bad)
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		wantError(t, err, provider.ErrTokenRefused)
	}
}

func TestTokenInfoReplies(t *testing.T) {
	r := start(t)
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   error // nil: an outage
	}{
		{"GitLab's words", 400, `{"error":"invalid_request"}`, provider.ErrTokenRefused},
		{"RFC 6750's words", 400, `{"error":"invalid_token"}`, provider.ErrTokenRefused},
		{"other words", 400, `{"error":"x"}`, nil},
		{"a page", 400, `<html>`, nil},
		{"forbidden", 403, `{}`, nil},
		{"expires_in a string", 200, `{"expires_in":"5"}`, nil},
		{"expires_in a list", 200, `{"expires_in":[5]}`, nil},
		{"expires_in beyond float64", 200, `{"expires_in":1e999}`, nil},
	} {
		r.Override(devprovider.TokenInfo, devprovider.Answer(c.status, "application/json", c.body))
		_, err := r.p.TokenInfo(t.Context(), "x")
		switch {
		case err == nil:
			t.Errorf("%s: accepted", c.name)
		case c.want != nil:
			wantError(t, err, c.want)
		default:
			wantUnavailable(t, err)
		}
	}
	for body, want := range map[string]time.Duration{
		`{"expires_in":5}`: 5 * time.Second, `{"expires_in":0}`: 0, `{"expires_in":-5}`: 0,
		`{"expires_in":253402300799}`: 100 * 365 * 24 * time.Hour, // no overflow into the past
	} {
		r.Override(devprovider.TokenInfo, devprovider.Answer(200, "application/json", body))
		info, err := r.p.TokenInfo(t.Context(), "x")
		if err != nil || info.Expires.Sub(r.clock.Now()) != want {
			t.Errorf("%s: got %v, %v, want %v", body, info, err, want)
		}
	}
	t.Run("an application that is no object names nobody", func(t *testing.T) {
		r.Override(devprovider.TokenInfo, devprovider.Answer(200, "application/json",
			`{"application":"web","client_id":"web","uid":"web","resource_owner_id":[1]}`))
		info, err := r.p.TokenInfo(t.Context(), "x")
		if err != nil || info.ClientID != "" || info.Owner != "" {
			t.Errorf("got %v, %v, want neither client nor owner", info, err)
		}
	})
}
