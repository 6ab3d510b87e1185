package provider_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// TestRevokedTokensAreDead, and with a refresh token what was granted with it.
func TestRevokedTokensAreDead(t *testing.T) {
	r := start(t)
	for _, kind := range []string{"refresh_token", "access_token"} {
		tokens := r.Issue("ada", "web", "openid")
		token := tokens.AccessToken
		if kind == "refresh_token" {
			token = tokens.RefreshToken
		}
		if err := r.p.Revoke(t.Context(), token, kind); err != nil {
			t.Fatal(err)
		}
		if _, err := r.p.UserInfo(t.Context(), tokens.AccessToken); !errors.Is(err, provider.ErrTokenRefused) {
			t.Errorf("after %s was revoked: got %v, want the access token refused", kind, err)
		}
		if err := r.p.Revoke(t.Context(), token, kind); err != nil { // it is not there any more
			t.Errorf("once more: %v", err)
		}
	}
}

// TestRevocationSendsSecretsInTheBodyAlone, and authenticates as the provider asks.
func TestRevocationSendsSecretsInTheBodyAlone(t *testing.T) {
	for name, c := range map[string]struct {
		document func(map[string]any)
		basic    bool
	}{
		"Basic": {nil, true},
		"in the form, as revocation's own list says": {func(doc map[string]any) {
			doc["revocation_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
		}, false},
		"in the form, as the token endpoint's list says": {func(doc map[string]any) {
			doc["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			r.Rewrite(devprovider.DiscoveryDocument, c.document)
			var form url.Values
			var id, secret, query string
			var basic bool
			r.Override(devprovider.Revocation, func(w http.ResponseWriter, q *http.Request) {
				form, query = q.PostForm, q.URL.RawQuery
				id, secret, basic = q.BasicAuth()
			})
			if err := r.p.Revoke(t.Context(), "the-token", "refresh_token"); err != nil {
				t.Fatal(err)
			}
			want := url.Values{"token": {"the-token"}, "token_type_hint": {"refresh_token"}}
			if !c.basic {
				want.Set("client_id", "web")
				want.Set("client_secret", webSecret)
			} else if id != "web" || secret != url.QueryEscape(webSecret) {
				t.Errorf("got the client %q with %d bytes of secret", id, len(secret))
			}
			if diff := cmp.Diff(want, form); diff != "" || basic != c.basic || query != "" {
				t.Errorf("form (-want +got):\n%s\nBasic %v, query %q", diff, basic, query)
			}
		})
	}
}

// TestRevocationThatFailsSaysSo and never what was to be revoked.
func TestRevocationThatFailsSaysSo(t *testing.T) {
	r := start(t)
	const token = "canary-of-a-refresh-token"
	for _, status := range []int{302, 400, 404, 429, 500, 503} {
		r.Override(devprovider.Revocation, devprovider.Answer(status, "application/json", `{"error":"unsupported_token_type","x":"`+token+`"}`))
		err := r.p.Revoke(t.Context(), token, "refresh_token")
		wantUnavailable(t, err)
		if strings.Contains(err.Error(), token) {
			t.Errorf("%d: the error tells the token", status)
		}
	}
	for _, status := range []int{401, 403} {
		r.Override(devprovider.Revocation, devprovider.Answer(status, "application/json", `{"error":"invalid_client"}`))
		wantError(t, r.p.Revoke(t.Context(), token, "refresh_token"), provider.ErrClientRefused)
	}
	r = start(t)
	r.Rewrite(devprovider.DiscoveryDocument, func(doc map[string]any) { delete(doc, "revocation_endpoint") })
	wantError(t, r.p.Revoke(t.Context(), token, "refresh_token"), provider.ErrNoEndpoint)
}

// TestEndSessionURL is section 2 of RP-Initiated Logout.
func TestEndSessionURL(t *testing.T) {
	r := start(t)
	const back = "https://telemetry.example.org/.auth/sign-out"
	query := func(idToken string) url.Values {
		t.Helper()
		got, err := r.p.EndSessionURL(t.Context(), idToken, back, "the state")
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(got)
		if err != nil || !strings.HasPrefix(got, r.Provider.URL(devprovider.EndSession)+"?") {
			t.Fatalf("got %q", got)
		}
		return u.Query()
	}
	want := url.Values{"client_id": {"web"}, "post_logout_redirect_uri": {back}, "state": {"the state"}, "id_token_hint": {"a.b.c"}}
	if diff := cmp.Diff(want, query("a.b.c")); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	// What would be refused as too long, or is not there, is left out.
	delete(want, "id_token_hint")
	for _, hint := range []string{"", strings.Repeat("x", 6145)} {
		if diff := cmp.Diff(want, query(hint)); diff != "" {
			t.Errorf("query (-want +got):\n%s", diff)
		}
	}
	withQuery := start(t, func(c *provider.Config) {
		c.Overrides.EndSessionEndpoint = "http://127.0.0.1:9/end?tenant=a%20b"
	})
	got, err := withQuery.p.EndSessionURL(t.Context(), "", back, "s")
	if err != nil || !strings.HasPrefix(got, "http://127.0.0.1:9/end?tenant=a%20b&client_id=web&") {
		t.Errorf("got %q, %v", got, err)
	}
	without := start(t)
	without.Rewrite(devprovider.DiscoveryDocument, func(doc map[string]any) { delete(doc, "end_session_endpoint") })
	_, err = without.p.EndSessionURL(t.Context(), "", back, "s")
	wantError(t, err, provider.ErrNoEndpoint)
	without.Close()
	_, err = speakWith(t, without.Issuer(), nil).EndSessionURL(t.Context(), "", back, "s")
	wantUnavailable(t, err)
}
