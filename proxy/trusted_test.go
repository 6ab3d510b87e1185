package proxy

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/policy"
)

// trustingHouse believes front proxies in 127.0.0.0/8, where these tests come from, and
// in 10.0.0.0/8 and 2001:db8:1::/48, or whom change says.
func trustingHouse(t testing.TB, u *wire, change func(*Config)) *house {
	r := newRules(t)
	lan := prefixes("192.0.2.0/24", "2001:db8:2::/48", "127.0.0.0/8", "10.1.0.0/16")
	return build(t, []Route{
		{Path: "/lan/", SignIn: Browser | Bearer, Allow: r.of("developers"), PublicFrom: lan, Upstream: u.upstream()},
		{Path: "/expr/", SignIn: Browser | Bearer, Allow: r.clause(policy.Clause{Expr: `request.client_ip == "192.0.2.7"`}), Upstream: u.upstream()},
		{Path: "/", Allow: r.of("public"), Upstream: u.upstream()},
	}, func(c *Config) {
		c.Trusted = Trusted{Networks: prefixes("127.0.0.0/8", "10.0.0.0/8", "2001:db8:1::/48")}
		if change != nil {
			change(c)
		}
	})
}

// TestForwardedAddressesOfStrangersAreIgnored: who is not trusted changes nothing by
// what it says (FWD-07, CVE-2023-36456, CVE-2024-21494, CVE-2024-45806).
func TestForwardedAddressesOfStrangersAreIgnored(t *testing.T) {
	u := newWire(t)
	for _, trusted := range []Trusted{{}, {Networks: prefixes("192.0.2.0/24", "::1/128")}, {Unix: true}} {
		h := trustingHouse(t, u, func(c *Config) { c.Trusted = trusted })
		for _, said := range []string{"192.0.2.7", "192.0.2.7, 127.0.0.1", "127.0.0.1, 192.0.2.7", "", "a", "192.0.2.7\r\nX-Forwarded-For: 192.0.2.7", "unix:", "@"} {
			if res := h.get(t, "/", "X-Forwarded-For: "+said); res.StatusCode != 200 {
				t.Fatalf("%q: got %d", said, res.StatusCode)
			}
			head := u.one(t)
			if f, r := values(head, "X-Forwarded-For"), values(head, "X-Real-IP"); !slices.Equal(f, []string{"127.0.0.1"}) || !slices.Equal(r, []string{"127.0.0.1"}) {
				t.Errorf("%q: the upstream got X-Forwarded-For %q, X-Real-IP %q", said, f, r)
			}
			if e := h.events.next(t); e.ClientIP != "127.0.0.1" {
				t.Errorf("%q: client_ip %q", said, e.ClientIP)
			}
			if res := h.get(t, "/expr/", "X-Forwarded-For: "+said); res.StatusCode != 401 {
				t.Errorf("%q: an expression over client_ip: got %d, want 401", said, res.StatusCode)
			}
			h.events.next(t)
		}
	}
}

