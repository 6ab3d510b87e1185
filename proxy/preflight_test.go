package proxy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// preflightHouse has routes that pass preflights and routes that do not.
func preflightHouse(t *testing.T, u *wire) *house {
	r := newRules(t)
	kinds := Browser | Bearer
	return build(t, []Route{
		{Path: "/api/", SignIn: kinds, Methods: []string{"GET", "POST"}, Allow: r.of("developers"), PassPreflight: true, Upstream: u.upstream()},
		{Path: "/any/", SignIn: kinds, Allow: r.of("developers"), PassPreflight: true, Upstream: u.upstream()},
		{Path: "/rules/", SignIn: kinds, PassPreflight: true, Upstream: u.upstream(), Rules: []MethodRule{
			{Methods: []string{"GET"}, Allow: r.of("developers")},
			{Methods: []string{"DELETE"}, Allow: r.of("nobody")},
		}},
		{Path: "/shut/", SignIn: kinds, PassPreflight: true, Upstream: u.upstream(), Rules: []MethodRule{
			{Methods: []string{"GET"}, Allow: r.of("developers")},
			{Methods: []string{"OPTIONS"}, Allow: r.of("nobody")},
		}},
		{Path: "/nobody/", SignIn: kinds, Allow: r.of("nobody"), PassPreflight: true, Upstream: u.upstream()},
		{Path: "/nobody-gets/", SignIn: kinds, Methods: []string{"GET"}, Allow: r.of("nobody"), PassPreflight: true, Upstream: u.upstream()},
		{Path: "/listed/", SignIn: kinds, Methods: []string{"GET", "OPTIONS"}, Allow: r.of("developers"), Upstream: u.upstream()},
		{Path: "/", SignIn: kinds, Methods: []string{"GET", "POST"}, Allow: r.of("developers"), Upstream: u.upstream()},
	}, nil)
}

const (
	origin = "Origin: https://maps.example"
	asks   = "Access-Control-Request-Method: PUT"
)

// TestPreflightsPass where a route says so, whether or not it takes OPTIONS.
func TestPreflightsPass(t *testing.T) {
	u := newWire(t)
	h := preflightHouse(t, u)
	for name, test := range map[string]struct {
		target string
		lines  []string
	}{
		"on a route with methods":         {"/api/x?y", []string{origin, asks}},
		"on a route for all methods":      {"/any/", []string{origin, asks}},
		"on a route with rules":           {"/rules/", []string{origin, asks}},
		"of an opaque origin":             {"/api/", []string{"Origin: null", asks}},
		"of an origin with a port":        {"/api/", []string{"Origin: http://[::1]:8080", asks}},
		"of another kind of origin":       {"/api/", []string{"Origin: moz-extension://9d5b8c0e", asks}},
		"with the headers that will come": {"/api/", []string{origin, asks, "Access-Control-Request-Headers: authorization,content-type"}},
		"about a method of its own":       {"/api/", []string{origin, "Access-Control-Request-Method: PROPFIND"}},
		"with cookies":                    {"/api/", []string{origin, asks, "Cookie: a=b; " + cookieName + "=jane"}},
		"with a session that is over":     {"/api/", []string{origin, asks, "Cookie: a=b; " + cookieName + "=expired"}},
		"with a forged identity":          {"/api/", []string{origin, asks, "X-Forwarded-User: admin", "X_Forwarded_Groups: admin"}},
	} {
		t.Run(name, func(t *testing.T) {
			res := h.send(t, "OPTIONS", test.target, test.lines...)
			event := h.events.next(t)
			if res.StatusCode != 200 || event.Reason != "public" || event.Decision != "allow" || event.Subject != "" || event.Upstream != "wire" {
				t.Fatalf("got %d, event %+v", res.StatusCode, event)
			}
			head := u.one(t)
			if !strings.HasPrefix(head, "OPTIONS "+test.target+" ") || len(values(head, "Origin")) != 1 || len(values(head, "Access-Control-Request-Method")) != 1 {
				t.Errorf("the upstream got another request:\n%s", head)
			}
			if strings.Contains(head, cookieName) || strings.Contains(head, "admin") || values(head, "X-Forwarded-User") != nil {
				t.Errorf("the upstream got a cookie or an identity:\n%s", head)
			}
			if strings.Contains(test.target+strings.Join(test.lines, ""), "a=b") && !cmp.Equal(values(head, "Cookie"), []string{"a=b"}) {
				t.Errorf("the upstream's own cookie: %q", values(head, "Cookie"))
			}
		})
	}
}

