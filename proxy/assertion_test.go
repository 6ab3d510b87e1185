package proxy

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// counter asserts in plain words, and counts.
type counter struct {
	now  func() time.Time
	made int
}

func (c *counter) Assert(id *session.Identity, audience string) (string, time.Time, error) {
	c.made++
	return fmt.Sprintf("%s at %s #%d", id.User, audience, c.made), c.now().Add(time.Minute), nil
}

// TestAssertions: on the routes that have one, in place of what a client sends under its
// name, for the origin that the application is seen at, and made once for many requests.
func TestAssertions(t *testing.T) {
	u := newWire(t)
	r := newRules(t)
	now := time.Unix(1000, 0)
	clock := func() time.Time { return now }
	jane := developer(session.AuthBrowser, nil)
	c := &counter{now: clock}
	h := build(t, []Route{
		{Path: "/with/", SignIn: Browser, Allow: r.of("developers"), Upstream: u.upstream(), Assertion: true},
		{Path: "/public/", SignIn: Browser, Allow: r.of("public"), Upstream: u.upstream(), Assertion: true},
		{Hosts: []string{"*.int.example.org"}, Path: "/", SignIn: Browser, Allow: r.of("developers"), Upstream: u.upstream(), Assertion: true},
		{Path: "/", SignIn: Browser, Allow: r.of("developers"), Upstream: u.upstream()},
	}, func(conf *Config) {
		conf.PublicURL = &url.URL{Scheme: "https", Host: publicHost + ":8443"}
		conf.Asserter, conf.Now = c, clock
		conf.Sessions = fakeSessions{func(*http.Request) (*session.Identity, error) { return jane, nil }}
	})
	got := func(target string, lines ...string) []string {
		t.Helper()
		lines = append(lines, "Cookie: "+cookieName+"=jane", "X-Claimproxy-Assertion: forged", "X_Claimproxy_Assertion: forged")
		if res := h.get(t, target, lines...); res.StatusCode != 200 {
			t.Fatalf("%s: got %d", target, res.StatusCode)
		}
		head := u.one(t)
		if n := len(values(head, "X_Claimproxy_Assertion")); n > 0 {
			t.Errorf("another spelling of it reached the upstream")
		}
		return values(head, assertionHeader)
	}
	const first = "jane at https://" + publicHost + ":8443 #1"
	for range 3 {
		if v := got("/with/"); len(v) != 1 || v[0] != first {
			t.Errorf("got %q, want %q", v, first)
		}
	}
	// The port is not the client's to choose.
	if v := got("/with/", "Host: "+publicHost+":99"); len(v) != 1 || v[0] != first {
		t.Errorf("got %q, want %q", v, first)
	}
	for _, target := range []string{"/", "/public/"} {
		if v := got(target); v != nil {
			t.Errorf("%s: got %q, want none", target, v)
		}
	}
	if v := got("/", "Host: wiki.int.example.org"); len(v) != 1 || v[0] != "jane at https://wiki.int.example.org:8443 #2" {
		t.Errorf("another application: got %q", v)
	}
	now = now.Add(time.Minute)
	if v := got("/with/"); len(v) != 1 || v[0] != "jane at https://"+publicHost+":8443 #3" {
		t.Errorf("after its time: got %q", v)
	}
	for i := range 100 {
		got("/", fmt.Sprintf("Host: made-up-%d.int.example.org", i))
	}
	if n := len(knownOf(jane).assertions.made); n > maxAssertions {
		t.Errorf("%d assertions are kept", n)
	}
}
