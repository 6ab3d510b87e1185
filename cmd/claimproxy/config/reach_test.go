package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/proxy"
)

func TestPathPatternsCoverOthers(t *testing.T) {
	for _, test := range []struct {
		earlier, later string
		want           bool
	}{
		{"/", "/", true}, {"/", "/a", true}, {"/", "/*/", true},
		{"/a/", "/a/", true}, {"/a/", "/a", true}, {"/a/", "/a/b", true}, {"/a/", "/a/b/c/", true}, {"/a/", "/a/*", true},
		{"/a/", "/ab", false}, {"/a/", "/ab/", false}, {"/a/", "/", false}, {"/a/", "/A/", false}, {"/a/", "/b/", false}, {"/a/b/", "/a/", false},
		{"/a", "/a", true}, {"/a", "/a/", false}, {"/a", "/a/b", false}, {"/a", "/", false}, {"/a", "/*", false},
		{"/*", "/a", true}, {"/*", "/*", true}, {"/*", "/a/", false}, {"/*", "/a/b", false}, {"/*", "/", false},
		{"/*/", "/a/b", true}, {"/*/", "/a", true}, {"/*/", "/", false}, {"/a/*/c", "/a/b/c", true}, {"/a/*/c", "/a/b/d", false}, {"/a/b/c", "/a/*/c", false},
		{"/a=b", "/a%3Db", true}, {"/%2A", "/b", false}, {"/*", "/%2A", true}, {"/%2A", "/*", false},
	} {
		if got := parsePattern(test.earlier).covers(parsePattern(test.later)); got != test.want {
			t.Errorf("%s covers %s: got %t, expected %t", test.earlier, test.later, got, test.want)
		}
	}
}

func TestPathPatternsOverlap(t *testing.T) {
	for _, test := range []struct {
		p, q string
		want bool
	}{
		{"/", "/", true}, {"/", "/a/b", true}, {"/a/", "/a", true}, {"/a/", "/a/b/", true}, {"/a", "/a", true}, {"/*", "/a", true}, {"/a/*/c", "/*/b/c", true},
		{"/a/*/c", "/a/b/", true}, {"/*/x/", "/a/", true}, {"/a/*", "/a/", true}, {"/*", "/", true},
		{"/a", "/b", false}, {"/a", "/a/b", false}, {"/a", "/a/b/", false}, {"/a/", "/b/", false}, {"/a/*/c", "/*/b/d", false}, {"/a/b/", "/a/c/", false}, {"/*", "/a/b", false},
	} {
		p, q := parsePattern(test.p), parsePattern(test.q)
		if got := p.overlaps(q); got != test.want || q.overlaps(p) != got {
			t.Errorf("%s and %s: got %t, expected %t", test.p, test.q, got, test.want)
		}
	}
}

func TestHostPatternsCoverOthers(t *testing.T) {
	for _, test := range []struct {
		earlier, later string
		want           bool
	}{
		{"a.example.org", "a.example.org", true}, {"a.example.org", "b.example.org", false}, {"*.example.org", "a.example.org", true},
		{"*.example.org", "*.example.org", true}, {"*.example.org", "a.b.example.org", false}, {"*.example.org", "example.org", false},
		{"*.example.org", "*.b.example.org", false}, {"a.example.org", "*.example.org", false}, {"*.example.org", "a.example.orgs", false},
	} {
		if got := hostCovers(test.earlier, test.later); got != test.want {
			t.Errorf("%s covers %s: got %t, expected %t", test.earlier, test.later, got, test.want)
		}
	}
}

// A route behind one that matches everything looks like protection and is none.
func TestRouteThatCanNeverMatchIsRefused(t *testing.T) {
	parseRoutes := func(routes ...string) []string {
		text := "public_url: https://a.example.org\nroutes:\n"
		for _, r := range routes {
			text += "  - {upstream: 'http://127.0.0.1:8000', allow: public, " + r + "}\n"
		}
		return errorLines(t, text)
	}
	for _, test := range []struct {
		name   string
		routes []string
		want   string
	}{
		{"the narrower first is fine", []string{"path: /admin/", "path: /"}, ""},
		{"the wider first is not", []string{"path: /", "path: /admin/"}, "4:62: routes[1].path: this route can never match: routes[0] in line 3"},
		{"on another host it is fine", []string{"path: /", "path: /admin/, host: b.example.org"}, ""},
		{"methods make no difference", []string{"path: /, methods: [GET]", "path: /, methods: [POST]"}, "routes[0] in line 3"},
		{"one of several hosts", []string{"host: [b.example.org, c.example.org]", "host: [d.example.org, c.example.org]"}, "routes[1].host[1]: this route with the host c.example.org can never match"},
		{"hosts that two routes cover", []string{"host: b.example.org", "host: '*.example.org', path: /x/", "host: [b.example.org, c.example.org], path: /x/y"}, "routes[2].host[0]"},
		{"a host by its wildcard", []string{"host: '*.example.org'", "path: /x"}, "routes[1].path: this route can never match: routes[0]"},
		{"in capital letters", []string{"host: B.example.org", "host: b.EXAMPLE.org"}, "routes[1]: this route can never match: routes[0]"},
		{"claimproxy's own pages", []string{"path: /.auth/"}, "routes[0].path: this route can never match: what is below /.auth"},
		{"what only looks like them is fine", []string{"path: /.authority/", "path: /.well-known/oauth-protected-resources", "path: /.well-known/"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := strings.Join(parseRoutes(test.routes...), "\n")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("got %q, expected %q", got, test.want)
			}
		})
	}
}

