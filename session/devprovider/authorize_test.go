package devprovider_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// TestAuthorizeNeverRedirectsToUnregisteredAddress: an attacker sends people to
// the provider with an address of his own, hoping for their code.
func TestAuthorizeNeverRedirectsToUnregisteredAddress(t *testing.T) {
	s := start(t)
	s.SignInAs("ada")
	for _, c := range []struct{ client, uri string }{
		{"web", "https://evil.example/callback"},
		{"web", callback + "?x=1"},
		{"web", callback + "/"},
		{"web", "http://127.0.0.1:9999/callback"}, // another port: web is not native
		{"web", "http://localhost:4180/callback"},
		{"native", "http://127.0.0.1:9999/other"},
		{"native", "http://localhost:9999/callback"},
		{"native", "https://127.0.0.1:9999/callback"},
		{"native", "http://127.0.0.1:9999@evil.example/callback"},
		{"native", "http://evil.example@127.0.0.1:9999/callback"},
		{"native", "http://127.0.0.1:9999/callback?x=1"},
		{"nobody", callback},
		{"web", ""},
	} {
		res := get(t, authURL(s, "client_id", c.client, "redirect_uri", c.uri), "")
		if res.status != http.StatusBadRequest || res.header.Get("Location") != "" {
			t.Errorf("%s with %q: %d to %q, want a page with 400", c.client, c.uri, res.status, res.header.Get("Location"))
		}
	}
	res := get(t, authURL(s, "client_id", "native", "redirect_uri", "http://127.0.0.1:9999/callback"), "")
	if res.status != http.StatusSeeOther || !strings.HasPrefix(res.header.Get("Location"), "http://127.0.0.1:9999/callback?code=") {
		t.Errorf("native on a free port: %d to %q, want a 303 with a code", res.status, res.header.Get("Location"))
	}
}

func TestAuthorizeErrorsGoToTheClient(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		name   string
		params []string
		want   string
	}{
		{"response type token", []string{"response_type", "token"}, "unsupported_response_type"},
		{"unknown scope", []string{"scope", "openid groups"}, "invalid_scope"},
		{"prompt none without a session", []string{"prompt", "none"}, "login_required"},
		{"prompt none and login", []string{"prompt", "none login"}, "invalid_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := get(t, authURL(s, c.params...), "")
			back, err := url.Parse(res.header.Get("Location"))
			if err != nil || back.Query().Get("error") != c.want || back.Query().Get("state") != "S" {
				t.Errorf("got %d to %q, want error %s and state S", res.status, res.header.Get("Location"), c.want)
			}
		})
	}
	s.SetClient(devprovider.Client{ID: "web", Secret: "s", RedirectURIs: []string{callback}, RequirePKCE: true})
	if back := get(t, authURL(s), "").header.Get("Location"); !strings.Contains(back, "error=invalid_request") {
		t.Errorf("a client that must use PKCE: %q, want invalid_request", back)
	}
}

func TestLoginHintNeedsAutoApprove(t *testing.T) {
	s := start(t)
	if res := get(t, authURL(s, "login_hint", "ada"), ""); res.status != http.StatusOK {
		t.Errorf("without AutoApprove: %d, want the page", res.status)
	}
	s = start(t, func(o *devprovider.Options) { o.AutoApprove = true })
	if res := get(t, authURL(s, "login_hint", "ada"), ""); res.status != http.StatusSeeOther {
		t.Errorf("with AutoApprove: %d, want 303", res.status)
	}
	if res := get(t, authURL(s), ""); res.status != http.StatusOK {
		t.Errorf("with AutoApprove but no hint: %d, want the page", res.status)
	}
}

