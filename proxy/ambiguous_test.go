package proxy

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func newAmbiguousHouse(t testing.TB, u *wire) *house {
	t.Helper()
	r := newRules(t)
	both := Browser | Bearer
	return build(t, []Route{
		{Path: "/admin/", Allow: r.of("admins"), SignIn: both, Upstream: u.upstream()},
		{Path: "/team/", Allow: r.of("developers"), SignIn: both, Upstream: u.upstream()},
		{Path: "/strict/", Allow: r.of("public"), Upstream: u.upstream()},
		{Path: "/tokens/a/b/", Allow: r.of("signed-in"), SignIn: Browser, Upstream: u.upstream()},
		{Path: "/tokens/", Allow: r.of("signed-in"), SignIn: Bearer, Upstream: u.upstream(), AmbiguousPaths: true},
		{Path: "/projects/*/issues", Allow: r.of("developers"), SignIn: both, Upstream: u.upstream(), AmbiguousPaths: true},
		{Path: "/asked/", Allow: r.of("public"), AmbiguousPaths: true},
		{Path: "/", Allow: r.of("public"), Upstream: u.upstream(), AmbiguousPaths: true},
	}, func(c *Config) {
		c.ForwardAuth = ForwardAuthXForwarded
		c.Trusted = Trusted{Networks: prefixes("127.0.0.0/8")}
	})
}

// TestAmbiguousPathsAreForwardedAsTheyCame: where the route takes them and every reading
// is allowed, not a byte is changed.
func TestAmbiguousPathsAreForwardedAsTheyCame(t *testing.T) {
	u := newWire(t)
	h := newAmbiguousHouse(t, u)
	for _, target := range []string{
		"/a%2Fb", "/a%2fb?x=%2f//;", "//a", "/a//b/", "/a///b", "/x;jsessionid=1", "/a;x=1/b;y", "/a%3Bb", "/a%252Fb", "/api/queues/%2F/name", "/caf%C3%A9//x", "/;", "/a//",
	} {
		if res := h.get(t, target); res.StatusCode != http.StatusOK {
			t.Errorf("%s: got %d %s, want 200", target, res.StatusCode, res.body)
			continue
		}
		if got := targetOf(u.one(t)); got != target {
			t.Errorf("%s: the upstream got %s", target, got)
		}
	}
	for _, e := range h.events.list {
		if strings.Contains(e.Path, "jsessionid") {
			t.Errorf("the event has the session id: %s", e.Path)
		}
	}
	res := h.get(t, "/projects/kde%2Fkate/issues", "Cookie: "+cookieName+"=jane")
	if head := u.one(t); res.StatusCode != http.StatusOK || targetOf(head) != "/projects/kde%2Fkate/issues" || !slices.Equal(values(head, "X-Forwarded-User"), []string{"jane"}) {
		t.Errorf("one segment for the route and two for the next: got %d and %q", res.StatusCode, head)
	}
}

// TestNoReadingOfAPathGetsAroundItsRoute: the path as it is written is on an open route,
// and what an application makes of it on one that is not.
func TestNoReadingOfAPathGetsAroundItsRoute(t *testing.T) {
	u := newWire(t)
	h := newAmbiguousHouse(t, u)
	jane, joe := "Cookie: "+cookieName+"=jane", "Cookie: "+cookieName+"=joe"
	for _, attack := range []string{
		"/admin%2Fx", "//admin/x", "/%2Fadmin/x", "/%2fadmin%2fx", "/admin;/x", "/admin;a=b/x", "/admin%3B/x", "/admin%253Bx/x", "/admin%252Fx", "/;/admin/x", "/;x//admin", "/%61dmin;x/y",
		"/admin/;x", "/%2F%2Fadmin/x", "///admin", "/admin;x/b%2Fc",
	} {
		for cookie, want := range map[string]int{"": 401, jane: 403} {
			res := h.get(t, attack, cookie, "Accept: application/json")
			if strings.HasPrefix(attack, "/admin/") {
				want = 400 // as it is written it is on a route that takes no such paths
			}
			if res.StatusCode != want {
				t.Errorf("%s, %q: got %d, want %d", attack, cookie, res.StatusCode, want)
			}
			u.none(t)
		}
	}
	for cookie, want := range map[string]int{jane: 200, joe: 403} {
		if res := h.get(t, "//team/x", cookie); res.StatusCode != want {
			t.Errorf("//team/x, %q: got %d, want %d", cookie, res.StatusCode, want)
		}
	}
	u.took()
}

// TestTwoPeopleDoNotStandBehindTwoReadings: each of the routes takes one of the two
// callers, and the application would hear of one alone.
func TestTwoPeopleDoNotStandBehindTwoReadings(t *testing.T) {
	u := newWire(t)
	h := newAmbiguousHouse(t, u)
	cookie, token := "Cookie: "+cookieName+"=jane", "Authorization: Bearer joe"
	if res := h.get(t, "/tokens/a%2Fc/", cookie, token); res.StatusCode != 200 || targetOf(u.one(t)) != "/tokens/a%2Fc/" {
		t.Errorf("readings on one route: got %d, want 200", res.StatusCode)
	}
	if res := h.get(t, "/tokens/a%2Fb/", cookie, token); res.StatusCode != 400 {
		t.Errorf("readings on two routes: got %d, want 400", res.StatusCode)
	}
	u.none(t)
}

