package proxy

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/session"
)

// basic is an Authorization line of RFC 7617.
func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// tokenHouse has routes that take tokens in every way that there is.
func tokenHouse(t *testing.T, u *wire) *house {
	r := newRules(t)
	both := Browser | Bearer
	schemes := []Scheme{{Name: "Token"}, {Name: "Bearer", Prefix: "glsa_"}}
	return build(t, []Route{
		{Path: "/git/", SignIn: both, BasicToken: true, Allow: r.of("developers"), Upstream: u.upstream()},
		{Path: "/git-told/", SignIn: both, BasicToken: true, ForwardToken: true, Allow: r.of("developers"), Upstream: u.upstream()},
		{Path: "/git-partly/", SignIn: both, BasicToken: true, Upstream: u.upstream(), Rules: []MethodRule{
			{Methods: []string{"GET"}, Allow: r.of("public")}, {Methods: []string{"POST"}, Allow: r.of("developers")}}},
		{Path: "/people/", SignIn: Browser, BasicToken: true, Allow: r.of("developers"), Upstream: u.upstream()},
		{Path: "/pass/", SignIn: both, PassSchemes: schemes, Allow: r.of("developers"), Upstream: u.upstream()},
		{Path: "/pass-get/", SignIn: both, PassSchemes: schemes, Methods: []string{"GET"}, Allow: r.of("developers"), Upstream: u.upstream()},
		{Path: "/pass-closed/", SignIn: both, PassSchemes: schemes, Allow: r.of("nobody"), Upstream: u.upstream()},
		{Path: "/pass-public/", SignIn: both, PassSchemes: schemes, Allow: r.of("public"), Upstream: u.upstream()},
		{Path: "/public/", SignIn: both, Allow: r.of("public"), Upstream: u.upstream()},
		{Path: "/public-told/", SignIn: both, ForwardToken: true, Allow: r.of("public"), Upstream: u.upstream()},
		{Path: "/identify/", SignIn: both, BasicToken: true, Identify: true, Allow: r.of("public"), Upstream: u.upstream()},
		{Path: "/identify-some/", SignIn: both, Identify: true, Providers: []string{"other"}, Allow: r.of("public"), Upstream: u.upstream()},
		{Path: "/told/", SignIn: both, ForwardToken: true, Allow: r.of("developers"), Upstream: u.upstream()},
		{Path: "/", SignIn: both, Allow: r.of("developers"), Upstream: u.upstream()},
	}, func(c *Config) { c.TokenFields = []string{"X-QFC-ID-Token", "x-qfc-idp-id"} })
}

