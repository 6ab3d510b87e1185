package proxy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/session"
)

// identityHouse has routes with every way to say identity headers, and serves the
// identity that it is told.
func identityHouse(t testing.TB, u *wire, id *session.Identity) *house {
	r := newRules(t)
	preset := func(name string) []IdentityHeader {
		headers, ok := Preset(name)
		if !ok {
			t.Fatalf("no preset %q", name)
		}
		return headers
	}
	kinds := Browser | Bearer
	h := build(t, []Route{
		{Path: "/public/", Allow: r.of("public"), Upstream: u.upstream()},
		{Path: "/remote-user/", SignIn: kinds, Allow: r.of("signed-in"), Upstream: u.upstream(), Headers: preset("remote-user")},
		{Path: "/grafana/", SignIn: kinds, Allow: r.of("signed-in"), Upstream: u.upstream(), Headers: append(preset("grafana"),
			IdentityHeader{Name: "X-WEBAUTH-ROLE", Values: []HeaderValue{{r.of("admins"), "Admin"}, {r.of("developers"), "Editor"}}, Else: "Viewer"})},
		{Path: "/none/", SignIn: kinds, Allow: r.of("signed-in"), Upstream: u.upstream(), Headers: preset("none")},
		{Path: "/own/", SignIn: kinds, Allow: r.of("signed-in"), Upstream: u.upstream(), Headers: append(preset("x-forwarded"),
			IdentityHeader{Name: "x-auth-user", Claim: "nickname"},
			IdentityHeader{Name: "X-Roles", Claim: "realm_access.roles"},
			IdentityHeader{Name: "X-Client", Claim: "client_id"},
			IdentityHeader{Name: "X-FORWARDED-GROUPS", Claim: "roles"})},
		{Path: "/client/", SignIn: kinds, Allow: r.of("groups contains robots"), Upstream: u.upstream(), Headers: append(preset("x-forwarded"),
			IdentityHeader{Name: "X-Client", Claim: "client_id"}, IdentityHeader{Name: "X-Sub", Claim: "sub"})},
		{Path: "/", SignIn: kinds, Allow: r.of("signed-in"), Upstream: u.upstream()},
	}, func(c *Config) {
		c.NamedGroups = []string{"named/one", "named/two"}
		c.Sessions = fakeSessions{func(r *http.Request) (*session.Identity, error) { return id, nil }}
	})
	return h
}

// identityIn is what of a head is about identity, and what the client forged.
func identityIn(head string) map[string][]string {
	found := map[string][]string{}
	for line := range strings.SplitSeq(head, "\r\n") {
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			continue
		}
		folded := string(fold(nil, name))
		switch folded {
		case "host", "x-request-id", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "user-agent":
		default:
			found[name] = append(found[name], value)
		}
	}
	return found
}

func TestIdentityHeadersOfEveryPreset(t *testing.T) {
	id := person(session.AuthBrowser, "jane", session.Claims{
		"name": "Jane Doe", "email": "jane@example.org", "email_verified": true, "nickname": "jd",
		"groups":       []any{"teams/kde-developers", "teams/sysadmins"},
		"roles":        []any{"a", "b"},
		"realm_access": map[string]any{"roles": []any{"admin", "user"}},
	})
	id.User = "invent:jane"
	u := newWire(t)
	h := identityHouse(t, u, id)
	for target, want := range map[string]map[string][]string{
		"/": {
			"X-Forwarded-User": {"invent:jane"}, "X-Forwarded-Email": {"jane@example.org"},
			"X-Forwarded-Groups": {"teams/kde-developers,teams/sysadmins"}, "X-Forwarded-Preferred-Username": {"jane"},
		},
		"/remote-user/": {
			"Remote-User": {"invent:jane"}, "Remote-Email": {"jane@example.org"}, "Remote-Name": {"Jane Doe"},
			"Remote-Groups": {"teams/kde-developers,teams/sysadmins"},
		},
		"/grafana/": {
			"X-Webauth-User": {"invent:jane"}, "X-Webauth-Email": {"jane@example.org"}, "X-Webauth-Name": {"Jane Doe"},
			"X-Webauth-Groups": {"teams/kde-developers,teams/sysadmins"}, "X-Webauth-Role": {"Admin"},
		},
		"/none/": {},
		"/own/": {
			"X-Forwarded-User": {"invent:jane"}, "X-Forwarded-Email": {"jane@example.org"}, "X-Forwarded-Preferred-Username": {"jane"},
			"X-Auth-User": {"jd"}, "X-Roles": {"admin,user"}, "X-Client": {"desktop"}, "X-Forwarded-Groups": {"a,b"},
		},
		"/public/": {},
	} {
		if res := h.get(t, target); res.StatusCode != 200 {
			t.Fatalf("%s: got %d", target, res.StatusCode)
		}
		if diff := cmp.Diff(want, identityIn(u.one(t))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", target, diff)
		}
	}
}

