package proxy

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/policy"
)

// methodHouse has a route with methods, one with rules and one open to all.
func methodHouse(t *testing.T, u *wire) *house {
	r := newRules(t)
	return build(t, []Route{
		{Path: "/receiver/submit/", Methods: []string{"GET", "POST"}, Allow: r.of("public"), Upstream: u.upstream()},
		{Path: "/admin/", SignIn: Bearer, Upstream: u.upstream(), Rules: []MethodRule{
			{Methods: []string{"GET"}, Allow: r.of("developers")},
			{Methods: []string{"POST", "PUT", "DELETE"}, Allow: r.of("admins")},
		}},
		{Path: "/head/", Upstream: u.upstream(), Rules: []MethodRule{
			{Methods: []string{"HEAD"}, Allow: r.of("public")},
			{Methods: []string{"GET"}, Allow: r.of("nobody")},
		}},
		{Path: "/strange/", Methods: []string{"PROPFIND", "get"}, Allow: r.of("public"), Upstream: u.upstream()},
		{Path: "/", Allow: r.of("public"), Upstream: u.upstream()},
	}, nil)
}

func TestMethodsAreComparedExactly(t *testing.T) {
	u := newWire(t)
	h := methodHouse(t, u)
	tests := []struct {
		request string
		status  int
		allow   string
	}{
		{"GET /receiver/submit/x", 200, ""},
		{"POST /receiver/submit/x", 200, ""},
		{"HEAD /receiver/submit/x", 200, ""},
		{"PUT /receiver/submit/x", 405, "GET, HEAD, POST"},
		{"OPTIONS /receiver/submit/x", 405, "GET, HEAD, POST"},
		{"get /receiver/submit/x", 405, "GET, HEAD, POST"},
		{"GeT /receiver/submit/x", 405, "GET, HEAD, POST"},
		{"FOO /receiver/submit/x", 405, "GET, HEAD, POST"},
		{"GET /admin/", 200, ""},
		{"HEAD /admin/", 200, ""},
		{"POST /admin/", 403, ""},
		{"PATCH /admin/", 405, "GET, HEAD, POST, PUT, DELETE"},
		{"post /admin/", 405, "GET, HEAD, POST, PUT, DELETE"},
		{"HEAD /head/", 200, ""},
		{"GET /head/", 403, ""},
		{"PROPFIND /strange/", 200, ""},
		{"get /strange/", 200, ""},
		{"GET /strange/", 405, "PROPFIND, get"},
		{"HEAD /strange/", 405, "PROPFIND, get"},
		{"FOO /", 200, ""},
		{"get /", 200, ""},
		{"OPTIONS /", 200, ""},
	}
	for _, test := range tests {
		t.Run(test.request, func(t *testing.T) {
			res := h.raw(t, test.request+" HTTP/1.1\r\nHost: "+publicHost+"\r\nAuthorization: Bearer jane\r\nContent-Length: 0\r\n\r\n")
			if res.StatusCode != test.status || res.Header.Get("Allow") != test.allow {
				t.Errorf("got %d, Allow %q; want %d, %q", res.StatusCode, res.Header.Get("Allow"), test.status, test.allow)
			}
			heads := u.took()
			if (test.status == 200) != (len(heads) == 1) {
				t.Errorf("the upstream got %q", heads)
			}
			event := h.events.next(t)
			if (test.status == 405) != (event.Reason == ReasonMethod) {
				t.Errorf("reason %q with status %d", event.Reason, test.status)
			}
		})
	}
}