// TestWhichWaysTokensCome: where a token is looked at, whose request it is, and what of
// it the upstream sees.
func TestWhichWaysTokensCome(t *testing.T) {
	const (
		jane    = "Cookie: " + cookieName + "=jane"
		expired = "Cookie: " + cookieName + "=expired"
		down    = "Cookie: " + cookieName + "=down"
		token   = "Authorization: Token jane"
		glsa    = "Authorization: Bearer glsa_x"
	)
	u := newWire(t)
	h := tokenHouse(t, u)
	for _, tt := range []struct {
		name   string
		target string
		lines  []string
		status int
		reason string
		user   string // what the upstream learns
		auth   string // what it sees of Authorization
	}{
		{"a token as a password", "/git/", []string{basic("x", "jane")}, 200, "policy", "jane", ""},
		{"a token as a password without a user", "/git/", []string{basic("", "jane")}, 200, "policy", "jane", ""},
		{"in any case", "/git/", []string{strings.Replace(basic("x", "jane"), "Basic ", "bASIC  ", 1)}, 200, "policy", "jane", ""},
		{"a bad token as a password", "/git/", []string{basic("x", "bad")}, 401, "token-invalid", "", ""},
		{"a password", "/git/", []string{basic("jane", "secret!")}, 401, "token-invalid", "", ""},
		{"a password with a colon", "/git/", []string{basic("x", "jane:jane")}, 401, "token-invalid", "", ""},
		{"no password", "/git/", []string{basic("jane", "")}, 401, "token-invalid", "", ""},
		{"no colon", "/git/", []string{"Authorization: Basic amFuZQ=="}, 401, "token-invalid", "", ""},
		{"no base64", "/git/", []string{"Authorization: Basic jane:jane"}, 401, "token-invalid", "", ""},
		{"lax base64", "/git/", []string{"Authorization: Basic eDpqYW5l\x09"}, 200, "policy", "jane", ""}, // net/http has trimmed the tab
		{"nothing after the scheme", "/git/", []string{"Authorization: Basic"}, 401, "token-invalid", "", ""},
		{"a bad password is not made up for by a cookie", "/git/", []string{basic("x", "bad"), jane}, 401, "token-invalid", "", ""},
		{"a token that ended, as a password", "/git/", []string{basic("x", "expired")}, 401, "token-expired", "", ""},
		{"an outage", "/git/", []string{basic("x", "down")}, 503, "provider-unavailable", "", ""},
		{"the upstream sees it where it is to", "/git-told/", []string{basic("x", "jane")}, 200, "policy", "jane", basic("x", "jane")},
		{"Basic where a public rule does not look is taken off all the same", "/git-partly/", []string{basic("x", "jane")}, 200, "public", "", ""},
		{"Basic elsewhere is the upstream's, and the cookie decides", "/", []string{basic("x", "jane")}, 401, "no-credentials", "", ""},
		{"Basic elsewhere beside a cookie", "/", []string{basic("a", "b"), jane}, 200, "policy", "jane", basic("a", "b")},
		{"Basic where only people come is none", "/people/", []string{basic("x", "jane")}, 401, "no-credentials", "", ""},
		{"two fields are refused", "/git/", []string{basic("x", "jane"), "Authorization: Bearer jane"}, 400, "two-credentials", "", ""},
		{"two fields are refused where the cookie decides", "/people/", []string{jane, token, token}, 400, "two-credentials", "", ""},
		{"two fields are refused where anybody may", "/public/", []string{token, token}, 400, "two-credentials", "", ""},
		{"two fields are refused where schemes pass", "/pass/", []string{glsa, token}, 400, "two-credentials", "", ""},

		{"a scheme that passes", "/pass/", []string{token}, 200, "public", "", token},
		{"in any case, too", "/pass/", []string{"Authorization: TOKEN jane"}, 200, "public", "", "Authorization: TOKEN jane"},
		{"a token that passes by its prefix", "/pass/", []string{glsa}, 200, "public", "", glsa},
		{"a prefix in another case", "/pass/", []string{"Authorization: Bearer GLSA_x"}, 401, "token-invalid", "", ""},
		{"the prefix somewhere else", "/pass/", []string{"Authorization: Bearer xglsa_x"}, 401, "token-invalid", "", ""},
		{"a token of ours beside them", "/pass/", []string{"Authorization: Bearer jane"}, 200, "policy", "jane", ""},
		{"nobody at all", "/pass/", nil, 401, "no-credentials", "", ""},
		{"a scheme that is longer", "/pass/", []string{"Authorization: Tokens jane"}, 401, "no-credentials", "", ""},
		{"a scheme without credentials", "/pass/", []string{"Authorization: Token"}, 401, "no-credentials", "", ""},
		{"what passes is nobody, whatever the cookie says", "/pass/", []string{token, jane}, 200, "public", "", token},
		{"what passes has no method more", "/pass-closed/", []string{token}, 403, "nobody", "", ""},
		{"what passes on a public route", "/pass-public/", []string{glsa}, 200, "public", "", glsa},
		{"what does not pass on a public route", "/pass-public/", []string{"Authorization: Bearer jane"}, 200, "public", "", ""},

		{"a bearer token on a public route is taken off", "/public/", []string{"Authorization: Bearer bad"}, 200, "public", "", ""},
		{"and is left where the upstream is to see it", "/public-told/", []string{"Authorization: Bearer bad"}, 200, "public", "", "Authorization: Bearer bad"},
		{"another scheme passes a public route", "/public/", []string{token}, 200, "public", "", token},
		{"another scheme passes where the cookie decides", "/", []string{token, jane}, 200, "policy", "jane", token},
		{"another scheme is no credential", "/", []string{token}, 401, "no-credentials", "", ""},

		{"identify: nobody is let in", "/identify/", nil, 200, "public", "", ""},
		{"identify: a cookie", "/identify/", []string{jane}, 200, "public", "jane", ""},
		{"identify: a cookie that is over", "/identify/", []string{expired}, 200, "public", "", ""},
		{"identify: a store that is down", "/identify/", []string{down}, 503, "store-unavailable", "", ""},
		{"identify: a token", "/identify/", []string{"Authorization: Bearer joe"}, 200, "public", "joe", ""},
		{"identify: a token as a password", "/identify/", []string{basic("x", "joe")}, 200, "public", "joe", ""},
		{"identify: a bad token", "/identify/", []string{"Authorization: Bearer bad", jane}, 401, "token-invalid", "", ""},
		{"identify: another scheme", "/identify/", []string{token}, 200, "public", "", token},
		{"identify: somebody of a provider that does not count here", "/identify-some/", []string{jane}, 200, "public", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u.took()
			res := h.get(t, tt.target, tt.lines...)
			if event := h.events.next(t); res.StatusCode != tt.status || string(event.Reason) != tt.reason {
				t.Fatalf("got %d %s, want %d %s", res.StatusCode, event.Reason, tt.status, tt.reason)
			}
			if tt.status != 200 {
				u.none(t)
				return
			}
			head := u.one(t)
			if got := strings.Join(values(head, "X-Forwarded-User"), " and "); got != tt.user {
				t.Errorf("the upstream learns %q, want %q", got, tt.user)
			}
			if got := strings.Join(values(head, "Authorization"), " and "); got != strings.TrimPrefix(tt.auth, "Authorization: ") {
				t.Errorf("the upstream sees %q, want %q", got, tt.auth)
			}
		})
	}
	if res := h.send(t, "POST", "/pass-get/", token, "Content-Length: 0"); res.StatusCode != 405 {
		t.Errorf("a scheme that passes, with a method that there is not: got %d, want 405", res.StatusCode)
	}
}

