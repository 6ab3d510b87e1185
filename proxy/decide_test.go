package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/session"
)

func credentialHouse(t *testing.T, u *wire) *house {
	r := newRules(t)
	return build(t, []Route{
		{Path: "/public/", SignIn: Browser | Bearer, Allow: r.of("public"), Upstream: u.upstream()},
		{Path: "/nobody/", SignIn: Browser | Bearer, Allow: r.of("nobody"), Upstream: u.upstream()},
		{Path: "/browser/", SignIn: Browser, Allow: r.of("developers"), Upstream: u.upstream()},
		{Path: "/bearer/", SignIn: Bearer, Allow: r.of("developers"), Upstream: u.upstream()},
		{Path: "/none/", Allow: r.of("developers"), Upstream: u.upstream()},
		{Path: "/scoped/", SignIn: Bearer, Allow: r.of("scoped"), Upstream: u.upstream()},
		{Path: "/signed-in/", SignIn: Browser | Bearer, Allow: r.of("signed-in"), Upstream: u.upstream()},
		{Path: "/", SignIn: Browser | Bearer, Allow: r.of("developers"), Upstream: u.upstream()},
	}, nil)
}

// TestWhichCredentialDecides is the paragraph of the same name in the contract.
func TestWhichCredentialDecides(t *testing.T) {
	const (
		jane    = "Cookie: " + cookieName + "=jane"
		joe     = "Cookie: " + cookieName + "=joe"
		expired = "Cookie: " + cookieName + "=expired"
		garbage = "Cookie: " + cookieName + "=%%%"
	)
	tests := []struct {
		name   string
		target string
		lines  []string
		status int
		reason string
		user   string // what the upstream learns, if it is asked
	}{
		{"nobody", "/", nil, 401, "no-credentials", ""},
		{"good cookie", "/", []string{jane}, 200, "policy", "jane"},
		{"good cookie of somebody who may not", "/", []string{joe}, 403, "not-allowed", ""},
		{"expired cookie", "/", []string{expired}, 401, "session-expired", ""},
		{"garbage cookie", "/", []string{garbage}, 401, "no-credentials", ""},
		{"store down", "/", []string{"Cookie: " + cookieName + "=down"}, 503, "store-unavailable", ""},
		{"store broken in a way of its own", "/", []string{"Cookie: " + cookieName + "=broken"}, 503, "store-unavailable", ""},

		{"good token", "/", []string{"Authorization: Bearer jane"}, 200, "policy", "jane"},
		{"good token, lower-case scheme", "/", []string{"Authorization: bearer jane"}, 200, "policy", "jane"},
		{"good token, upper-case scheme", "/", []string{"AUTHORIZATION: BEARER jane"}, 200, "policy", "jane"},
		{"good token after more spaces", "/", []string{"Authorization: Bearer   jane"}, 200, "policy", "jane"},
		{"token of somebody who may not", "/", []string{"Authorization: Bearer joe"}, 403, "not-allowed", ""},
		{"token and cookie: the token decides", "/", []string{"Authorization: Bearer joe", jane}, 403, "not-allowed", ""},
		{"bad token is not made up for by a cookie", "/", []string{"Authorization: Bearer bad", jane}, 401, "token-invalid", ""},
		{"expired token", "/", []string{"Authorization: Bearer expired", jane}, 401, "token-expired", ""},
		{"token that nobody says anything about", "/", []string{"Authorization: Bearer unsaid", jane}, 401, "token-invalid", ""},
		{"provider down", "/", []string{"Authorization: Bearer down", jane}, 503, "provider-unavailable", ""},
		{"two tokens", "/", []string{"Authorization: Bearer jane", "Authorization: Bearer jane"}, 400, "two-credentials", ""},
		{"two credentials on a public route", "/public/", []string{"Authorization: Bearer jane", "Authorization: Basic YTpi"}, 400, "two-credentials", ""},
		{"two credentials on a closed route", "/nobody/", []string{"Authorization: Bearer jane", "authorization: Bearer jane"}, 400, "two-credentials", ""},
		{"two tokens in one header", "/", []string{"Authorization: Bearer jane, Bearer joe", jane}, 401, "token-invalid", ""},

		{"other scheme: the cookie decides", "/", []string{"Authorization: Basic YTpi", jane}, 200, "policy", "jane"},
		{"other scheme and nobody", "/", []string{"Authorization: Basic YTpi"}, 401, "no-credentials", ""},
		{"scheme that only begins like Bearer", "/", []string{"Authorization: Bearerx jane"}, 401, "no-credentials", ""},

		{"token where only browsers sign in counts as none", "/browser/", []string{"Authorization: Bearer jane"}, 401, "no-credentials", ""},
		{"bad token where only browsers sign in", "/browser/", []string{"Authorization: Bearer bad", jane}, 200, "policy", "jane"},
		{"malformed token where only browsers sign in", "/browser/", []string{"Authorization: Bearer", jane}, 200, "policy", "jane"},
		{"cookie where only tokens count", "/bearer/", []string{jane}, 401, "no-credentials", ""},
		{"store down where only tokens count", "/bearer/", []string{"Cookie: " + cookieName + "=down"}, 401, "no-credentials", ""},
		{"everything where nothing counts", "/none/", []string{"Authorization: Bearer jane", jane}, 401, "no-credentials", ""},

		{"public", "/public/", nil, 200, "public", ""},
		{"public with a good cookie", "/public/", []string{jane}, 200, "public", ""},
		{"public with a bad token", "/public/", []string{"Authorization: Bearer bad"}, 200, "public", ""},
		{"public with a malformed token", "/public/", []string{"Authorization: Bearer"}, 200, "public", ""},
		{"public while the store is down", "/public/", []string{"Cookie: " + cookieName + "=down"}, 200, "public", ""},
		{"closed", "/nobody/", nil, 403, "nobody", ""},
		{"closed, to people who may everything else too", "/nobody/", []string{jane}, 403, "nobody", ""},
		{"closed, with a bad token", "/nobody/", []string{"Authorization: Bearer bad"}, 403, "nobody", ""},

		{"scope lacking", "/scoped/", []string{"Authorization: Bearer jane"}, 403, "scope", ""},
		{"signed in by cookie", "/signed-in/", []string{joe}, 200, "signed-in", "joe"},
		{"signed in by token", "/signed-in/", []string{"Authorization: Bearer joe"}, 200, "signed-in", "joe"},
		{"a program alone is not signed in", "/signed-in/", []string{"Authorization: Bearer robot"}, 403, "not-allowed", ""},
		{"a person of whom nothing is known is not signed in", "/signed-in/", []string{"Authorization: Bearer nameless"}, 403, "not-allowed", ""},
		{"a program alone may by policy, and is nobody's user", "/", []string{"Authorization: Bearer robot"}, 200, "policy", ""},
	}
	u := newWire(t)
	h := credentialHouse(t, u)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			res := h.get(t, test.target, test.lines...)
			event := h.events.next(t)
			if res.StatusCode != test.status || string(event.Reason) != test.reason || event.Status != test.status {
				t.Errorf("got %d, event %d %q; want %d %q", res.StatusCode, event.Status, event.Reason, test.status, test.reason)
			}
			if test.status != 200 {
				u.none(t)
				return
			}
			head := u.one(t)
			if got := strings.Join(values(head, "X-Forwarded-User"), "|"); got != test.user {
				t.Errorf("the upstream learns the user %q, want %q", got, test.user)
			}
			if strings.Contains(head, cookieName) || strings.Contains(strings.ToLower(head), "bearer ") {
				t.Errorf("the upstream got credentials of ours:\n%s", head)
			}
		})
	}
}

