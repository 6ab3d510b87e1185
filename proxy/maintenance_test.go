package proxy

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestMaintenanceIsToldToThoseWhoMayIn(t *testing.T) {
	u, n := named(t, "application")
	r, up := newRules(t), &Upstream{Name: "app", URLs: []*url.URL{u}}
	h := build(t, []Route{
		{Name: "worked-on", Path: "/private/", SignIn: Browser | Bearer, Allow: r.of("developers"), Upstream: up, Maintenance: &Maintenance{Sentence: "Back at <b>14:00</b>."}},
		{Path: "/public/", Allow: r.of("public"), Upstream: up, Maintenance: new(Maintenance)},
		{Path: "/", Allow: r.of("public"), Upstream: up},
	}, nil)
	page := h.get(t, "/private/x", asJane, "Accept: text/html", navigates)
	if page.StatusCode != http.StatusServiceUnavailable || page.Header.Get("Retry-After") != "300" ||
		!strings.Contains(page.body, "This is being worked on") || !strings.Contains(page.body, "Back at &lt;b&gt;14:00") {
		t.Errorf("a person: got %d, Retry-After %q\n%s", page.StatusCode, page.Header.Get("Retry-After"), page.body)
	}
	if e := h.events.next(t); e.Decision != "allow" || e.Reason != ReasonUpstreamUnavailable || e.Upstream != "" || e.Route != "worked-on" || e.Status != 503 {
		t.Errorf("got the event %+v", e)
	}
	for _, request := range [][]string{{"/private/x", "Authorization: Bearer jane"}, {"/public/x"}} {
		res := h.get(t, request[0], request[1:]...)
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Content-Type") != "application/problem+json" ||
			!strings.Contains(res.body, `"upstream-unavailable"`) || res.Header.Get("Retry-After") != "300" || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d %v\n%s", request[0], res.StatusCode, res.Header, res.body)
		}
	}
	// Who may not in learns nothing of it.
	for want, lines := range map[int][]string{
		http.StatusFound:        {"Accept: text/html", navigates},
		http.StatusUnauthorized: {"Accept: application/json"},
		http.StatusForbidden:    {"Cookie: " + cookieName + "=joe"},
	} {
		if res := h.get(t, "/private/x", lines...); res.StatusCode != want || strings.Contains(res.body, "14:00") {
			t.Errorf("%v: got %d, want %d\n%s", lines, res.StatusCode, want, res.body)
		}
	}
	if n.Load() != 0 {
		t.Errorf("the application got %d requests", n.Load())
	}
	if res := h.get(t, "/x"); res.StatusCode != http.StatusOK {
		t.Errorf("another route of the same upstream: got %d", res.StatusCode)
	}
}
