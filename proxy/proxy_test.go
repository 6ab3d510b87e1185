package proxy

import (
	"net/url"
	"testing"

	"github.com/claimproxy/claimproxy/session/answer"
)

func TestNewRefusesWhatIsIncomplete(t *testing.T) {
	public := newRules(t).of("public")
	up := &Upstream{Name: "x", URLs: []*url.URL{&url.URL{Scheme: "http", Host: "127.0.0.1:1"}}}
	fine := func() (Config, Route) {
		return Config{
			PublicURL: &url.URL{Scheme: "https", Host: publicHost}, Endpoints: "/.auth", Answers: answer.New(answer.Options{}),
			Sessions: fakeSessions{cookies}, Tokens: fakeTokens{tokens},
		}, Route{Name: "x", Hosts: []string{publicHost}, Path: "/", SignIn: Browser | Bearer, Allow: public, Upstream: up}
	}
	for name, test := range map[string]struct {
		change func(*Config, *Route)
		fine   bool
	}{
		"complete":                    {func(*Config, *Route) {}, true},
		"no public URL":               {func(c *Config, _ *Route) { c.PublicURL = nil }, false},
		"public URL without a host":   {func(c *Config, _ *Route) { c.PublicURL = &url.URL{Scheme: "https"} }, false},
		"public URL of another kind":  {func(c *Config, _ *Route) { c.PublicURL = &url.URL{Scheme: "ftp", Host: "x"} }, false},
		"no answers":                  {func(c *Config, _ *Route) { c.Answers = nil }, false},
		"endpoints with a slash":      {func(c *Config, _ *Route) { c.Endpoints = "/.auth/" }, false},
		"no endpoints":                {func(c *Config, _ *Route) { c.Endpoints = "" }, false},
		"endpoints that cannot match": {func(c *Config, _ *Route) { c.Endpoints = "/a//b" }, false},
		"own path without a slash":    {func(c *Config, _ *Route) { c.OwnPaths = []string{"x"} }, false},
		"own path of no host":         {func(c *Config, _ *Route) { c.OwnPaths = []string{"a..b/x"} }, false},
		"cookies without a store":     {func(c *Config, _ *Route) { c.Sessions = nil }, false},
		"tokens without a verifier":   {func(c *Config, _ *Route) { c.Tokens = nil }, false},
		"no store, and no cookies":    {func(c *Config, r *Route) { c.Sessions = nil; r.SignIn = Bearer }, true},
		"no upstream":                 {func(_ *Config, r *Route) { r.Upstream = nil }, false},
		"an upstream with a path": {func(_ *Config, r *Route) {
			r.Upstream = &Upstream{URLs: []*url.URL{&url.URL{Scheme: "http", Host: "x", Path: "/y"}}}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c, r := fine()
			test.change(&c, &r)
			table, err := NewTable([]Route{r})
			if err != nil {
				t.Fatal(err)
			}
			c.Table = table
			if _, err := New(c); (err == nil) != test.fine {
				t.Errorf("New: %v, want fine: %v", err, test.fine)
			}
		})
	}
	c, _ := fine()
	if _, err := New(c); err == nil {
		t.Error("New takes a configuration without routes")
	}
}

// TestOneUpstreamHasOneSetOfConnections, however many routes point there.
func TestOneUpstreamHasOneSetOfConnections(t *testing.T) {
	u := newWire(t)
	up := u.upstream()
	r := newRules(t)
	h := build(t, []Route{
		{Path: "/a/", Allow: r.of("public"), Upstream: up},
		{Path: "/b/", Allow: r.of("public"), Upstream: up},
		{Path: "/c/", Allow: r.of("public"), Upstream: u.upstream()},
	}, nil)
	if len(h.proxy.upstreams) != 2 {
		t.Errorf("%d sets of connections for two upstreams", len(h.proxy.upstreams))
	}
}
