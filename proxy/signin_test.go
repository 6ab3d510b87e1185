package proxy

import (
	"net/url"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session"
)

const farHost = "docs.example.net"

// newHostsHouse has applications on several hosts, in front of which it is itself and
// some of which it is only asked about.
func newHostsHouse(t testing.TB, change func(*Config)) *checkHouse {
	h := newCheckHouse(t, ForwardAuthXForwarded, nil)
	r := newRules(t)
	both := Browser | Bearer
	routes := []Route{
		{Name: "app", Path: "/", SignIn: both, Allow: r.of("developers"), Upstream: h.wire.upstream()},
		{Name: "far", Hosts: []string{farHost}, Path: "/app/", SignIn: both, Allow: r.of("developers"), Upstream: h.wire.upstream()},
		{Name: "wild", Hosts: []string{"*.int.example.org"}, Path: "/", SignIn: both, Allow: r.of("developers"), Upstream: h.wire.upstream()},
		{Name: "asked", Hosts: []string{"asked.example.net"}, Path: "/", SignIn: both, Allow: r.of("developers")},
	}
	c := h.config
	h.house = build(t, routes, func(conf *Config) {
		conf.Trusted, conf.ForwardAuth, conf.Policies, conf.Sessions, conf.Tokens = c.Trusted, c.ForwardAuth, c.Policies, c.Sessions, c.Tokens
		if change != nil {
			change(conf)
		}
	})
	return h
}

// shared is the cookie of all hosts below int.example.org, under a name that the fake
// sessions know.
func shared(c *Config) {
	c.Cookies = session.CookieNames{Session: cookieName, Shared: "__Secure-claimproxy", Domain: "int.example.org", AttemptPrefix: cookieName + "-login-", Secure: true}
}

// TestPeopleSignInOnTheHostThatTheyWant: where each host has a cookie of its own, the
// way begins there; where it is shared, on public_url's host.
func TestPeopleSignInOnTheHostThatTheyWant(t *testing.T) {
	const page = "/.auth/sign-in?return_to="
	at := func(host, place string) string { return "https://" + host + page + url.QueryEscape(place) }
	for name, test := range map[string]struct {
		change func(*Config)
		want   map[string]string // by host
	}{
		"own cookies": {nil, map[string]string{
			publicHost: at(publicHost, "/app/x?y"), farHost: at(farHost, "/app/x?y"), "DOCS.example.net.": at(farHost, "/app/x?y"), "docs.example.net:8443": at(farHost, "/app/x?y"),
			"a.int.example.org": at("a.int.example.org", "/app/x?y"),
		}},
		"shared": {shared, map[string]string{
			publicHost: at(publicHost, "/app/x?y"), farHost: at(farHost, "/app/x?y"), "a.int.example.org": at(publicHost, "https://a.int.example.org/app/x?y"),
		}},
		"a port": {func(c *Config) { c.PublicURL = &url.URL{Scheme: "https", Host: publicHost + ":8443"} }, map[string]string{
			publicHost: at(publicHost+":8443", "/app/x?y"), farHost: at(farHost+":8443", "/app/x?y"), "docs.example.net:443": at(farHost+":8443", "/app/x?y"),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostsHouse(t, test.change)
			for host, want := range test.want {
				res := h.get(t, "/app/x?y", "Host: "+host, navigating)
				if got := res.Header.Get("Location"); res.StatusCode != 302 || got != want {
					t.Errorf("%s: got %d, Location %q, want %q", host, res.StatusCode, got, want)
				}
				res = h.get(t, "/app/x?y", "Host: "+host)
				problemURL, _, _ := strings.Cut(want, "?")
				if !strings.Contains(res.body, `"sign_in_url":"`+problemURL+`"`) {
					t.Errorf("%s: the problem lacks %q: %s", host, problemURL, res.body)
				}
				res = h.get(t, "/.auth/check", questionOf("GET", host, "/app/x?y", navigating)...)
				if got := res.Header.Get("X-Claimproxy-Sign-In"); res.StatusCode != 401 || got != want {
					t.Errorf("%s: asked about, got %d, %q, want %q", host, res.StatusCode, got, want)
				}
			}
			// A policy alone, on a path that no route has of a host that one has.
			res := h.get(t, "/.auth/check?policy=developers", questionOf("GET", farHost, "/else", navigating)...)
			want := strings.Replace(test.want[farHost], url.QueryEscape("/app/x?y"), url.QueryEscape("/else"), 1)
			if got := res.Header.Get("X-Claimproxy-Sign-In"); got != want {
				t.Errorf("a policy alone: got %q, want %q", got, want)
			}
			// What no route names is no host to come back to.
			for _, host := range []string{"evil.example", "a.b.int.example.org", "docs.example.net.evil.example", "int.example.org.evil.example"} {
				res := h.get(t, "/.auth/check?policy=developers", questionOf("GET", host, "/else", navigating)...)
				got := res.Header.Get("X-Claimproxy-Sign-In")
				if strings.Contains(got, host) || strings.Contains(got, "else") || test.change == nil && got != "" {
					t.Errorf("%s: got %q", host, got)
				}
			}
		})
	}
}

// TestASharedCookieIsReadWhereItIsSent, also where only a policy is asked about.
func TestASharedCookieIsReadWhereItIsSent(t *testing.T) {
	h := newHostsHouse(t, shared)
	wantCheck(t, h.get(t, "/.auth/check?policy=developers", questionOf("GET", "a.b.int.example.org", "/", asJane)...), 200, "policy")
	wantCheck(t, h.get(t, "/.auth/check?policy=developers", questionOf("GET", "a.b.example.org", "/", asJane)...), 401, "no-credentials")
}

