package proxy

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/session"
)

const otherHost = "wiki.example.org"

// checkHouse answers the questions of front proxies, which these tests are: it trusts
// loopback. lookups counts how often anybody was asked who is calling.
type checkHouse struct {
	*house
	wire    *wire
	lookups atomic.Int64
}

func newCheckHouse(t testing.TB, family ForwardAuth, change func(*Config)) *checkHouse {
	u := newWire(t)
	r := newRules(t)
	preset, _ := Preset(DefaultPreset)
	role := append(preset, IdentityHeader{Name: "X-Role", Values: []HeaderValue{{Allow: r.of("developers"), Value: "Editor"}}, Else: "Viewer"})
	c := &checkHouse{wire: u}
	both := Browser | Bearer
	c.house = build(t, []Route{
		{Name: "public", Path: "/public/", SignIn: both, Allow: r.of("public"), Headers: role},
		{Name: "closed", Path: "/closed/", SignIn: both, Allow: r.of("nobody")},
		{Name: "scoped", Path: "/scoped/", SignIn: both, Allow: r.of("scoped")},
		{Name: "forwarded", Path: "/forwarded/", SignIn: both, Allow: r.of("developers"), Upstream: u.upstream()},
		{Name: "people", Path: "/people/", SignIn: Browser, Allow: r.of("developers")},
		{Name: "programs", Path: "/programs/", SignIn: Bearer, Allow: r.of("developers")},
		{Name: "read", Path: "/read/", SignIn: both, Methods: []string{"GET"}, Allow: r.of("developers")},
		{Name: "near", Path: "/near/", SignIn: both, Allow: r.of("developers"), PublicFrom: prefixes("127.0.0.0/8", "192.0.2.0/24")},
		{Name: "app", Path: "/app/", SignIn: both, Allow: r.of("developers"), Headers: role},
		{Name: "wiki", Hosts: []string{otherHost}, Path: "/", SignIn: Bearer, Allow: r.of("developers")},
	}, func(conf *Config) {
		conf.Trusted = Trusted{Networks: prefixes("127.0.0.0/8")}
		conf.ForwardAuth = family
		conf.Policies = map[string]*policy.Rule{"developers": r.of("developers"), "admins": r.of("admins"), "everybody": r.of("public")}
		conf.Sessions = fakeSessions{func(r *http.Request) (*session.Identity, error) {
			c.lookups.Add(1)
			return cookies(r)
		}}
		conf.Tokens = fakeTokens{func(ctx context.Context, p session.Presented) (*session.Identity, error) {
			c.lookups.Add(1)
			return tokens(ctx, p)
		}}
		if change != nil {
			change(conf)
		}
	})
	return c
}

// questionOf is the lines of a question in the family x-forwarded.
func questionOf(method, host, uri string, more ...string) []string {
	return append([]string{"Host: claimproxy.internal", "X-Forwarded-Method: " + method, "X-Forwarded-Proto: https", "X-Forwarded-Host: " + host, "X-Forwarded-Uri: " + uri}, more...)
}

// originalOf is the same in the family x-original.
func originalOf(method, rawURL string, more ...string) []string {
	return append([]string{"Host: claimproxy.internal", "X-Original-Method: " + method, "X-Original-URL: " + rawURL}, more...)
}

func with(lines []string, more ...string) []string { return append(slices.Clone(lines), more...) }

func without(lines []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.HasPrefix(l, name+":") })
}

const (
	asJane     = "Cookie: " + cookieName + "=jane"
	asJoe      = "Cookie: " + cookieName + "=joe"
	navigating = "Accept: text/html"
)

// wantCheck fails the test unless the answer to a question has this status and
// reason, and is one that no front proxy could take for more than it says.
func wantCheck(t *testing.T, res *rawAnswer, status int, reason Reason) {
	t.Helper()
	got := Reason(res.Header.Get("X-Claimproxy-Reason"))
	if res.StatusCode != status || got != reason {
		t.Errorf("got %d %q, want %d %q", res.StatusCode, got, status, reason)
	}
	if res.Header["Set-Cookie"] != nil {
		t.Errorf("the answer sets a cookie: %q", res.Header["Set-Cookie"])
	}
	if got := res.Header.Get("Cache-Control"); got != "no-store" || res.Header.Get("Content-Security-Policy") == "" || res.Header.Get("X-Request-Id") == "" {
		t.Errorf("Cache-Control %q, Content-Security-Policy %q", got, res.Header.Get("Content-Security-Policy"))
	}
	if res.StatusCode != 200 {
		for _, name := range []string{"X-Forwarded-User", "X-Forwarded-Groups", "X-Role"} {
			if res.Header[name] != nil {
				t.Errorf("a refusal has %s: %q", name, res.Header[name])
			}
		}
	}
	if strings.Contains(res.Header.Get("Www-Authenticate"), "Basic") {
		t.Error("Basic is offered")
	}
}