// TestTheLastAddressThatIsNoProxysIsTheClients, and what cannot be read ends the chain
// (FWD-08, CVE-2024-47070). An open network stays closed where nobody is vouched for.
func TestTheLastAddressThatIsNoProxysIsTheClients(t *testing.T) {
	u := newWire(t)
	h := trustingHouse(t, u, nil)
	long := func(entry string, n int) string { return strings.Repeat(entry+",", n-1) + entry }
	for said, want := range map[string]struct {
		client string // empty: nobody is vouched for
		chain  string
	}{
		"192.0.2.7":                                   {"192.0.2.7", "192.0.2.7, 127.0.0.1"},
		"192.0.2.7, 10.0.0.1":                         {"192.0.2.7", "192.0.2.7, 10.0.0.1, 127.0.0.1"},
		"127.0.0.1, 203.0.113.9":                      {"203.0.113.9", "203.0.113.9, 127.0.0.1"},
		"192.0.2.7, 203.0.113.9":                      {"203.0.113.9", "203.0.113.9, 127.0.0.1"},
		"192.0.2.7, 203.0.113.9,10.0.0.1 ,\t10.2.3.4": {"203.0.113.9", "203.0.113.9, 10.0.0.1, 10.2.3.4, 127.0.0.1"},
		"192.0.2.7\r\nX-Forwarded-For: 203.0.113.9":   {"203.0.113.9", "203.0.113.9, 127.0.0.1"},
		"203.0.113.9\r\nx-forwarded-for: 192.0.2.7, 10.0.0.1\r\nX-FORWARDED-FOR: 10.0.0.2": {"192.0.2.7", "192.0.2.7, 10.0.0.1, 10.0.0.2, 127.0.0.1"},
		"192.0.2.7:4711":                       {"192.0.2.7", "192.0.2.7, 127.0.0.1"},
		"2001:db8:2::7":                        {"2001:db8:2::7", "2001:db8:2::7, 127.0.0.1"},
		"[2001:DB8:2:0::7]":                    {"2001:db8:2::7", "2001:db8:2::7, 127.0.0.1"},
		"[2001:db8:2::7]:4711":                 {"2001:db8:2::7", "2001:db8:2::7, 127.0.0.1"},
		"fe80::1%eth0":                         {"fe80::1", "fe80::1, 127.0.0.1"},
		"[fe80::1%25eth0]:80":                  {"fe80::1", "fe80::1, 127.0.0.1"},
		"::ffff:192.0.2.7":                     {"192.0.2.7", "192.0.2.7, 127.0.0.1"},
		"[::ffff:192.0.2.7]:80":                {"192.0.2.7", "192.0.2.7, 127.0.0.1"},
		"192.0.2.7, ::ffff:10.0.0.1":           {"192.0.2.7", "192.0.2.7, 10.0.0.1, 127.0.0.1"},
		"192.0.2.7, 2001:db8:1::5%x":           {"192.0.2.7", "192.0.2.7, 2001:db8:1::5, 127.0.0.1"},
		"10.1.0.1, 10.0.0.1":                   {"10.1.0.1", "10.1.0.1, 10.0.0.1, 127.0.0.1"}, // all are trusted
		"a, 10.1.0.1":                          {"10.1.0.1", "10.1.0.1, 127.0.0.1"},
		"192.0.2.7, a, 10.1.0.1":               {"10.1.0.1", "10.1.0.1, 127.0.0.1"},
		"192.0.2.7, a":                         {"", "127.0.0.1"},
		"192.0.2.7,":                           {"", "127.0.0.1"},
		"192.0.2.7, ":                          {"", "127.0.0.1"},
		"":                                     {"", "127.0.0.1"},
		",":                                    {"", "127.0.0.1"},
		"unknown":                              {"", "127.0.0.1"},
		"for=192.0.2.7":                        {"", "127.0.0.1"},
		"192.0.2.7 10.0.0.1":                   {"", "127.0.0.1"},
		"192.0.2.7;10.0.0.1":                   {"", "127.0.0.1"},
		"\"192.0.2.7\"":                        {"", "127.0.0.1"},
		"192.0.2.007":                          {"", "127.0.0.1"},
		"192.0.2":                              {"", "127.0.0.1"},
		"192.0.2.7:":                           {"", "127.0.0.1"},
		"192.0.2.7:99999":                      {"", "127.0.0.1"},
		"192.0.2.7/32":                         {"", "127.0.0.1"},
		"3221225991":                           {"", "127.0.0.1"},
		"[2001:db8:2::7":                       {"", "127.0.0.1"},
		"2001:db8:2::7]":                       {"", "127.0.0.1"},
		"[2001:db8:2::7]x":                     {"", "127.0.0.1"},
		"\xef\xbc\x91.2.3.4":                   {"", "127.0.0.1"},
		long("10.0.0.1", maxHops-1) + "":       {"10.0.0.1", ""},
		"192.0.2.7," + long("10.0.0.1", 10000): {"10.0.0.1", ""},
		long("192.0.2.7", 10000):               {"192.0.2.7", "192.0.2.7, 127.0.0.1"},
		long("a", 10000):                       {"", "127.0.0.1"},
		strings.Repeat(",", 10000):             {"", "127.0.0.1"},
	} {
		if res := h.get(t, "/", "X-Forwarded-For: "+said); res.StatusCode != 200 {
			t.Fatalf("%.80q: got %d", said, res.StatusCode)
		}
		head := u.one(t)
		chain, real := strings.Join(values(head, "X-Forwarded-For"), "|"), strings.Join(values(head, "X-Real-IP"), "|")
		if want.chain == "" && strings.Count(chain, ",") > maxHops || want.chain != "" && chain != want.chain || real != want.client {
			t.Errorf("%.80q: the upstream got X-Forwarded-For %.200q, X-Real-IP %q; want %q, %q", said, chain, real, want.chain, want.client)
		}
		logged := want.client
		if logged == "" {
			logged = "127.0.0.1"
		}
		if e := h.events.next(t); e.ClientIP != logged {
			t.Errorf("%.80q: client_ip %q, want %q", said, e.ClientIP, logged)
		}
		inside, _ := netip.ParseAddr(want.client)
		status := map[bool]int{true: 200, false: 401}[slices.ContainsFunc(prefixes("192.0.2.0/24", "2001:db8:2::/48", "10.1.0.0/16"), func(p netip.Prefix) bool { return p.Contains(inside) })]
		if res := h.get(t, "/lan/", "X-Forwarded-For: "+said); res.StatusCode != status {
			t.Errorf("%.80q: public_from: got %d, want %d", said, res.StatusCode, status)
		}
		if want := map[bool]int{true: 200, false: 401}[want.client == "192.0.2.7"]; want != 0 {
			// An expression is never asked about nobody, so somebody asks it.
			res := h.get(t, "/expr/", "X-Forwarded-For: "+said, "Cookie: "+cookieName+"=jane")
			if (res.StatusCode == 200) != (want == 200) {
				t.Errorf("%.80q: an expression over client_ip: got %d, want %d", said, res.StatusCode, want)
			}
		}
		u.took()
		h.events.next(t)
		h.events.next(t)
	}
	// Without the header nobody is vouched for either.
	if res := h.get(t, "/lan/"); res.StatusCode != 401 {
		t.Errorf("a proxy that says nothing: got %d, want 401", res.StatusCode)
	}
}

