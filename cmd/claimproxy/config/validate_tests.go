package config

import "slices"

// validateTests checks the tests as they are written. Running them is another's work.
func (l *loader) validateTests(c *Config) {
	people := make([]string, len(c.People))
	for i := range c.People {
		people[i] = c.People[i].Name
	}
	for i := range c.Tests {
		t := &c.Tests[i]
		if !l.good(t) {
			continue
		}
		l.validateCaller(t, people)
		l.validateBecause(t)
		if l.good(&t.Requests) && l.notEmpty(&t.Requests, len(t.Requests), "request") {
			for j := range t.Requests {
				if r := &t.Requests[j]; l.good(r) {
					l.validateRequest(c, t, r)
				}
			}
		}
	}
}

// validateCaller checks who asks.
func (l *loader) validateCaller(t *Test, people []string) {
	switch as, claims := l.set(&t.As), l.set(&t.Claims); {
	case as && claims:
		l.bad(&t.Claims, "a test has either as or claims, and this one has both")
	case !as && !claims && l.good(&t.Auth):
		l.bad(&t.Auth, "auth says how somebody is known, and this test names nobody").hint("add as or claims; claims: {} is somebody without any")
	}
	if !l.good(&t.As) || !l.notEmpty(&t.As, len(t.As), "person") {
		return
	}
	for i := range t.As {
		at := &t.As[i]
		switch {
		case !l.good(at):
		case slices.Contains(t.As[:i], *at):
			l.bad(at, "%s stands here twice", quote(*at))
		case l.whole && !slices.Contains(people, *at):
			l.bad(at, "there is nobody called %s among people", quote(*at)).suggest(*at, people)
		}
	}
}

// validateRequest checks where a request goes.
func (l *loader) validateRequest(c *Config, t *Test, r *TestRequest) {
	if !l.good(&c.PublicURL) {
		return
	}
	switch public := c.PublicURL; {
	case r.scheme != "" && r.scheme != public.Scheme:
		l.bad(r, "expected %s, as public_url has it, got %s", public.Scheme, quote(r.scheme+"://"+r.Host))
		return
	case r.port != "" && r.port != public.Port():
		l.bad(r, "a port does not choose a route: leave out :%s", r.port)
		return
	}
	isCallback := func(p Provider) bool { return p.CallbackPath == r.Path }
	if below(c.Endpoints, r.Path) || below(wellKnown, r.Path) || slices.Contains(c.CompatPaths(), r.Path) || r.Host == c.PublicURL.Hostname() && slices.ContainsFunc(c.Providers, isCallback) {
		l.bad(r, "%s is claimproxy's own, and no route decides there", quote(r.Path))
		return
	}
	if t.Expect == ExpectNotFound || !l.whole {
		return
	}
	var hosts []string
	for i := range c.Routes {
		if !l.comparable(&c.Routes[i]) {
			return // it might be this one's
		}
		if slices.ContainsFunc(c.Routes[i].Hosts, func(h string) bool { return hostCovers(h, r.Host) }) {
			return
		}
		hosts = append(hosts, c.Routes[i].Hosts...)
	}
	f := l.bad(r, "no route names the host %s, so that nothing but not-found can be expected", quote(r.Host))
	f.suggest(r.Host, slices.Compact(slices.Sorted(slices.Values(hosts))))
}
