package proxy

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// openHouse has a public corner and everything else behind a policy.
func openHouse(t testing.TB, u *wire) *house {
	r := newRules(t)
	return build(t, []Route{
		{Path: "/public/", Allow: r.of("public"), Upstream: u.upstream()},
		{Path: "/admin/", Allow: r.of("nobody"), Upstream: u.upstream()},
		{Path: "/", SignIn: Browser | Bearer, Allow: r.of("developers"), Upstream: u.upstream()},
	}, nil)
}

// TestPathsThatApplicationsReadDifferently sends every form by which peers were
// led to decide on one path and forward another (advisories, classes PATH and C1;
// traps 1, 2 and 5). Each would be public by its beginning, or be decided as
// something else than what an application makes of it.
func TestPathsThatApplicationsReadDifferently(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	attacks := map[string]string{
		"dot segment":                                "/public/../admin",
		"dot segment at the end":                     "/public/..",
		"single dot segment":                         "/public/./x",
		"single dot at the end":                      "/public/.",
		"dot segment from the root":                  "/../admin",
		"encoded dot segment":                        "/public/%2e%2e/admin",
		"half encoded dot segment":                   "/public/.%2e/admin",
		"half encoded dot segment, the other half":   "/public/%2E./admin",
		"encoded single dot":                         "/public/%2e/x",
		"doubly encoded dot segment":                 "/public/%252e%252e/admin",
		"doubly encoded dot segment at the root":     "/%252e%252e/admin",
		"mixed double encoding":                      "/public/%252e%2e/admin",
		"triply encoded dot segment":                 "/public/%25252e%25252e/admin",
		"encoded percent and digits apart":           "/public/%25%32%65%25%32%65/admin",
		"encoded slash":                              "/public/..%2fadmin",
		"encoded slash, upper case":                  "/public/x%2Fadmin",
		"encoded slash alone":                        "/admin%2f",
		"doubly encoded slash":                       "/public/..%252fadmin",
		"doubly encoded slash without dots":          "/public%252fadmin",
		"encoded backslash":                          "/public/..%5cadmin",
		"doubly encoded backslash":                   "/public/..%255Cadmin",
		"raw backslash":                              `/public/..\admin`,
		"raw backslash at the beginning":             `/\admin`,
		"two slashes at the beginning":               "//admin",
		"two slashes at the beginning, as authority": "//evil.example/admin",
		"two slashes inside":                         "/public//admin",
		"two slashes at the end":                     "/public//",
		"NUL":                                        "/admin%00",
		"NUL with a harmless end":                    "/admin%00.css",
		"doubly encoded NUL":                         "/admin%2500",
		"encoded line feed":                          "/public/x%0a",
		"encoded carriage return and line feed":      "/public/x%0d%0aX-Forwarded-User:%20admin",
		"encoded tab":                                "/admin%09",
		"encoded DEL":                                "/admin%7f",
		"path parameter":                             "/admin;x",
		"path parameter that hides dots":             "/public/..;/admin",
		"path parameter after an empty name":         "/;/admin",
		"encoded path parameter":                     "/public/..%3b/admin",
		"doubly encoded path parameter":              "/public/..%253B/admin",
		"session id as a parameter":                  "/admin;jsessionid=1",
		"raw fragment":                               "/public/#/../admin",
		"raw fragment at the end":                    "/admin#",
		"raw fragment in the query":                  "/public/x?a#/../../admin",
		"overlong slash":                             "/public/..%c0%afadmin",
		"overlong dot":                               "/public/%c0%ae%c0%ae/admin",
		"overlong dot in three bytes":                "/public/%e0%80%ae%e0%80%ae/admin",
		"overlong dot in four bytes":                 "/public/%f0%80%80%ae/admin",
		"overlong dot in raw bytes":                  "/public/\xc0\xae\xc0\xae/admin",
		"doubly encoded name of another route":       "/%2561dmin/",
		"deeply encoded":                             "/public/%2525252525252541",
		"absolute form for another host":             "http://internal.example/admin",
		"absolute form for this host":                "http://" + publicHost + "/admin",
		"absolute form with a user":                  "http://" + publicHost + "@evil.example/public/",
	}
	for name, target := range attacks {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"GET", "POST", "OPTIONS", "get"} {
				res := h.send(t, method, target, "Authorization: Bearer jane", "Content-Length: 0")
				if res.StatusCode != http.StatusBadRequest {
					t.Errorf("%s %s: got %d, want 400", method, target, res.StatusCode)
				}
				if event := h.events.next(t); event.Reason != ReasonBadTarget || event.Decision != "deny" {
					t.Errorf("%s %s: event says %s %s, want deny bad-target", method, target, event.Decision, event.Reason)
				}
			}
			u.none(t)
		})
	}
}