// TestOtherHeadersAboutAddressesAreNeverBelieved, from whomever they come.
func TestOtherHeadersAboutAddressesAreNeverBelieved(t *testing.T) {
	u := newWire(t)
	h := trustingHouse(t, u, nil)
	for _, said := range []string{
		"Forwarded: for=192.0.2.7", "Forwarded: for=\"[2001:db8:2::1]\"", "X-Real-IP: 192.0.2.7", "X-Client-IP: 192.0.2.7", "True-Client-IP: 192.0.2.7", "CF-Connecting-IP: 192.0.2.7",
		"X-Cluster-Client-IP: 192.0.2.7", "X-Original-Forwarded-For: 192.0.2.7", "X_Forwarded_For: 192.0.2.7", "X.Forwarded.For: 192.0.2.7", "Proxy: 192.0.2.7", "Via: 192.0.2.7",
	} {
		if res := h.get(t, "/lan/", said); res.StatusCode != 401 {
			t.Errorf("%q alone: got %d, want 401", said, res.StatusCode)
		}
		if res := h.get(t, "/lan/", said, "X-Forwarded-For: 203.0.113.9"); res.StatusCode != 401 {
			t.Errorf("%q beside: got %d, want 401", said, res.StatusCode)
		}
		if res := h.get(t, "/", said, "X-Forwarded-For: 203.0.113.9"); res.StatusCode != 200 {
			t.Errorf("%q: got %d", said, res.StatusCode)
		}
		head := u.one(t)
		if got := values(head, "X-Real-IP"); !slices.Equal(got, []string{"203.0.113.9"}) || strings.Contains(head, "orwarded: ") || strings.Contains(head, "X_") {
			t.Errorf("%q: the upstream got\n%s", said, head)
		}
	}
	if res := h.get(t, "/lan/", "X-Forwarded-For: 192.0.2.7"); res.StatusCode != 200 {
		t.Errorf("the twin: got %d, want 200", res.StatusCode)
	}
}

// FuzzForwardedFor: whatever stands there, the client is an address or nobody, and
// nothing but the last entries that are trusted comes before it.
func FuzzForwardedFor(f *testing.F) {
	for _, seed := range []string{"", "192.0.2.7", "a, 10.0.0.1", "[::1]:80, ::ffff:10.0.0.1", "fe80::1%eth0", ",,", "192.0.2.7, 10.0.0.1\n10.0.0.2"} {
		f.Add(seed)
	}
	p := &Proxy{trusted: trusted{networks: prefixes("10.0.0.0/8")}}
	f.Fuzz(func(t *testing.T, said string) {
		r := &http.Request{RemoteAddr: "10.9.9.9:1", Header: http.Header{"X-Forwarded-For": strings.Split(said, "\n")}}
		client, chain := p.client(r), p.chain(r)
		if last := chain[len(chain)-1]; last != "10.9.9.9" || len(chain) > maxHops+1 {
			t.Fatalf("%q: chain of %d ends in %q", said, len(chain), last)
		}
		if (client == "") != (len(chain) == 1) || client != "" && client != chain[0] {
			t.Fatalf("%q: client %q, chain %q", said, client, chain)
		}
		for i, entry := range chain {
			addr, err := netip.ParseAddr(entry)
			if err != nil || addr.String() != entry || addr.Is4In6() || addr.Zone() != "" {
				t.Fatalf("%q: chain %q", said, chain)
			}
			if i > 0 && !p.trusted.networks.contain(addr) {
				t.Fatalf("%q: %s is not trusted and stands in the middle of %q", said, entry, chain)
			}
		}
		r.RemoteAddr = "203.0.113.1:1"
		if client, chain := p.client(r), p.chain(r); client != "203.0.113.1" || len(chain) != 1 {
			t.Fatalf("%q of a stranger: client %q, chain %q", said, client, chain)
		}
	})
}

// TestAddressesCostNothingWithoutTrustedProxies.
func TestAddressesCostNothingWithoutTrustedProxies(t *testing.T) {
	p := &Proxy{}
	r := &http.Request{RemoteAddr: "192.0.2.7:4711", Header: http.Header{"X-Forwarded-For": {"203.0.113.9, 10.0.0.1"}}}
	if n := testing.AllocsPerRun(100, func() { p.client(r) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkClient(b *testing.B) {
	r := &http.Request{RemoteAddr: "10.0.0.1:4711", Header: http.Header{"X-Forwarded-For": {"203.0.113.9, 192.0.2.7, 10.0.0.2"}}}
	for name, p := range map[string]*Proxy{
		"nobody-trusted":   {},
		"stranger":         {trusted: trusted{networks: prefixes("172.16.0.0/12")}},
		"two-trusted-hops": {trusted: trusted{networks: prefixes("172.16.0.0/12", "10.0.0.0/8")}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.client(r)
			}
		})
	}
}