// TestTunnelsAndTraces: CONNECT passes the reverse proxy of the standard library
// with the attacker's authority as Host (trap 3, CVE-2026-71324).
func TestTunnelsAndTraces(t *testing.T) {
	u := newWire(t)
	h := methodHouse(t, u)
	for _, request := range []string{
		"CONNECT internal.example:443 HTTP/1.1\r\nHost: internal.example:443\r\n\r\n",
		"CONNECT /admin/ HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
		"CONNECT /public/../admin HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
		"TRACE / HTTP/1.1\r\nHost: " + publicHost + "\r\nCookie: a=b\r\n\r\n",
		"TRACE /.auth/me HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
	} {
		res := h.raw(t, request)
		if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") == "" {
			t.Errorf("%q: got %d, Allow %q; want 405 with Allow", request, res.StatusCode, res.Header.Get("Allow"))
		}
		if event := h.events.next(t); event.Reason != ReasonMethod {
			t.Errorf("%q: reason %q, want method", request, event.Reason)
		}
	}
	u.none(t)
	// "connect" is another method, and the open route takes all.
	if res := h.send(t, "connect", "/"); res.StatusCode != http.StatusOK {
		t.Errorf("connect /: got %d, want 200", res.StatusCode)
	}
}

// TestMethodsThatAreNoTokens: HTTP/1 cannot carry them, HTTP/2 can, and no upstream
// is asked, nor blamed.
func TestMethodsThatAreNoTokens(t *testing.T) {
	u := newWire(t)
	h := methodHouse(t, u)
	for method, want := range map[string]int{"G T": 405, "": 405, "GET/": 405, "GET,POST": 405, "M\u00c9": 405, "GET": 200, "M-SEARCH": 200} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Method, r.Host, r.ProtoMajor = method, publicHost, 2
		w := httptest.NewRecorder()
		h.proxy.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: got %d, want %d", method, w.Code, want)
		}
		if asked := len(u.took()) == 1; asked != (want == 200) {
			t.Errorf("%q: the upstream was asked: %v", method, asked)
		}
	}
}

// TestMethodOverridesAreDropped: an application must not carry out another method
// than the one that was allowed.
func TestMethodOverridesAreDropped(t *testing.T) {
	u := newWire(t)
	h := methodHouse(t, u)
	res := h.send(t, "POST", "/receiver/submit/x", "Content-Length: 0", "X-Kept: yes",
		"X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE", "X_HTTP_METHOD_OVERRIDE: DELETE", "x.http.method: DELETE")
	if res.StatusCode != http.StatusOK {
		t.Fatalf("got %d", res.StatusCode)
	}
	head := u.one(t)
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X_HTTP_METHOD_OVERRIDE", "x.http.method"} {
		if got := values(head, name); got != nil {
			t.Errorf("the upstream got %s: %q", name, got)
		}
	}
	if got := values(head, "X-Kept"); !cmp.Equal(got, []string{"yes"}) {
		t.Errorf("X-Kept: got %q", got)
	}
}

