package config

import "slices"

// maxStatelessName is how long the name of a cookie may be that carries a session whole:
// browsers count it in.
const maxStatelessName = 128

// validateStateless checks what sessions in cookies need.
func (l *loader) validateStateless(c *Config) {
	s := &c.Session
	if s.Store != StoreCookie {
		return
	}
	if name := &s.Cookie.Name; l.good(name) && len(*name) > maxStatelessName {
		l.bad(name, "expected a name of at most %d characters, got %d: with the store \"cookie\" a session has to fit beside it", maxStatelessName, len(*name))
	}
	if !l.good(&c.PublicURL) {
		return
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		if !r.asksWho() || !slices.Contains(r.SignIn, SignInBrowser) || l.set(&r.SignIn) && !l.good(&r.SignIn) {
			continue
		}
		for h := range r.Hosts {
			if at := &r.Hosts[h]; l.good(at) && *at != c.PublicURL.Hostname() && !s.Cookie.shares(*at) {
				l.bad(at, "with the store \"cookie\" people are signed in on public_url's host alone, %s: a session that is only in a cookie cannot be carried to another host",
					c.PublicURL.Hostname()).hint("use store: file or redis, or a cookie for a whole domain, or say sign_in: bearer here")
			}
		}
	}
}
