package proxy

import (
	"testing"
)

// TestPoliciesThatAQuestionNames decide alone where no route is, and beside the route
// where one is. Nothing that they say lets anybody in whom the route refuses.
func TestPoliciesThatAQuestionNames(t *testing.T) {
	h := newCheckHouse(t, ForwardAuthXForwarded, nil)
	const asRobot = "Authorization: Bearer robot"
	for name, test := range map[string]struct {
		query, host, uri string
		lines            []string
		status           int
		reason           Reason
		route, policy    string
	}{
		"alone":                          {"policy=developers", publicHost, "/else", []string{asJane}, 200, "policy", "policy developers", "developers"},
		"alone, on a host of its own":    {"policy=developers", "grafana.example.org", "/", []string{asRobot}, 200, "policy", "policy developers", "developers"},
		"alone, refused":                 {"policy=developers", publicHost, "/else", []string{asJoe}, 403, "not-allowed", "policy developers", "developers"},
		"alone, nobody known":            {"policy=developers", publicHost, "/else", nil, 401, "no-credentials", "policy developers", "developers"},
		"alone, a bad token":             {"policy=developers", publicHost, "/else", []string{"Authorization: Bearer bad"}, 401, "token-invalid", "policy developers", ""},
		"alone, everybody":               {"policy=everybody", publicHost, "/else", nil, 200, "public", "policy everybody", ""},
		"no cookies of another host":     {"policy=developers", "grafana.example.org", "/", []string{asJane}, 401, "no-credentials", "policy developers", "developers"},
		"beside a route":                 {"policy=developers", publicHost, "/app/", []string{asJane}, 200, "policy", "app", "developers"},
		"beside, refused by it":          {"policy=admins", publicHost, "/app/", []string{asJane}, 403, "not-allowed", "app", "admins"},
		"beside, refused by the route":   {"policy=everybody", publicHost, "/app/", []string{asJoe}, 403, "not-allowed", "app", "developers"},
		"beside a public route":          {"policy=developers", publicHost, "/public/", []string{asJane}, 200, "policy", "public", "developers"},
		"beside a public route, nobody":  {"policy=developers", publicHost, "/public/", nil, 401, "no-credentials", "public", "developers"},
		"beside a closed route":          {"policy=everybody", publicHost, "/closed/", []string{asJane}, 403, "nobody", "closed", ""},
		"the cookie, where no token is":  {"policy=developers", publicHost, "/people/", []string{asJane, "Authorization: Bearer joe"}, 200, "policy", "people", "developers"},
		"the token, where no cookie is":  {"policy=developers", publicHost, "/programs/", []string{asJane}, 401, "no-credentials", "programs", "developers"},
		"several":                        {"policy=developers&policy=everybody", publicHost, "/else", []string{asJane}, 200, "public", "policy everybody", ""},
		"several, the last one refuses":  {"policy=everybody&policy=admins", publicHost, "/else", []string{asJane}, 403, "not-allowed", "policy admins", "admins"},
		"several, the first one refuses": {"policy=admins&policy=everybody", publicHost, "/else", []string{asJane}, 403, "not-allowed", "policy admins", "admins"},
		"one that is not there":          {"policy=nobodys", publicHost, "/else", []string{asJane}, 403, "nobody", "", ""},
		"not there, beside":              {"policy=nobodys", publicHost, "/app/", []string{asJane}, 403, "nobody", "app", ""},
		"not there, beside public":       {"policy=nobodys", publicHost, "/public/", nil, 403, "nobody", "public", ""},
		"one of them not there":          {"policy=everybody&policy=nobodys", publicHost, "/else", nil, 403, "nobody", "", ""},
		"without a name":                 {"policy=", publicHost, "/else", []string{asJane}, 403, "nobody", "", ""},
		"without a value":                {"policy", publicHost, "/app/", []string{asJane}, 403, "nobody", "app", ""},
		"a list":                         {"policy=everybody,developers", publicHost, "/else", []string{asJane}, 403, "nobody", "", ""},
		"a condition":                    {"policy=groups+contains+a", publicHost, "/else", []string{asJane}, 403, "nobody", "", ""},
		"in capitals":                    {"policy=Everybody", publicHost, "/else", nil, 403, "nobody", "", ""},
		"our own page":                   {"policy=everybody", publicHost, "/.auth/me", []string{asJane}, 403, "no-route", "", ""},
		"a target with two meanings":     {"policy=everybody", publicHost, "/else/..%2f", nil, 403, "bad-target", "", ""},
		"a bad host":                     {"policy=everybody", "a..b", "/else", nil, 403, "bad-host", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			res := h.get(t, "/.auth/check?"+test.query, questionOf("GET", test.host, test.uri, test.lines...)...)
			wantCheck(t, res, test.status, test.reason)
			if e := h.events.next(t); e.Route != test.route || e.Policy != test.policy || e.Reason != test.reason {
				t.Errorf("event: route %q, policy %q, reason %q; want %q, %q, %q", e.Route, e.Policy, e.Reason, test.route, test.policy, test.reason)
			}
			if _, there := res.Header["X-Forwarded-User"]; there != (test.status == 200) {
				t.Errorf("identity headers with %d: %v", test.status, there)
			}
		})
	}
	// TRACE is refused by every policy too.
	wantCheck(t, h.get(t, "/.auth/check?policy=everybody", questionOf("TRACE", publicHost, "/else")...), 403, "method")
}

