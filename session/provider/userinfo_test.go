package provider_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

func TestUserInfoOfAPerson(t *testing.T) {
	r := start(t)
	var sent http.Header
	real := r.Real(devprovider.UserInfo)
	r.Override(devprovider.UserInfo, func(w http.ResponseWriter, req *http.Request) {
		sent = req.Header.Clone()
		if req.URL.RawQuery != "" || req.Method != http.MethodGet || req.ContentLength > 0 {
			t.Errorf("%s with query %q and %d bytes, want a bare GET", req.Method, req.URL.RawQuery, req.ContentLength)
		}
		real(w, req)
	})
	token := r.Issue("ada", "web", "openid email").AccessToken
	claims, err := r.p.UserInfo(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{"teams/kde-developers"}, claims["groups"]); diff != "" || claims["sub"] != "1" {
		t.Errorf("got %v, want sub 1 and the group", claims)
	}
	// B11 userinfo-bearer-header (OpenID Connect Core section 5.3.1).
	if got := sent.Get("Authorization"); got != "Bearer "+token || sent.Get("Cookie") != "" {
		t.Errorf("Authorization %q, Cookie %q, want the token and nothing else", got, sent.Get("Cookie"))
	}
}

// TestUserInfoAnswersAreToldApart: a refused token, no claims for it, and an
// outage are three outcomes.
func TestUserInfoAnswersAreToldApart(t *testing.T) {
	t.Run("a token nobody knows is refused", func(t *testing.T) {
		r := start(t)
		_, err := r.p.UserInfo(t.Context(), "unknown")
		wantError(t, err, provider.ErrTokenRefused)
	})
	t.Run("a token that was revoked is refused", func(t *testing.T) {
		r := start(t)
		token := r.Issue("ada", "web", "openid").AccessToken
		r.Revoke(token)
		_, err := r.p.UserInfo(t.Context(), token)
		wantError(t, err, provider.ErrTokenRefused)
	})
	t.Run("a refresh token is refused", func(t *testing.T) {
		r := start(t)
		_, err := r.p.UserInfo(t.Context(), r.Issue("ada", "web", "openid").RefreshToken)
		wantError(t, err, provider.ErrTokenRefused)
	})
	t.Run("a token without openid has no claims", func(t *testing.T) {
		r := start(t)
		_, err := r.p.UserInfo(t.Context(), r.Issue("ada", "web", "read_api").AccessToken)
		wantError(t, err, provider.ErrNoClaims)
	})
	t.Run("a provider without userinfo gives no claims", func(t *testing.T) {
		r := start(t)
		r.Rewrite(devprovider.DiscoveryDocument, func(doc map[string]any) { delete(doc, "userinfo_endpoint") })
		_, err := r.p.UserInfo(t.Context(), r.Issue("ada", "web", "openid").AccessToken)
		wantError(t, err, provider.ErrNoClaims)
	})
	t.Run("a blocked person is an outage: GitLab says 500", func(t *testing.T) {
		r := start(t)
		token := r.Issue("ada", "web", "openid").AccessToken
		ada := r.Person("ada")
		ada.Blocked = true
		r.SetPerson(ada)
		_, err := r.p.UserInfo(t.Context(), token)
		wantUnavailable(t, err)
	})
}

// TestUserInfoMustNameSomebody: without sub nobody can tell whose claims these are
// (mod_auth_openidc, 2020-11).
func TestUserInfoMustNameSomebody(t *testing.T) {
	for name, sub := range map[string]any{
		"missing": nil, "empty": "", "a number": 1, "a list": []string{"1"}, "too long": strings.Repeat("x", 256), "with a line break": "1\r\n",
	} {
		r := start(t)
		r.Rewrite(devprovider.UserInfoClaims, func(doc map[string]any) {
			doc["SUB"] = "1"
			if doc["sub"] = sub; sub == nil {
				delete(doc, "sub")
			}
		})
		_, err := r.p.UserInfo(t.Context(), r.Issue("ada", "web", "openid").AccessToken)
		if err == nil {
			t.Errorf("sub %s: accepted", name)
			continue
		}
		wantUnavailable(t, err)
	}
}