// TestAQuestionIsAnsweredLikeTheRequest is the positive twin of all that follows.
func TestAQuestionIsAnsweredLikeTheRequest(t *testing.T) {
	h := newCheckHouse(t, ForwardAuthXForwarded, nil)
	for name, test := range map[string]struct {
		lines  []string
		status int
		reason Reason
		event  Event
	}{
		"a session":       {questionOf("GET", publicHost, "/app/x?q=sesame", asJane), 200, "policy", Event{Route: "app", Path: "/app/x", Method: "GET", Decision: "allow", Policy: "developers", Auth: "browser", Subject: "jane"}},
		"a token":         {questionOf("POST", "APP.example.org.:443", "/app/", "Authorization: Bearer jane"), 200, "policy", Event{Route: "app", Path: "/app/", Method: "POST", Decision: "allow", Policy: "developers", Auth: "bearer", Subject: "jane"}},
		"public":          {questionOf("GET", publicHost, "/public/", asJoe), 200, "public", Event{Route: "public", Path: "/public/", Method: "GET", Decision: "allow"}},
		"not allowed":     {questionOf("GET", publicHost, "/app/", asJoe), 403, "not-allowed", Event{Route: "app", Path: "/app/", Method: "GET", Decision: "deny", Policy: "developers", Auth: "browser", Subject: "joe"}},
		"closed":          {questionOf("GET", publicHost, "/closed/", asJane), 403, "nobody", Event{Route: "closed", Path: "/closed/", Method: "GET", Decision: "deny"}},
		"a scope lacks":   {questionOf("GET", publicHost, "/scoped/", "Authorization: Bearer jane"), 403, "scope", Event{Route: "scoped", Path: "/scoped/", Method: "GET", Decision: "deny", Policy: "scoped", Auth: "bearer", Subject: "jane"}},
		"nobody known":    {questionOf("GET", publicHost, "/app/"), 401, "no-credentials", Event{Route: "app", Path: "/app/", Method: "GET", Decision: "sign-in", Policy: "developers"}},
		"over":            {questionOf("GET", publicHost, "/app/", "Cookie: "+cookieName+"=expired"), 401, "session-expired", Event{Route: "app", Path: "/app/", Method: "GET", Decision: "sign-in", Policy: "developers"}},
		"a bad token":     {questionOf("GET", publicHost, "/app/", "Authorization: Bearer bad", asJane), 401, "token-invalid", Event{Route: "app", Path: "/app/", Method: "GET", Decision: "deny"}},
		"two of them":     {questionOf("GET", publicHost, "/public/", "Authorization: Bearer jane", "Authorization: Bearer joe"), 403, "two-credentials", Event{Route: "public", Path: "/public/", Method: "GET", Decision: "deny"}},
		"the store down":  {questionOf("GET", publicHost, "/app/", "Cookie: "+cookieName+"=down"), 503, "store-unavailable", Event{Route: "app", Path: "/app/", Method: "GET", Decision: "deny"}},
		"a fault of ours": {questionOf("GET", publicHost, "/app/", "Cookie: "+cookieName+"=broken"), 503, "store-unavailable", Event{Route: "app", Path: "/app/", Method: "GET", Decision: "deny"}},
		"provider down":   {questionOf("GET", publicHost, "/app/", "Authorization: Bearer down"), 503, "provider-unavailable", Event{Route: "app", Path: "/app/", Method: "GET", Decision: "deny"}},
		"no route":        {questionOf("GET", publicHost, "/else"), 403, "no-route", Event{Path: "/else", Method: "GET", Decision: "deny"}},
		"another host":    {questionOf("GET", "evil.example", "/app/", asJane), 403, "no-route", Event{Host: "evil.example", Path: "/app/", Method: "GET", Decision: "deny"}},
		"a wrong method":  {questionOf("PUT", publicHost, "/read/", asJane), 403, "method", Event{Route: "read", Path: "/read/", Method: "PUT", Decision: "deny"}},
		"small letters":   {questionOf("get", publicHost, "/read/", asJane), 403, "method", Event{Route: "read", Path: "/read/", Method: "get", Decision: "deny"}},
		"our own page":    {questionOf("GET", publicHost, "/.auth/me", asJane), 403, "no-route", Event{Path: "/.auth/me", Method: "GET", Decision: "deny"}},
		"the stylesheet":  {questionOf("GET", publicHost, "/.auth/style.css"), 403, "no-route", Event{Path: "/.auth/style.css", Method: "GET", Decision: "deny"}},
		"a question":      {questionOf("GET", publicHost, "/.auth/check?policy=everybody"), 403, "no-route", Event{Path: "/.auth/check", Method: "GET", Decision: "deny"}},
		"a page's own form": {questionOf("GET", publicHost, "/.auth/check/envoy/public/"), 403, "no-route",
			Event{Path: "/.auth/check/envoy/public/", Method: "GET", Decision: "deny"}},
		"with an upstream": {questionOf("GET", publicHost, "/forwarded/", asJane), 200, "policy", Event{Route: "forwarded", Path: "/forwarded/", Method: "GET", Decision: "allow", Policy: "developers", Auth: "browser", Subject: "jane"}},
	} {
		t.Run(name, func(t *testing.T) {
			res := h.get(t, "/.auth/check", test.lines...)
			wantCheck(t, res, test.status, test.reason)
			if has := res.Header.Get("Www-Authenticate") != ""; has != (test.status == 401 || test.reason == "scope") {
				t.Errorf("WWW-Authenticate %q with %d", res.Header.Get("Www-Authenticate"), test.status)
			}
			if has := res.Header.Get("Retry-After") != ""; has != (test.status == 503) {
				t.Errorf("Retry-After %q with %d", res.Header.Get("Retry-After"), test.status)
			}
			want := test.event
			want.Reason, want.Status = test.reason, test.status
			if want.Host == "" {
				want.Host = publicHost
			}
			if want.Subject != "" {
				want.Provider = "invent"
			}
			got := h.events.next(t)
			if got.ClientIP != "127.0.0.1" || got.RequestID != res.Header.Get("X-Request-Id") || got.Duration <= 0 {
				t.Errorf("event %+v", got)
			}
			got.Context, got.Time, got.Duration, got.RequestID, got.ClientIP = nil, want.Time, 0, "", ""
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
			h.wire.none(t)
		})
	}
}