// TestOneRequestIsOnePerson: a policy does not look at credentials that the route does
// not take, so the headers are about whom the route has let in.
func TestOneRequestIsOnePerson(t *testing.T) {
	h := newCheckHouse(t, ForwardAuthXForwarded, nil)
	res := h.get(t, "/.auth/check?policy=developers", questionOf("GET", publicHost, "/people/", asJane, "Authorization: Bearer robot")...)
	if got := res.Header.Get("X-Forwarded-User"); res.StatusCode != 200 || got != "jane" {
		t.Errorf("got %d and %q, want jane", res.StatusCode, got)
	}
	// The route's headers, also where the policy has the last word.
	res = h.get(t, "/.auth/check?policy=developers", questionOf("GET", publicHost, "/public/", asJane)...)
	if got := res.Header.Get("X-Role"); got != "Editor" {
		t.Errorf("X-Role %q, want the route's headers about jane", got)
	}
}

// TestAPolicySendsNobodyToSignInElsewhere: people sign in on one host, and would not
// come back to another.
func TestAPolicySendsNobodyToSignInElsewhere(t *testing.T) {
	h := newCheckHouse(t, ForwardAuthXForwarded, nil)
	for host, want := range map[string]string{
		publicHost: "https://" + publicHost + "/.auth/sign-in?return_to=%2Felse%3Fx", "grafana.example.org": "", "app.example.org.evil.example": "",
	} {
		res := h.get(t, "/.auth/check?policy=developers", questionOf("GET", host, "/else?x", navigating)...)
		if got := res.Header.Get("X-Claimproxy-Sign-In"); res.StatusCode != 401 || got != want {
			t.Errorf("%s: got %d, X-Claimproxy-Sign-In %q, want %q", host, res.StatusCode, got, want)
		}
		res = h.get(t, "/.auth/check?policy=developers&redirect=true", questionOf("GET", host, "/else?x", navigating)...)
		if got := res.Header.Get("Location"); got != want {
			t.Errorf("%s: got %d, Location %q, want %q", host, res.StatusCode, got, want)
		}
	}
}

// TestOptionsThatNobodyKnows are refused: what a front proxy demands and is not
// understood must not let anybody in.
func TestOptionsThatNobodyKnows(t *testing.T) {
	h := newCheckHouse(t, ForwardAuthXForwarded, nil)
	for _, query := range []string{
		"polic=admins", "Policy=admins", "policies=admins", "allowed_groups=admins", "policy=admins&x", "redirect=yes", "redirect", "redirect=true&redirect=true",
		"policy=admins;x", "%zz", "policy=%zz", "policy[]=admins", "=",
	} {
		res := h.get(t, "/.auth/check?"+query, questionOf("GET", publicHost, "/public/")...)
		if res.StatusCode != 400 {
			t.Errorf("%q: got %d, want 400", query, res.StatusCode)
		}
	}
	wantCheck(t, h.get(t, "/.auth/check?", questionOf("GET", publicHost, "/public/")...), 200, "public")
}

// TestAClientChoosesNoPolicy: Caddy keeps the client's query where it is told to ask
// without one, so a policy that stands in both may be the client's own.
func TestAClientChoosesNoPolicy(t *testing.T) {
	h := newCheckHouse(t, ForwardAuthXForwarded, nil)
	for query, want := range map[string]int{"policy=everybody": 400, "redirect=true&policy=everybody": 400, "x=1": 400, "redirect=true": 403, "": 403} {
		if res := h.get(t, "/.auth/check?"+query, questionOf("GET", publicHost, "/else?"+query)...); res.StatusCode != want {
			t.Errorf("%q: got %d, want %d", query, res.StatusCode, want)
		}
	}
	// The twin: the front proxy's own.
	wantCheck(t, h.get(t, "/.auth/check?policy=everybody", questionOf("GET", publicHost, "/else?policy=admins")...), 200, "public")
}