// TestWhatTokensAreAskedWith: the user name beside a token may name its provider.
func TestWhatTokensAreAskedWith(t *testing.T) {
	var got session.Presented
	h := build(t, []Route{{Path: "/", SignIn: Bearer, BasicToken: true, Allow: newRules(t).of("signed-in"), Upstream: newWire(t).upstream()}}, func(c *Config) {
		c.Tokens = fakeTokens{func(_ context.Context, p session.Presented) (*session.Identity, error) {
			got = p
			return person(session.AuthBearer, "jane", nil), nil
		}}
	})
	h.get(t, "/", basic("invent", "abc"), "X-QFC-IDP-ID: other")
	if got.User != "invent" || got.Token != "abc" || got.Header.Get("X-Qfc-Idp-Id") != "other" {
		t.Errorf("got %+v", got)
	}
}

// TestBasicIsOfferedToProgramsAlone: a browser that sees it asks for a password, and sends
// it to every page from then on.
func TestBasicIsOfferedToProgramsAlone(t *testing.T) {
	h := tokenHouse(t, newWire(t))
	offered := func(target string, lines ...string) []string {
		return h.get(t, target, lines...).Header.Values("WWW-Authenticate")
	}
	for name, lines := range map[string][]string{"nobody": nil, "a bad password": {basic("x", "bad")}, "a bad token": {"Authorization: Bearer bad"}} {
		got := offered("/git/", lines...)
		if len(got) != 2 || !strings.HasPrefix(got[0], "Bearer ") || got[1] != `Basic realm="app.example.org", charset="UTF-8"` {
			t.Errorf("%s: got %q, want Bearer and then Basic", name, got)
		}
	}
	for _, field := range []string{"Sec-Fetch-Mode: navigate", "sec-fetch-site: none", "Sec-Fetch-Dest: empty"} {
		if got := offered("/git/", field); len(got) != 1 {
			t.Errorf("%s: got %q, want Bearer alone", field, got)
		}
	}
	if got := offered("/"); len(got) != 1 {
		t.Errorf("where Basic is not taken: got %q", got)
	}
}

// TestTokensStayHere: what proves somebody here is not the upstream's to use, however its
// fields are spelt.
func TestTokensStayHere(t *testing.T) {
	u := newWire(t)
	h := tokenHouse(t, u)
	lines := []string{
		"Authorization: Bearer jane", "X-QFC-ID-Token: id", "X-QFC-IDP-ID: invent",
		"x_qfc_id_token: forged", "X.QFC-ID.Token: forged", "X-Qfc_Idp-Id: forged",
	}
	for _, target := range []string{"/", "/public/", "/identify/"} {
		h.get(t, target, lines...)
		head := strings.ToLower(u.one(t))
		for _, word := range []string{"qfc", "forged", "bearer"} {
			if strings.Contains(head, word) {
				t.Errorf("%s: the upstream got %q in\n%s", target, word, head)
			}
		}
	}
	for _, target := range []string{"/told/", "/public-told/"} {
		h.get(t, target, lines...)
		head := u.one(t)
		got := slices.Concat(values(head, "Authorization"), values(head, "X-QFC-ID-Token"), values(head, "X-QFC-IDP-ID"))
		if diff := cmp.Diff([]string{"Bearer jane", "id", "invent"}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", target, diff)
		}
		if strings.Contains(head, "forged") {
			t.Errorf("%s: the upstream got a field that nobody has looked at:\n%s", target, head)
		}
	}
}

