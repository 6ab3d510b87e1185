package login

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// outcome is how a callback that does not end in a session is answered.
type outcome struct {
	status int
	code   string
	text   string
}

// wantOutcome signs in up to the callback twice, for the page and for the document,
// and checks that neither opens a session.
func (s *site) wantOutcome(want outcome) {
	s.t.Helper()
	b := s.browser()
	b.wantHelp(b.open(b.visit("/wanted").String()), want.status, want.text, "return_to=%2Fwanted").wantNo("evil", "<script")
	got := b.open(b.visit("/wanted").String(), "Accept: application/json").want(want.status).wantNo("evil").object()
	if got["code"] != want.code {
		s.t.Errorf("got code %q, want %q", got["code"], want.code)
	}
	if got := b.me(); got != "" {
		s.t.Errorf("%q is signed in", got)
	}
}

// wantIn is the positive twin.
func (s *site) wantIn() map[string]any {
	s.t.Helper()
	b := s.browser()
	b.signIn("/wanted").wantTo(s, "/wanted")
	return b.open("/.auth/me", "Accept: application/json").want(http.StatusOK).object()["claims"].(map[string]any)
}

// TestAProviderThatRefusesIsExplained without repeating what it, or whoever wrote
// the link, says about it.
func TestAProviderThatRefusesIsExplained(t *testing.T) {
	tests := map[string]outcome{
		"access_denied":                       {http.StatusForbidden, "not-allowed", "KDE Invent says that access was declined"},
		"login_required":                      {http.StatusBadRequest, "no-credentials", "wants you to sign in there first"},
		"interaction_required":                {http.StatusBadRequest, "no-credentials", "wants you to sign in there first"},
		"consent_required":                    {http.StatusBadRequest, "no-credentials", "wants you to sign in there first"},
		"account_selection_required":          {http.StatusBadRequest, "no-credentials", "wants you to sign in there first"},
		"server_error":                        {http.StatusServiceUnavailable, "provider-unavailable", "cannot sign people in right now"},
		"temporarily_unavailable":             {http.StatusServiceUnavailable, "provider-unavailable", "cannot sign people in right now"},
		"invalid_scope":                       {http.StatusBadRequest, "no-credentials", "could not sign you in"},
		"unauthorized_client":                 {http.StatusBadRequest, "no-credentials", "could not sign you in"},
		"<script>alert('evil')</script>":      {http.StatusBadRequest, "no-credentials", "could not sign you in"},
		"evil\r\nSet-Cookie: evil=1":          {http.StatusBadRequest, "no-credentials", "could not sign you in"},
		strings.Repeat("evil", 1000):          {http.StatusBadRequest, "no-credentials", "could not sign you in"},
		"evil %s%n {{.}} ${jndi:ldap://evil}": {http.StatusBadRequest, "no-credentials", "could not sign you in"},
	}
	for errorCode, want := range tests {
		t.Run(fmt.Sprintf("%.30q", errorCode), func(t *testing.T) {
			s := newSite(t)
			s.idp.Override(devprovider.Authorization, func(w http.ResponseWriter, r *http.Request) {
				q := url.Values{
					"error": {errorCode}, "state": {r.Form.Get("state")}, "iss": {s.idp.Issuer()},
					"error_description": {"<script>evil</script> Your account is locked, call +49 evil"}, "error_uri": {"https://evil.example"},
				}
				http.Redirect(w, r, r.Form.Get("redirect_uri")+"?"+q.Encode(), http.StatusFound)
			})
			s.wantOutcome(want)
			s.wantUntouched()
			if logs := s.logs.String(); strings.Contains(logs, "call +49") || strings.Contains(logs, strings.Repeat("evil", 20)) {
				t.Error("the log repeats error_description, or an error at any length")
			}
		})
	}
}