// TestNoAmbiguousPathReachesOurOwnPages: none is answered by them, and no application
// gets their address.
func TestNoAmbiguousPathReachesOurOwnPages(t *testing.T) {
	u := newWire(t)
	h := newAmbiguousHouse(t, u)
	for _, target := range []string{"//.auth/me", "/.auth%2Fme", "/.auth;x/me", "/.auth//me", "/%2eauth;/check", "/.auth/check;x"} {
		if res := h.get(t, target); res.StatusCode != 400 || strings.HasPrefix(res.body, "own") {
			t.Errorf("%s: got %d %q, want 400", target, res.StatusCode, res.body)
		}
		u.none(t)
	}
}

// TestWhatClimbsIsRefusedOnEveryRoute: ambiguous_paths opens for separators alone.
func TestWhatClimbsIsRefusedOnEveryRoute(t *testing.T) {
	u := newWire(t)
	h := newAmbiguousHouse(t, u)
	for _, target := range []string{
		"/a/../b", "/a/%2e%2e/b", "/a/..;/b", "/a/..;x=1/b", "/a/%2e%2e;/b", "/a/..%3B/b", "/a/..%253b/b", "/a%2F..%2Fb", "/a%2F%2e%2e/b", "/a//../b", "/.;/b", "/a/.%2F", "/..", "/a/..%2f",
		"/a/%252e%252e%252Fb", "/a\\b", "/a%5Cb", "/a//%5c", "/a;%255c", "/a//%00", "/a;%2500", "/a//%0d%0a", "/a//%", "/a;%zz", "/a//%c0%af", "/" + strings.Repeat("a/", 2048) + "/",
		"/%" + strings.Repeat("25", 70) + "2F", "http://" + publicHost + "//a", "/a//#b",
	} {
		if res := h.get(t, target); res.StatusCode != 400 {
			t.Errorf("%.40s: got %d, want 400", target, res.StatusCode)
		}
		u.none(t)
	}
}

// TestRoutesTakeNoAmbiguousPathsByDefault: what another route takes is nothing to them.
func TestRoutesTakeNoAmbiguousPathsByDefault(t *testing.T) {
	u := newWire(t)
	h := newAmbiguousHouse(t, u)
	for _, target := range []string{"/strict//x", "/strict/a%2Fb", "/strict/a;b", "/strict/a%252Fb"} {
		if res := h.get(t, target); res.StatusCode != 400 || !strings.Contains(res.body, string(ReasonBadTarget)) {
			t.Errorf("%s: got %d %q, want 400", target, res.StatusCode, res.body)
		}
		u.none(t)
	}
}

// TestFrontProxiesAskAboutAmbiguousPaths: the answer is the one that the request itself
// would get.
func TestFrontProxiesAskAboutAmbiguousPaths(t *testing.T) {
	h := newAmbiguousHouse(t, newWire(t))
	jane := "Cookie: " + cookieName + "=jane"
	for target, want := range map[string]int{
		"/asked/a%2Fb": 200, "/asked//a": 200, "//asked/a": 200, "/asked/a;b": 200, "//admin/x": 403, "/admin%2Fx": 403, "//team/x": 200, "/strict//x": 403, "/asked/..;/admin/": 403, "//.auth/me": 403,
	} {
		if res := h.get(t, "/.auth/check", questionOf("GET", publicHost, target, jane)...); res.StatusCode != want {
			t.Errorf("%s: got %d, want %d", target, res.StatusCode, want)
		}
	}
}

// TestEveryReadingOfEveryApplicationIsDecidedOn is the property that makes ambiguous paths
// safe to take: whatever an application takes one for is among what was decided on.
func TestEveryReadingOfEveryApplicationIsDecidedOn(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	accepted := 0
	for range 60_000 {
		var b strings.Builder
		b.WriteByte('/')
		for range 1 + random.IntN(7) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		if checkReadings(t, b.String()) {
			accepted++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d ambiguous paths accepted", accepted)
	if accepted < 5_000 {
		t.Error("the pieces do not make enough ambiguous paths")
	}
}

// checkReadings reports whether a target is ambiguous and might be accepted.
func checkReadings(t *testing.T, raw string) bool {
	t.Helper()
	target, err := parseTarget("https", publicHost, raw)
	if err != nil || target.ambiguous == nil {
		return false
	}
	all := target.allReadings()
	for name, model := range models {
		if read := model(target.Encoded); !slices.Contains(all, read) {
			t.Errorf("%q: an application that %s reads %q, which is not among %q", raw, name, read, all)
		}
	}
	for _, reading := range all {
		for segment := range strings.SplitSeq(reading, "/") {
			if segment == "." || segment == ".." || strings.ContainsAny(segment, "\\\x00\r\n") {
				t.Errorf("%q: the reading %q climbs or ends early", raw, reading)
			}
		}
	}
	return true
}

func FuzzReadings(f *testing.F) {
	for _, seed := range []string{"/a%2Fb", "//a;x/b", "/a/..;/b", "/%252F%3b", "/a;x=1//%2561", "/;/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) { checkReadings(t, raw) })
}

// TestPrefixesAreTakenOffPlainPathsAlone: what remains of an ambiguous path could be on
// another route.
func TestPrefixesAreTakenOffPlainPathsAlone(t *testing.T) {
	r := newRules(t)
	route := Route{Name: "x", Hosts: []string{publicHost}, Path: "/grafana/", Allow: r.of("public"), StripPrefix: "/grafana"}
	if _, err := NewTable([]Route{route}); err != nil {
		t.Error(err)
	}
	route.AmbiguousPaths = true
	if _, err := NewTable([]Route{route}); err == nil {
		t.Error("a route takes a prefix off ambiguous paths")
	}
}
