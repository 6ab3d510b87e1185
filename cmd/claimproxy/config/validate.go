package config

import (
	"crypto/tls"
	"net/url"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// validate checks what the types alone do not say. It goes on after a fault, and
// looks only at values that are good so far. The root is the main file's.
func (l *loader) validate(c *Config, root *yaml.Node) {
	l.validateTop(c)
	l.validateNames(c)
	l.validateSession(c)
	l.validateProviders(c)
	for i := range c.Upstreams {
		l.validateUpstream(&c.Upstreams[i])
	}
	for i := range c.Policies {
		l.validateProviderNames(c, &c.Policies[i].Providers)
	}
	l.validateStateless(c)
	l.validateRoutes(c, root)
	l.validateTokenHeaders(c)
	l.validateDiscovery(c)
	if l.whole {
		l.validateConditions(c)
	}
	l.validatePeople(c)
	l.validateTests(c)
	if len(l.errors) == 0 { // a fault may be why something is not used
		l.warnUnused(c)
		l.warnProviders(c)
		l.warnParted(c)
		l.warnUnasked(c)
		l.warnConditions(c)
		l.warnDiscovery(c)
		l.warnOrdered(c)
	}
}

// validateNames reports names that two files define.
func (l *loader) validateNames(c *Config) {
	distinct(l, c.Policies, "policy", func(p *Policy) *string { return &p.Name })
	distinct(l, c.Upstreams, "upstream", func(u *Upstream) *string { return &u.Name })
	distinct(l, c.People, "person", func(p *Person) *string { return &p.Name })
}

func distinct[T any](l *loader, list []T, what string, name func(*T) *string) {
	first := make(map[string]*string)
	for i := range list {
		at := name(&list[i])
		if other, twice := first[*at]; twice {
			l.bad(at, "the %s %s is defined already, in %s", what, quote(*at), l.lineOf(other))
			continue
		}
		first[*at] = at
	}
}

func (l *loader) validateTop(c *Config) {
	if l.good(&c.PublicURL) && l.checkURL(&c.PublicURL, c.PublicURL.String(), publicRule) {
		c.PublicURL = origin(c.PublicURL)
	}
	if l.good(&c.Listen) {
		l.notEmpty(&c.Listen, len(c.Listen), "address")
		l.validateListen(c.Listen)
	}
	if l.good(&c.RedirectHTTP) {
		l.validateRedirect(c)
	}
	l.validateTLS(c)
	l.validateHSTS(c)
	l.validateTrusted(c)
	if l.good(&c.Endpoints) {
		l.checkFixedPath(&c.Endpoints, c.Endpoints, "/.auth")
	}
	l.validateCompat(c)
	l.validateAdmin(c)
	l.validateAudit(c)
	l.validateTracing(c)
	l.validateLimits(&c.Limits)
}

// validateListen checks addresses to listen on.
func (l *loader) validateListen(addresses []string) {
	for i := range addresses {
		if at := &addresses[i]; l.good(at) {
			if problem := checkPublicListen(*at); problem != "" {
				l.bad(at, "%s", problem).hint("%s", meantListen(*at))
			} else if slices.Contains(addresses[:i], *at) {
				l.bad(at, "%s stands here twice", quote(*at))
			}
		}
	}
}

// validateRedirect checks the addresses that lead to https: those of Listen are not among
// them, and there is something to lead to.
func (l *loader) validateRedirect(c *Config) {
	l.validateListen(c.RedirectHTTP)
	for i := range c.RedirectHTTP {
		at := &c.RedirectHTTP[i]
		if l.good(at) && l.fine(&c.Listen) && slices.ContainsFunc(c.Listen, func(public string) bool { return same(public, *at) }) {
			l.bad(at, "expected an address other than those of listen, got %s", quote(*at))
		}
	}
	if len(c.RedirectHTTP) > 0 && l.good(&c.PublicURL) && c.PublicURL.Scheme == "http" {
		l.bad(&c.RedirectHTTP, "there is no https to lead to: public_url is %s", c.PublicURL)
	}
}

// same reports whether two addresses, in the forms of Listen, cannot both be listened on.
func same(a, b string) bool {
	return a == b || checkListen(a) == "" && checkListen(b) == "" && collide(a, b)
}

// origin is a URL reduced to scheme, host and, where it is not the scheme's own,
// port (RFC 6454 section 4): providers compare redirect URIs letter by letter.
func origin(u *url.URL) *url.URL {
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
		host = strings.TrimSuffix(host, ":"+u.Port())
	}
	return &url.URL{Scheme: u.Scheme, Host: host}
}

// validatePair checks a certificate and its key, given by the addresses of their fields.
func (l *loader) validatePair(certFile, keyFile *string) {
	cert, err := l.env.ReadFile(*certFile)
	if err != nil {
		l.bad(certFile, "the certificate cannot be read: %v", err)
	}
	key, keyErr := l.env.ReadFile(*keyFile)
	if keyErr != nil {
		l.bad(keyFile, "the key cannot be read: %v", keyErr)
	}
	if err != nil || keyErr != nil {
		return
	}
	l.secretFiles = append(l.secretFiles, *keyFile)
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		l.bad(certFile, "the certificate and the key cannot be used: %s", strings.TrimPrefix(err.Error(), "tls: "))
		return
	}
	if l.worldReadable(*keyFile) {
		p := l.places[keyFile]
		l.warn(p.node, p.path, "everybody on this machine can read %s", quote(*keyFile)).hint("chmod o= %s", *keyFile)
	}
}

// checkURL reports a URL, given by the address of its field, that breaks a rule.
func (l *loader) checkURL(at any, raw string, rule urlRule) bool {
	problem, hint := rule.check(raw)
	if problem != "" {
		l.bad(at, "%s", problem).hint("%s", hint)
	}
	return problem == ""
}

// checkFixedPath reports a path of claimproxy's own, given by the address of its
// field, that is not plainly one: endpoints and callbacks are compared, never
// cleaned.
func (l *loader) checkFixedPath(at any, p, example string) bool {
	suggestion := ""
	if clean := path.Clean("/" + strings.ReplaceAll(p, "*", "")); clean != p && clean != "/" {
		suggestion = clean
	}
	problem, _ := checkPath(p)
	switch {
	case strings.Contains(p, "://"):
		problem, suggestion = "expected a path, got "+quote(p)+": its host is that of public_url", ""
		if u, err := url.Parse(p); err == nil && len(u.Path) > 1 {
			suggestion = path.Clean(u.Path)
		}
	case p == "/" || p == "":
		problem = "expected a path below /, got " + quote(p)
	case problem == "" && strings.HasSuffix(p, "/"):
		problem = "expected a path without a slash at its end, got " + quote(p)
	case problem == "" && strings.Contains(p, "*"):
		problem = "expected a path without `*`, got " + quote(p)
	}
	if problem == "" {
		return true
	}
	f := l.bad(at, "%s", problem)
	if again, _ := checkPath(suggestion); suggestion != "" && again == "" {
		f.hint("did you mean %s?", suggestion)
	} else {
		f.hint("as in %s", example)
	}
	return false
}

// notEmpty reports a list, given by its address, that has to have an element.
func (l *loader) notEmpty(at any, length int, what string) bool {
	if length == 0 {
		l.bad(at, "expected at least one %s, got an empty list", what)
	}
	return length > 0
}