// TestStrangersCannotAsk: who is not a trusted proxy gets 400 whatever it asks, and
// nobody is asked who is calling (FWD-01, FWD-02, CVE-2026-40575, CVE-2026-76835).
func TestStrangersCannotAsk(t *testing.T) {
	for name, trusted := range map[string]Trusted{
		"nobody is trusted":    {},
		"others are":           {Networks: prefixes("10.0.0.0/8", "::1/128")},
		"unix sockets are":     {Unix: true},
		"an address is mapped": {Networks: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, family := range []ForwardAuth{ForwardAuthXForwarded, ForwardAuthXOriginal} {
				h := newCheckHouse(t, family, func(c *Config) { c.Trusted = trusted })
				lines := append(questionOf("GET", publicHost, "/public/", asJane, "X-Forwarded-For: 10.0.0.1"), originalOf("GET", "https://"+publicHost+"/public/")[1:]...)
				for _, target := range []string{"/.auth/check", "/.auth/check?policy=everybody", "/.auth/check?redirect=true", "/.auth/check/envoy/public/", "/.auth/check/envoy/%2e%2e/", "/.auth/%63heck"} {
					res := h.get(t, target, lines...)
					if res.StatusCode != 400 || res.Header.Get("X-Claimproxy-Reason") != "" || res.Header["X-Forwarded-User"] != nil {
						t.Errorf("%s: got %d %q", target, res.StatusCode, res.Header)
					}
					if event := h.events.next(t); event.Decision != "deny" || event.Reason != ReasonBadTarget || event.Route != "" || event.ClientIP != "127.0.0.1" {
						t.Errorf("%s: event %+v", target, event)
					}
				}
				if n := h.lookups.Load(); n != 0 {
					t.Errorf("somebody was asked %d times who is calling", n)
				}
			}
		})
	}
}