// forged are spellings of identity headers that applications or the servers below
// them take for the real ones (traps 6 and 21; HDR-01 to 04, CVE-2025-64484,
// CVE-2026-54763, CVE-2026-88011, CVE-2026-33433).
var forged = []string{
	"X-Forwarded-User", "x-forwarded-user", "X-FORWARDED-USER", "X_Forwarded_User", "X-Forwarded_User", "X.Forwarded.User", "x_forwarded.user",
	"X-Forwarded-Email", "X_Forwarded_Email", "X-Forwarded-Groups", "X_Forwarded_Groups", "X-Forwarded-Preferred-Username", "X_Forwarded_Preferred_Username",
	"X~Forwarded~User", "X!Forwarded-User",
	"Remote-User", "REMOTE_USER", "Remote.User", "Remote-Groups", "remote_groups", "Remote-Email", "Remote-Name",
	"X-WEBAUTH-USER", "X_WEBAUTH_USER", "X.Webauth.User", "X-WEBAUTH-ROLE", "x_webauth_role", "X-WEBAUTH-GROUPS",
	"X-Auth-User", "X_Auth_User", "X-Roles", "x.roles", "X_Auth_Request_User", "X-Auth-Request-Email",
	"X-Claimproxy-Assertion", "X_Claimproxy_Assertion", "X-Claimproxy-Anything",
}

// TestForgedIdentityHeadersOnEveryRoute: those of every preset and every route are
// removed on every route, public ones and those of other presets too (CVE-2017-6062,
// CVE-2017-6413, CVE-2026-30851, CVE-2026-63329).
func TestForgedIdentityHeadersOnEveryRoute(t *testing.T) {
	// The person has no e-mail address, no groups and no role: nothing replaces
	// what the client sent under these names.
	id := person(session.AuthBrowser, "jane", nil)
	u := newWire(t)
	h := identityHouse(t, u, id)
	lines := []string{"X-Kept: yes", "X-Forwarder: kept", "Remote: kept"}
	for _, name := range forged {
		lines = append(lines, name+": admin")
	}
	lines = append(lines, "X-Forwarded-User: admin", "x-forwarded-user: admin2") // duplicates
	for _, upgrade := range [][]string{nil, {"Connection: Upgrade", "Upgrade: websocket", "Authorization: Bearer joe"}} {
		for _, target := range []string{"/public/", "/remote-user/", "/grafana/", "/none/", "/own/", "/"} {
			for _, method := range []string{"GET", "OPTIONS"} {
				if upgrade != nil && method != "GET" {
					continue
				}
				if res := h.send(t, method, target, append(lines, upgrade...)...); res.StatusCode != 200 {
					t.Fatalf("%s %s: got %d", method, target, res.StatusCode)
				}
				head := u.one(t)
				if strings.Contains(head, "admin") {
					t.Errorf("%s %s: a forged header reached the upstream:\n%s", method, target, head)
				}
				for _, name := range []string{"X-Kept", "X-Forwarder", "Remote"} {
					if len(values(head, name)) != 1 {
						t.Errorf("%s %s: %s was removed too", method, target, name)
					}
				}
			}
		}
	}
}

// TestConnectionCannotRemoveOurHeaders (trap 7, HDR-05 and 06, CVE-2024-45410).
func TestConnectionCannotRemoveOurHeaders(t *testing.T) {
	id := developer(session.AuthBrowser, nil)
	u := newWire(t)
	h := identityHouse(t, u, id)
	for _, connection := range []string{
		"Connection: X-Forwarded-User, X-Forwarded-Groups, X-Forwarded-For, X-Forwarded-Proto, X-Request-Id, X-Real-Ip",
		"connection: x-forwarded-user\r\nconnection: x-forwarded-groups, keep-alive",
		"Connection: close, X-Forwarded-User",
		"Connection: Host, Authorization, Cookie",
	} {
		h.get(t, "/", connection)
		head := u.one(t)
		for _, name := range []string{"X-Forwarded-User", "X-Forwarded-Groups", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id", "X-Real-Ip", "Host"} {
			if len(values(head, name)) != 1 {
				t.Errorf("%s: the upstream got %s %q", connection, name, values(head, name))
			}
		}
		if got := values(head, "Connection"); got != nil {
			t.Errorf("%s: the upstream got Connection %q", connection, got)
		}
	}
	// What a client names otherwise is its own business and goes.
	h.get(t, "/", "Connection: X-Hop", "X-Hop: 1", "X-End: 1")
	head := u.one(t)
	if values(head, "X-Hop") != nil || len(values(head, "X-End")) != 1 {
		t.Errorf("hop-by-hop fields of the client:\n%s", head)
	}
}