// TestAPolicyThatIsDemandedLetsNobodyPassUnseen: a scheme that passes on the route is no
// identity for the policy.
func TestAPolicyThatIsDemandedLetsNobodyPassUnseen(t *testing.T) {
	r := newRules(t)
	preset, _ := Preset(DefaultPreset)
	c := newCheckHouse(t, ForwardAuthXForwarded, func(conf *Config) {
		table, err := NewTable([]Route{{
			Name: "app", Hosts: []string{publicHost}, Path: "/", SignIn: Browser | Bearer, Headers: preset,
			Allow: r.of("developers"), PassSchemes: []Scheme{{Name: "Token"}}, BasicToken: true,
		}})
		if err != nil {
			t.Fatal(err)
		}
		conf.Table = table
		conf.Policies = map[string]*policy.Rule{"developers": r.of("developers")}
	})
	ask := func(target string, lines ...string) *rawAnswer {
		return c.get(t, target, append(lines, "X-Forwarded-Method: GET", "X-Forwarded-Proto: https", "X-Forwarded-Host: "+publicHost, "X-Forwarded-Uri: /")...)
	}
	if res := ask("/.auth/check", "Authorization: Token x"); res.StatusCode != http.StatusOK || res.Header.Get("X-Forwarded-User") != "" {
		t.Errorf("got %d %q, want 200 and nobody", res.StatusCode, res.Header.Get("X-Forwarded-User"))
	}
	if res := ask("/.auth/check?policy=developers", "Authorization: Token x", "Cookie: "+cookieName+"=jane"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d, want 401", res.StatusCode)
	}
	res := ask("/.auth/check?policy=developers", basic("x", "jane"))
	if res.StatusCode != http.StatusOK || res.Header.Get("X-Forwarded-User") != "jane" {
		t.Errorf("got %d %q, want 200 and jane", res.StatusCode, res.Header.Get("X-Forwarded-User"))
	}
}

// TestSchemesThatWouldPassTooMuch are refused when the routes are made.
func TestSchemesThatWouldPassTooMuch(t *testing.T) {
	for _, s := range []Scheme{{}, {Name: "To ken"}, {Name: "bearer"}, {Name: "Basic", Prefix: "x"}, {Name: "Token", Prefix: "a b"}} {
		if CheckScheme(s) == nil {
			t.Errorf("%+v is accepted", s)
		}
		if _, err := NewTable([]Route{{Name: "x", Hosts: []string{publicHost}, Path: "/", Allow: newRules(t).of("public"), PassSchemes: []Scheme{s}}}); err == nil {
			t.Errorf("a route with %+v is accepted", s)
		}
	}
	for _, s := range []Scheme{{Name: "Token"}, {Name: "Basic"}, {Name: "Bearer", Prefix: "glsa_"}, {Name: "AWS4-HMAC-SHA256"}} {
		if err := CheckScheme(s); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// TestSteppingUp: who lacks nothing but a stronger or a more recent sign-in is told what to
// ask for (RFC 9470 section 3), and a browser is sent there.
func TestSteppingUp(t *testing.T) {
	r := newRules(t)
	both := Browser | Bearer
	h := build(t, []Route{{Path: "/", SignIn: both, Allow: r.of("acr is one of [gold, \"x\\\"y\"] and auth_time within 1h"), Upstream: newWire(t).upstream()}}, nil)
	const navigate = "Accept: text/html"
	jane := "Cookie: " + cookieName + "=jane"
	res := h.get(t, "/a?b=c", "Authorization: Bearer jane")
	want := `Bearer resource_metadata="https://app.example.org/.well-known/oauth-protected-resource", error="insufficient_user_authentication", ` +
		`error_description="This address needs a stronger or a more recent sign-in than yours.", acr_values="gold x?y", max_age="3600"`
	if got := res.Header.Values("WWW-Authenticate"); res.StatusCode != 401 || !slices.Equal(got, []string{want}) {
		t.Errorf("got %d\n%q, want\n%q", res.StatusCode, got, want)
	}
	if e := h.events.next(t); e.Reason != "step-up" || !strings.Contains(res.body, `"code":"step-up"`) || !strings.Contains(res.body, "acr is one of") {
		t.Errorf("reason %s, body %s", e.Reason, res.body)
	}
	const asked = "acr_values=gold+x%22y&max_age=3600"
	res = h.get(t, "/a?b=c", jane, navigate)
	if got := res.Header.Get("Location"); res.StatusCode != 302 || got != "https://app.example.org/.auth/sign-in?return_to=%2Fa%3Fb%3Dc&"+asked {
		t.Errorf("a navigation: got %d to %q", res.StatusCode, got)
	}
	res = h.get(t, "/a", jane, "Sec-Fetch-Mode: cors")
	if res.StatusCode != 401 || !strings.Contains(res.body, `"sign_in_url":"https://app.example.org/.auth/sign-in?`+strings.ReplaceAll(asked, "&", `\u0026`)) {
		t.Errorf("a script: got %d %s", res.StatusCode, res.body)
	}
	// A program by itself cannot sign in, and whoever is nobody is not told how.
	if res = h.get(t, "/a", "Authorization: Bearer robot"); res.StatusCode != 403 {
		t.Errorf("a program by itself: got %d, want 403", res.StatusCode)
	}
	if res = h.get(t, "/a", navigate); strings.Contains(res.Header.Get("Location"), "acr_values") {
		t.Errorf("nobody: got %q", res.Header.Get("Location"))
	}
}
