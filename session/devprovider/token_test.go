package devprovider_test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// authorize gets a code for ada at the client web without the page.
func authorize(t *testing.T, s *devprovider.Server, params ...string) url.Values {
	t.Helper()
	s.SignInAs("ada")
	defer s.SignInAs("")
	res := get(t, authURL(s, params...), "")
	back, err := url.Parse(res.header.Get("Location"))
	if err != nil || res.status != http.StatusSeeOther {
		t.Fatalf("authorize: status %d, Location %q, want a 303 to the client", res.status, res.header.Get("Location"))
	}
	return back.Query()
}

// authURL is the address of an authorization request, with further or other
// parameters given as name, value; an empty value leaves the parameter out.
func authURL(s *devprovider.Server, params ...string) string {
	q := url.Values{
		"response_type": {"code"}, "client_id": {"web"}, "redirect_uri": {callback}, "scope": {"openid email"}, "state": {"S"},
	}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
		if params[i+1] == "" {
			q.Del(params[i])
		}
	}
	return s.URL + "/oauth/authorize?" + q.Encode()
}

func exchange(t *testing.T, s *devprovider.Server, code string, more ...string) reply {
	t.Helper()
	form := append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", callback}, more...)
	return post(t, s.URL+"/oauth/token", "web", "web secret+&%", form...)
}

// wantError checks an error reply of the token endpoint.
func wantError(t *testing.T, res reply, status int, code string) {
	t.Helper()
	if res.status != status || res.object(t)["error"] != code {
		t.Errorf("got %d %s, want %d %s", res.status, res.body, status, code)
	}
}

func TestCodeIsGoodOnce(t *testing.T) {
	s := start(t)
	code := authorize(t, s).Get("code")
	first := exchange(t, s, code)
	if first.status != http.StatusOK {
		t.Fatalf("first use: %d %s", first.status, first.body)
	}
	wantError(t, exchange(t, s, code), http.StatusBadRequest, "invalid_grant")
	access, _ := first.object(t)["access_token"].(string)
	if res := get(t, s.URL+"/oauth/userinfo", access); res.status != http.StatusOK {
		t.Errorf("userinfo with the first use's token: %d, want 200 as at Doorkeeper", res.status)
	}
}

func TestCodeIsBoundToClientAddressAndTime(t *testing.T) {
	clock := newClock()
	s := start(t, func(o *devprovider.Options) { o.Now = clock.Now })
	code := func() string { return authorize(t, s).Get("code") }
	wantError(t, post(t, s.URL+"/oauth/token", "other", "other-secret",
		"grant_type", "authorization_code", "code", code(), "redirect_uri", callback), 400, "invalid_grant")
	wantError(t, post(t, s.URL+"/oauth/token", "web", "web secret+&%",
		"grant_type", "authorization_code", "code", code(), "redirect_uri", callback+"/"), 400, "invalid_grant")
	wantError(t, post(t, s.URL+"/oauth/token", "web", "web secret+&%",
		"grant_type", "authorization_code", "code", code()), 400, "invalid_request")
	old := code()
	clock.Advance(10 * time.Minute)
	wantError(t, exchange(t, s, old), 400, "invalid_grant")
}

func TestChallengeIsEnforcedWhenSent(t *testing.T) {
	s := start(t)
	verifier := oauth2.GenerateVerifier()
	challenge := []string{"code_challenge", oauth2.S256ChallengeFromVerifier(verifier), "code_challenge_method", "S256"}
	if res := exchange(t, s, authorize(t, s, challenge...).Get("code"), "code_verifier", verifier); res.status != http.StatusOK {
		t.Errorf("right verifier: %d %s", res.status, res.body)
	}
	wantError(t, exchange(t, s, authorize(t, s, challenge...).Get("code")), 400, "invalid_request")
	wantError(t, exchange(t, s, authorize(t, s, challenge...).Get("code"), "code_verifier", verifier+"x"), 400, "invalid_grant")
	wantError(t, exchange(t, s, authorize(t, s).Get("code"), "code_verifier", verifier), 400, "invalid_grant")
	plain := authorize(t, s, "code_challenge", verifier, "code_challenge_method", "plain")
	if got := plain.Get("error"); got != "invalid_request" {
		t.Errorf("method plain: error %q, want invalid_request", got)
	}
}