// TestNobodyAsksWhereNobodyMay: without forward-auth the address is one of our own
// pages like any other, and the routes that are only asked about cannot be made.
func TestNobodyAsksWhereNobodyMay(t *testing.T) {
	u := newWire(t)
	r := newRules(t)
	h := build(t, []Route{{Path: "/", Allow: r.of("public"), Upstream: u.upstream()}}, func(c *Config) {
		c.Trusted = Trusted{Networks: prefixes("127.0.0.0/8")}
	})
	for _, target := range []string{"/.auth/check", "/.auth/check/envoy/"} {
		if res := h.get(t, target, questionOf("GET", publicHost, "/")...); !strings.HasPrefix(res.body, "own ") || res.Header.Get("X-Claimproxy-Reason") != "" {
			t.Errorf("%s: got %d %q", target, res.StatusCode, res.body)
		}
	}
	table, err := NewTable([]Route{{Name: "wiki", Hosts: []string{publicHost}, Path: "/", Allow: r.of("public")}})
	if err != nil {
		t.Fatal(err)
	}
	c := h.config
	c.Table = table
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "nobody may ask") {
		t.Errorf("a route without an upstream, and no forward-auth: %v", err)
	}
	c.ForwardAuth = ForwardAuthXOriginal
	if _, err := New(c); err != nil {
		t.Error(err)
	}
}

// TestRoutesThatAreOnlyAskedAboutForwardNothing: asked directly they are not there.
func TestRoutesThatAreOnlyAskedAboutForwardNothing(t *testing.T) {
	h := newCheckHouse(t, ForwardAuthXForwarded, nil)
	for _, target := range []string{"/public/", "/app/", "/closed/", "/near/"} {
		if res := h.get(t, target, asJane); res.StatusCode != 404 {
			t.Errorf("%s: got %d, want 404", target, res.StatusCode)
		}
		if event := h.events.next(t); event.Reason != ReasonNoRoute || event.Decision != "deny" || event.Status != 404 {
			t.Errorf("%s: event %+v", target, event)
		}
	}
	h.wire.none(t)
}

// TestEveryIdentityHeaderComesBack, empty where nothing is known and never as a client
// sent it: the front proxy copies them over the client's (CVE-2026-30851).
func TestEveryIdentityHeaderComesBack(t *testing.T) {
	h := newCheckHouse(t, ForwardAuthXForwarded, nil)
	forged := []string{"X-Forwarded-User: admin", "X-Forwarded-Email: admin", "X-Forwarded-Groups: admin", "X-Forwarded-Preferred-Username: admin", "X-Role: admin",
		"x_forwarded_user: admin", "X.Forwarded.User: admin", "Remote-User: admin", "X-WEBAUTH-ROLE: admin", "X-Claimproxy-Reason: admin", "X-Claimproxy-Sign-In: admin", "X-Claimproxy-Assertion: admin"}
	for name, test := range map[string]struct {
		uri  string
		who  string
		want map[string]string
	}{
		"jane":                  {"/app/", asJane, map[string]string{"X-Forwarded-User": "jane", "X-Forwarded-Email": "jane@example.org", "X-Forwarded-Groups": "teams/kde-developers", "X-Forwarded-Preferred-Username": "jane", "X-Role": "Editor"}},
		"a client alone":        {"/app/", "Authorization: Bearer robot", map[string]string{"X-Forwarded-User": "", "X-Forwarded-Email": "", "X-Forwarded-Groups": "teams/kde-developers", "X-Forwarded-Preferred-Username": "", "X-Role": "Editor"}},
		"public":                {"/public/", asJane, map[string]string{"X-Forwarded-User": "", "X-Forwarded-Email": "", "X-Forwarded-Groups": "", "X-Forwarded-Preferred-Username": "", "X-Role": ""}},
		"without any":           {"/public/", "Accept: */*", map[string]string{"X-Forwarded-User": "", "X-Forwarded-Email": "", "X-Forwarded-Groups": "", "X-Forwarded-Preferred-Username": "", "X-Role": ""}},
		"public for a network":  {"/near/", "X-Forwarded-For: 192.0.2.7", map[string]string{"X-Forwarded-User": "", "X-Forwarded-Email": "", "X-Forwarded-Groups": "", "X-Forwarded-Preferred-Username": ""}},
		"refused: nothing back": {"/app/", asJoe, nil},
	} {
		t.Run(name, func(t *testing.T) {
			res := h.get(t, "/.auth/check", questionOf("GET", publicHost, test.uri, append(forged, test.who)...)...)
			for header, want := range test.want {
				if got := res.Header[header]; !slices.Equal(got, []string{want}) {
					t.Errorf("%s: got %q, want %q", header, got, want)
				}
			}
			if status := map[bool]int{true: 200, false: 403}[test.want != nil]; res.StatusCode != status {
				t.Errorf("got %d, want %d", res.StatusCode, status)
			}
			for name, values := range res.Header {
				if strings.Contains(strings.Join(values, " "), "admin") {
					t.Errorf("%s came back: %q", name, values)
				}
			}
		})
	}
}

