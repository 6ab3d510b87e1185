package provider_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// code walks through the authorization endpoint as ada.
func (r *rig) code(t *testing.T, a provider.AuthorizationRequest) string {
	t.Helper()
	r.SignInAs("ada")
	to, err := r.p.AuthorizationURL(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to, nil)
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	r.Server.Provider.ServeHTTP(rec, req)
	back, err := url.Parse(rec.Header().Get("Location"))
	if err != nil || !strings.HasPrefix(back.String(), callback+"?") {
		t.Fatalf("%d to %q, want %s", rec.Code, rec.Header().Get("Location"), callback)
	}
	if got := back.Query().Get("state"); got != a.State {
		t.Errorf("state: got %q, want %q", got, a.State)
	}
	return back.Query().Get("code")
}

func attempt() provider.AuthorizationRequest {
	return provider.AuthorizationRequest{State: "the state", Nonce: nonce, Verifier: oauth2.GenerateVerifier()}
}

// TestCodeFlow is conformance module oidcc-client-test (B1), with client_secret_basic
// (B16) and the form.
func TestCodeFlow(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(doc map[string]any)
		client provider.Client
	}{
		{"with Basic", func(map[string]any) {}, provider.Client{ID: "web", Secret: webSecret}},
		{"with the form", func(doc map[string]any) {
			doc["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
		}, provider.Client{ID: "web", Secret: webSecret}},
		{"as a public client", func(map[string]any) {}, provider.Client{ID: "public"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, func(conf *provider.Config) { conf.Client = c.client })
			r.SetClient(devprovider.Client{ID: "public", RedirectURIs: []string{callback}, RequirePKCE: true})
			r.Rewrite(devprovider.DiscoveryDocument, c.change)
			a := attempt()
			tokens, err := r.p.Exchange(t.Context(), r.code(t, a), a.Verifier)
			if err != nil {
				t.Fatal(err)
			}
			if !tokens.Expires.Equal(r.clock.Now().Add(2*time.Hour)) || tokens.Refresh == "" {
				t.Errorf("got %+v, want two hours and a refresh token", tokens)
			}
			claims, err := r.p.VerifyIDToken(t.Context(), tokens.ID, provider.Expected{Nonce: a.Nonce, AccessToken: tokens.Access})
			if err != nil || claims["sub"] != "1" {
				t.Errorf("ID token: got %v, %v, want sub 1", claims, err)
			}
			if info, err := r.p.UserInfo(t.Context(), tokens.Access); err != nil || info["sub"] != "1" {
				t.Errorf("userinfo: got %v, %v, want sub 1", info, err)
			}
			r.wantCalls(t, devprovider.Token, 1)
		})
	}
}

// TestAuthorizationRequest: what goes to the provider, and that nothing from the
// configuration takes the place of what the callback will check.
func TestAuthorizationRequest(t *testing.T) {
	r := start(t, func(c *provider.Config) {
		c.AuthorizeParams = map[string]string{
			"access_type": "offline", "resource": "https://api.example", "prompt": "consent",
			"state": "fixed", "nonce": "fixed", "code_challenge": "fixed", "code_challenge_method": "plain",
			"redirect_uri": "https://evil.example", "response_type": "token", "response_mode": "fragment",
			"client_id": "stranger", "scope": "api", "request": "x", "request_uri": "https://evil.example",
		}
	})
	query := func(a provider.AuthorizationRequest) url.Values {
		to, err := r.p.AuthorizationURL(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(to)
		if err != nil || u.Path != "/oauth/authorize" {
			t.Fatalf("got %q, want the authorization endpoint", to)
		}
		return u.Query()
	}
	a := attempt()
	want := url.Values{
		"response_type": {"code"}, "client_id": {"web"}, "redirect_uri": {callback}, "scope": {"openid email"},
		"state": {a.State}, "nonce": {a.Nonce}, "code_challenge": {oauth2.S256ChallengeFromVerifier(a.Verifier)},
		"code_challenge_method": {"S256"}, "access_type": {"offline"}, "resource": {"https://api.example"}, "prompt": {"consent"},
	}
	if diff := cmp.Diff(want, query(a)); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	a.Again = true
	if got := query(a).Get("prompt"); got != "login" {
		t.Errorf("prompt for signing in again: got %q, want login", got)
	}
}

func TestCodesThatAreNoGood(t *testing.T) {
	r := start(t)
	a := attempt()
	used := r.code(t, a)
	if _, err := r.p.Exchange(t.Context(), used, a.Verifier); err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]struct{ code, verifier string }{
		"used before":            {used, a.Verifier},
		"never given":            {"x", a.Verifier},
		"another's verifier":     {r.code(t, a), oauth2.GenerateVerifier()},
		"without its verifier":   {r.code(t, a), ""},
		"with line breaks in it": {"x\r\ny", a.Verifier},
	} {
		_, err := r.p.Exchange(t.Context(), try.code, try.verifier)
		if !errors.Is(err, provider.ErrGrantRefused) {
			t.Errorf("%s: got %v, want the grant refused", name, err)
		}
	}
}