// TestOverridesAreDecidedOn: where an application gets them, the method that they name
// has to be allowed as well as the request's own, whichever the application goes by.
func TestOverridesAreDecidedOn(t *testing.T) {
	u := newWire(t)
	r := newRules(t)
	kinds := Browser | Bearer
	h := build(t, []Route{
		{Path: "/rules/", SignIn: kinds, Upstream: u.upstream(), PassOverride: true, Rules: []MethodRule{
			{Methods: []string{"GET"}, Allow: r.of("public")},
			{Methods: []string{"POST", "PATCH"}, Allow: r.of("developers")},
			{Methods: []string{"DELETE"}, Allow: r.of("admins")},
			{Methods: []string{"PURGE"}, Allow: r.of("nobody")},
		}},
		{Path: "/expr/", SignIn: kinds, Upstream: u.upstream(), PassOverride: true, Allow: r.clause(policy.Clause{Expr: `request.method != "DELETE" && "teams/kde-developers" in claims.groups`})},
		{Path: "/public/", Upstream: u.upstream(), PassOverride: true, Allow: r.of("public")},
		{Path: "/", SignIn: kinds, Upstream: u.upstream(), Allow: r.of("public")},
	}, nil)
	const override = "X-HTTP-Method-Override: "
	for name, test := range map[string]struct {
		request string
		lines   []string
		status  int
		// sent is what the upstream gets of the fields, if the status is 200.
		sent []string
	}{
		"a method that is allowed":               {"POST /rules/", []string{override + "PATCH", asJane}, 200, []string{"PATCH"}},
		"the request's own":                      {"POST /rules/", []string{override + "POST", asJane}, 200, []string{"POST"}},
		"none":                                   {"POST /rules/", []string{asJane}, 200, nil},
		"one for admins":                         {"POST /rules/", []string{override + "DELETE", asJane}, 403, nil},
		"one for admins, behind a public method": {"GET /rules/", []string{override + "DELETE", asJane}, 403, nil},
		"one for admins, of a stranger":          {"GET /rules/", []string{override + "DELETE"}, 401, nil},
		"a public one does not open the other":   {"DELETE /rules/", []string{override + "GET", asJane}, 403, nil},
		"a public one beside one that is known":  {"POST /rules/", []string{override + "GET", asJane}, 200, []string{"GET"}},
		"one that is closed":                     {"POST /rules/", []string{override + "PURGE", asJane}, 403, nil},
		"one without a rule":                     {"POST /rules/", []string{override + "PUT", asJane}, 405, nil},
		"small letters":                          {"POST /rules/", []string{override + "delete", asJane}, 405, nil},
		"several in one":                         {"POST /rules/", []string{override + "PATCH, DELETE", asJane}, 405, nil},
		"two lines":                              {"POST /rules/", []string{override + "PATCH", override + "DELETE", asJane}, 405, nil},
		"two names":                              {"POST /rules/", []string{override + "PATCH", "X-HTTP-Method: DELETE", asJane}, 405, nil},
		"two spellings":                          {"POST /rules/", []string{override + "PATCH", "X_HTTP_METHOD_OVERRIDE: DELETE", asJane}, 405, nil},
		"two names that say the same":            {"POST /rules/", []string{override + "PATCH", "X-Method-Override: PATCH", asJane}, 200, []string{"PATCH"}},
		"another spelling alone":                 {"POST /rules/", []string{"X_HTTP_METHOD_OVERRIDE: DELETE", asJane}, 403, nil},
		"nothing in it":                          {"POST /rules/", []string{override, asJane}, 405, nil},
		"a tunnel":                               {"POST /public/", []string{override + "CONNECT"}, 405, nil},
		"a trace":                                {"POST /public/", []string{override + "TRACE"}, 405, nil},
		"on a public route":                      {"POST /public/", []string{override + "DELETE"}, 200, []string{"DELETE"}},
		"an expression about the method":         {"POST /expr/", []string{override + "DELETE", asJane}, 403, nil},
		"and its twin":                           {"POST /expr/", []string{override + "PUT", asJane}, 200, []string{"PUT"}},
		"on a route that does not pass them":     {"POST /", []string{override + "delete, TRACE", asJane}, 200, nil},
		"named by Connection":                    {"POST /rules/", []string{override + "DELETE", "Connection: X-HTTP-Method-Override", asJane}, 403, nil},
	} {
		t.Run(name, func(t *testing.T) {
			method, target, _ := strings.Cut(test.request, " ")
			res := h.send(t, method, target, append(test.lines, "Content-Length: 0")...)
			if res.StatusCode != test.status || (res.StatusCode == 405) != (res.Header.Get("Allow") != "") {
				t.Fatalf("got %d, Allow %q, want %d: %s", res.StatusCode, res.Header.Get("Allow"), test.status, res.body)
			}
			if test.status != 200 {
				u.none(t)
				return
			}
			head := u.one(t)
			if got := values(head, "X-HTTP-Method-Override"); !cmp.Equal(got, test.sent) || strings.Contains(head, "X_") {
				t.Errorf("the upstream got\n%s", head)
			}
			if strings.HasPrefix(test.request, "POST /rules/") && !cmp.Equal(values(head, "X-Forwarded-User"), []string{"jane"}) {
				t.Errorf("the upstream is not told who it is:\n%s", head)
			}
		})
	}
}

