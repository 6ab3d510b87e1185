package proxy

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// networkHouse opens some routes for the peers of these tests, which are on
// loopback, and some for others.
func networkHouse(t *testing.T, u *wire) *house {
	r := newRules(t)
	away := prefixes("192.0.2.0/24", "2001:db8::/32", "fe80::/10")
	return build(t, []Route{
		{Path: "/lan/", SignIn: Browser | Bearer, Methods: []string{"GET"}, Allow: r.of("developers"), PublicFrom: prefixes("10.0.0.0/8", "127.0.0.0/8"), Upstream: u.upstream()},
		{Path: "/rules/", SignIn: Browser | Bearer, PublicFrom: prefixes("127.0.0.1/32"), Upstream: u.upstream(), Rules: []MethodRule{
			{Methods: []string{"GET"}, Allow: r.of("developers")},
			{Methods: []string{"DELETE"}, Allow: r.of("nobody")},
		}},
		{Path: "/away/", SignIn: Browser | Bearer, Allow: r.of("developers"), PublicFrom: away, Upstream: u.upstream()},
		{Path: "/mapped/", SignIn: Browser | Bearer, Allow: r.of("developers"), PublicFrom: prefixes("::ffff:192.0.2.0/120"), Upstream: u.upstream()},
		{Path: "/all6/", SignIn: Browser | Bearer, Allow: r.of("developers"), PublicFrom: prefixes("::/0"), Upstream: u.upstream()},
		{Path: "/all4/", SignIn: Browser | Bearer, Allow: r.of("developers"), PublicFrom: prefixes("0.0.0.0/0"), Upstream: u.upstream()},
		{Path: "/", SignIn: Browser | Bearer, Allow: r.of("developers"), Upstream: u.upstream()},
	}, nil)
}

// TestSpoofedAddressesOpenNoNetwork: whatever a client says about where it comes
// from, the address of its connection counts (FWD-07 and 08, CVE-2023-36456,
// CVE-2024-21494, CVE-2024-47070).
func TestSpoofedAddressesOpenNoNetwork(t *testing.T) {
	u := newWire(t)
	h := networkHouse(t, u)
	for _, spoof := range []string{
		"X-Forwarded-For: 192.0.2.7", "x-forwarded-for: 192.0.2.7, 127.0.0.1", "X_Forwarded_For: 192.0.2.7", "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 192.0.2.7",
		"X-Real-IP: 192.0.2.7", "X_Real_IP: 192.0.2.7", "Forwarded: for=192.0.2.7", "Forwarded: for=\"[2001:db8::1]\"", "X-Client-IP: 192.0.2.7",
		"X-Cluster-Client-IP: 192.0.2.7", "True-Client-IP: 192.0.2.7", "CF-Connecting-IP: 192.0.2.7", "X-Original-Forwarded-For: 192.0.2.7", "X-Remote-Addr: 192.0.2.7",
		"REMOTE_ADDR: 192.0.2.7", "Client-IP: 192.0.2.7", "Via: 1.1 192.0.2.7", "X-Forwarded-For: a", "X-Forwarded-For:",
	} {
		if res := h.get(t, "/away/", spoof); res.StatusCode != 401 {
			t.Errorf("%q: got %d, want 401", spoof, res.StatusCode)
		}
		if event := h.events.next(t); event.ClientIP != "127.0.0.1" || event.Reason != "no-credentials" {
			t.Errorf("%q: event %q %q", spoof, event.ClientIP, event.Reason)
		}
	}
	for _, target := range []string{"/away/?client_ip=192.0.2.7", "/", "/mapped/", "/all6/"} {
		if res := h.get(t, target); res.StatusCode != 401 {
			t.Errorf("%s: got %d, want 401", target, res.StatusCode)
		}
	}
	u.none(t)
}

