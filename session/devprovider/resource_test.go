package devprovider_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

func introspect(t *testing.T, s *devprovider.Server, client, secret, token string) map[string]any {
	t.Helper()
	res := post(t, s.URL+"/oauth/introspect", client, secret, "token", token)
	if res.status != http.StatusOK {
		t.Fatalf("introspection: %d %s", res.status, res.body)
	}
	return res.object(t)
}

func TestIntrospectionAnswersTheTokensOwnClientOnly(t *testing.T) {
	clock := newClock()
	s := start(t, func(o *devprovider.Options) { o.Now = clock.Now })
	tokens := s.Issue("ada", "native", "openid email")
	inactive := map[string]any{"active": false}
	active := map[string]any{
		"active": true, "scope": "openid email", "client_id": "native", "token_type": "Bearer",
		"iat": float64(clock.Now().Unix()), "exp": float64(clock.Now().Unix() + 7200),
	}
	for _, c := range []struct {
		name, client, secret, token string
		want                        map[string]any
	}{
		{"its own client", "native", "", tokens.AccessToken, active},
		{"its own client, a refresh token", "native", "", tokens.RefreshToken, active},
		{"its own client, an ID token", "native", "", tokens.IDToken, inactive},
		{"another client", "web", "web secret+&%", tokens.AccessToken, inactive},
		{"an unknown token", "native", "", "nothing", inactive},
		{"no token", "native", "", "", inactive},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, introspect(t, s, c.client, c.secret, c.token)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	clock.Advance(2 * time.Hour)
	if diff := cmp.Diff(inactive, introspect(t, s, "native", "", tokens.AccessToken)); diff != "" {
		t.Errorf("an expired token (-want +got):\n%s", diff)
	}
}

func TestIntrospectionWithATokenInsteadOfAClient(t *testing.T) {
	s := start(t)
	token, sibling := s.Issue("ada", "native", "openid").AccessToken, s.Issue("ada", "native", "openid").AccessToken
	foreign := s.Issue("ada", "web", "openid").AccessToken
	ask := func(with string) reply {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/oauth/introspect", strings.NewReader("token="+token))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", "Bearer "+with)
		return send(t, req)
	}
	if res := ask(token); res.status != http.StatusUnauthorized {
		t.Errorf("asked with the token itself: %d, want 401", res.status)
	}
	if res := ask(sibling); res.object(t)["active"] != true {
		t.Errorf("asked with a sibling: %s, want it active", res.body)
	}
	if res := ask(foreign); res.object(t)["active"] != false {
		t.Errorf("asked with another client's token: %s, want it inactive", res.body)
	}
	wantError(t, post(t, s.URL+"/oauth/introspect", "", "", "token", token), 400, "invalid_request")
	wantError(t, post(t, s.URL+"/oauth/introspect", "web", "wrong", "token", token), 401, "invalid_client")
}

func TestTokenWithoutEnd(t *testing.T) {
	s := start(t)
	s.SetClient(devprovider.Client{ID: "native", Native: true, NoExpiry: true})
	tokens := s.Issue("ada", "native", "openid")
	if got := introspect(t, s, "native", "", tokens.AccessToken)["exp"]; got != float64(0) {
		t.Errorf("introspection: exp %v, want 0", got)
	}
	info := get(t, s.URL+"/oauth/token/info", tokens.AccessToken).object(t)
	if left, there := info["expires_in"]; !there || left != nil {
		t.Errorf("token/info: expires_in %v, want null", left)
	}
	if tokens.ExpiresIn != 0 {
		t.Errorf("ExpiresIn %v, want 0", tokens.ExpiresIn)
	}
	s.ExpireAll()
	if got := get(t, s.URL+"/oauth/token/info", tokens.AccessToken).status; got != http.StatusUnauthorized {
		t.Errorf("token/info after ExpireAll: %d, want 401", got)
	}
}