// TestBrowserIsRemembered: prompt=none succeeds after somebody was picked, until
// the end session endpoint has been visited.
func TestBrowserIsRemembered(t *testing.T) {
	s := start(t)
	s.SetClient(devprovider.Client{ID: "web", Secret: "s", RedirectURIs: []string{callback},
		PostLogoutRedirectURIs: []string{"http://127.0.0.1:4180/bye"}})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	location := func(res *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.Header.Get("Location")
	}
	u, err := url.Parse(authURL(s))
	if err != nil {
		t.Fatal(err)
	}
	form := u.Query()
	form.Set("person", "ada")
	if got := location(client.PostForm(s.URL+"/oauth/authorize", form)); !strings.Contains(got, "code=") {
		t.Fatalf("picking: led to %q, want a code", got)
	}
	if got := location(client.Get(authURL(s, "prompt", "none"))); !strings.Contains(got, "code=") {
		t.Errorf("prompt=none afterwards: led to %q, want a code", got)
	}
	hint := s.Issue("ada", "web", "openid").IDToken
	end := func(params url.Values) string {
		return location(client.Get(s.URL + "/oauth/end_session?" + params.Encode()))
	}
	if got := end(url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://evil.example/"}}); got != "" {
		t.Errorf("signing out to an unregistered address led to %q, want a page", got)
	}
	forged := devprovider.SignJWT(devprovider.NewKey("ES256"), nil, map[string]any{"aud": "web"})
	if got := end(url.Values{"id_token_hint": {forged}, "post_logout_redirect_uri": {"http://127.0.0.1:4180/bye"}}); got != "" {
		t.Errorf("signing out with a forged hint led to %q, want a page", got)
	}
	got := end(url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"http://127.0.0.1:4180/bye"}, "state": {"S"}})
	if want := "http://127.0.0.1:4180/bye?state=S"; got != want {
		t.Errorf("signing out led to %q, want %q", got, want)
	}
	if got := location(client.Get(authURL(s, "prompt", "none"))); !strings.Contains(got, "error=login_required") {
		t.Errorf("prompt=none after signing out: led to %q, want login_required", got)
	}
}

func TestBlockedPeopleAndThoseWhoCancelAreRefused(t *testing.T) {
	s := start(t)
	eve := s.Person("eve")
	eve.Blocked = true
	s.SetPerson(eve)
	for _, button := range []string{"person=eve", "person=nobody", "cancel=true"} {
		name, value, _ := strings.Cut(button, "=")
		res := post(t, authURL(s), "", "", name, value)
		if !strings.Contains(res.header.Get("Location"), "error=access_denied") {
			t.Errorf("%s: %d to %q, want access_denied", button, res.status, res.header.Get("Location"))
		}
	}
}

// TestForeignPageCannotPickAPerson: a page on the internet posts the form, to sign
// its visitor in as somebody of its choice.
func TestForeignPageCannotPickAPerson(t *testing.T) {
	s := start(t, func(o *devprovider.Options) { o.HandOutTokens = true })
	for name, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
		for _, target := range []string{authURL(s), s.URL + "/dev/token"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader("person=ada"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set(name, value)
			if res := send(t, req); res.status < 400 {
				t.Errorf("%s: %s to %s: %d, want it refused", name, value, target, res.status)
			}
		}
	}
}

func TestPageIsStrictAndEscapes(t *testing.T) {
	s := start(t)
	s.SetPerson(devprovider.Person{Name: "mallory", FullName: "<script>alert(1)</script>", Groups: []string{`"><img src=x>`}})
	s.SetClient(devprovider.Client{ID: "web", Secret: "s", Name: "<b>web</b>", RedirectURIs: []string{callback}})
	res := get(t, authURL(s, "state", `"><script>`), "")
	for _, bad := range []string{"<script", "<img", "<b>"} {
		if strings.Contains(res.body, bad) {
			t.Errorf("the page contains %s", bad)
		}
	}
	want := "default-src 'none'; style-src 'self'; form-action 'self' http://127.0.0.1:4180; frame-ancestors 'none'; base-uri 'none'"
	if got := res.header.Get("Content-Security-Policy"); got != want {
		t.Errorf("policy %q, want %q", got, want)
	}
	if !strings.Contains(res.body, "Development only.") {
		t.Error("the page does not say that it is for development only")
	}
	if css := get(t, s.URL+"/devprovider.css", ""); css.status != http.StatusOK || css.header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("stylesheet: %d %s", css.status, css.header.Get("Content-Type"))
	}
}
