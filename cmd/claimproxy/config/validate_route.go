package config

import (
	"net/netip"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/claimproxy/claimproxy/proxy"
)

func (l *loader) validateRoutes(c *Config, root *yaml.Node) {
	if len(c.Routes) == 0 && l.whole {
		if l.good(&c.Routes) {
			l.notEmpty(&c.Routes, 0, "route")
		} else if !l.set(&c.Routes) {
			l.fault(root, "routes", "this key is missing")
		}
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		if !l.good(r) {
			continue
		}
		l.validateHosts(r)
		if l.good(&r.Path) {
			l.validateRoutePath(c, r)
		}
		if l.good(&r.Methods) && l.notEmpty(&r.Methods, len(r.Methods), "method") {
			l.validateMethods(r.Methods)
		}
		l.validateTarget(c, r)
		l.validateStripPrefix(r)
		l.validateAmbiguous(r)
		l.validateAllow(r)
		l.validateShadows(r)
		l.validateSignIn(c, r)
		l.validateTokenRoute(r)
		l.validatePlainHosts(c, r)
		l.validateProviderNames(c, &r.Providers)
		l.validatePublicFrom(c, r)
	}
	l.validateReach(c)
	if asking := slices.IndexFunc(c.Routes, func(r Route) bool { return r.asksWho() }); asking >= 0 && len(c.Providers) == 0 && (l.good(&c.Providers) || !l.set(&c.Providers)) {
		p := l.places[&c.Routes[asking]]
		l.fault(p.node, p.path, "this route asks who is calling, and there are no providers to ask")
	}
}

func (l *loader) validateHosts(r *Route) {
	if !l.good(&r.Hosts) || !l.notEmpty(&r.Hosts, len(r.Hosts), "host") {
		return
	}
	for i := range r.Hosts {
		at := &r.Hosts[i]
		if !l.good(at) {
			continue
		}
		*at = strings.ToLower(*at)
		bare := *at
		if strings.HasPrefix(bare, "[") && strings.HasSuffix(bare, "]") {
			bare = bare[1 : len(bare)-1]
		}
		if addr, err := netip.ParseAddr(bare); err == nil {
			*at = addr.String()
		}
		name, wild := strings.CutPrefix(*at, "*.")
		problem := checkHost(name)
		if bare := bareHost(name); problem != "" && bare != name && checkHost(bare) == "" {
			l.bad(at, "expected a host name alone, without scheme, port and path, got %s", quote(*at)).hint("did you mean %s?", bare)
			continue
		}
		switch {
		case strings.Contains(name, "*"):
			l.bad(at, "expected a host name, got %s: `*.` stands at the front, for one label", quote(*at))
		case problem != "":
			l.bad(at, "expected a host name, got %s: %s", quote(*at), problem)
		case wild && (strings.Count(name, ".") == 0 || isAddress(name)):
			l.bad(at, "expected a host below a domain, as in \"*.int.example.org\", got %s", quote(*at))
		case slices.Contains(r.Hosts[:i], *at):
			l.bad(at, "the host %s stands here twice", quote(*at))
		}
	}
}

// bareHost takes away what people write around a host.
func bareHost(s string) string {
	if _, after, ok := strings.Cut(s, "://"); ok {
		s = after
	}
	s, _, _ = strings.Cut(s, "/")
	s, _, _ = strings.Cut(s, ":")
	return strings.TrimSuffix(s, ".")
}

func (l *loader) validateRoutePath(c *Config, r *Route) {
	problem, hint := checkRoutePath(r.Path)
	if err := proxy.CheckPath(r.Path); problem == "" && err != nil {
		problem = err.Error() // the last word is that of the package that compares
	}
	if problem != "" {
		l.bad(&r.Path, "%s", problem).hint("%s", hint)
		return
	}
	for _, own := range []string{c.Endpoints, wellKnown} {
		if below(own, strings.TrimSuffix(r.Path, "/")) {
			l.bad(&r.Path, "this route can never match: what is below %s is claimproxy's own", own)
			return
		}
	}
	if slices.Contains(c.CompatPaths(), r.Path) {
		l.bad(&r.Path, "this route can never match: %s is an address of oauth2-proxy, see compat", quote(r.Path))
		return
	}
	for i := range c.Providers {
		p := &c.Providers[i]
		if r.Path == p.CallbackPath && c.PublicURL != nil && slices.Contains(r.Hosts, c.PublicURL.Hostname()) {
			l.bad(&r.Path, "this route can never match: %s is the callback path of the provider %s", quote(r.Path), p.ID)
			return
		}
	}
}

