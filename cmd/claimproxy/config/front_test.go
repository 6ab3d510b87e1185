package config

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestTrustedProxiesAreNetworksAddressesAndSockets(t *testing.T) {
	for text, want := range map[string][]TrustedProxy{
		"[]":       {},
		"10.0.0.5": {{Network: netip.MustParsePrefix("10.0.0.5/32")}},
		`"unix:"`:  {{Unix: true}},
		`[10.0.0.0/8, "unix:", "fd00::/8", "::1"]`: {{Network: netip.MustParsePrefix("10.0.0.0/8")}, {Unix: true}, {Network: netip.MustParsePrefix("fd00::/8")}, {Network: netip.MustParsePrefix("::1/128")}},
	} {
		c := mustParse(t, smallest+"trusted_proxies: "+text+"\n")
		if diff := cmp.Diff(want, c.TrustedProxies, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// A route without an upstream is about who may, and what is told about them.
func TestRoutesThatAreOnlyAskedAbout(t *testing.T) {
	c := mustParse(t, `
public_url: https://telemetry.example.org
trusted_proxies: 10.0.0.5
forward_auth: x-original
providers: [{id: invent, issuer: "https://invent.example.org", client_id: abc}]
routes:
  - {path: /a/, allow: signed-in, identity_headers: grafana}
  - {allow: signed-in}
`)
	for i, preset := range []HeaderPreset{PresetGrafana, PresetXForwarded} {
		if r := c.Routes[i]; r.Upstream.Upstream != nil || len(r.IdentityHeaders) != 1 || r.IdentityHeaders[0].Preset != preset {
			t.Errorf("got %+v, want no upstream and the preset %s", r, preset)
		}
	}
	if c.ForwardAuth != ForwardAuthXOriginal || !c.Asked() {
		t.Errorf("got %q", c.ForwardAuth)
	}
}

// What is doubtful without a proxy in front that says more.
func TestTrustedProxiesTakeDoubtsAway(t *testing.T) {
	const text = `
public_url: https://telemetry.example.org
providers: [{id: invent, issuer: "https://invent.example.org", client_id: abc}]
policies: {wiki: groups contains wiki}
routes:
  - {path: /a/, upstream: "http://127.0.0.1:8000", allow: signed-in, public_from: 127.0.0.1}
  - {path: /b/, allow: signed-in}
`
	for more, want := range map[string][]string{
		"":                             {"no route uses this policy", "behind another proxy on this machine", "nobody can ask"},
		"trusted_proxies: 10.0.0.5":    {"behind another proxy on this machine"},
		"trusted_proxies: 127.0.0.1":   {},
		"trusted_proxies: 127.0.0.0/8": {},
		"trusted_proxies: 127.0.0.2":   {"behind another proxy on this machine"},
		`trusted_proxies: "unix:"`:     {"behind another proxy on this machine"},
	} {
		_, r := parse(text + more + "\n")
		got := rendered(t, r)
		if len(r.Errors) > 0 || len(r.Warnings) != len(want) {
			t.Errorf("%q: got\n%s\nwant %q", more, got, want)
		}
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%q: got\n%s\nwant %q", more, got, w)
			}
		}
	}
}