// TestForwardedMetadataIsOurs: nothing a client says about where it comes from is
// believed (FWD-03 to 09, CVE-2023-36456, CVE-2026-33495, trap 7).
func TestForwardedMetadataIsOurs(t *testing.T) {
	u := newWire(t)
	h := identityHouse(t, u, developer(session.AuthBrowser, nil))
	res := h.get(t, "/x", "Host: APP.example.org:8443",
		"X-Forwarded-For: 1.2.3.4", "X_Forwarded_For: 1.2.3.4", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: http", "X_Forwarded_Proto: http",
		"X-Forwarded-Port: 80", "X-Forwarded-Prefix: /evil", "X-Forwarded-Uri: /public/", "X-Forwarded-Method: GET", "X-Forwarded-Server: evil", "X-Forwarded-Ssl: off",
		"X-Forwarded-Anything: evil", "Forwarded: for=1.2.3.4;host=evil.example", "X-Real-IP: 1.2.3.4", "X_Real_IP: 1.2.3.4",
		"X-Original-URL: /admin/", "X-Original-Method: DELETE", "X-Original-Uri: /admin/", "X_Original_URL: /admin/", "X-Rewrite-URL: /admin/", "X.Rewrite.URL: /admin/",
		"Proxy: http://evil.example/")
	if res.StatusCode != 200 {
		t.Fatalf("got %d", res.StatusCode)
	}
	head := u.one(t)
	if strings.Contains(head, "evil") || strings.Contains(head, "1.2.3.4") || strings.Contains(head, "/admin/") || strings.Contains(head, "/public/") {
		t.Errorf("the upstream got what the client said:\n%s", head)
	}
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Host": "app.example.org:8443", "X-Forwarded-Proto": "https", "Host": "app.example.org:8443",
	} {
		if got := values(head, name); !cmp.Equal(got, []string{want}) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Original-Url", "X-Rewrite-Url"} {
		if got := values(head, name); got != nil {
			t.Errorf("%s: got %q, want nothing", name, got)
		}
	}
}