// TestRefusedClientIsNoBadCode: our own secret is wrong; the person did nothing.
func TestRefusedClientIsNoBadCode(t *testing.T) {
	r := start(t, func(c *provider.Config) { c.Client.Secret = "wrong" })
	_, err := r.p.Exchange(t.Context(), "x", "y")
	wantError(t, err, provider.ErrClientRefused)
	r.wantCalls(t, devprovider.Token, 1) // and no second try in another style, which would use the code up
}

func TestTokenReplies(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   error // errUnavailable, a sentinel, or nil
	}{
		{"token-type-case-insensitivity", 200, `{"access_token":"a","token_type":"bEARER"}`, nil},
		{"token-endpoint-response-without-expires_in", 200, `{"access_token":"a","token_type":"Bearer"}`, nil},
		{"no token type", 200, `{"access_token":"a"}`, nil},
		{"a token bound to a key", 200, `{"access_token":"a","token_type":"DPoP"}`, errUnavailable},
		{"no access token", 200, `{"token_type":"Bearer"}`, errUnavailable},
		{"an empty access token", 200, `{"access_token":"","token_type":"Bearer"}`, errUnavailable},
		{"an access token in other letters", 200, `{"ACCESS_TOKEN":"a","token_type":"Bearer"}`, errUnavailable},
		{"an access token twice", 200, `{"access_token":"a","Access_Token":"b","token_type":"Bearer"}`, errUnavailable},
		{"an access token that is no text", 200, `{"access_token":["a"],"token_type":"Bearer"}`, errUnavailable},
		{"an error with status 200", 200, `{"error":"invalid_grant"}`, provider.ErrGrantRefused},
		{"invalid_grant", 400, `{"error":"invalid_grant"}`, provider.ErrGrantRefused},
		{"invalid_client with 400", 400, `{"error":"invalid_client"}`, provider.ErrClientRefused},
		{"unauthorized_client", 400, `{"error":"unauthorized_client"}`, provider.ErrClientRefused},
		{"401 without words", 401, ``, provider.ErrClientRefused},
		{"400 without words", 400, `<html>`, errUnavailable},
		{"403", 403, `{"error":"x"}`, errUnavailable},
		{"500", 500, `{"error":"invalid_grant"}`, errUnavailable},
		{"temporarily_unavailable", 503, `{"error":"temporarily_unavailable"}`, errUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t)
			r.Override(devprovider.Token, devprovider.Answer(c.status, "application/json", c.body))
			tokens, err := r.p.Exchange(t.Context(), "x", "y")
			switch {
			case c.want == nil && (err != nil || tokens.Access != "a" || !tokens.Expires.IsZero() || tokens.ID != ""):
				t.Errorf("got %+v, %v, want the token without an end", tokens, err)
			case c.want == errUnavailable:
				wantUnavailable(t, err)
			case c.want != nil:
				wantError(t, err, c.want)
			}
			r.wantCalls(t, devprovider.Token, 1)
		})
	}
}

var errUnavailable = errors.New("an outage")

// TestExchangeEndsWithItsRequest: a browser that goes away takes its call along.
func TestExchangeEndsWithItsRequest(t *testing.T) {
	r := start(t)
	hold := r.Hang(devprovider.Token)
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := r.p.Exchange(ctx, "x", "y")
		done <- err
	}()
	<-hold.Arrived()
	leave()
	var u *session.Unavailable
	if err := <-done; !errors.As(err, &u) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error as an outage", err)
	}
}

func TestCleanCode(t *testing.T) {
	for code, want := range map[string]string{
		"invalid_grant": "invalid_grant", "AADSTS50011": "AADSTS50011", "x-y.z": "x-y.z", "": "",
		"<script>": "", "two words": "", "line\nbreak": "", `quo"te`: "", "ünï": "", "a=b": "", "a{b": "", "a@b": "", "a[b": "",
		strings.Repeat("a", 40): strings.Repeat("a", 40), strings.Repeat("a", 41): "",
	} {
		if got := provider.CleanCode(code); got != want {
			t.Errorf("%q: got %q, want %q", code, got, want)
		}
	}
}