func TestRefreshEndsTheOldPair(t *testing.T) {
	s := start(t)
	old := s.Issue("ada", "native", "openid email")
	res := post(t, s.URL+"/oauth/token", "native", "", "grant_type", "refresh_token", "refresh_token", old.RefreshToken)
	if res.status != http.StatusOK {
		t.Fatalf("refresh: %d %s", res.status, res.body)
	}
	fresh := res.object(t)
	if got := get(t, s.URL+"/oauth/userinfo", old.AccessToken).status; got != http.StatusUnauthorized {
		t.Errorf("userinfo with the old access token: %d, want 401", got)
	}
	wantError(t, post(t, s.URL+"/oauth/token", "native", "", "grant_type", "refresh_token", "refresh_token", old.RefreshToken),
		400, "invalid_grant")
	if got := get(t, s.URL+"/oauth/userinfo", fresh["access_token"].(string)).status; got != http.StatusOK {
		t.Errorf("userinfo with the new access token after the reuse: %d, want 200", got)
	}
	refresh := fresh["refresh_token"].(string)
	wantError(t, post(t, s.URL+"/oauth/token", "native", "", "grant_type", "refresh_token", "refresh_token", refresh, "scope", "openid api"),
		400, "invalid_scope")
	wantError(t, post(t, s.URL+"/oauth/token", "other", "other-secret", "grant_type", "refresh_token", "refresh_token", refresh),
		400, "invalid_grant")
	narrow := post(t, s.URL+"/oauth/token", "native", "", "grant_type", "refresh_token", "refresh_token", refresh, "scope", "openid")
	if got := narrow.object(t)["scope"]; got != "openid" {
		t.Errorf("narrower scope: got %v, want openid", got)
	}
}

// Whose reply was lost asks again with the token of before, until the new one is used.
func TestTheOldPairEndsWhenTheNewOneIsUsed(t *testing.T) {
	for _, use := range []string{"access", "refresh"} {
		s := start(t, func(o *devprovider.Options) {
			for i := range o.Clients {
				o.Clients[i].RevokeOnUse = true
			}
		})
		refresh := func(token string) reply {
			return post(t, s.URL+"/oauth/token", "native", "", "grant_type", "refresh_token", "refresh_token", token)
		}
		old := s.Issue("ada", "native", "openid")
		refresh(old.RefreshToken) // of which nobody hears
		res := refresh(old.RefreshToken)
		if res.status != http.StatusOK {
			t.Fatalf("a second time: got %d %s", res.status, res.body)
		}
		fresh := res.object(t)
		if res := get(t, s.URL+"/oauth/userinfo", old.AccessToken); res.status != http.StatusOK {
			t.Errorf("the old access token before that: got %d", res.status)
		}
		if use == "access" {
			get(t, s.URL+"/oauth/userinfo", fresh["access_token"].(string))
		} else {
			refresh(fresh["refresh_token"].(string))
		}
		wantError(t, refresh(old.RefreshToken), http.StatusBadRequest, "invalid_grant")
		if res := get(t, s.URL+"/oauth/userinfo", old.AccessToken); res.status != http.StatusUnauthorized {
			t.Errorf("the old access token after that: got %d", res.status)
		}
	}
}