// TestValuesThatCouldBeTakenForOthers: a claim can neither inject nor take the rest
// away (HDR-14, CVE-2023-27493, trap 9).
func TestValuesThatCouldBeTakenForOthers(t *testing.T) {
	tests := []struct {
		name    string
		claims  session.Claims
		want    map[string]string // header: value, "" for none
		leftOut int
	}{
		{"a group with a comma", session.Claims{"groups": []any{"a", "b,admins", "c"}}, map[string]string{"X-Forwarded-Groups": "a,c"}, 1},
		{"groups as one string", session.Claims{"groups": "teams/a"}, map[string]string{"X-Forwarded-Groups": "teams/a"}, 0},
		{"groups as one string with a comma", session.Claims{"groups": "a,admins"}, map[string]string{"X-Forwarded-Groups": ""}, 1},
		{"a line feed", session.Claims{"groups": []any{"a\r\nX-Forwarded-User: admin", "b"}}, map[string]string{"X-Forwarded-Groups": "b"}, 1},
		{"NUL, tab, DEL, C1 and line separators", session.Claims{"groups": []any{"a\x00", "b\tc", "d\x7f", "e\u0085", "f\u2028g", "ok"}}, map[string]string{"X-Forwarded-Groups": "ok"}, 5},
		{"outer blanks", session.Claims{"groups": []any{" a", "b ", "\u00a0c", "d\u3000", "e f"}}, map[string]string{"X-Forwarded-Groups": "e f"}, 4},
		{"broken UTF-8", session.Claims{"groups": []any{"\xff", "b"}}, map[string]string{"X-Forwarded-Groups": "b"}, 1},
		{"numbers, bools and things in a list", session.Claims{"groups": []any{json.Number("9007199254740993"), true, nil, map[string]any{"a": "b"}, []any{"x"}, ""}}, map[string]string{"X-Forwarded-Groups": "9007199254740993,true"}, 0},
		{"an object", session.Claims{"groups": map[string]any{"admins": true}}, map[string]string{"X-Forwarded-Groups": ""}, 0},
		{"no groups", session.Claims{"groups": []any{}}, map[string]string{"X-Forwarded-Groups": ""}, 0},
		{"null", session.Claims{"groups": nil, "email": nil}, map[string]string{"X-Forwarded-Groups": "", "X-Forwarded-Email": ""}, 0},
		{"a number as e-mail", session.Claims{"email": json.Number("12345678901234567890")}, map[string]string{"X-Forwarded-Email": "12345678901234567890"}, 0},
		{"an e-mail with a line feed", session.Claims{"email": "a@b.c\n"}, map[string]string{"X-Forwarded-Email": "", "X-Forwarded-User": "jane"}, 1},
		{"an unverified e-mail", session.Claims{"email": "jane@example.org", "email_verified": false}, map[string]string{"X-Forwarded-Email": ""}, 0},
		{"an unverified e-mail, as text", session.Claims{"email": "jane@example.org", "email_verified": "false"}, map[string]string{"X-Forwarded-Email": ""}, 0},
		{"an unverified e-mail, as other text", session.Claims{"email": "jane@example.org", "email_verified": "False"}, map[string]string{"X-Forwarded-Email": ""}, 0},
		{"an unverified e-mail, as a number", session.Claims{"email": "jane@example.org", "email_verified": json.Number("0")}, map[string]string{"X-Forwarded-Email": ""}, 0},
		{"an unverified e-mail, as null", session.Claims{"email": "jane@example.org", "email_verified": nil}, map[string]string{"X-Forwarded-Email": ""}, 0},
		{"an e-mail of which nothing is said", session.Claims{"email": "jane@example.org"}, map[string]string{"X-Forwarded-Email": "jane@example.org"}, 0},
		{"a verified e-mail, as text", session.Claims{"email": "jane@example.org", "email_verified": "true"}, map[string]string{"X-Forwarded-Email": "jane@example.org"}, 0},
		{"nobody said whether it is verified", session.Claims{"email": "jane@example.org"}, map[string]string{"X-Forwarded-Email": "jane@example.org"}, 0},
		{"letters of the world", session.Claims{"preferred_username": "Zoë", "groups": []any{"Команда", "チーム"}}, map[string]string{"X-Forwarded-Preferred-Username": "Zoë", "X-Forwarded-Groups": "Команда,チーム"}, 0},
		{"markup", session.Claims{"email": "<script>\"'%0d%0a${x}{{.}}"}, map[string]string{"X-Forwarded-Email": "<script>\"'%0d%0a${x}{{.}}"}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			u := newWire(t)
			h := identityHouse(t, u, person(session.AuthBrowser, "jane", test.claims))
			if res := h.get(t, "/"); res.StatusCode != 200 {
				t.Fatalf("got %d", res.StatusCode)
			}
			head := u.one(t)
			for name, want := range test.want {
				if got := strings.Join(values(head, name), "|"); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			if got := values(head, "X-Forwarded-User"); !cmp.Equal(got, []string{"jane"}) {
				t.Errorf("X-Forwarded-User: got %q", got)
			}
			if event := h.events.next(t); event.LeftOut != test.leftOut {
				t.Errorf("left out: got %d, want %d", event.LeftOut, test.leftOut)
			}
		})
	}
}

// TestUserNameThatCannotBeSent: the person stays let in, without a name.
func TestUserNameThatCannotBeSent(t *testing.T) {
	u := newWire(t)
	h := identityHouse(t, u, person(session.AuthBrowser, "jane\r\nX-Forwarded-Groups: admins", nil))
	if res := h.get(t, "/"); res.StatusCode != 200 {
		t.Fatalf("got %d", res.StatusCode)
	}
	if head := u.one(t); strings.Contains(head, "admins") || values(head, "X-Forwarded-User") != nil {
		t.Errorf("the upstream got:\n%s", head)
	}
	if event := h.events.next(t); event.LeftOut != 2 { // the user, and the same as preferred_username
		t.Errorf("left out: %d", event.LeftOut)
	}
}

