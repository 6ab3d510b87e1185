package proxy

import (
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/policy"
)

// TestRulesSeeWhatRoutesAreChosenBy: the one canonical target, the method as it
// came, and the address of the peer.
func TestRulesSeeWhatRoutesAreChosenBy(t *testing.T) {
	h := build(t, []Route{{Path: "/", SignIn: Browser, Allow: newRules(t).of("signed-in"), Upstream: newWire(t).upstream()}}, func(c *Config) {
		c.Now = decisionTime
	})
	r := httptest.NewRequest("PUT", "/caf%C3%A9/%41?client_ip=1.2.3.4", nil)
	r.Host, r.RemoteAddr = "APP.example.org.:8443", "[::ffff:192.0.2.7]:1234"
	r.Header.Set("Cookie", cookieName+"=jane")
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Uri", "X-Original-Url", "X-Http-Method-Override"} {
		r.Header.Set(name, "/spoofed")
	}
	got := h.proxy.Judge(r).Verdict.Caller
	want := policy.Request{Method: "PUT", Host: publicHost, Path: "/café/A", ClientIP: "192.0.2.7"}
	if diff := cmp.Diff(want, got.Request); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if !got.User || got.Claims == nil || !got.Now.Equal(decisionTime()) {
		t.Errorf("caller %+v", got)
	}
}

// TestRulesAboutPathsAndDoubleDecoders: a rule that looks at the path must not see
// another path than an application behind two decoders (class C1).
func TestRulesAboutPathsAndDoubleDecoders(t *testing.T) {
	u := newWire(t)
	r := newRules(t)
	except := r.clause(policy.Clause{Expr: `!(request.path startsWith "/admin")`})
	h := build(t, []Route{{
		Path: "/", SignIn: Browser, Allow: except, Upstream: u.upstream(),
		Headers: []IdentityHeader{{Name: "X-Role", Values: []HeaderValue{{except, "Editor"}, {r.of("signed-in"), "Viewer"}}}},
	}}, nil)
	const jane = "Cookie: " + cookieName + "=jane"
	for target, want := range map[string]int{
		"/x":               200,
		"/admin/":          403,
		"/%61dmin/":        403,
		"/%2561dmin/":      400,
		"/%25%36%31dmin/":  400,
		"/%252561dmin/":    400,
		"/a%2520b":         200,
		"/100%25":          200,
		"/x?/../%2561dmin": 200,
	} {
		res := h.get(t, target, jane)
		event := h.events.next(t)
		if res.StatusCode != want || want == 400 && (event.Reason != ReasonBadTarget || event.Subject != "") {
			t.Errorf("%s: got %d, event %+v; want %d", target, res.StatusCode, event, want)
		}
		if heads := u.took(); (len(heads) == 1) != (want == 200) {
			t.Errorf("%s: the upstream got %q", target, heads)
		}
	}
}

// TestRolesByPathAndDoubleDecoders is the same for identity headers that depend on
// rules: the value that is sent holds for every reading.
func TestRolesByPathAndDoubleDecoders(t *testing.T) {
	u := newWire(t)
	r := newRules(t)
	h := build(t, []Route{{
		Path: "/", SignIn: Browser, Allow: r.of("signed-in"), Upstream: u.upstream(),
		Headers: []IdentityHeader{{Name: "X-Role", Else: "Viewer", Values: []HeaderValue{
			{r.clause(policy.Clause{Expr: `!(request.path startsWith "/admin")`}), "Editor"},
		}}},
	}}, nil)
	for target, want := range map[string]string{"/x": "Editor", "/a%2520b": "Editor", "/admin/": "Viewer", "/%2561dmin/": "Viewer"} {
		if res := h.get(t, target, "Cookie: "+cookieName+"=jane", "X-Role: Admin"); res.StatusCode != 200 {
			t.Fatalf("%s: got %d", target, res.StatusCode)
		}
		if got := values(u.one(t), "X-Role"); !cmp.Equal(got, []string{want}) {
			t.Errorf("%s: role %q, want %q", target, got, want)
		}
	}
}
