package config

import (
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// defaults fills in what the file does not say. This is the only place that does;
// the comments of the fields tell the same. What was reported as faulty gets its
// default too, so that one fault does not cause others.
func (l *loader) defaults(c *Config) {
	if !l.good(&c.Listen) {
		c.Listen = []string{"127.0.0.1:8080"}
	}
	if !l.good(&c.ForwardAuth) {
		c.ForwardAuth = ForwardAuthXForwarded
	}
	if !l.good(&c.Endpoints) {
		c.Endpoints = "/.auth"
	}
	if c.Audit != nil && !l.good(&c.Audit.OnFailure) {
		c.Audit.OnFailure = OnFailureContinue
	}
	if c.Admin != nil && !l.good(&c.Admin.Listen) {
		c.Admin.Listen = "127.0.0.1:8081"
	}
	if c.TLS != nil && c.TLS.ACME != nil && !l.good(&c.TLS.ACME.Directory) {
		c.TLS.ACME.Directory = &url.URL{Scheme: "https", Host: "acme-v02.api.letsencrypt.org", Path: "/directory"}
	}
	l.limitsDefaults(&c.Limits)
	if c.HSTS != nil && !l.good(&c.HSTS.MaxAge) {
		c.HSTS.MaxAge = hstsYear
	}
	if !l.good(&c.StateDir) {
		c.StateDir = l.stateDir()
	}
	if !l.good(&c.ShutdownTimeout) {
		c.ShutdownTimeout = 30 * time.Second
	}
	for i := range c.Providers {
		l.providerDefaults(c, &c.Providers[i])
	}
	for i := range c.Native.Discovery {
		if d := &c.Native.Discovery[i]; !l.good(&d.Host) && c.PublicURL != nil {
			d.Host = c.PublicURL.Hostname()
		}
	}
	l.sessionDefaults(&c.Session)
	for i := range c.Upstreams {
		l.upstreamDefaults(&c.Upstreams[i])
	}
	for i := range c.Routes {
		l.routeDefaults(c, &c.Routes[i])
	}
	for i := range c.Tests {
		l.testDefaults(c, &c.Tests[i])
	}
}

func (l *loader) stateDir() string {
	// systemd separates several directories by colons (systemd.exec, STATE_DIRECTORY).
	dir, _ := l.env.LookupEnv("STATE_DIRECTORY")
	if dir, _, _ = strings.Cut(dir, ":"); dir != "" {
		return filepath.Clean(dir)
	}
	return "state"
}

func (l *loader) providerDefaults(c *Config, p *Provider) {
	if !l.good(&p.Name) {
		p.Name = p.ID
	}
	if !l.good(&p.ColorDark) {
		p.ColorDark = p.Color
	}
	if !l.good(&p.Scopes) {
		p.Scopes = []string{"openid", "profile", "email"}
	}
	if !l.good(&p.CallbackPath) && (p.ClientID != "" || !l.fine(&p.ClientID)) {
		p.CallbackPath = defaultCallback(c, p)
	}
	if !l.good(&p.User) {
		p.User = "preferred_username"
	}
	if !l.good(&p.UserPrefix) && len(c.Providers) > 1 {
		p.UserPrefix = p.ID + ":"
	}
	for i := range p.Clients {
		client := &p.Clients[i]
		if !l.good(&client.Scopes) {
			client.Scopes = p.Scopes
		}
		if !l.good(&client.Name) {
			client.Name = client.ClientID
		}
		if !l.good(&client.Introspect) {
			client.Introspect = true
		}
	}
	if !l.good(&p.Bearer.Accept) {
		p.Bearer.Accept = []TokenKind{TokenAccess}
	}
	if !l.good(&p.Bearer.Opaque) {
		p.Bearer.Opaque = OpaqueAuto
	}
	if !l.good(&p.Bearer.CacheMax) {
		p.Bearer.CacheMax = 5 * time.Minute
	}
}

func defaultCallback(c *Config, p *Provider) string {
	return c.Endpoints + "/callback/" + p.ID
}

func (l *loader) sessionDefaults(s *Session) {
	if !l.good(&s.Store) {
		s.Store = StoreFile
	}
	if !l.good(&s.Lifetime) {
		s.Lifetime = 7 * 24 * time.Hour
	}
	if !l.good(&s.Idle) {
		s.Idle = min(8*time.Hour, s.Lifetime)
	}
	if !l.good(&s.Recheck) {
		s.Recheck = 10 * time.Minute
	}
	if !l.good(&s.Grace) {
		s.Grace = time.Hour
	}
	if !l.good(&s.Memory) {
		s.Memory = 128 << 20
	}
	if !l.good(&s.Cookie.Name) {
		s.Cookie.Name = "claimproxy"
	}
	if !l.good(&s.Cookie.SameSite) {
		s.Cookie.SameSite = SameSiteLax
	}
}

func (l *loader) upstreamDefaults(u *Upstream) {
	if !l.good(&u.Timeout) {
		u.Timeout = 2 * time.Minute
	}
	if !l.good(&u.Host) {
		u.Host = HostPreserve
	}
	if !l.good(&u.IdentityHeaders) {
		u.IdentityHeaders = IdentityHeaders{{Preset: PresetXForwarded}}
	}
}

func (l *loader) routeDefaults(c *Config, r *Route) {
	if !l.good(&r.Hosts) && c.PublicURL != nil {
		r.Hosts = []string{c.PublicURL.Hostname()}
	}
	if !l.good(&r.Path) {
		r.Path = "/"
	}
	if !l.good(&r.SignIn) {
		r.SignIn = []SignIn{SignInBrowser, SignInBearer}
		if len(c.Providers) > 0 && !c.signsPeopleIn() {
			r.SignIn = []SignIn{SignInBearer}
		}
	}
	if r.Upstream.Ref != "" {
		r.Upstream.Upstream = c.upstream(r.Upstream.Ref)
	} else if r.Upstream.Upstream != nil {
		l.upstreamDefaults(r.Upstream.Upstream)
	}
	if u := r.Upstream.Upstream; u != nil {
		if !l.good(&r.IdentityHeaders) {
			r.IdentityHeaders = u.IdentityHeaders
		}
		if !l.good(&r.ForwardToken) {
			r.ForwardToken = u.ForwardToken
		}
		if !l.good(&r.Maintenance) {
			r.Maintenance = u.Maintenance
		}
		if !l.good(&r.Assertion) {
			r.Assertion = u.Assertion
		}
		if !l.set(&r.StripPrefix) {
			r.StripPrefix = u.StripPrefix
		}
	} else if !l.good(&r.IdentityHeaders) {
		r.IdentityHeaders = IdentityHeaders{{Preset: PresetXForwarded}}
	}
}

func (l *loader) testDefaults(c *Config, t *Test) {
	if !l.good(&t.From) {
		t.From = netip.AddrFrom4([4]byte{192, 0, 2, 1})
	}
	for i := range t.Requests {
		r := &t.Requests[i]
		if r.Host == "" && r.scheme == "" && c.PublicURL != nil {
			r.Host = c.PublicURL.Hostname()
		}
	}
}

// upstream returns the upstream of that name, or nil.
func (c *Config) upstream(name string) *Upstream {
	for i := range c.Upstreams {
		if c.Upstreams[i].Name == name {
			return &c.Upstreams[i]
		}
	}
	return nil
}