// What is accepted here is compared there: a path or host that the proxy could not
// read must not get that far.
func TestAcceptedPathsAndHostsAreTheProxys(t *testing.T) {
	for _, path := range []string{
		"/", "/a", "/a/", "/*/b", "/%2A", "/a%20b", "/f%C3%BCr", "/%FC", "/%25", "/%2541", "/%252e", "/%252e%252e/", "/%252f", "/%255c", "/%3B", "/%00", "/%01", "/%7F", "/%C0%AF", "/a:b@c!$&'()+,=", "/~a-b_c.d",
	} {
		got := errorLines(t, strings.Replace(smallest, "allow:", fmt.Sprintf("path: %q, allow:", path), 1))
		if err := proxy.CheckPath(path); (err != nil) != (len(got) > 0) {
			t.Errorf("%s: got %q, and the proxy says %v", path, got, err)
		}
	}
	for _, host := range []string{"a.example", "*.a.example", "A.Example", "127.0.0.1", "[::1]", "[2001:DB8:0:0::1]", "2001:db8::1", "localhost", "a_b.example", "-.example", "*.10.0.0.1", "*.[::1]", "::ffff:1.2.3.4"} {
		text := strings.Replace(smallest, "allow:", fmt.Sprintf("host: %q, sign_in: bearer, allow:", host), 1)
		c, _ := parse(text)
		if c == nil {
			continue
		}
		got := c.Routes[0].Hosts[0]
		if strings.Contains(got, ":") {
			got = "[" + got + "]"
		}
		if err := proxy.CheckHost(got); err != nil {
			t.Errorf("%s: the proxy says %v", host, err)
		}
	}
}

func TestRouteAtACallbackPathIsRefused(t *testing.T) {
	text := strings.Replace(smallest, "client_id: abc", "client_id: abc, callback_path: /return", 1)
	for path, wrong := range map[string]bool{"/return": true, "/return/": false, "/": false} {
		got := errorLines(t, strings.Replace(text, "allow:", fmt.Sprintf("path: %s, allow:", path), 1))
		if (len(got) > 0) != wrong {
			t.Errorf("%s: got %q", path, got)
		}
	}
}

// Over plain http a session would be anybody's who listens; on this machine nobody does.
func TestPeopleSignInOverPlainHTTPOnThisMachineAlone(t *testing.T) {
	for _, public := range []string{"http://localhost:8080", "https://telemetry.example.org"} {
		for rest, wrong := range map[string]bool{
			"allow: signed-in, host: b.example.org":                                               true,
			"allow: signed-in, host: b.example.org, sign_in: browser":                             true,
			"allow: signed-in, host: '*.example.org', sign_in: [bearer, browser]":                 true,
			"rules: [{methods: GET, allow: public}, {methods: PUT, allow: x is y}], host: b.test": true,
			"allow: signed-in, host: b.example.org, sign_in: bearer":                              false,
			"allow: public, host: b.example.org":                                                  false,
			"allow: nobody, host: b.example.org":                                                  false,
			"allow: signed-in, host: wiki.localhost":                                              false,
			"allow: signed-in, host: 127.0.0.1":                                                   false,
			"rules: [{methods: GET, allow: public}, {methods: PUT, allow: nobody}], host: b.test": false,
		} {
			got := errorLines(t, strings.NewReplacer("allow: signed-in", rest, "https://telemetry.example.org", public).Replace(smallest))
			wrong = wrong && strings.HasPrefix(public, "http:")
			if (len(got) > 0) != wrong || wrong && !strings.Contains(got[0], "public_url is plain http, which is for loopback hosts alone") {
				t.Errorf("%s, %s: got %q", public, rest, got)
			}
		}
	}
}

func TestConfigurationWithoutProvidersServesWhatAsksNobody(t *testing.T) {
	mustParse(t, "public_url: https://a.example.org\nroutes:\n  - {path: /a, upstream: 'http://127.0.0.1:1', allow: public}\n  - {path: /b, upstream: 'http://127.0.0.1:1', allow: nobody}\n")
}