// TestMalformedTokensAreRefusedWithoutAskingAnybody (JWT-31, CVE-2026-0707).
func TestMalformedTokensAreRefusedWithoutAskingAnybody(t *testing.T) {
	u := newWire(t)
	asked := 0
	h := build(t, []Route{{Path: "/", SignIn: Browser | Bearer, Allow: newRules(t).of("signed-in"), Upstream: u.upstream()}}, func(c *Config) {
		c.Tokens = fakeTokens{func(_ context.Context, p session.Presented) (*session.Identity, error) {
			asked++
			return person(session.AuthBearer, "jane", nil), nil
		}}
	})
	for _, authorization := range []string{
		"Bearer", "Bearer ", "Bearer    ", "Bearer\tjane", "Bearer \tjane", "Bearer jane\tx", "Bearer jane joe", "Bearer jane,joe",
		"bEARER", "Bearer,jane", "Bearer=jane", "Bearer \"jane\"", "Bearer jane;x", "Bearer j\xc3\xa4ne", "Bearer jane=x", "Bearer =", "Bearer ==",
		"Bearer {jane}", "Bearer jane%20", "Bearer " + strings.Repeat("a", maxToken+1),
	} {
		res := h.get(t, "/", "Authorization: "+authorization, "Cookie: "+cookieName+"=jane")
		if res.StatusCode != http.StatusUnauthorized || !strings.Contains(res.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
			t.Errorf("%.40q: got %d %q, want 401 invalid_token", authorization, res.StatusCode, res.Header.Get("WWW-Authenticate"))
		}
	}
	if asked != 0 {
		t.Errorf("the tokens were asked about %d times", asked)
	}
	u.none(t)
	for _, authorization := range []string{
		"Bearer jane", "Bearer mF_9.B5f-4.1JqM", "Bearer a-._~+/b==", "bearer  x", "Bearer " + strings.Repeat("a", maxToken),
	} {
		if res := h.get(t, "/", "Authorization: "+authorization); res.StatusCode != http.StatusOK {
			t.Errorf("%.40q: got %d, want 200", authorization, res.StatusCode)
		}
	}
}

