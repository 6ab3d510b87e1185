package config

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// validateCookieDomain wants a domain that browsers take from public_url's host (RFC
// 6265 section 5.3), and none that strangers have a part of.
func (l *loader) validateCookieDomain(c *Config) {
	domain := &c.Session.Cookie.Domain
	if _, given := l.places[domain]; !given || !l.good(domain) || *domain == "" {
		return
	}
	*domain = strings.ToLower(*domain)
	if problem := checkHost(*domain); problem != "" {
		f := l.bad(domain, "expected a domain such as int.example.org, got %s: %s", quote(*domain), problem)
		if bare := strings.Trim(*domain, "*."); checkHost(bare) == "" {
			f.hint("did you mean %q?", bare)
		}
		return
	}
	if _, err := netip.ParseAddr(*domain); err == nil {
		l.bad(domain, "an address is no domain that hosts could share a cookie in")
		return
	}
	if !l.good(&c.PublicURL) {
		return
	}
	host := c.PublicURL.Hostname()
	suffix, _ := publicsuffix.PublicSuffix(*domain)
	switch {
	case c.PublicURL.Scheme != "https":
		l.bad(domain, "a cookie for a whole domain needs https, and public_url is plain http").
			hint("left out, each host that a route names has a cookie of its own")
	case suffix == *domain: // one of a registry, or of a hoster such as github.io
		l.bad(domain, "everybody can have a host below %s: browsers take no cookie for it", quote(*domain))
	case host != *domain && !strings.HasSuffix(host, "."+*domain):
		l.bad(domain, "public_url's host, %s, is not one of this domain, and that is where people sign in", host)
	default:
		l.doubtful(domain, "every host below %s is sent the session cookie, and whoever runs one of them can act as its people here", *domain).
			hint("left out, each host that a route names has a cookie of its own; see docs/hosts.md")
	}
}

// shares says whether a host, or all that a wildcard stands for, has its session cookie
// together with the others of the domain.
func (c *Cookie) shares(host string) bool {
	return c.Domain != "" && strings.HasSuffix("."+strings.TrimPrefix(host, "*."), "."+c.Domain)
}

// validatePlainHosts wants people to sign in over https, but on this machine.
func (l *loader) validatePlainHosts(c *Config, r *Route) {
	if !l.good(&c.PublicURL) || c.PublicURL.Scheme == "https" || !r.asksWho() || l.set(&r.SignIn) && !l.good(&r.SignIn) || !slices.Contains(r.SignIn, SignInBrowser) {
		return
	}
	for i := range r.Hosts {
		if at := &r.Hosts[i]; l.good(at) && !PlainHost(*at) {
			l.bad(at, "people cannot sign in on %s: public_url is plain http, which is for loopback hosts alone", *at).
				hint("make public_url https, or say sign_in: bearer")
		}
	}
}

// PlainHost says whether people may sign in on a host over plain http: it is this machine
// for every browser (W3C Secure Contexts section 3.1). A wildcard is all of its hosts.
func PlainHost(host string) bool {
	return isLoopback(host) || strings.HasSuffix(host, ".localhost")
}