// TestABadIDTokenOpensNoSession: one claim is wrong in each.
func TestABadIDTokenOpensNoSession(t *testing.T) {
	set := func(name string, value any) func(map[string]any) { return func(c map[string]any) { c[name] = value } }
	drop := func(name string) func(map[string]any) { return func(c map[string]any) { delete(c, name) } }
	bad := outcome{http.StatusBadRequest, "token-invalid", "cannot be trusted"}
	tests := map[string]struct {
		change func(map[string]any)
		want   outcome
	}{
		"another nonce":              {set("nonce", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), bad},
		"no nonce":                   {drop("nonce"), bad},
		"an empty nonce":             {set("nonce", ""), bad},
		"a nonce in a list":          {func(c map[string]any) { c["nonce"] = []any{c["nonce"]} }, bad},
		"another client":             {set("aud", "other"), bad},
		"another client beside us":   {set("aud", []string{"web", "other"}), bad},
		"another authorized party":   {set("azp", "other"), bad},
		"another issuer":             {set("iss", "https://evil.example"), bad},
		"no issuer":                  {drop("iss"), bad},
		"no subject":                 {drop("sub"), bad},
		"an empty subject":           {set("sub", ""), bad},
		"a subject that is a number": {set("sub", 1), bad},
		"no time of issue":           {drop("iat"), bad},
		"no expiry":                  {drop("exp"), bad},
		"expired":                    {set("exp", 1), outcome{http.StatusBadRequest, "token-expired", "had already expired"}},
		"not valid yet":              {set("nbf", 4e9), outcome{http.StatusBadRequest, "token-invalid", "is not valid yet"}},
		"another token's at_hash":    {set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), bad},
		"a logout token":             {set("events", map[string]any{}), bad},
		"an access token":            {set("typ", "Bearer"), bad},
	}
	s := newSite(t)
	s.wantIn()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			defer s.idp.Rewrite(devprovider.IDTokenClaims, nil)
			s.idp.Rewrite(devprovider.IDTokenClaims, test.change)
			s.wantOutcome(test.want)
		})
	}
	noIDToken := map[string]bool{"no ID token": true, "an empty ID token": true, "an object": true}
	for name, change := range map[string]func(map[string]any){
		"no ID token":         drop("id_token"),
		"an empty ID token":   set("id_token", ""),
		"an object":           set("id_token", map[string]any{}),
		"no JWT":              set("id_token", "evil"),
		"a stranger's":        set("id_token", devprovider.SignJWT(devprovider.NewKey("ES256"), nil, map[string]any{"iss": s.idp.Issuer()})),
		"an unsigned one":     set("id_token", devprovider.SignJWT(devprovider.Key{Algorithm: "none"}, nil, map[string]any{"iss": s.idp.Issuer()})),
		"another attempt's":   set("id_token", s.idp.Issue("ada", "web", "openid").IDToken),
		"another client's":    nil,
		"signed with secrets": set("id_token", devprovider.SignJWT(devprovider.Key{Algorithm: "HS256", Private: []byte(strings.Repeat(clientSecret, 2))}, nil, map[string]any{"iss": s.idp.Issuer()})),
	} {
		t.Run(name, func(t *testing.T) {
			if change == nil {
				s.idp.SetClient(devprovider.Client{ID: "other", Secret: "x"})
				change = set("id_token", s.idp.Issue("ada", "other", "openid").IDToken)
			}
			defer s.rewriteTokens(nil)
			s.rewriteTokens(change)
			b := s.browser()
			p := b.open(b.visit("/wanted").String())
			// A key that was never seen, just after the keys were fetched, cannot be judged.
			if p.status == http.StatusServiceUnavailable && name == "a stranger's" {
				s.clock.Advance(time.Minute)
				p = b.open(b.visit("/wanted").String())
			}
			b.wantHelp(p, http.StatusBadRequest).wantNo("evil")
			if missing := strings.Contains(p.body, "did not say who you are"); missing != noIDToken[name] {
				t.Errorf("the page says that there was none: %v", missing)
			}
			if got := b.me(); got != "" {
				t.Errorf("%q is signed in", got)
			}
		})
	}
	s.wantIn()
}

