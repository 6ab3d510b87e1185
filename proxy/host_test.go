package proxy

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestCanonicalHost(t *testing.T) {
	tests := []struct {
		field, host, authority string
		fine                   bool
	}{
		{"app.example.org", "app.example.org", "app.example.org", true},
		{"APP.Example.ORG", "app.example.org", "app.example.org", true},
		{"app.example.org.", "app.example.org", "app.example.org", true},
		{"HOST.example.:443", "host.example", "host.example:443", true},
		{"app.example.org:", "app.example.org", "app.example.org", true},
		{"app.example.org:65535", "app.example.org", "app.example.org:65535", true},
		{"localhost:8080", "localhost", "localhost:8080", true},
		{"my_machine", "my_machine", "my_machine", true},
		{"xn--bcher-kva.example", "xn--bcher-kva.example", "xn--bcher-kva.example", true},
		{"127.0.0.1:80", "127.0.0.1", "127.0.0.1:80", true},
		{"[::1]:8080", "[::1]", "[::1]:8080", true},
		{"[0:0:0:0:0:0:0:1]", "[::1]", "[::1]", true},
		{"[2001:DB8::1]", "[2001:db8::1]", "[2001:db8::1]", true},
		{"", "", "", false},
		{".", "", "", false},
		{"..", "", "", false},
		{"app..example.org", "", "", false},
		{".app.example.org", "", "", false},
		{"app.example.org..", "", "", false},
		{"app.example.org:65536", "", "", false},
		{"app.example.org:+80", "", "", false},
		{"app.example.org:8o", "", "", false},
		{"app.example.org:000080", "", "", false},
		{":443", "", "", false},
		{"a:1:2", "", "", false},
		{"user@app.example.org", "", "", false},
		{"app.example.org/x", "", "", false},
		{"app.example.org,evil.example", "", "", false},
		{"app%2eexample.org", "", "", false},
		{"app.example.org\t", "", "", false},
		{"b\xc3\xbccher.example", "", "", false},
		{"[::1", "", "", false},
		{"[::1]x", "", "", false},
		{"[fe80::1%25eth0]", "", "", false},
		{"[127.0.0.1]", "", "", false},
		{"[]", "", "", false},
		{strings.Repeat("a", 254), "", "", false},
	}
	for _, test := range tests {
		host, authority, fault := canonicalHost(test.field)
		if (fault == nil) != test.fine || host != test.host || authority != test.authority {
			t.Errorf("canonicalHost(%q) = %q, %q, %v; want %q, %q, fine: %v",
				test.field, host, authority, fault, test.host, test.authority, test.fine)
		}
		if fault != nil && fault.Reason != ReasonBadHost {
			t.Errorf("canonicalHost(%q): reason %q", test.field, fault.Reason)
		}
	}
}

// TestSpellingsOfAHostAreOneHost: neither case nor the dot at the end nor the port
// leads to another route (CVE-2026-48794, CVE-2022-23632, CVE-2026-27588).
func TestSpellingsOfAHostAreOneHost(t *testing.T) {
	u := newWire(t)
	r := newRules(t)
	h := build(t, []Route{
		{Hosts: []string{"closed.example.org"}, Path: "/", Allow: r.of("nobody"), Upstream: u.upstream()},
		{Hosts: []string{"*.example.org"}, Path: "/", Allow: r.of("public"), Upstream: u.upstream()},
	}, nil)
	for _, host := range []string{"closed.example.org", "Closed.Example.Org", "closed.example.org.", "CLOSED.EXAMPLE.ORG.:8443", "closed.example.org:"} {
		if res := h.get(t, "/", "Host: "+host); res.StatusCode != http.StatusForbidden {
			t.Errorf("Host %q: got %d, want 403", host, res.StatusCode)
		}
	}
	u.none(t)
	for host, forwarded := range map[string]string{
		"open.example.org": "open.example.org", "OPEN.example.org": "open.example.org", "open.example.org.:8443": "open.example.org:8443",
	} {
		if res := h.get(t, "/", "Host: "+host); res.StatusCode != http.StatusOK {
			t.Errorf("Host %q: got %d, want 200", host, res.StatusCode)
		}
		if got := values(u.one(t), "Host"); len(got) != 1 || got[0] != forwarded {
			t.Errorf("Host %q: the upstream got %q, want %q", host, got, forwarded)
		}
	}
}