// TestASiblingCannotActInAPersonsName: where hosts share a cookie, a page of one of
// them sends it along to the others.
func TestASiblingCannotActInAPersonsName(t *testing.T) {
	const host = "a.int.example.org"
	own := "Origin: https://" + host
	for name, test := range map[string]struct {
		lines []string
		may   bool
	}{
		"its own page":                       {[]string{own}, true},
		"its own page, with metadata":        {[]string{own, "Sec-Fetch-Site: same-origin", "Referer: https://" + host + "/x"}, true},
		"its own page, spelled otherwise":    {[]string{"Origin: HTTPS://A.int.example.org:443"}, true},
		"its own page, without a referrer":   {[]string{"Origin: null", "Sec-Fetch-Site: same-origin"}, true},
		"an old browser's own page":          {[]string{"Sec-Fetch-Site: same-origin"}, true},
		"a sibling":                          {[]string{"Origin: https://b.int.example.org", "Sec-Fetch-Site: same-site"}, false},
		"a sibling that says same-origin":    {[]string{"Origin: https://b.int.example.org", "Sec-Fetch-Site: same-origin"}, false},
		"the parent":                         {[]string{"Origin: https://int.example.org"}, false},
		"public_url's host":                  {[]string{"Origin: https://" + publicHost}, false},
		"another site":                       {[]string{"Origin: https://evil.example"}, false},
		"plain http":                         {[]string{"Origin: http://" + host}, false},
		"another port":                       {[]string{"Origin: https://" + host + ":8443"}, false},
		"a host that begins like it":         {[]string{"Origin: https://" + host + ".evil.example"}, false},
		"a user in it":                       {[]string{"Origin: https://" + host + "@evil.example"}, false},
		"a path in it":                       {[]string{own + "/"}, false},
		"two of them":                        {[]string{own, own}, false},
		"two, one of a sibling":              {[]string{own, "Origin: https://b.int.example.org"}, false},
		"a sandboxed frame":                  {[]string{"Origin: null"}, false},
		"a sandboxed frame of a sibling":     {[]string{"Origin: null", "Sec-Fetch-Site: same-site"}, false},
		"nothing is said":                    {nil, false},
		"empty":                              {[]string{"Origin: "}, false},
		"only a referrer":                    {[]string{"Referer: https://" + host + "/"}, false},
		"a referrer of a sibling":            {[]string{"Referer: https://b.int.example.org/", "Sec-Fetch-Site: same-origin"}, false},
		"two words of metadata":              {[]string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: same-site"}, false},
		"typed, which no form is":            {[]string{"Sec-Fetch-Site: none"}, false},
		"another site, told by the metadata": {[]string{"Sec-Fetch-Site: cross-site"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostsHouse(t, shared)
			want := map[bool]int{true: 200, false: 403}[test.may]
			for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "PROPFIND"} {
				lines := append([]string{"Host: " + host, asJane}, test.lines...)
				if res := h.send(t, method, "/x", lines...); res.StatusCode != want {
					t.Errorf("%s: got %d, want %d", method, res.StatusCode, want)
				}
				// nginx passes the header on as it came.
				if res := h.get(t, "/.auth/check", questionOf(method, host, "/x", append([]string{asJane}, test.lines...)...)...); res.StatusCode != want {
					t.Errorf("%s, asked about: got %d, want %d", method, res.StatusCode, want)
				}
				// A token is sent by nobody but its owner.
				if res := h.send(t, method, "/x", append([]string{"Host: " + host, "Authorization: Bearer jane"}, test.lines...)...); res.StatusCode != 200 {
					t.Errorf("%s with a token: got %d", method, res.StatusCode)
				}
				// Outside of the domain each host has its own cookie, as ever.
				if res := h.send(t, method, "/app/x", append([]string{"Host: " + farHost, asJane}, test.lines...)...); res.StatusCode != 200 {
					t.Errorf("%s on a host with its own cookie: got %d", method, res.StatusCode)
				}
			}
			for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
				if res := h.send(t, method, "/x", append([]string{"Host: " + host, asJane}, test.lines...)...); res.StatusCode != 200 {
					t.Errorf("%s: got %d, want 200", method, res.StatusCode)
				}
			}
		})
	}
}

// TestNoUpstreamGetsEitherCookie: the shared one would be good on every other host.
func TestNoUpstreamGetsEitherCookie(t *testing.T) {
	h := newHostsHouse(t, shared)
	for _, host := range []string{"a.int.example.org", farHost} {
		res := h.get(t, "/app/x", "Host: "+host, asJane+"; __Secure-claimproxy=x; a=b; __Secure-claimproxy.1=y; "+cookieName+"-login-z=w")
		if res.StatusCode != 200 {
			t.Fatalf("got %d", res.StatusCode)
		}
		if got := values(h.wire.one(t), "Cookie"); len(got) != 1 || strings.TrimSpace(got[0]) != "a=b" {
			t.Errorf("%s: the upstream got %q", host, got)
		}
		h.wire.say("HTTP/1.1 200 OK\r\nSet-Cookie: __Secure-claimproxy=evil; Domain=int.example.org; Secure\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
		res = h.get(t, "/app/x", "Host: "+host, asJane)
		if got := res.Header["Set-Cookie"]; len(got) != 1 || got[0] != "a=b" {
			t.Errorf("%s: an application may set %q", host, got)
		}
		h.wire.took()
	}
}
