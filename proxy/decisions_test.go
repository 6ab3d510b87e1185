package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/session"
)

// decisions are rules, what is known about a caller, and what comes of it. Whatever
// asks about requests must come to the same for the same claims, whichever way they
// were proved: a policy that holds in the browser holds for programs too (POL-19,
// CVE-2024-38371). Conditions on auth itself are left out, as that is the difference.
var decisions = []struct {
	name string
	// rule is a text, an expression or a block.
	rule policy.Clause
	// rules are texts by method instead; GET is sent.
	rules map[string]string
	// shadow, if set, stands beside the rule.
	shadow string
	// providers are the route's.
	providers []string
	// claims are JSON; empty means that nobody is known. The caller is jane at invent.
	claims  string
	outcome Outcome
	reason  Reason
}{
	{name: "public, nobody known", rule: text("public"), outcome: Allow, reason: "public"},
	{name: "public, somebody known", rule: text("public"), claims: `{"groups": ["a"]}`, outcome: Allow, reason: "public"},
	{name: "nobody, nobody known", rule: text("nobody"), reason: "nobody"},
	{name: "nobody, somebody known", rule: text("nobody"), claims: `{"groups": ["teams/sysadmins"]}`, reason: "nobody"},
	{name: "signed-in, nobody known", rule: text("signed-in"), outcome: SignIn, reason: "no-credentials"},
	{name: "signed-in, somebody known", rule: text("signed-in"), claims: `{}`, outcome: Allow, reason: "signed-in"},

	{name: "policy, nobody known", rule: text("developers"), outcome: SignIn, reason: "no-credentials"},
	{name: "policy that holds", rule: text("developers"), claims: `{"groups": ["teams/kde-developers"]}`, outcome: Allow, reason: "policy"},
	{name: "policy, one group", rule: text("developers"), claims: `{"groups": "teams/kde-developers"}`, outcome: Allow, reason: "policy"},
	{name: "policy, another group", rule: text("developers"), claims: `{"groups": ["teams/sysadmins"]}`, reason: "not-allowed"},
	{name: "policy, a longer name", rule: text("developers"), claims: `{"groups": ["teams/kde-developers-emeritus"]}`, reason: "not-allowed"},
	{name: "policy, another case", rule: text("developers"), claims: `{"groups": ["Teams/KDE-Developers"]}`, reason: "not-allowed"},
	{name: "policy, groups in one text", rule: text("developers"), claims: `{"groups": "teams/kde-developers,teams/a"}`, reason: "not-allowed"},
	{name: "policy, claim missing", rule: text("developers"), claims: `{}`, reason: "not-allowed"},
	{name: "policy, claim is null", rule: text("developers"), claims: `{"groups": null}`, reason: "not-allowed"},
	{name: "policy, claim of another type", rule: text("developers"), claims: `{"groups": {"teams/kde-developers": true}}`, reason: "not-allowed"},
	{name: "policy of one provider", rule: text("inventors"), claims: `{"groups": ["a"]}`, outcome: Allow, reason: "policy"},
	{name: "policy of another provider", rule: text("strangers"), claims: `{"groups": ["a"]}`, reason: "not-allowed"},
	{name: "policy of another provider, under not", rule: text("not policy strangers"), claims: `{"groups": ["b"]}`, reason: "not-allowed"},

	{name: "condition that holds", rule: text("acr is one of [silver, gold]"), claims: `{"acr": "gold"}`, outcome: Allow, reason: "policy"},
	{name: "condition that does not hold", rule: text("acr is one of [silver, gold]"), claims: `{"acr": "bronze"}`, outcome: SignIn, reason: "step-up"},
	{name: "dotted claim", rule: text("realm_access.roles contains admin"), claims: `{"realm_access": {"roles": ["admin"]}}`, outcome: Allow, reason: "policy"},
	{name: "claim with an address for a name", rule: text("https://gitlab.org/claims/groups/owner contains teams/sysadmin"), claims: `{"https://gitlab.org/claims/groups/owner": ["teams/sysadmin"]}`, outcome: Allow, reason: "policy"},
	{name: "number", rule: text("level is 3"), claims: `{"level": 3}`, outcome: Allow, reason: "policy"},
	{name: "verified address", rule: text("email ends with @kde.org and email_verified is true"), claims: `{"email": "jane@kde.org", "email_verified": "true"}`, outcome: Allow, reason: "policy"},
	{name: "unverified address", rule: text("email ends with @kde.org and email_verified is true"), claims: `{"email": "jane@kde.org", "email_verified": false}`, reason: "not-allowed"},
	{name: "signed in lately", rule: text("auth_time within 12h"), claims: `{"auth_time": 1800000000}`, outcome: Allow, reason: "policy"},
	{name: "signed in long ago", rule: text("auth_time within 12h"), claims: `{"auth_time": 1799000000}`, outcome: SignIn, reason: "step-up"},
	{name: "negation that holds", rule: text("not groups contains teams/suspended"), claims: `{"groups": ["a"]}`, outcome: Allow, reason: "policy"},
	{name: "negation that does not hold", rule: text("not groups contains teams/suspended"), claims: `{"groups": ["teams/suspended"]}`, reason: "not-allowed"},
	{name: "negation of a claim that is missing", rule: text("not groups contains teams/suspended"), claims: `{}`, reason: "not-allowed"},
	{name: "scope that is there", rule: text("scope contains telemetry:write"), claims: `{"scope": "openid telemetry:write"}`, outcome: Allow, reason: "policy"},
	{name: "scope that is lacking", rule: text("scope contains telemetry:write"), claims: `{"scope": "openid"}`, reason: "scope"},
	{name: "scope and group lacking", rule: text("scope contains telemetry:write and policy developers"), claims: `{"scope": "openid"}`, reason: "not-allowed"},

	{name: "block of all", rule: policy.Clause{All: []policy.Clause{text("policy developers"), text("acr is gold")}}, claims: `{"groups": ["teams/kde-developers"], "acr": "gold"}`, outcome: Allow, reason: "policy"},
	{name: "block of all, one fails", rule: policy.Clause{All: []policy.Clause{text("policy developers"), text("acr is gold")}}, claims: `{"groups": ["teams/kde-developers"]}`, outcome: SignIn, reason: "step-up"},
	{name: "block of any", rule: policy.Clause{Any: []policy.Clause{text("policy developers"), text("acr is gold")}}, claims: `{"acr": "gold"}`, outcome: Allow, reason: "policy"},
	{name: "block of not", rule: policy.Clause{Not: &policy.Clause{Text: "policy developers"}}, claims: `{"groups": ["teams/kde-developers"]}`, reason: "not-allowed"},
	{name: "expression that holds", rule: policy.Clause{Expr: `claims.level > 2 && request.method == "GET"`}, claims: `{"level": 3}`, outcome: Allow, reason: "policy"},
	{name: "expression that does not hold", rule: policy.Clause{Expr: `claims.level > 2 && request.method == "POST"`}, claims: `{"level": 3}`, reason: "not-allowed"},
	{name: "expression, nobody known", rule: policy.Clause{Expr: `request.method == "GET"`}, outcome: SignIn, reason: "no-credentials"},
	{name: "expression about what is not there", rule: policy.Clause{Expr: `claims.level > 2`}, claims: `{}`, reason: "not-allowed"},

	{name: "rule for the method", rules: map[string]string{"GET": "developers", "POST": "nobody"}, claims: `{"groups": ["teams/kde-developers"]}`, outcome: Allow, reason: "policy"},
	{name: "rule for the method, denied", rules: map[string]string{"GET": "admins", "POST": "public"}, claims: `{"groups": ["teams/kde-developers"]}`, reason: "not-allowed"},
	{name: "no rule for the method", rules: map[string]string{"POST": "public"}, claims: `{"groups": ["teams/kde-developers"]}`, reason: ReasonMethod},
	{name: "no rule for the method, nobody known", rules: map[string]string{"POST": "signed-in"}, reason: ReasonMethod},

	{name: "provider of the route", rule: text("signed-in"), providers: []string{"invent"}, claims: `{}`, outcome: Allow, reason: "signed-in"},
	{name: "another provider than the route's", rule: text("signed-in"), providers: []string{"other"}, claims: `{}`, reason: "not-allowed"},
	{name: "another provider, and the claim that the route's would set", rule: text("developers"), providers: []string{"other"}, claims: `{"groups": ["teams/kde-developers"], "provider": "other"}`, reason: "not-allowed"},
	{name: "a shadow that would deny", rule: text("developers"), shadow: "admins", claims: `{"groups": ["teams/kde-developers"]}`, outcome: Allow, reason: "policy"},
	{name: "a shadow that would allow", rule: text("admins"), shadow: "developers", claims: `{"groups": ["teams/kde-developers"]}`, reason: "not-allowed"},
}

