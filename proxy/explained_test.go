package proxy

import (
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/policy"
)

// TestRefusalsThatTellLittle: however much of a condition a policy lets be told, the
// page and the problem stay whole sentences.
func TestRefusalsThatTellLittle(t *testing.T) {
	const lacking = "Your account does not have what this address needs."
	set, errs := policy.Compile([]policy.Definition{
		{Name: "nothing", Title: "The secret garden", Help: "Ask the gardener.", Require: text("groups contains gardeners"), Explain: policy.ExplainNone},
		{Name: "requirement", Require: text("groups contains gardeners"), Explain: policy.ExplainRequirement},
		{Name: "suspended", Require: text("not groups contains teams/kde-developers-emeritus")},
		{Name: "full", Require: text("not groups contains teams/kde-developers-emeritus"), Explain: policy.ExplainFull},
		{Name: "scope", Require: text("scope contains a"), Explain: policy.ExplainNone},
	})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	r := rules{t, set}
	u := newWire(t)
	var routes []Route
	for _, name := range set.Names() {
		routes = append(routes, Route{Path: "/" + name, SignIn: Browser | Bearer, Allow: r.of(name), Upstream: u.upstream()})
	}
	h := build(t, routes, nil)
	const joe = "Cookie: " + cookieName + "=joe"
	for name, test := range map[string]struct {
		code, detail string
		page, never  []string
	}{
		"nothing":     {"not-allowed", lacking, []string{lacking, "It is for: The secret garden.", "Ask the gardener."}, []string{"gardeners", "emeritus", "What is needed", "What you have"}},
		"requirement": {"not-allowed", "needs groups contains gardeners", []string{lacking, "What is needed", "groups contains gardeners"}, []string{"emeritus", "What you have"}},
		"suspended":   {"not-allowed", lacking, []string{lacking}, []string{"emeritus", "What is needed", "What you have"}},
		"full":        {"not-allowed", "needs not groups contains teams/kde-developers-emeritus", []string{lacking, "not groups contains teams/kde-developers-emeritus"}, []string{"What you have"}},
		"scope":       {"scope", "The token lacks a scope that this address needs.", []string{"The token lacks a scope"}, []string{"contains a", "What is needed"}},
	} {
		t.Run(name, func(t *testing.T) {
			res := h.get(t, "/"+name, joe)
			if p := problemOf(t, res); res.StatusCode != 403 || p["code"] != test.code || p["detail"] != test.detail || p["message"] != test.detail {
				t.Errorf("got %d %v, want %s %q", res.StatusCode, p, test.code, test.detail)
			}
			page := h.get(t, "/"+name, joe, navigation).body
			for _, want := range append(test.page, ">joe<", "Sign in as somebody else") {
				if !strings.Contains(page, want) {
					t.Errorf("the page lacks %q:\n%s", want, page)
				}
			}
			for _, told := range test.never {
				if strings.Contains(page+res.body, told) {
					t.Errorf("it tells %q:\n%s\n%s", told, res.body, page)
				}
			}
			for _, odd := range []string{"<code></code>", " - .", "needs  ", "<p></p>"} {
				if strings.Contains(page+res.body, odd) {
					t.Errorf("it contains %q:\n%s\n%s", odd, res.body, page)
				}
			}
		})
	}
	u.none(t)
}