// TestTargetsThatNetHTTPRefuses: these never reach the handler; net/http closes
// with a bare 400.
func TestTargetsThatNetHTTPRefuses(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	for _, target := range []string{
		"/public/%zz", "/public/%", "/public/%2", "/public/%u002e%u002e/admin", "/public/%%32%65%%32%65/admin", "public/x", "?x", "",
		"/public/\x00", "/public/\x01x", "/public/x y", "/public/\x7f",
	} {
		if res := h.get(t, target); res.StatusCode != http.StatusBadRequest {
			t.Errorf("GET %q: got %d, want 400", target, res.StatusCode)
		}
	}
	if len(h.events.list) != 0 {
		t.Errorf("events: %v", h.events.list)
	}
	u.none(t)
}

func TestAsteriskIsNoPath(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	for _, method := range []string{"OPTIONS", "GET"} {
		if res := h.send(t, method, "*"); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s *: got %d, want 400", method, res.StatusCode)
		}
	}
	u.none(t)
}

// TestLegalPathsTravelByteForByte is the positive twin of the attacks: what has one
// reading passes, and arrives as it was sent.
func TestLegalPathsTravelByteForByte(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	for _, target := range []string{
		"/public/",
		"/public",
		"/public/..x/...",
		"/public/x..",
		"/public/.hidden/.well-known",
		"/public/a%20b",
		"/public/caf%C3%A9",
		"/public/caf%c3%a9",
		"/public/%61%62",
		"/public/100%25",
		"/public/a%2520b",
		"/public/a%25zz",
		"/public/%25C3%25A9",
		"/public/a%23b",
		"/public/a%3Fb",
		"/public/-._~!$&'()*+,=:@",
		"/public/%2A%2B%2C",
		"/public/a+b",
		"/public/%E2%82%AC/",
		"/public/%ff%fe",
		"/public/%F0%9F%98%80",
		"/public/%5B1%5D",
		"/%70ublic/x",
		"/public/?",
		"/public/x?",
		"/public/x??",
		"/public/x?a=1;admin=1&b=%zz",
		"/public/x?a=1;b=2",
		"/public/x?/../../admin",
		"/public/x?a=//b&c=%2f%00",
		"/public/x?a=\"<>\\^`{|}'",
		"/public/x?\xff\xc3\xa4",
		"/public/x?" + strings.Repeat("a=b&", 12000) + "hidden=yes",
		"/public/" + strings.Repeat("long/", 1000),
	} {
		res := h.get(t, target)
		if res.StatusCode != http.StatusOK {
			t.Errorf("GET %.80q: got %d, want 200", target, res.StatusCode)
			u.took()
			continue
		}
		if got := targetOf(u.one(t)); got != target {
			t.Errorf("GET %.80q: the upstream got %.80q", target, got)
		}
	}
}

// TestRawBytesAreEncodedOnce: bytes that may not stand in a path are sent in the
// one encoding that everybody reads the same.
func TestRawBytesAreEncodedOnce(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	for target, want := range map[string]string{
		"/public/caf\xc3\xa9":     "/public/caf%C3%A9",
		"/public/\xff":            "/public/%FF",
		"/public/a\"b<c>d":        "/public/a%22b%3Cc%3Ed",
		"/public/{a}|b^c`[d]":     "/public/%7Ba%7D%7Cb%5Ec%60%5Bd%5D",
		"/public/%c3%a9\xc3\xa9":  "/public/%c3%a9%C3%A9",
		"/public/\xc3\xa9?\xc3=1": "/public/%C3%A9?\xc3=1",
	} {
		if res := h.get(t, target); res.StatusCode != http.StatusOK {
			t.Errorf("GET %q: got %d, want 200", target, res.StatusCode)
			u.took()
			continue
		}
		if got := targetOf(u.one(t)); got != want {
			t.Errorf("GET %q: the upstream got %q, want %q", target, got, want)
		}
	}
}