// validateMethods checks methods, given as they stand in the Config.
func (l *loader) validateMethods(methods []string) {
	for i := range methods {
		at := &methods[i]
		if !l.good(at) {
			continue
		}
		if problem, hint := checkMethod(*at); problem != "" {
			l.bad(at, "%s", problem).hint("%s", hint)
		} else if slices.Contains(methods[:i], *at) {
			l.bad(at, "%s stands here twice", *at)
		}
	}
}

// checkMethod says what is wrong with a method, "" for nothing.
func checkMethod(method string) (problem, hint string) {
	switch upper := strings.ToUpper(method); {
	case upper == "*" || upper == "ALL" || upper == "ANY":
		return "expected a method, got " + quote(method), "a route without methods takes all of them"
	case len(methodsIn(method)) > 1:
		return "expected a method, got " + quote(method), "did you mean [" + strings.Join(methodsIn(method), ", ") + "]?"
	case !isToken(method) || strings.Contains(method, "*"):
		return "expected a method, got " + quote(method), ""
	case upper == "CONNECT" || upper == "TRACE":
		return upper + " requests are always refused", ""
	case upper != method:
		return "expected a method in capital letters, got " + quote(method), "did you mean " + upper + "?"
	}
	return "", ""
}

// methodsIn are several methods in one text, nil when it is something else.
func methodsIn(text string) []string {
	words := strings.FieldsFunc(strings.ToUpper(text), func(r rune) bool { return strings.ContainsRune(" ,|/;", r) })
	if slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(knownMethods, w) }) {
		return nil
	}
	return words
}

// knownMethods are those of RFC 9110 section 9 and RFC 5789 that can be let in.
var knownMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// validateTarget checks where a route leads.
func (l *loader) validateTarget(c *Config, r *Route) {
	if !l.set(&r.Upstream) {
		l.validateAsked(c, r)
		return
	}
	if !l.good(&r.Upstream) {
		return
	}
	if r.Upstream.Ref == "" {
		l.validateUpstream(r.Upstream.Upstream)
		return
	}
	if r.Upstream.Upstream != nil || !l.whole {
		return
	}
	names := make([]string, len(c.Upstreams))
	for i := range c.Upstreams {
		names[i] = c.Upstreams[i].Name
	}
	f := l.bad(&r.Upstream, "there is no upstream %s", quote(r.Upstream.Ref))
	if closest(r.Upstream.Ref, names) == "" && checkHost(bareHost(r.Upstream.Ref)) == "" && strings.ContainsAny(r.Upstream.Ref, ".:") {
		f.hint("did you mean http://%s?", r.Upstream.Ref)
	} else {
		f.suggest(r.Upstream.Ref, names)
	}
}

// validateStripPrefix checks that the route is below what is taken off its path.
func (l *loader) validateStripPrefix(r *Route) {
	at := any(&r.StripPrefix)
	switch own := l.set(&r.StripPrefix); {
	case r.StripPrefix == "" && !own, own && !l.good(&r.StripPrefix), !l.fine(&r.Path):
		return
	case own && !l.checkFixedPath(&r.StripPrefix, r.StripPrefix, "/grafana"):
		return
	case !own:
		if u := r.Upstream.Upstream; u == nil || !l.good(&u.StripPrefix) {
			return
		}
		if at = &r.Path; !l.good(&r.Path) {
			at = r
		}
	}
	if !below(r.StripPrefix, strings.TrimSuffix(r.Path, "/")) {
		l.bad(at, "the path of this route, %s, is not below %s, which is taken off it", quote(r.Path), r.StripPrefix)
	}
}

// validateAmbiguous checks that what is forwarded of an ambiguous path is the whole of what
// was decided on.
func (l *loader) validateAmbiguous(r *Route) {
	if l.good(&r.AmbiguousPaths) && l.fine(&r.StripPrefix) && r.StripPrefix != "" {
		l.bad(&r.AmbiguousPaths, "%s is taken off the paths of this route, and what remains of an ambiguous one could be another path", r.StripPrefix).
			hint("have the application serve below %s, without strip_prefix", r.StripPrefix)
	}
}

func (l *loader) validateSignIn(c *Config, r *Route) {
	if l.good(&r.SignIn) && l.fine(&c.Providers) && len(c.Providers) > 0 && !c.signsPeopleIn() && slices.Contains(r.SignIn, SignInBrowser) {
		l.bad(&r.SignIn, "nobody can sign in with a browser: no provider has a client_id")
	}
	if l.good(&r.SignIn) && l.notEmpty(&r.SignIn, len(r.SignIn), "of browser and bearer") {
		for i := range r.SignIn {
			if at := &r.SignIn[i]; l.good(at) && slices.Contains(r.SignIn[:i], *at) {
				l.bad(at, "%s stands here twice", *at)
			}
		}
	}
}
