package config

import (
	"net/netip"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// TrustedProxy is a network, or a single address, or with "unix:" everybody who comes
// through a unix socket that claimproxy listens on.
type TrustedProxy struct {
	// Network is not valid for Unix.
	Network netip.Prefix
	// Unix is everybody who comes through a unix socket.
	Unix bool
}

// unixProxy is how TrustedProxy.Unix stands in the file.
const unixProxy = "unix:"

func (t *TrustedProxy) decode(l *loader, n *yaml.Node, path string) bool {
	if t.Unix = isText(n) && n.Value == unixProxy; t.Unix {
		return true
	}
	if isText(n) && strings.HasPrefix(n.Value, "unix") {
		l.fault(n, path, "expected %s, got %s", trustedExpected, quote(n.Value)).hint("write %q, without a path: it is for every unix socket", unixProxy)
		return false
	}
	return l.network(n, &t.Network, path)
}

const trustedExpected = networkExpected + `, or "unix:"`

func (t TrustedProxy) String() string {
	if t.Unix {
		return unixProxy
	}
	return t.Network.String()
}

// ForwardAuth is a family of headers in which a front proxy says what it asks about.
type ForwardAuth string

// The families.
const (
	// ForwardAuthXForwarded is X-Forwarded-Method, -Proto, -Host and -Uri, as Traefik and
	// Caddy send them.
	ForwardAuthXForwarded ForwardAuth = "x-forwarded"
	// ForwardAuthXOriginal is X-Original-Method and X-Original-URL, as nginx is told to
	// send them.
	ForwardAuthXOriginal ForwardAuth = "x-original"
	// ForwardAuthOff answers no questions.
	ForwardAuthOff ForwardAuth = "off"
)

func (ForwardAuth) words() []string {
	return []string{string(ForwardAuthXForwarded), string(ForwardAuthXOriginal), string(ForwardAuthOff)}
}

// Asked says whether there are front proxies that may ask.
func (c *Config) Asked() bool {
	return len(c.TrustedProxies) > 0 && c.ForwardAuth != ForwardAuthOff
}

// validateTrusted checks whose word is believed.
func (l *loader) validateTrusted(c *Config) {
	for i := range c.TrustedProxies {
		at := &c.TrustedProxies[i]
		switch {
		case !l.good(at):
		case !at.Unix && at.Network.Bits() == 0:
			l.bad(at, "expected %s, got %s, which is all addresses: anybody could say where a request comes from", trustedExpected, quote(at.String())).
				hint("name the addresses of the proxies in front of claimproxy")
		case slices.Contains(c.TrustedProxies[:i], *at):
			l.bad(at, "%s stands here twice", at)
		}
	}
}

// trusts says whether a network is one of trusted proxies alone: somebody who comes from
// there is who the proxy says.
func (c *Config) trusts(network netip.Prefix) bool {
	return slices.ContainsFunc(c.TrustedProxies, func(t TrustedProxy) bool {
		return !t.Unix && t.Network.Bits() <= network.Bits() && t.Network.Contains(network.Addr())
	})
}

// validateAsked checks a route without an upstream: it can only be asked about.
func (l *loader) validateAsked(c *Config, r *Route) {
	if l.good(&c.ForwardAuth) && c.ForwardAuth == ForwardAuthOff {
		p := l.places[r]
		l.fault(p.node, p.path, "this route has no upstream, and nobody can ask about it with forward_auth: off").hint("say upstream: URL")
		return
	}
	const why = "this route has no upstream, so that the proxy that asks about it decides on that"
	if l.good(&r.ForwardToken) {
		l.bad(&r.ForwardToken, why)
	}
	if l.good(&r.CORSPreflight) {
		l.bad(&r.CORSPreflight, why)
	}
	if l.good(&r.MethodOverride) {
		l.bad(&r.MethodOverride, why)
	}
	if l.good(&r.StripPrefix) {
		l.bad(&r.StripPrefix, why)
	}
	if l.good(&r.Maintenance) {
		l.bad(&r.Maintenance, why)
	}
	if l.good(&r.MaxBody) {
		l.bad(&r.MaxBody, why)
	}
}

// warnUnasked warns of routes that lead nowhere.
func (l *loader) warnUnasked(c *Config) {
	if len(c.TrustedProxies) > 0 {
		return
	}
	var first *Route
	more := -1
	for i := range c.Routes {
		if r := &c.Routes[i]; r.Upstream.Upstream == nil {
			more++
			if first == nil {
				first = r
			}
		}
	}
	if first == nil {
		return
	}
	p, others := l.places[first], ""
	if more > 0 {
		others = ", and neither have " + count(more, "more route")
	}
	l.warn(p.node, p.path, "this route has no upstream%s, and without trusted_proxies nobody can ask about it", others).
		hint("say upstream: URL, or name the proxies that ask in trusted_proxies")
}

// SignInHosts are the hosts, in the order of the routes, where people sign in for a cookie
// of the host's own while claimproxy is only asked: the proxies in front of them have to
// lead Endpoints here, too. Wildcards stand for their hosts.
func (c *Config) SignInHosts() []string {
	var hosts []string
	led := map[string]bool{c.PublicURL.Hostname(): true} // here already
	for i := range c.Routes {
		if r := &c.Routes[i]; r.Upstream.Upstream != nil {
			for _, host := range r.Hosts {
				led[host] = true
			}
		}
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		if r.Upstream.Upstream != nil || !r.asksWho() || !slices.Contains(r.SignIn, SignInBrowser) {
			continue
		}
		for _, host := range r.Hosts {
			if !led[host] && !c.Session.Cookie.shares(host) {
				hosts, led[host] = append(hosts, host), true
			}
		}
	}
	return hosts
}
