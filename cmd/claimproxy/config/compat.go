package config

import "slices"

// Compat is a program at whose addresses claimproxy answers as well.
type Compat string

// CompatOAuth2Proxy is oauth2-proxy with its usual prefix.
const CompatOAuth2Proxy Compat = "oauth2-proxy"

func (Compat) words() []string { return []string{string(CompatOAuth2Proxy)} }

// OAuth2ProxyPaths are claimproxy's own, on every host, with CompatOAuth2Proxy.
var OAuth2ProxyPaths = []string{"/oauth2/auth", "/oauth2/start", "/oauth2/sign_in", "/oauth2/sign_out", "/oauth2/userinfo"}

// CompatPaths are the paths that Compat makes claimproxy's own.
func (c *Config) CompatPaths() []string {
	if slices.Contains(c.Compat, CompatOAuth2Proxy) {
		return OAuth2ProxyPaths
	}
	return nil
}

func (l *loader) validateCompat(c *Config) {
	for i := range c.Compat {
		if at := &c.Compat[i]; l.good(at) && slices.Contains(c.Compat[:i], *at) {
			l.bad(at, "%s stands here twice", *at)
		}
	}
	for _, path := range c.CompatPaths() {
		if l.good(&c.Endpoints) && below(path, c.Endpoints) {
			l.bad(&c.Endpoints, "%s is an address of oauth2-proxy, see compat", quote(path)).hint("endpoints: /oauth2 goes together with it")
		}
		for i := range c.Providers {
			if p := &c.Providers[i]; l.good(&p.CallbackPath) && p.CallbackPath == path {
				l.bad(&p.CallbackPath, "%s is an address of oauth2-proxy, see compat", quote(path)).hint("oauth2-proxy's own callback is /oauth2/callback")
			}
		}
	}
}
