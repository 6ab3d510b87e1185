package proxy

import (
	"strings"
	"testing"
)

// TestOAuth2ProxysQuestionsAreAnswered: /oauth2/auth is the question of check, with the
// status and the headers of oauth2-proxy.
func TestOAuth2ProxysQuestionsAreAnswered(t *testing.T) {
	h := newCheckHouse(t, ForwardAuthXOriginal, func(c *Config) { c.OAuth2Proxy, c.OwnPaths = true, []string{OAuth2ProxyAuth} })
	ask := func(target string, more ...string) *rawAnswer {
		return h.get(t, OAuth2ProxyAuth, originalOf("GET", "https://"+publicHost+target, more...)...)
	}
	joe := "Cookie: " + cookieName + "=joe"
	for _, test := range []struct {
		res    *rawAnswer
		status int
	}{
		{ask("/app/", asJane), 202}, {ask("/app/"), 401}, {ask("/app/", joe), 403}, {ask("/public/"), 202}, {ask("/closed/", asJane), 403}, {ask("/nowhere/", asJane), 403},
		{ask("/app/../public/"), 403}, {ask("/app/", "Authorization: Bearer unknown"), 401}, {ask("/app/", "Cookie: "+cookieName+"=down"), 503},
	} {
		if test.res.StatusCode != test.status {
			t.Errorf("got %d, want %d, reason %s", test.res.StatusCode, test.status, test.res.Header.Get(reasonHeader))
		}
	}
	yes := ask("/app/", asJane)
	for name, want := range map[string]string{
		"X-Auth-Request-User": "jane", "X-Auth-Request-Email": "jane@example.org", "X-Auth-Request-Groups": "teams/kde-developers", "X-Auth-Request-Preferred-Username": "jane",
		"X-Forwarded-User": "jane",
	} {
		if got := yes.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if len(yes.Header["Set-Cookie"]) != 0 {
		t.Error("the answer sets a cookie")
	}
}

// TestNobodyIsNamedInOAuth2ProxysHeaders: what a client sends is overwritten by the front
// proxy with what is in the answer, so it has to be there (CVE-2026-30851).
func TestNobodyIsNamedInOAuth2ProxysHeaders(t *testing.T) {
	h := newCheckHouse(t, ForwardAuthXOriginal, func(c *Config) { c.OAuth2Proxy, c.OwnPaths = true, []string{OAuth2ProxyAuth} })
	res := h.get(t, OAuth2ProxyAuth, originalOf("GET", "https://"+publicHost+"/public/", "X-Auth-Request-User: root", "X-Auth-Request-Email: root@example.org")...)
	for _, name := range []string{"X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups", "X-Auth-Request-Preferred-Username"} {
		if values, there := res.Header[name]; !there || strings.Join(values, "") != "" {
			t.Errorf("%s: got %q, want it empty", name, values)
		}
	}
}

// TestOAuth2ProxysQuestionsSayEverything: a front proxy that does not say what it asks
// about passes on what the client wrote, so nothing is guessed for it, and what it demands
// and we do not know is not left out.
func TestOAuth2ProxysQuestionsSayEverything(t *testing.T) {
	h := newCheckHouse(t, ForwardAuthXForwarded, func(c *Config) { c.OAuth2Proxy, c.OwnPaths = true, []string{OAuth2ProxyAuth} })
	whole := questionOf("GET", publicHost, "/public/")
	if res := h.get(t, OAuth2ProxyAuth, whole...); res.StatusCode != 202 {
		t.Errorf("a whole question: got %d, want 202", res.StatusCode)
	}
	for _, name := range []string{"X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri"} {
		if res := h.get(t, OAuth2ProxyAuth, without(whole, name)...); res.StatusCode != 400 {
			t.Errorf("without %s: got %d, want 400", name, res.StatusCode)
		}
	}
	if res := h.get(t, OAuth2ProxyAuth+"?allowed_groups=admins", whole...); res.StatusCode != 400 {
		t.Errorf("allowed_groups: got %d, want 400", res.StatusCode)
	}
	if res := h.get(t, OAuth2ProxyAuth+"?policy=admins", questionOf("GET", publicHost, "/app/", asJane)...); res.StatusCode != 403 {
		t.Errorf("policy=admins: got %d, want 403", res.StatusCode)
	}
	h = newCheckHouse(t, ForwardAuthXForwarded, func(c *Config) { c.OAuth2Proxy, c.OwnPaths, c.Trusted = true, []string{OAuth2ProxyAuth}, Trusted{} })
	if res := h.get(t, OAuth2ProxyAuth, whole...); res.StatusCode != 400 {
		t.Errorf("from a stranger: got %d, want 400", res.StatusCode)
	}
	h = newCheckHouse(t, ForwardAuthXForwarded, nil)
	if res := h.get(t, OAuth2ProxyAuth, whole...); res.StatusCode != 404 {
		t.Errorf("without compat: got %d, want 404", res.StatusCode)
	}
}
