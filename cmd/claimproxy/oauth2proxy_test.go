package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
)

type sessionsFunc func(*http.Request) (*session.Identity, error)

func (f sessionsFunc) Identify(r *http.Request) (*session.Identity, error) { return f(r) }

func newTestOAuth2Proxy(identify sessionsFunc) *oauth2Proxy {
	cfg := &config.Config{Endpoints: "/.auth", Compat: []config.Compat{config.CompatOAuth2Proxy}}
	return newOAuth2Proxy(cfg, identify, answer.New(answer.Options{Endpoints: "/.auth"}))
}

// TestOAuth2ProxysAddressesLeadToOurPages: where people want to return is handed on as it
// came, to the page that looks at it.
func TestOAuth2ProxysAddressesLeadToOurPages(t *testing.T) {
	o := newTestOAuth2Proxy(nil)
	for target, want := range map[string]string{
		"/oauth2/start?rd=/a%3Fb%3Dc%26d":                      "/.auth/sign-in?return_to=/a?b=c&d",
		"/oauth2/sign_in?rd=https://wiki.example.org/":         "/.auth/sign-in?return_to=https://wiki.example.org/",
		"/oauth2/start?rd=https://evil.example//%0d%0aX:y":     "/.auth/sign-in?return_to=https://evil.example//\r\nX:y",
		"/oauth2/start?rd=/a%26prompt=none%26return_to=//evil": "/.auth/sign-in?return_to=/a&prompt=none&return_to=//evil",
		"/oauth2/start": "/.auth/sign-in",
		"/oauth2/sign_out?rd=https://evil.example/": "/.auth/sign-out",
	} {
		w := httptest.NewRecorder()
		if !o.serve(w, httptest.NewRequest("GET", target, nil)) || w.Code != http.StatusFound {
			t.Errorf("%s: got %d", target, w.Code)
			continue
		}
		location := w.Header().Get("Location")
		path, query, _ := strings.Cut(location, "?")
		if values, err := url.ParseQuery(query); err != nil || len(values) > 1 || len(values["return_to"]) > 1 {
			t.Errorf("%s: leads to %s", target, location)
		} else if to := values.Get("return_to"); to != "" {
			path += "?return_to=" + to
		}
		if path != want {
			t.Errorf("%s: leads to %q, want %q", target, path, want)
		}
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/oauth2/start", nil)
	r.Header.Set("X-Auth-Request-Redirect", "/reports")
	if o.serve(w, r); w.Header().Get("Location") != "/.auth/sign-in?return_to=%2Freports" {
		t.Errorf("from the header: got %q", w.Header().Get("Location"))
	}
	w = httptest.NewRecorder()
	if o.serve(w, httptest.NewRequest("POST", "/oauth2/sign_out", nil)); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: got %d, want 405", w.Code)
	}
	for _, target := range []string{"/oauth2/auth", "/oauth2/callback", "/oauth2/", "/oauth2/start/invent"} {
		if o.serve(httptest.NewRecorder(), httptest.NewRequest("GET", target, nil)) {
			t.Errorf("%s is answered, want it left to others", target)
		}
	}
	if (*oauth2Proxy)(nil).serve(httptest.NewRecorder(), httptest.NewRequest("GET", "/oauth2/start", nil)) {
		t.Error("without compat something is answered")
	}
}

func TestOAuth2ProxysUserinfo(t *testing.T) {
	jane := &session.Identity{User: "invent:jane", Claims: session.Claims{"email": "jane@example.org", "groups": []any{"a", "b", 1}, "preferred_username": "jane"}}
	for _, test := range []struct {
		id     *session.Identity
		err    error
		status int
		body   string
	}{
		{jane, nil, 200, `{"user":"invent:jane","email":"jane@example.org","groups":["a","b"],"preferredUsername":"jane"}`},
		{nil, session.ErrNoCredentials, 401, "no-credentials"},
		{nil, session.Reject(session.ReasonSessionEnded, "It is over.", nil), 401, "no-credentials"},
		{nil, &session.Unavailable{Reason: session.ReasonStoreUnavailable}, 503, "store-unavailable"},
	} {
		w := httptest.NewRecorder()
		newTestOAuth2Proxy(func(*http.Request) (*session.Identity, error) { return test.id, test.err }).serve(w, httptest.NewRequest("GET", "/oauth2/userinfo", nil))
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.body) || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("got %d %s, want %d and %s", w.Code, w.Body, test.status, test.body)
		}
	}
}