// TestRequestsWithoutAGoodHost: empty, missing and malformed hosts (trap 4).
func TestRequestsWithoutAGoodHost(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	for name, request := range map[string]string{
		"empty":                 "GET /public/ HTTP/1.1\r\nHost:\r\n\r\n",
		"HTTP/1.0 without Host": "GET /public/ HTTP/1.0\r\n\r\n",
		"two names":             "GET /public/ HTTP/1.1\r\nHost: a,b\r\n\r\n",
		"bad port":              "GET /public/ HTTP/1.1\r\nHost: " + publicHost + ":99999\r\n\r\n",
		"percent":               "GET /public/ HTTP/1.1\r\nHost: app%2eexample.org\r\n\r\n",
	} {
		res := h.raw(t, request)
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 400", name, res.StatusCode)
		}
		if event := h.events.next(t); event.Reason != ReasonBadHost || event.Host != "" {
			t.Errorf("%s: event %+v, want reason bad-host and no host", name, event)
		}
	}
	// These are net/http's to refuse.
	for name, request := range map[string]string{
		"missing": "GET /public/ HTTP/1.1\r\n\r\n",
		"user":    "GET /public/ HTTP/1.1\r\nHost: x@" + publicHost + "\r\n\r\n",
		"twice":   "GET /public/ HTTP/1.1\r\nHost: " + publicHost + "\r\nHost: " + publicHost + "\r\n\r\n",
	} {
		if res := h.raw(t, request); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 400", name, res.StatusCode)
		}
	}
	u.none(t)
	if res := h.raw(t, "GET /public/ HTTP/1.0\r\nHost: "+publicHost+"\r\n\r\n"); res.StatusCode != http.StatusOK {
		t.Errorf("HTTP/1.0 with a Host: got %d, want 200", res.StatusCode)
	}
}

func TestUnknownHostsHaveNoRoute(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	for _, host := range []string{"evil.example", "x." + publicHost, "example.org", "127.0.0.1", "[::1]"} {
		if res := h.get(t, "/public/", "Host: "+host); res.StatusCode != http.StatusNotFound {
			t.Errorf("Host %q: got %d, want 404", host, res.StatusCode)
		}
	}
	u.none(t)
}

// FuzzHost: what is taken for a host is one name, in one spelling, for us as for net/url
// and whoever reads it again.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{
		publicHost, "APP.example.org.:443", "app.example.org:", "[2001:DB8::1]:80", "[::ffff:192.0.2.1]", "[fe80::1%25eth0]", "user@app.example.org", "a..b", ".", ":80", "a:1:2",
		"app.example.org\t", "app.example.org,evil.example", "app%2eexample.org", "\u212aelvin.example", "app.example.org:0443", "0x7f.1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		host, authority, fault := canonicalHost(field)
		if fault != nil {
			if host != "" || authority != "" {
				t.Fatalf("%q is refused, and is %q, %q", field, host, authority)
			}
			return
		}
		for _, again := range []string{host, authority} {
			if h, a, fault := canonicalHost(again); fault != nil || h != host || a != again {
				t.Fatalf("%q is %q, %q, and %q again is %q, %q, %v", field, host, authority, again, h, a, fault)
			}
		}
		if port, ok := strings.CutPrefix(authority, host); !ok || port != "" && (port[0] != ':' || !strings.HasSuffix(field, port)) {
			t.Fatalf("%q is %q with %q", field, host, authority)
		}
		if name := strings.Trim(host, "[]"); strings.ToLower(host) != host || strings.HasSuffix(host, ".") || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.:") != "" {
			t.Fatalf("%q is %q", field, host)
		}
		u, err := url.Parse("https://" + authority + "/")
		if err != nil || u.Host != authority || u.Hostname() != strings.Trim(host, "[]") || u.User != nil {
			t.Fatalf("%q is %q, of which net/url makes %+v, %v", field, authority, u, err)
		}
		if u, err := url.Parse("https://" + field + "/"); err != nil || !strings.EqualFold(strings.TrimSuffix(u.Hostname(), "."), strings.Trim(host, "[]")) && !strings.HasPrefix(field, "[") {
			t.Fatalf("%q is %q, and net/url reads %+v, %v", field, host, u, err)
		}
	})
}