func TestOneOfConcurrentRefreshesWins(t *testing.T) {
	s := start(t)
	tokens := s.Issue("ada", "native", "openid")
	var wg sync.WaitGroup
	statuses := make(chan int, 8)
	for range cap(statuses) {
		wg.Go(func() {
			res, err := http.PostForm(s.URL+"/oauth/token", url.Values{
				"grant_type": {"refresh_token"}, "client_id": {"native"}, "refresh_token": {tokens.RefreshToken},
			})
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
			statuses <- res.StatusCode
		})
	}
	wg.Wait()
	close(statuses)
	won := 0
	for status := range statuses {
		if status == http.StatusOK {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d of 8 refreshes with one token succeeded, want 1", won)
	}
}

func TestClientCredentialsHaveNoUser(t *testing.T) {
	s := start(t)
	res := post(t, s.URL+"/oauth/token", "web", "web secret+&%", "grant_type", "client_credentials", "scope", "read_api")
	token, _ := res.object(t)["access_token"].(string)
	if res.status != http.StatusOK || token == "" || res.object(t)["refresh_token"] != nil {
		t.Fatalf("client credentials: %d %s", res.status, res.body)
	}
	info := get(t, s.URL+"/oauth/token/info", token).object(t)
	if owner, there := info["resource_owner_id"]; !there || owner != nil {
		t.Errorf("resource_owner_id %v, want null", owner)
	}
	if got := get(t, s.URL+"/oauth/userinfo", token).status; got != http.StatusForbidden {
		t.Errorf("userinfo: %d, want 403", got)
	}
	wantError(t, post(t, s.URL+"/oauth/token", "native", "", "grant_type", "client_credentials"), 400, "unauthorized_client")
}

func TestTokenEndpointErrors(t *testing.T) {
	s := start(t)
	token := s.URL + "/oauth/token"
	for _, c := range []struct {
		name   string
		res    reply
		status int
		code   string
	}{
		{"wrong secret, basic", post(t, token, "web", "wrong", "grant_type", "client_credentials"), 401, "invalid_client"},
		{"wrong secret, post", post(t, token, "", "", "client_id", "web", "client_secret", "wrong"), 401, "invalid_client"},
		{"no secret for a confidential client", post(t, token, "web", ""), 401, "invalid_client"},
		{"a secret for a public client", post(t, token, "native", "guess"), 401, "invalid_client"},
		{"unknown client", post(t, token, "nobody", "x"), 401, "invalid_client"},
		{"no client", post(t, token, "", ""), 401, "invalid_client"},
		{"no grant type", post(t, token, "native", ""), 400, "invalid_request"},
		{"password grant", post(t, token, "native", "", "grant_type", "password"), 400, "unsupported_grant_type"},
		{"unknown code", exchange(t, s, "nothing"), 400, "invalid_grant"},
		{"unknown refresh token", post(t, token, "native", "", "grant_type", "refresh_token", "refresh_token", "x"), 400, "invalid_grant"},
	} {
		t.Run(c.name, func(t *testing.T) { wantError(t, c.res, c.status, c.code) })
	}
	if got := get(t, token, "").status; got != http.StatusNotFound {
		t.Errorf("GET: %d, want 404", got)
	}
}

func TestJWTAccessToken(t *testing.T) {
	s := start(t)
	s.SetClient(devprovider.Client{ID: "jwt", Native: true, JWT: true, Audience: []string{"https://telemetry.example"}})
	token := s.Issue("ada", "jwt", "openid").AccessToken
	header, claims := decode(t, token)
	if header["typ"] != "at+jwt" || header["kid"] != s.Key().ID {
		t.Errorf("header %v, want typ at+jwt and the kid %s", header, s.Key().ID)
	}
	for name, want := range map[string]any{
		"aud": "https://telemetry.example", "client_id": "jwt", "sub": "1", "iss": s.Issuer(), "scope": "openid",
	} {
		if claims[name] != want {
			t.Errorf("claim %s is %v, want %v", name, claims[name], want)
		}
	}
	if got := get(t, s.URL+"/oauth/userinfo", token).status; got != http.StatusOK {
		t.Errorf("userinfo: %d, want 200", got)
	}
}