// TestPublicFromIsAsPublic is the positive twin: from inside nobody is asked who
// they are, nothing of an identity passes, and no header spoils it.
func TestPublicFromIsAsPublic(t *testing.T) {
	u := newWire(t)
	h := networkHouse(t, u)
	for name, lines := range map[string][]string{
		"nothing":                {},
		"a good cookie":          {"Cookie: a=b; " + cookieName + "=jane"},
		"somebody who may not":   {"Cookie: " + cookieName + "=joe"},
		"the store is down":      {"Cookie: " + cookieName + "=down"},
		"a good token":           {"Authorization: Bearer jane"},
		"a bad token":            {"Authorization: Bearer bad"},
		"a malformed token":      {"Authorization: Bearer"},
		"an address of outside":  {"X-Forwarded-For: 203.0.113.1", "Forwarded: for=203.0.113.1"},
		"a forged identity":      {"X-Forwarded-User: admin", "X_Forwarded_Groups: admin", "X-Claimproxy-Assertion: admin"},
		"a websocket of a page":  {"Connection: Upgrade", "Upgrade: websocket", "Origin: https://evil.example", "Cookie: " + cookieName + "=jane"},
		"a scheme of somebody's": {"Authorization: Basic YTpi"},
	} {
		t.Run(name, func(t *testing.T) {
			res := h.get(t, "/lan/", lines...)
			event := h.events.next(t)
			if res.StatusCode != 200 || event.Reason != "public" || event.Decision != "allow" || event.Subject+event.Auth+event.Provider != "" {
				t.Errorf("got %d, event %+v", res.StatusCode, event)
			}
			head := u.one(t)
			if identity := values(head, "X-Forwarded-User"); identity != nil || strings.Contains(head, "admin") {
				t.Errorf("the upstream got an identity:\n%s", head)
			}
			if strings.Contains(head, cookieName) || strings.Contains(head, "Bearer") {
				t.Errorf("the upstream got credentials of ours:\n%s", head)
			}
			if name == "a scheme of somebody's" && values(head, "Authorization") == nil {
				t.Errorf("the upstream's own credentials were taken off:\n%s", head)
			}
		})
	}
}

// TestPublicFromOpensNothingElse: methods stay refused, closed rules stay closed,
// and a request that cannot be understood stays a bad one.
func TestPublicFromOpensNothingElse(t *testing.T) {
	u := newWire(t)
	h := networkHouse(t, u)
	for _, test := range []struct {
		method, target string
		lines          []string
		status         int
		reason         Reason
	}{
		{"PUT", "/lan/", nil, 405, ReasonMethod},
		{"OPTIONS", "/lan/", nil, 405, ReasonMethod},
		{"get", "/lan/", nil, 405, ReasonMethod},
		{"TRACE", "/lan/", nil, 405, ReasonMethod},
		{"POST", "/rules/", nil, 405, ReasonMethod},
		{"DELETE", "/rules/", nil, 403, "nobody"},
		{"GET", "/lan/", []string{"Authorization: Bearer jane", "Authorization: Bearer jane"}, 400, "two-credentials"},
		{"GET", "/lan/..%2fx", nil, 400, ReasonBadTarget},
		{"GET", "/lanx", nil, 401, "no-credentials"},
	} {
		res := h.send(t, test.method, test.target, append(test.lines, "Content-Length: 0")...)
		if event := h.events.next(t); res.StatusCode != test.status || event.Reason != test.reason {
			t.Errorf("%s %s: got %d %q, want %d %q", test.method, test.target, res.StatusCode, event.Reason, test.status, test.reason)
		}
	}
	u.none(t)
	for _, request := range []string{"GET /lan/", "HEAD /lan", "GET /rules/"} {
		method, target, _ := strings.Cut(request, " ")
		if res := h.send(t, method, target); res.StatusCode != 200 {
			t.Errorf("%s: got %d, want 200", request, res.StatusCode)
		}
	}
}