func TestTokenInfoNeedsOnlyTheToken(t *testing.T) {
	clock := newClock()
	s := start(t, func(o *devprovider.Options) { o.Now = clock.Now })
	tokens := s.Issue("ada", "native", "openid email")
	clock.Advance(time.Hour)
	want := map[string]any{
		"resource_owner_id": float64(1), "application": map[string]any{"uid": "native"},
		"scope": []any{"openid", "email"}, "scopes": []any{"openid", "email"},
		"expires_in": float64(3600), "expires_in_seconds": float64(3600),
		"created_at": float64(clock.Now().Unix() - 3600),
	}
	if diff := cmp.Diff(want, get(t, s.URL+"/oauth/token/info", tokens.AccessToken).object(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, token := range map[string]string{"refresh token": tokens.RefreshToken, "ID token": tokens.IDToken, "no token": ""} {
		wantError(t, get(t, s.URL+"/oauth/token/info", token), http.StatusUnauthorized, "invalid_token")
		if res := get(t, s.URL+"/oauth/userinfo", token); res.status != http.StatusUnauthorized || res.body != "" {
			t.Errorf("userinfo with %s: %d %q, want 401 without a body", name, res.status, res.body)
		}
	}
}

func TestPeopleChangeWhileTokensLive(t *testing.T) {
	s := start(t)
	tokens := s.Issue("ada", "native", "openid")
	ada := s.Person("ada")
	ada.Groups = []string{"teams/kde-developers-emeritus"}
	s.SetPerson(ada)
	got := get(t, s.URL+"/oauth/userinfo", tokens.AccessToken).object(t)
	if diff := cmp.Diff([]any{"teams/kde-developers-emeritus"}, got["groups"]); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if got["sub"] != "1" {
		t.Errorf("sub %v, want 1 as before", got["sub"])
	}
	ada.Blocked = true
	s.SetPerson(ada)
	if res := get(t, s.URL+"/oauth/userinfo", tokens.AccessToken); res.status != http.StatusInternalServerError {
		t.Errorf("userinfo of a blocked person: %d, want 500", res.status)
	}
	if introspect(t, s, "native", "", tokens.AccessToken)["active"] != true {
		t.Error("introspection of a blocked person's token: inactive, want active")
	}
	res := post(t, s.URL+"/oauth/token", "native", "", "grant_type", "refresh_token", "refresh_token", tokens.RefreshToken)
	if res.status != http.StatusInternalServerError {
		t.Errorf("refresh of a blocked person: %d, want 500", res.status)
	}
}

func TestRevocationEndsBothTokens(t *testing.T) {
	s := start(t)
	revoke := s.URL + "/oauth/revoke"
	for _, kind := range []string{"access token", "refresh token"} {
		tokens := s.Issue("ada", "native", "openid")
		token := tokens.AccessToken
		if kind == "refresh token" {
			token = tokens.RefreshToken
		}
		if res := post(t, revoke, "web", "web secret+&%", "token", token); res.status != http.StatusForbidden {
			t.Errorf("%s, another client: %d, want 403", kind, res.status)
		}
		if res := post(t, revoke, "", "", "token", token); res.status != http.StatusForbidden {
			t.Errorf("%s, no client: %d, want 403", kind, res.status)
		}
		if got := get(t, s.URL+"/oauth/userinfo", tokens.AccessToken).status; got != http.StatusOK {
			t.Errorf("%s, userinfo before: %d, want 200", kind, got)
		}
		if res := post(t, revoke, "native", "", "token", token); res.status != http.StatusOK {
			t.Errorf("%s: %d, want 200", kind, res.status)
		}
		if got := get(t, s.URL+"/oauth/userinfo", tokens.AccessToken).status; got != http.StatusUnauthorized {
			t.Errorf("%s, userinfo afterwards: %d, want 401", kind, got)
		}
		wantError(t, post(t, s.URL+"/oauth/token", "native", "", "grant_type", "refresh_token", "refresh_token", tokens.RefreshToken),
			400, "invalid_grant")
	}
	if res := post(t, revoke, "native", "", "token", "nothing"); res.status != http.StatusOK {
		t.Errorf("an unknown token: %d, want 200", res.status)
	}
	ada, eve := s.Issue("ada", "native", "openid"), s.Issue("eve", "native", "openid")
	if n := s.RevokeAll("ada"); n != 1 {
		t.Errorf("RevokeAll revoked %d, want 1", n)
	}
	if got := get(t, s.URL+"/oauth/userinfo", ada.AccessToken).status; got != http.StatusUnauthorized {
		t.Errorf("ada after RevokeAll: %d, want 401", got)
	}
	if got := get(t, s.URL+"/oauth/userinfo", eve.AccessToken).status; got != http.StatusOK {
		t.Errorf("eve after RevokeAll of ada: %d, want 200", got)
	}
	if !s.Revoke(eve.AccessToken) || s.Revoke(eve.AccessToken) || s.Revoke("") {
		t.Error("Revoke: want true once for a token and false for an empty one")
	}
}