// TestWhatIsNoPreflightIsDecidedAsEver: OPTIONS is no way around a policy, nor is
// anything that only looks like a preflight (class C18).
func TestWhatIsNoPreflightIsDecidedAsEver(t *testing.T) {
	u := newWire(t)
	h := preflightHouse(t, u)
	for name, test := range map[string]struct {
		request string
		lines   []string
		status  int
		reason  Reason
	}{
		"OPTIONS alone":                           {"OPTIONS /api/", nil, 405, ReasonMethod},
		"OPTIONS alone, all methods taken":        {"OPTIONS /any/", nil, 401, "no-credentials"},
		"OPTIONS alone, without a rule":           {"OPTIONS /rules/", nil, 405, ReasonMethod},
		"without Origin":                          {"OPTIONS /any/", []string{asks}, 401, "no-credentials"},
		"with an empty Origin":                    {"OPTIONS /any/", []string{"Origin:", asks}, 401, "no-credentials"},
		"with two Origins":                        {"OPTIONS /any/", []string{origin, origin, asks}, 401, "no-credentials"},
		"with two Origins in one":                 {"OPTIONS /any/", []string{"Origin: https://a.example, https://b.example", asks}, 401, "no-credentials"},
		"with two Origins of old":                 {"OPTIONS /any/", []string{"Origin: https://a.example https://b.example", asks}, 401, "no-credentials"},
		"with an Origin that is an address":       {"OPTIONS /any/", []string{"Origin: https://a.example/page?x", asks}, 401, "no-credentials"},
		"with an Origin that is a word":           {"OPTIONS /any/", []string{"Origin: yes", asks}, 401, "no-credentials"},
		"with an Origin of another spelling":      {"OPTIONS /any/", []string{"Origin_: https://a.example", asks}, 401, "no-credentials"},
		"without a method that is asked about":    {"OPTIONS /any/", []string{origin}, 401, "no-credentials"},
		"with an empty method":                    {"OPTIONS /any/", []string{origin, "Access-Control-Request-Method:"}, 401, "no-credentials"},
		"with two methods":                        {"OPTIONS /any/", []string{origin, asks, asks}, 401, "no-credentials"},
		"with two methods in one":                 {"OPTIONS /any/", []string{origin, "Access-Control-Request-Method: PUT, GET"}, 401, "no-credentials"},
		"with a method of another spelling":       {"OPTIONS /any/", []string{origin, "Access_Control_Request_Method: PUT"}, 401, "no-credentials"},
		"with a token":                            {"OPTIONS /api/", []string{origin, asks, "Authorization: Bearer jane"}, 405, ReasonMethod},
		"with the token of somebody who may not":  {"OPTIONS /any/", []string{origin, asks, "Authorization: Bearer joe"}, 403, "not-allowed"},
		"with a bad token":                        {"OPTIONS /any/", []string{origin, asks, "Authorization: Bearer bad"}, 401, "token-invalid"},
		"with a password":                         {"OPTIONS /any/", []string{origin, asks, "Authorization: Basic YTpi"}, 401, "no-credentials"},
		"with empty credentials":                  {"OPTIONS /any/", []string{origin, asks, "Authorization:"}, 401, "no-credentials"},
		"with two credentials":                    {"OPTIONS /any/", []string{origin, asks, "Authorization: Bearer jane", "Authorization: Bearer jane"}, 400, "two-credentials"},
		"with a body":                             {"OPTIONS /any/", []string{origin, asks, "Content-Length: 4"}, 401, "no-credentials"},
		"with a chunked body":                     {"OPTIONS /any/", []string{origin, asks, "Transfer-Encoding: chunked"}, 401, "no-credentials"},
		"in lower case":                           {"options /any/", []string{origin, asks}, 401, "no-credentials"},
		"in lower case, where methods are listed": {"options /api/", []string{origin, asks}, 405, ReasonMethod},
		"in mixed case":                           {"Options /api/", []string{origin, asks}, 405, ReasonMethod},
		"with another method":                     {"GET /any/", []string{origin, asks}, 401, "no-credentials"},
		"as an override":                          {"POST /any/", []string{origin, asks, "X-HTTP-Method-Override: OPTIONS", "Content-Length: 0"}, 401, "no-credentials"},
		"on a route that does not pass them":      {"OPTIONS /", []string{origin, asks}, 405, ReasonMethod},
		"on a route that lists OPTIONS":           {"OPTIONS /listed/", []string{origin, asks}, 401, "no-credentials"},
		"on a closed route":                       {"OPTIONS /nobody/", []string{origin, asks}, 403, "nobody"},
		"on a route closed for its methods":       {"OPTIONS /nobody-gets/", []string{origin, asks}, 405, ReasonMethod},
		"where OPTIONS is closed":                 {"OPTIONS /shut/", []string{origin, asks}, 403, "nobody"},
		"on no route":                             {"OPTIONS /", []string{origin, asks, "Host: other.example"}, 404, ReasonNoRoute},
		"on a path with two readings":             {"OPTIONS /any/..%2fx", []string{origin, asks}, 400, ReasonBadTarget},
	} {
		t.Run(name, func(t *testing.T) {
			method, target, _ := strings.Cut(test.request, " ")
			res := h.send(t, method, target, test.lines...)
			if event := h.events.next(t); res.StatusCode != test.status || event.Reason != test.reason {
				t.Errorf("got %d %q, want %d %q", res.StatusCode, event.Reason, test.status, test.reason)
			}
			u.none(t)
		})
	}
	// OPTIONS that is no preflight is a method like any other, for who may.
	for _, lines := range [][]string{{"Cookie: " + cookieName + "=jane"}, {"Authorization: Bearer jane"}, {origin, asks, "Authorization: Bearer jane"}} {
		for _, target := range []string{"/any/", "/listed/"} {
			if res := h.send(t, "OPTIONS", target, lines...); res.StatusCode != 200 {
				t.Errorf("OPTIONS %s with %q: got %d, want 200", target, lines, res.StatusCode)
			}
			if got := values(u.one(t), "X-Forwarded-User"); !cmp.Equal(got, []string{"jane"}) {
				t.Errorf("OPTIONS %s with %q: the upstream learns %q", target, lines, got)
			}
		}
	}
}