// TestUserInfoOfAnotherPersonIsNotMixedIn (OpenID Connect Core section 5.3.2).
func TestUserInfoOfAnotherPersonIsNotMixedIn(t *testing.T) {
	s := newSite(t)
	for name, sub := range map[string]any{"another": "2", "longer": "11", "a number": 1, "empty": "", "a list": []string{"1"}, "none": nil} {
		t.Run(name, func(t *testing.T) {
			s.idp.Rewrite(devprovider.UserInfoClaims, func(c map[string]any) { c["sub"] = sub })
			b := s.browser()
			p := b.open(b.visit("/wanted").String())
			if p.status == http.StatusServiceUnavailable && name != "another" && name != "longer" {
				return // a reply that is none
			}
			b.wantHelp(p, http.StatusBadRequest, "two different answers about who you are")
			if got := b.me(); got != "" {
				t.Errorf("%q is signed in", got)
			}
		})
	}
	s.idp.Rewrite(devprovider.UserInfoClaims, nil)
	s.wantIn()
}

// TestWithoutUserInfoTheIDTokenIsAll: 401 and 403 say that the access token is for
// something else. Groups are then missing, and nothing else is let in for it.
func TestWithoutUserInfoTheIDTokenIsAll(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		s := newSite(t)
		s.idp.Fail(status, devprovider.UserInfo)
		claims := s.wantIn()
		if claims["groups"] != nil || claims["groups_direct"] == nil || claims["sub"] != "1" {
			t.Errorf("%d: got claims %v, want the ID token's alone", status, claims)
		}
	}
}

// TestAProviderThatIsDownIsNotAPersonWhoMayNot: 503 with Retry-After and a button,
// no session, and the next try works.
func TestAProviderThatIsDownIsNotAPersonWhoMayNot(t *testing.T) {
	unavailable := outcome{http.StatusServiceUnavailable, "provider-unavailable", "KDE Invent does not answer right now"}
	tests := map[string]struct {
		endpoint devprovider.Endpoint
		answer   http.HandlerFunc
	}{
		"userinfo 500":                 {devprovider.UserInfo, devprovider.Answer(500, "text/html", "evil")},
		"userinfo 404":                 {devprovider.UserInfo, devprovider.Answer(404, "text/html", "evil")},
		"userinfo 429":                 {devprovider.UserInfo, devprovider.Answer(429, "text/html", "evil")},
		"userinfo is a page":           {devprovider.UserInfo, devprovider.Answer(200, "text/html", "evil")},
		"userinfo is a list":           {devprovider.UserInfo, devprovider.Answer(200, "application/json", `[{"sub":"1"}]`)},
		"userinfo names sub twice":     {devprovider.UserInfo, devprovider.Answer(200, "application/json", `{"sub":"1","sub":"1"}`)},
		"userinfo leads elsewhere":     {devprovider.UserInfo, devprovider.Redirect("https://evil.example/")},
		"userinfo is huge":             {devprovider.UserInfo, devprovider.Oversized(3 << 20)},
		"userinfo hangs up":            {devprovider.UserInfo, devprovider.Drop},
		"token endpoint 500":           {devprovider.Token, devprovider.Answer(500, "text/html", "evil")},
		"token endpoint 503":           {devprovider.Token, devprovider.Answer(503, "text/html", "evil")},
		"token endpoint is a page":     {devprovider.Token, devprovider.Answer(200, "text/html", "evil")},
		"token reply has no token":     {devprovider.Token, devprovider.Answer(200, "application/json", `{"token_type":"Bearer"}`)},
		"token reply is of a kind":     {devprovider.Token, devprovider.Answer(200, "application/json", `{"access_token":"evil-token","token_type":"DPoP"}`)},
		"token endpoint leads away":    {devprovider.Token, devprovider.Redirect("https://evil.example/")},
		"token reply is huge":          {devprovider.Token, devprovider.Oversized(3 << 20)},
		"token endpoint hangs up":      {devprovider.Token, devprovider.Drop},
		"the keys cannot be fetched":   {devprovider.KeySet, devprovider.Drop},
		"the keys are behind a server": {devprovider.KeySet, devprovider.Answer(502, "text/html", "evil")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.secret("evil-token")
			s.idp.Override(test.endpoint, test.answer)
			s.wantOutcome(unavailable)
			s.idp.Override(test.endpoint, nil)
			s.clock.Advance(time.Minute)
			s.wantIn()
		})
	}
}