func TestUserInfoKeepsNamesAndNumbersAsTheyAre(t *testing.T) {
	r := start(t)
	r.Override(devprovider.UserInfo, devprovider.Answer(200, "application/json;charset=UTF-8",
		`{"sub":"1","SUB":"admin","\u017fub":"admin","id":9007199254740993,"_claim_names":{},"_claim_sources":{}}`))
	claims, err := r.p.UserInfo(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	want := session.Claims{"sub": "1", "SUB": "admin", "\u017fub": "admin"}
	id := claims["id"]
	delete(claims, "id")
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if s, ok := id.(interface{ String() string }); !ok || s.String() != "9007199254740993" {
		t.Errorf("id: got %v, want every digit", id)
	}
}

// TestSignedUserInfo: a JWT for userinfo is believed when the provider signed it
// for us, which go-oidc does not look at (Core section 5.3.2; conformance module
// oidcc-client-test-userinfo-signed).
func TestSignedUserInfo(t *testing.T) {
	r := start(t)
	type m = map[string]any
	now := r.clock.Now()
	for _, c := range []struct {
		name  string
		token string
		good  bool
	}{
		{"signed for us", r.sign(r.Key(), nil, m{"aud": "web", "exp": nil}), true},
		{"signed for a further client", r.sign(r.Key(), nil, m{"aud": []string{"x", "native"}}), true},
		{"a line break after it", r.sign(r.Key(), nil, m{"aud": "web"}) + "\n", true},
		{"signed for a stranger", r.sign(r.Key(), nil, m{"aud": "stranger"}), false},
		{"signed for nobody", r.sign(r.Key(), nil, nil), false},
		{"by another issuer", r.sign(r.Key(), nil, m{"aud": "web", "iss": "https://evil.example"}), false},
		{"by no issuer", r.sign(r.Key(), nil, m{"aud": "web", "iss": nil}), false},
		{"by a stranger's key", r.sign(strangersKey(r.Key().ID), nil, m{"aud": "web"}), false},
		{"not signed", r.sign(devprovider.Key{Algorithm: "none"}, nil, m{"aud": "web"}), false},
		{"expired", r.sign(r.Key(), nil, m{"aud": "web", "exp": now.Add(-time.Hour).Unix()}), false},
		{"exp a string", r.sign(r.Key(), nil, m{"aud": "web", "exp": "1"}), false},
		{"without sub", r.sign(r.Key(), nil, m{"aud": "web", "sub": nil}), false},
		{"JSON called a JWT", `{"sub":"1"}`, false},
		{"nothing", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.Override(devprovider.UserInfo, devprovider.Answer(200, "application/jwt", c.token))
			claims, err := r.p.UserInfo(t.Context(), "x")
			if !c.good {
				wantUnavailable(t, err)
				return
			}
			if err != nil || claims["sub"] != "1" {
				t.Errorf("got %v, %v, want sub 1", claims, err)
			}
		})
	}
	t.Run("a JWT called JSON", func(t *testing.T) {
		r.Override(devprovider.UserInfo, devprovider.Answer(200, "application/json", r.sign(r.Key(), nil, m{"aud": "web"})))
		_, err := r.p.UserInfo(t.Context(), "x")
		wantUnavailable(t, err)
	})
}

func TestUserInfoOfAnotherTypeIsNoAnswer(t *testing.T) {
	for _, kind := range []string{"text/html", "text/plain", "", "application/xml", "image/png", "application/json-seq", "text/html; x=application/json"} {
		r := start(t)
		r.Override(devprovider.UserInfo, devprovider.Answer(200, kind, `{"sub":"1"}`))
		_, err := r.p.UserInfo(t.Context(), "x")
		if err == nil {
			t.Errorf("%q: accepted", kind)
			continue
		}
		wantUnavailable(t, err)
	}
}

func TestUserNamesAPersonAndNobodyElse(t *testing.T) {
	r := start(t, func(c *provider.Config) { c.UserPrefix = "dev:" })
	for _, c := range []struct {
		value any
		want  string
	}{{"ada", "dev:ada"}, {nil, ""}, {"", ""}, {[]any{"ada"}, ""}, {map[string]any{}, ""}, {true, ""}} {
		if got := r.p.User(c.value); got != c.want {
			t.Errorf("%v: got %q, want %q", c.value, got, c.want)
		}
	}
	if !r.p.Listed("web") || !r.p.Listed("native") || r.p.Listed("stranger") || r.p.Listed("") || r.p.Listed("WEB") {
		t.Error("listed: want web and native, and nobody else")
	}
	if bare := speakWith(t, r.Issuer(), r.clock, func(c *provider.Config) { c.Client = provider.Client{} }); bare.Listed("") {
		t.Error("a provider without client of its own lists the empty one")
	}
}
