package proxy

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
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