// TestPeopleAreSentToSignInOnlyWhereTheyNavigate, and come back to where they were.
func TestPeopleAreSentToSignInOnlyWhereTheyNavigate(t *testing.T) {
	h := newCheckHouse(t, ForwardAuthXForwarded, nil)
	navigation := questionOf("GET", publicHost, "/app/a%20b?x=1&y=%C3%A9&return_to=//evil", navigating)
	const there = "/app/a%20b?x=1&y=%C3%A9&return_to=//evil"
	for name, test := range map[string]struct {
		lines []string
		to    string
	}{
		"a navigation":              {navigation, there},
		"HEAD":                      {questionOf("HEAD", publicHost, "/app/", navigating), "/app/"},
		"with fetch metadata":       {questionOf("GET", publicHost, "/app/", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"), "/app/"},
		"a session that is over":    {questionOf("GET", publicHost, "/app/", navigating, "Cookie: "+cookieName+"=expired"), "/app/"},
		"a script":                  {questionOf("GET", publicHost, "/app/", navigating, "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"), ""},
		"a program":                 {questionOf("GET", publicHost, "/app/", "Accept: */*"), ""},
		"a form":                    {questionOf("POST", publicHost, "/app/", navigating), ""},
		"a bad token":               {questionOf("GET", publicHost, "/app/", navigating, "Authorization: Bearer bad"), ""},
		"a websocket":               {questionOf("GET", publicHost, "/app/", navigating, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"), ""},
		"a route for programs":      {questionOf("GET", publicHost, "/programs/", navigating), ""},
		"a host without sign-in":    {questionOf("GET", otherHost, "/", navigating), ""},
		"somebody who may not":      {questionOf("GET", publicHost, "/app/", navigating, asJoe), ""},
		"a closed route":            {questionOf("GET", publicHost, "/closed/", navigating), ""},
		"nothing there":             {questionOf("GET", publicHost, "/else", navigating), ""},
		"somebody who may":          {questionOf("GET", publicHost, "/app/", navigating, asJane), ""},
		"a query that is very long": {questionOf("GET", publicHost, "/app/?"+strings.Repeat("x", 3000), navigating), "/app/"},
	} {
		t.Run(name, func(t *testing.T) {
			want := ""
			if test.to != "" {
				want = "https://" + publicHost + "/.auth/sign-in?return_to=" + url.QueryEscape(test.to)
			}
			plain := h.get(t, "/.auth/check?redirect=false", test.lines...)
			if got := plain.Header.Get("X-Claimproxy-Sign-In"); got != want || plain.Header["Location"] != nil || plain.StatusCode == 302 {
				t.Errorf("got %d, X-Claimproxy-Sign-In %q, want %q", plain.StatusCode, got, want)
			}
			sent := h.get(t, "/.auth/check?redirect=true", test.lines...)
			if got := sent.Header.Get("Location"); got != want || (sent.StatusCode == 302) != (want != "") || sent.Header["X-Claimproxy-Sign-In"] != nil {
				t.Errorf("with redirect: got %d, Location %q, want %q", sent.StatusCode, got, want)
			}
			if want == "" && sent.StatusCode != plain.StatusCode {
				t.Errorf("with redirect: got %d, want %d as without", sent.StatusCode, plain.StatusCode)
			}
			wantCheck(t, sent, sent.StatusCode, Reason(plain.Header.Get("X-Claimproxy-Reason")))
		})
	}
}