// TestPeersAndNetworks: an IPv4 peer is one however it is written, a zone does not
// count, and who has no address is in no network.
func TestPeersAndNetworks(t *testing.T) {
	h := networkHouse(t, newWire(t))
	for _, test := range []struct {
		remote, path string
		inside       bool
	}{
		{"192.0.2.7:1234", "/away/", true},
		{"192.0.3.7:1234", "/away/", false},
		{"[::ffff:192.0.2.7]:1234", "/away/", true},
		{"[::ffff:c000:207]:1234", "/away/", true},
		{"[::ffff:192.0.3.7]:1234", "/away/", false},
		{"[::ffff:192.0.2.7%eth0]:1234", "/away/", true},
		{"[2001:db8::1]:1234", "/away/", true},
		{"[2001:db9::1]:1234", "/away/", false},
		{"[fe80::1%eth0]:1234", "/away/", true},
		{"[fe80::1%192.0.2.7]:1234", "/away/", true},
		{"[2001:db9::1%2001:db8::1]:1234", "/away/", false},
		{"192.0.2.7:1234", "/mapped/", true},
		{"[::ffff:192.0.2.7]:1234", "/mapped/", true},
		{"192.0.3.7:1234", "/mapped/", false},
		{"192.0.2.7:1234", "/all6/", false},
		{"[::ffff:192.0.2.7]:1234", "/all6/", false},
		{"[2001:db9::1]:1234", "/all6/", true},
		{"[2001:db9::1]:1234", "/all4/", false},
		{"203.0.113.1:1", "/all4/", true},
		{"@", "/all4/", false},
		{"", "/all4/", false},
		{"", "/all6/", false},
		{"192.0.2.7", "/away/", false},
		{"localhost:1234", "/all4/", false},
		{"0300.0.2.7:1234", "/away/", false},
		{"192.0.2.7:1234", "/", false},
	} {
		r := httptest.NewRequest("GET", test.path, nil)
		r.Host, r.RemoteAddr = publicHost, test.remote
		v := h.proxy.Judge(r).Verdict
		if inside := v.Outcome == Allow && v.Reason == "public"; inside != test.inside || !inside && v.Outcome != SignIn {
			t.Errorf("%q at %s: %v %q, want inside: %v", test.remote, test.path, v.Outcome, v.Reason, test.inside)
		}
	}
}

// TestUnixSocketsAreInNoNetwork, not even in one of all addresses.
func TestUnixSocketsAreInNoNetwork(t *testing.T) {
	u := newWire(t)
	h := networkHouse(t, u)
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h.proxy, ReadHeaderTimeout: time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	for target, cookie := range map[string]string{"/all4/": "", "/all6/": "", "/lan/": "jane"} {
		req, _ := http.NewRequest("GET", base+target, nil)
		req.Header.Set("X-Forwarded-For", "127.0.0.1")
		want := 401
		if cookie != "" {
			req.Header.Set("Cookie", cookieName+"="+cookie)
			want = 200
		}
		res, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		event := h.events.next(t)
		if res.StatusCode != want || event.ClientIP != "" || event.Reason == "public" {
			t.Errorf("%s: got %d, event %+v; want %d", target, res.StatusCode, event, want)
		}
	}
}

// TestClosedRoutesCannotBeOpened: nobody means nobody, and whoever writes both is
// told.
func TestClosedRoutesCannotBeOpened(t *testing.T) {
	r := newRules(t)
	for name, test := range map[string]struct {
		route Route
		fine  bool
	}{
		"closed":                             {Route{Allow: r.of("nobody")}, false},
		"closed, for some methods":           {Route{Methods: []string{"GET"}, Allow: r.of("nobody")}, false},
		"all rules closed":                   {Route{Rules: []MethodRule{{[]string{"GET"}, r.of("nobody")}, {[]string{"PUT"}, r.of("nobody")}}}, false},
		"the only open rule is out of reach": {Route{Methods: []string{"PUT"}, Rules: []MethodRule{{[]string{"GET"}, r.of("public")}, {[]string{"PUT"}, r.of("nobody")}}}, false},
		"one rule closed":                    {Route{Rules: []MethodRule{{[]string{"GET"}, r.of("developers")}, {[]string{"PUT"}, r.of("nobody")}}}, true},
		"a policy":                           {Route{Allow: r.of("developers")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			route := test.route
			route.Name, route.Hosts, route.Path, route.PublicFrom = "x", []string{publicHost}, "/", prefixes("127.0.0.1/32")
			route.Upstream = &Upstream{URLs: []*url.URL{&url.URL{Scheme: "http", Host: "127.0.0.1:1"}}}
			table, err := NewTable([]Route{route})
			if err != nil {
				t.Fatal(err)
			}
			c := networkHouse(t, newWire(t)).config
			c.Table = table
			if _, err := New(c); (err == nil) != test.fine {
				t.Errorf("New: %v, want fine: %v", err, test.fine)
			}
		})
	}
	if _, err := NewTable([]Route{{Hosts: []string{publicHost}, Path: "/", Allow: r.of("public"), PublicFrom: []netip.Prefix{{}}}}); err == nil {
		t.Error("a network that is none is taken")
	}
}
