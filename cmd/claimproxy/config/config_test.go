package config

import (
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/claimproxy/claimproxy/policy"
)

// compare tells the difference between two configurations, positions aside.
func compare(want, got any) string {
	return cmp.Diff(want, got,
		cmpopts.IgnoreUnexported(Config{}),
		cmpopts.IgnoreUnexported(TestRequest{}),
		cmpopts.IgnoreTypes(policy.Position{}),
		cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
		cmpopts.EquateEmpty())
}

// smallest is the least that a file can say.
const smallest = `
public_url: https://telemetry.example.org
providers:
  - {id: invent, issuer: "https://invent.example.org", client_id: abc}
routes:
  - {upstream: "http://127.0.0.1:8000", allow: signed-in}
`

func TestDefaultsOfTheSmallestFile(t *testing.T) {
	got := mustParse(t, smallest)
	upstream := &Upstream{
		URL:             []string{"http://127.0.0.1:8000"},
		Timeout:         2 * time.Minute,
		Host:            HostPreserve,
		IdentityHeaders: IdentityHeaders{{Preset: PresetXForwarded}},
	}
	want := &Config{
		PublicURL:       &url.URL{Scheme: "https", Host: "telemetry.example.org"},
		Listen:          []string{"127.0.0.1:8080"},
		ForwardAuth:     ForwardAuthXForwarded,
		Endpoints:       "/.auth",
		StateDir:        "state",
		ShutdownTimeout: 30 * time.Second,
		Providers: []Provider{{
			ID: "invent", Name: "invent", Issuer: "https://invent.example.org", ClientID: "abc",
			Scopes: []string{"openid", "profile", "email"}, CallbackPath: "/.auth/callback/invent", User: "preferred_username",
			Bearer: Bearer{Accept: []TokenKind{TokenAccess}, Opaque: OpaqueAuto, CacheMax: 5 * time.Minute},
		}},
		Limits: Limits{
			HeaderBytes: 128 << 10, HeaderFields: 500, HeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, BodyTimeout: 2 * time.Minute, BodyRate: 128,
			Requests: 10_000, ConnectionsPerAddress: 1000, SignInsPerMinute: 300, FailedTokensPerMinute: 300,
		},
		Session: Session{Store: StoreFile, Idle: 8 * time.Hour, Lifetime: 7 * 24 * time.Hour, Recheck: 10 * time.Minute, Grace: time.Hour, Memory: 128 << 20, Cookie: Cookie{Name: "claimproxy", SameSite: SameSiteLax}},
		Routes: []Route{{
			Hosts: []string{"telemetry.example.org"}, Path: "/", Upstream: UpstreamRef{Upstream: upstream},
			Allow: &policy.Clause{Text: "signed-in"}, SignIn: []SignIn{SignInBrowser, SignInBearer}, IdentityHeaders: upstream.IdentityHeaders,
		}},
		File:  "/etc/claimproxy/claimproxy.yaml",
		Files: []string{"/etc/claimproxy/claimproxy.yaml"},
	}
	if diff := compare(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