// TestFrontProxiesForwardOverrides, whatever we would drop: so a question is about both
// methods.
func TestFrontProxiesForwardOverrides(t *testing.T) {
	h := newCheckHouse(t, ForwardAuthXForwarded, nil)
	for name, test := range map[string]struct {
		target, override string
		status           int
		reason           Reason
	}{
		"one that the route takes":         {"/read/", "X-HTTP-Method-Override: GET", 200, "policy"},
		"one that it does not take":        {"/read/", "X-HTTP-Method-Override: DELETE", 403, "method"},
		"in another spelling":              {"/read/", "X_Method_Override: DELETE", 403, "method"},
		"on a route that takes all":        {"/app/", "X-HTTP-Method-Override: DELETE", 200, "policy"},
		"on one that is forwarded as well": {"/forwarded/", "X-HTTP-Method: TRACE", 403, "method"},
	} {
		t.Run(name, func(t *testing.T) {
			wantCheck(t, h.get(t, "/.auth/check", questionOf("GET", publicHost, test.target, asJane, test.override)...), test.status, test.reason)
		})
	}
}

func TestRoutesThatSayNothingOrTooMuch(t *testing.T) {
	r := newRules(t)
	public := r.of("public")
	for name, route := range map[string]Route{
		"neither allow nor rules":    {},
		"both allow and rules":       {Allow: public, Rules: []MethodRule{{Methods: []string{"GET"}, Allow: public}}},
		"a rule without methods":     {Rules: []MethodRule{{Allow: public}}},
		"a rule without allow":       {Rules: []MethodRule{{Methods: []string{"GET"}}}},
		"a method with two rules":    {Rules: []MethodRule{{Methods: []string{"GET"}, Allow: public}, {Methods: []string{"GET"}, Allow: public}}},
		"a method that is refused":   {Methods: []string{"CONNECT"}, Allow: public},
		"no host":                    {Hosts: []string{}, Allow: public},
		"a header with two sources":  {Allow: public, Headers: []IdentityHeader{{Name: "X-A", User: true, Claim: "b"}}},
		"a header without a source":  {Allow: public, Headers: []IdentityHeader{{Name: "X-A"}}},
		"a header of another use":    {Allow: public, Headers: []IdentityHeader{{Name: "x_forwarded_for", User: true}}},
		"a header that is no header": {Allow: public, Headers: []IdentityHeader{{Name: "X A", User: true}}},
		"a value that ends a header": {Allow: public, Headers: []IdentityHeader{{Name: "X-A", Values: []HeaderValue{{Allow: public, Value: "a\r\nb"}}}}},
		"an else with a comma":       {Allow: public, Headers: []IdentityHeader{{Name: "X-A", Values: []HeaderValue{{Allow: public, Value: "a"}}, Else: "a,b"}}},
		"a value without a rule":     {Allow: public, Headers: []IdentityHeader{{Name: "X-A", Values: []HeaderValue{{Value: "a"}}}}},
	} {
		route.Name, route.Path = name, "/"
		if route.Hosts == nil {
			route.Hosts = []string{publicHost}
		}
		if _, err := NewTable([]Route{route}); err == nil {
			t.Errorf("a route with %s is taken", name)
		}
	}
}

func TestMethodsNarrowRules(t *testing.T) {
	r := newRules(t)
	table, err := newMethodTable(&Route{Methods: []string{"GET"}, Rules: []MethodRule{
		{Methods: []string{"GET", "POST"}, Allow: r.of("public")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"GET", "HEAD"}, table.allowed); diff != "" {
		t.Errorf("allowed (-want +got):\n%s", diff)
	}
	if table.rule("POST") != nil || table.rule("GET") == nil || table.rule("HEAD") == nil {
		t.Error("POST is still taken, or GET or HEAD is not")
	}
}