// TestEncodedNamesOfRoutesAreTheRoutes: a route cannot be left by encoding letters
// of its name, nor by writing it in another case, which is another path.
func TestEncodedNamesOfRoutesAreTheRoutes(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	for target, want := range map[string]int{
		"/admin/":       403,
		"/admin":        403,
		"/%61dmin/":     403,
		"/%61%64min/x":  403,
		"/admi%6E":      403,
		"/admin/?/../x": 403,
		"/ADMIN/":       401, // another path, on the route for everything else
		"/adminx":       401,
		"/public/x":     200,
		"/publi%63/x":   200,
		"/publicx":      401,
	} {
		if res := h.get(t, target); res.StatusCode != want {
			t.Errorf("GET %s: got %d, want %d", target, res.StatusCode, want)
		}
	}
}

// TestQueryNeverDecides: the path alone chooses a route (CVE-2025-54576).
func TestQueryNeverDecides(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	for _, target := range []string{"/admin/?path=/public/", "/x?/public/", "/?/public/"} {
		if res := h.get(t, target); res.StatusCode < 400 {
			t.Errorf("GET %s: got %d, want a refusal", target, res.StatusCode)
		}
	}
	u.none(t)
}

func TestParseTarget(t *testing.T) {
	got, err := ParseTarget("https", "App.Example.ORG.:8443", "/a%20b/c?x=%zz")
	if err != nil {
		t.Fatal(err)
	}
	want := Target{
		Scheme: "https", Host: "app.example.org", Authority: "app.example.org:8443",
		Path: "/a b/c", Encoded: "/a%20b/c", Query: "x=%zz", HasQuery: true,
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Target{})); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
}

// TestSpaceInAnHTTP2Query: HTTP/2 carries what would end the request line of
// HTTP/1.1, and with it a second version or a header.
func TestSpaceInAnHTTP2Query(t *testing.T) {
	for _, target := range []string{"/x?a b", "/x?a HTTP/1.1", "/x?a\r\nX: y", "/x?\x00", "/x?\x7f"} {
		if _, err := ParseTarget("https", publicHost, target); err == nil {
			t.Errorf("ParseTarget(%q) is fine, want an error", target)
		}
	}
}

func TestHTTP2HostBesideAuthority(t *testing.T) {
	for header, want := range map[string]bool{"": true, publicHost: true, "APP.example.org.": true, "internal.example.org": false, "a b": false} {
		r := &http.Request{Host: publicHost, RequestURI: "/", Header: http.Header{}, TLS: &tls.ConnectionState{}}
		if header != "" {
			r.Header.Set("Host", header)
		}
		if _, err := requestTarget(r, "https"); (err == nil) != want {
			t.Errorf("Host %q beside :authority %q: got %v, want fine: %v", header, publicHost, err, want)
		}
	}
}

func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"/", "/a/b/", "/a%20b?x", "/%2e%2e/", "/%252e", "/\xc0\xaf", "/a;b", "/caf\xc3\xa9/[x]", "/%25%32%35", "//", "/a//", "/%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		target, err := ParseTarget("https", publicHost, raw)
		if err != nil {
			return
		}
		checkForwarded(t, target)
		// What is forwarded is canonical already: reading it again gives itself.
		again, err := ParseTarget("https", publicHost, target.requestURI())
		if err != nil {
			t.Fatalf("%q is fine, but what is forwarded for it is not: %v", raw, err)
		}
		if diff := cmp.Diff(target, again, cmp.AllowUnexported(Target{})); diff != "" {
			t.Fatalf("%q reads differently the second time (-first +second):\n%s", raw, diff)
		}
	})
}

// checkForwarded makes sure that net/url writes exactly the target.
func checkForwarded(t *testing.T, target Target) {
	t.Helper()
	u := url.URL{Path: target.Path, RawPath: target.Encoded, RawQuery: target.Query, ForceQuery: target.HasQuery && target.Query == ""}
	if got := u.RequestURI(); got != target.requestURI() {
		t.Fatalf("net/url writes %q for %q", got, target.requestURI())
	}
	for i := 0; i < len(target.Encoded); i++ {
		if c := target.Encoded[i]; c <= 0x20 || c >= 0x7f || strings.IndexByte("\"#<>?[\\]^`{|};", c) >= 0 {
			t.Fatalf("%q is forwarded with the byte %q", target.Encoded, c)
		}
	}
}