// TestCredentialsThatTheProviderRefusesAreNotThePersonsFault.
func TestCredentialsThatTheProviderRefusesAreNotThePersonsFault(t *testing.T) {
	s := newSite(t, func(set *setup) { set.alter = func(c *provider.Config) { c.Client.Secret = "wrong-secret" } })
	s.secret("wrong-secret")
	s.wantOutcome(outcome{http.StatusServiceUnavailable, "provider-unavailable", "does not accept this service&#39;s own credentials"})
	if !strings.Contains(s.logs.String(), `error \"invalid_client\"`) {
		t.Errorf("the log does not say why:\n%s", s.logs)
	}
}

// TestADiscoveryThatFailsEndsOnAPage before the person is sent anywhere.
func TestADiscoveryThatFailsEndsOnAPage(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"500":            devprovider.Answer(500, "text/html", "evil"),
		"another issuer": devprovider.Answer(200, "application/json", `{"issuer":"https://evil.example"}`),
		"hangs up":       devprovider.Drop,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.idp.Override(devprovider.Discovery, answer)
			b := s.browser()
			p := b.open("/.auth/start/invent?return_to=/wanted")
			b.wantHelp(p, http.StatusServiceUnavailable, "KDE Invent does not answer right now", "return_to=%2Fwanted").wantNo("evil")
			if len(p.cookies) != 0 {
				t.Error("an attempt has begun")
			}
			s.idp.Override(devprovider.Discovery, nil)
			s.clock.Advance(time.Minute)
			s.wantIn()
		})
	}
}

// TestNothingIsLeftBehindWhenASessionCannotBeKept.
func TestNothingIsLeftBehindWhenASessionCannotBeKept(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	back := b.visit("/wanted").String()
	s.keep.fail(errors.New("disk full"))
	p := b.open(back, "Accept: application/json").want(http.StatusServiceUnavailable)
	if got := p.object()["code"]; got != "store-unavailable" {
		t.Errorf("got code %q, want store-unavailable", got)
	}
	if b.session() != nil {
		t.Error("a session cookie is set")
	}
	s.keep.fail(nil)
	s.wantIn()

	// A fault of ours, which the store does not call one, is treated alike.
	s.Sessions = brokenSessions{s.Sessions}
	p = b.open(b.visit("/wanted").String(), "Accept: application/json").want(http.StatusServiceUnavailable)
	if got := p.object()["code"]; got != "store-unavailable" {
		t.Errorf("got code %q, want store-unavailable", got)
	}
}

// TestAPersonWhoLeavesGetsAnAnswerAllTheSame: the request's context also ends when a
// server in front gives up, or this one shuts down. An empty 200 would be cached.
func TestAPersonWhoLeavesGetsAnAnswerAllTheSame(t *testing.T) {
	s := newSite(t)
	hold := s.idp.Hang(devprovider.Discovery)
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequest(http.MethodGet, s.url+"/.auth/start/invent", nil).WithContext(ctx)
	r.Header.Set("Accept", firefox)
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() { defer close(done); s.ServeHTTP(w, r) }()
	<-hold.Arrived()
	cancel()
	<-done
	hold.Release()
	res := w.Result()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Cache-Control") != "no-store" || !strings.Contains(string(body), "Try again") {
		t.Errorf("got %d %v %q, want 503, not to be stored, with a button", res.StatusCode, res.Header, body)
	}
}