// TestManyGroups: above 8 KiB only those that policies name are sent.
func TestManyGroups(t *testing.T) {
	groups := []any{"named/one", "other"}
	for i := range 600 {
		groups = append(groups, fmt.Sprintf("teams/some-group-%d", i))
	}
	groups = append(groups, "named/two")
	u := newWire(t)
	h := identityHouse(t, u, person(session.AuthBrowser, "jane", session.Claims{"groups": groups}))
	h.get(t, "/")
	if got := values(u.one(t), "X-Forwarded-Groups"); !cmp.Equal(got, []string{"named/one,named/two"}) {
		t.Errorf("got %.200q", got)
	}
	// Just as many as fit.
	v := valuer{}
	fits := []any{strings.Repeat("a", MaxList-2), "b"}
	if got, _ := v.of(fits); len(got) != MaxList {
		t.Errorf("a list of %d bytes is sent with %d", MaxList, len(got))
	}
	if got, _ := v.of(append(fits, "c")); got != "" {
		t.Errorf("a list above %d bytes is sent with %d", MaxList, len(got))
	}
}

// TestAProgramAloneSendsNoUser: a client's token names no person, whatever its
// claims say.
func TestAProgramAloneSendsNoUser(t *testing.T) {
	id := person(session.AuthClient, "", session.Claims{
		"groups": []any{"robots"}, "preferred_username": "service-account", "email": "robot@example.org", "name": "Robot", "sub": "robot",
	})
	id.User = "robot"
	u := newWire(t)
	h := identityHouse(t, u, id)
	if res := h.get(t, "/client/"); res.StatusCode != 200 {
		t.Fatalf("got %d", res.StatusCode)
	}
	want := map[string][]string{"X-Forwarded-Groups": {"robots"}, "X-Client": {"desktop"}}
	if diff := cmp.Diff(want, identityIn(u.one(t))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestValuesByPolicy(t *testing.T) {
	for groups, want := range map[string]string{"teams/sysadmins": "Admin", "teams/kde-developers": "Editor", "teams/none": "Viewer"} {
		u := newWire(t)
		h := identityHouse(t, u, person(session.AuthBrowser, "jane", session.Claims{"groups": []any{groups}}))
		h.get(t, "/grafana/", "X-WEBAUTH-ROLE: Admin")
		if got := values(u.one(t), "X-Webauth-Role"); !cmp.Equal(got, []string{want}) {
			t.Errorf("%s: got %q, want %q", groups, got, want)
		}
	}
}

func TestLookupOfClaims(t *testing.T) {
	claims := session.Claims{
		"a": map[string]any{"b": map[string]any{"c": "deep"}, "b.c": "inner"}, "a.b": "whole", "https://x.org/claims/groups": []any{"g"}, "s": "text",
	}
	for name, want := range map[string]any{
		"a.b": "whole", "a.b.c": "deep", "s": "text", "https://x.org/claims/groups": []any{"g"}, "s.t": nil, "none": nil, "a.x.y": nil, "": nil, ".": nil,
	} {
		if diff := cmp.Diff(want, lookup(claims, name)); diff != "" {
			t.Errorf("lookup(%q) (-want +got):\n%s", name, diff)
		}
	}
}

func TestPresetNames(t *testing.T) {
	if diff := cmp.Diff([]string{"grafana", "none", "remote-user", "x-forwarded"}, PresetNames()); diff != "" {
		t.Error(diff)
	}
	if _, ok := Preset("x-unknown"); ok {
		t.Error("an unknown preset is known")
	}
}

func FuzzStripHeaders(f *testing.F) {
	for _, name := range forged {
		f.Add(name)
	}
	f.Add("X-Kept")
	u := newWire(f)
	s := identityHouse(f, u, nil).proxy.stripper
	f.Fuzz(func(t *testing.T, name string) {
		// What a CGI server makes of a name, written anew.
		variable := strings.Map(func(r rune) rune {
			switch {
			case 'a' <= r && r <= 'z':
				return r - 'a' + 'A'
			case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
				return r
			}
			return '_'
		}, name)
		dangerous := strings.HasPrefix(variable, "X_FORWARDED_") || strings.HasPrefix(variable, "X_CLAIMPROXY_") ||
			variable == "REMOTE_USER" || variable == "X_WEBAUTH_USER" || variable == "X_AUTH_USER" || variable == "X_ROLES"
		h := http.Header{name: {"admin"}}
		s.strip(h)
		if dangerous && len(h) != 0 {
			t.Errorf("%q reaches the upstream as HTTP_%s", name, variable)
		}
	})
}