func text(t string) policy.Clause { return policy.Clause{Text: t} }

// decisionTime is when all of it happens.
func decisionTime() time.Time { return time.Unix(1_800_000_000, 0).Add(time.Hour) }

// ways are how the claims of a row are proved. The credential names the row.
var ways = []struct {
	name       string
	credential string
}{
	{"browser", "Cookie: " + cookieName + "=row"},
	{"bearer", "Authorization: Bearer row"},
}

// decisionHouse has a route for each row, at its number, and credentials that prove
// the row's claims.
func decisionHouse(t *testing.T, u *wire) *house {
	t.Helper()
	r := newRules(t)
	routes := make([]Route, len(decisions))
	for i, d := range decisions {
		routes[i] = Route{Path: fmt.Sprintf("/%d/", i), SignIn: Browser | Bearer, Providers: d.providers, Upstream: u.upstream()}
		for method, rule := range d.rules {
			routes[i].Rules = append(routes[i].Rules, MethodRule{Methods: []string{method}, Allow: r.of(rule)})
		}
		if d.rules == nil {
			routes[i].Allow = r.clause(d.rule)
		}
		if d.shadow != "" {
			routes[i].Allow = routes[i].Allow.Shadowed(r.of(d.shadow))
		}
	}
	known := func(auth session.Auth, row string) (*session.Identity, error) {
		i, err := strconv.Atoi(row)
		if err != nil || decisions[i].claims == "" {
			return nil, session.ErrNoCredentials
		}
		claims, err := session.ParseClaims([]byte(decisions[i].claims))
		if err != nil {
			t.Error(err)
			return nil, err
		}
		return person(auth, "jane", claims), nil
	}
	return build(t, routes, func(c *Config) {
		c.Now = decisionTime
		c.Trusted = Trusted{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
		c.ForwardAuth = ForwardAuthXForwarded
		c.Sessions = fakeSessions{func(r *http.Request) (*session.Identity, error) {
			c, err := r.Cookie(cookieName)
			if err != nil {
				return nil, session.ErrNoCredentials
			}
			return known(session.AuthBrowser, c.Value[len("row"):])
		}}
		c.Tokens = fakeTokens{func(_ context.Context, p session.Presented) (*session.Identity, error) {
			return known(session.AuthBearer, p.Token[len("row"):])
		}}
	})
}

// TestSameDecisionForBrowserBearerAndForwardAuth over real HTTP, and as Judge says it.
func TestSameDecisionForBrowserBearerAndForwardAuth(t *testing.T) {
	u := newWire(t)
	h := decisionHouse(t, u)
	status := map[Outcome]int{Allow: 200, Deny: 403, SignIn: 401}
	for i, d := range decisions {
		for _, way := range ways {
			t.Run(d.name+", "+way.name, func(t *testing.T) {
				var lines []string
				if d.claims != "" {
					lines = []string{way.credential + strconv.Itoa(i)}
				}
				target := fmt.Sprintf("/%d/x", i)
				res := h.get(t, target, lines...)
				event := h.events.next(t)
				want := status[d.outcome]
				if d.reason == ReasonMethod {
					want = 405
				}
				if res.StatusCode != want || event.Decision != d.outcome.String() || event.Reason != d.reason {
					t.Errorf("got %d, %s %q; want %d, %s %q", res.StatusCode, event.Decision, event.Reason, want, d.outcome, d.reason)
				}
				if asked := len(u.took()) == 1; asked != (d.outcome == Allow) {
					t.Errorf("the upstream was asked: %v", asked)
				}
				if event.Auth != "" && event.Auth != way.name {
					t.Errorf("it was proved by %q", event.Auth)
				}
				if event.ShadowDiffers != (d.shadow != "") {
					t.Errorf("shadow %q of %q, differs: %v", event.Shadow, event.ShadowPolicy, event.ShadowDiffers)
				}
				// A front proxy that asks is told the same.
				res = h.get(t, "/.auth/check", append(lines, "X-Forwarded-Method: GET", "X-Forwarded-Proto: https",
					"X-Forwarded-Host: "+publicHost, "X-Forwarded-Uri: "+target)...)
				if res.StatusCode != status[d.outcome] || res.Header.Get(reasonHeader) != string(d.reason) {
					t.Errorf("forward-auth: got %d %q, want %d %q", res.StatusCode, res.Header.Get(reasonHeader), status[d.outcome], d.reason)
				}
				if event := h.events.next(t); event.Decision != d.outcome.String() || event.Reason != d.reason || event.Path != target {
					t.Errorf("forward-auth: event %+v", event)
				}
				if len(u.took()) > 0 {
					t.Error("forward-auth: the upstream was asked")
				}
				request := "GET " + target + " HTTP/1.1\r\nHost: " + publicHost + "\r\n"
				for _, l := range lines {
					request += l + "\r\n"
				}
				if v := h.judge(t, request+"\r\n").Verdict; v.Outcome != d.outcome || v.Reason != d.reason {
					t.Errorf("Judge says %v %q", v.Outcome, v.Reason)
				}
			})
		}
	}
}