// TestTokensAreAskedWithTheCanonicalTarget: an audience is compared with what was
// decided on.
func TestTokensAreAskedWithTheCanonicalTarget(t *testing.T) {
	var got session.Presented
	h := build(t, []Route{{Path: "/", SignIn: Bearer, Allow: newRules(t).of("signed-in"), Upstream: newWire(t).upstream()}}, func(c *Config) {
		c.Tokens = fakeTokens{func(_ context.Context, p session.Presented) (*session.Identity, error) {
			got = p
			return person(session.AuthBearer, "jane", nil), nil
		}}
	})
	h.get(t, "/a%20b/?q", "Host: APP.example.org.:8443", "Authorization: Bearer x")
	if got.Header.Get("Authorization") != "Bearer x" {
		t.Errorf("got header %v", got.Header)
	}
	got.Header = nil
	if diff := cmp.Diff(session.Presented{Token: "x", Client: "127.0.0.1", Host: publicHost, Path: "/a b/"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestZeroValuesDeny(t *testing.T) {
	if v := (Verdict{}); v.Outcome == Allow {
		t.Error("a zero verdict allows")
	}
	h := build(t, []Route{{Path: "/", SignIn: Browser, Allow: newRules(t).of("signed-in"), Upstream: newWire(t).upstream()}}, nil)
	for name, identify := range map[string]func(*http.Request) (*session.Identity, error){
		"neither identity nor error": func(*http.Request) (*session.Identity, error) { return nil, nil },
		"an empty rejection":         func(*http.Request) (*session.Identity, error) { return nil, &session.Rejected{} },
		"an empty outage":            func(*http.Request) (*session.Identity, error) { return nil, &session.Unavailable{} },
		"an identity with an error": func(*http.Request) (*session.Identity, error) {
			return developer(session.AuthBrowser, nil), errors.New("x")
		},
		"an unknown error": func(*http.Request) (*session.Identity, error) { return nil, context.DeadlineExceeded },
	} {
		h.proxy.sessions = fakeSessions{identify}
		if res := h.get(t, "/"); res.StatusCode < 400 {
			t.Errorf("%s: got %d, want a refusal", name, res.StatusCode)
		}
	}
}

// TestZeroRuleIsNobody: a rule that was never compiled lets nobody in.
func TestZeroRuleIsNobody(t *testing.T) {
	h := build(t, []Route{{Path: "/", SignIn: Browser, Allow: new(policy.Rule), Upstream: newWire(t).upstream()}}, nil)
	if res := h.get(t, "/", "Cookie: "+cookieName+"=jane"); res.StatusCode != http.StatusForbidden {
		t.Errorf("got %d, want 403", res.StatusCode)
	}
}

// TestClaimsAreIndexedOnce: work for 500 groups is done once for a session.
func TestClaimsAreIndexedOnce(t *testing.T) {
	id := developer(session.AuthBrowser, nil)
	p, q := &Proxy{now: time.Now}, &Question{Request: new(http.Request)}
	first, second := p.callerOf(q, id), p.callerOf(q, id)
	if first.Claims != second.Claims || !first.User {
		t.Error("the claims were indexed twice, or the person is no user")
	}
	// Somebody else may have prepared something else: that is no reason to panic.
	other := developer(session.AuthBrowser, nil)
	other.Prepared(func(session.Claims) any { return "something" })
	if p.callerOf(q, other).Claims == nil {
		t.Error("the caller has no claims")
	}
}

// TestWebsocketsMustComeFromTheirOwnPages: any page can open one with the visitor's
// cookies.
func TestWebsocketsMustComeFromTheirOwnPages(t *testing.T) {
	u := newWire(t)
	h := credentialHouse(t, u)
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"}
	tests := []struct {
		name   string
		lines  []string
		status int
	}{
		{"own origin", []string{"Cookie: " + cookieName + "=jane", "Origin: https://" + publicHost}, 200},
		{"own origin with the default port", []string{"Cookie: " + cookieName + "=jane", "Origin: https://" + publicHost + ":443"}, 200},
		{"own origin, host in another case", []string{"Cookie: " + cookieName + "=jane", "Origin: https://APP.example.org"}, 200},
		{"own origin on a port", []string{"Host: " + publicHost + ":8443", "Cookie: " + cookieName + "=jane", "Origin: https://" + publicHost + ":8443"}, 200},
		{"another port", []string{"Cookie: " + cookieName + "=jane", "Origin: https://" + publicHost + ":8443"}, 403},
		{"another host", []string{"Cookie: " + cookieName + "=jane", "Origin: https://evil.example"}, 403},
		{"host that only begins alike", []string{"Cookie: " + cookieName + "=jane", "Origin: https://" + publicHost + ".evil.example"}, 403},
		{"host as user", []string{"Cookie: " + cookieName + "=jane", "Origin: https://" + publicHost + "@evil.example"}, 403},
		{"another scheme", []string{"Cookie: " + cookieName + "=jane", "Origin: http://" + publicHost}, 403},
		{"opaque origin", []string{"Cookie: " + cookieName + "=jane", "Origin: null"}, 403},
		{"origin with a path", []string{"Cookie: " + cookieName + "=jane", "Origin: https://" + publicHost + "/x"}, 403},
		{"no origin", []string{"Cookie: " + cookieName + "=jane"}, 403},
		{"two origins", []string{"Cookie: " + cookieName + "=jane", "Origin: https://" + publicHost, "Origin: https://" + publicHost}, 403},
		{"token: no page can send one", []string{"Authorization: Bearer jane", "Origin: https://evil.example"}, 200},
		{"nobody", []string{"Origin: https://" + publicHost}, 401},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			// The wire upstream answers 200, which is enough to see who gets there.
			res := h.get(t, "/", append(test.lines, upgrade...)...)
			if res.StatusCode != test.status {
				t.Errorf("got %d, want %d: %s", res.StatusCode, test.status, res.body)
			}
			if test.status == 403 {
				if event := h.events.next(t); event.Reason != "not-allowed" || !strings.Contains(res.body, "websocket") {
					t.Errorf("reason %q, body %s", event.Reason, res.body)
				}
				u.none(t)
				return
			}
			h.events.next(t)
			u.took()
		})
	}
	// A fetch from elsewhere is not a websocket; that is what SameSite is for.
	if res := h.get(t, "/", "Cookie: "+cookieName+"=jane", "Origin: https://evil.example"); res.StatusCode != 200 {
		t.Errorf("request with a foreign origin: got %d, want 200", res.StatusCode)
	}
}

func BenchmarkDecide(b *testing.B) {
	r := newRules(b)
	table, err := NewTable([]Route{{Name: "x", Hosts: []string{publicHost}, Path: "/", SignIn: Browser | Bearer, Allow: r.of("developers")}})
	if err != nil {
		b.Fatal(err)
	}
	id := developer(session.AuthBrowser, nil)
	p := &Proxy{table: table, now: time.Now, sessions: fakeSessions{func(*http.Request) (*session.Identity, error) { return id, nil }}}
	target, _ := ParseTarget("https", publicHost, "/analytics/")
	e, _ := table.Find(target)
	q := Question{Route: e, Target: target, Method: "GET", Request: httptest.NewRequest("GET", "/analytics/", nil)}
	b.ReportAllocs()
	for b.Loop() {
		if v := p.Decide(b.Context(), q); v.Outcome != Allow {
			b.Fatal(v)
		}
	}
}
