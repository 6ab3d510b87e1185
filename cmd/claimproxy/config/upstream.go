package config

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Upstream is an application that requests are forwarded to.
type Upstream struct {
	// Name is the upstream's key, made like a policy's; empty for one that stands in
	// a route.
	Name string `yaml:",key"`
	// URL is where the application listens: http://HOST:PORT; https:// for TLS;
	// h2c:// for HTTP/2 without TLS, as gRPC servers speak it; or unix:/PATH, a socket. It
	// has no path: the path that was decided on is the one that is forwarded. Of a list,
	// each request goes to the server that has the fewest under way. One that cannot be
	// reached is left alone for a moment, and the request, if it can be sent again, goes to
	// another.
	URL []string `yaml:"url,required,many"`
	// Timeout is how long the application may take from the end of the request to the
	// header of its response; the body may take as long as it likes. The default is
	// 2m.
	Timeout time.Duration `yaml:"timeout"`
	// Health is a path that each server is asked for every 10s. One that answers with
	// anything but 2xx or 3xx twice in a row gets no requests until it does. Left out,
	// nobody is asked.
	Health string `yaml:"health"`
	// Host is whose name the Host header has: "preserve", the default, leaves the one
	// that the client asked for; "upstream" is that of URL. The former is in
	// X-Forwarded-Host either way.
	Host HostHeader `yaml:"host"`
	// StripPrefix is the default for the routes that use this upstream.
	StripPrefix string `yaml:"strip_prefix"`
	// CA is a file of certificates in PEM to trust https servers by, in place of the
	// system's.
	CA string `yaml:"ca,path"`
	// Cert is a file with the certificate that https servers are shown.
	Cert string `yaml:"cert,path"`
	// Key is the file with the private key of Cert.
	Key string `yaml:"key,path"`
	// ServerName is the name that certificates of https servers are for. The default is
	// the host of URL.
	ServerName string `yaml:"server_name"`
	// Maintenance is the default for the routes that use this upstream.
	Maintenance Maintenance `yaml:"maintenance"`
	// IdentityHeaders is the default for the routes that use this upstream.
	IdentityHeaders IdentityHeaders `yaml:"identity_headers"`
	// Assertion is the default for the routes that use this upstream.
	Assertion bool `yaml:"assertion"`
	// ForwardToken is the default for the routes that use this upstream.
	ForwardToken bool `yaml:"forward_token"`
}

// URLs are what the URLs say; a socket is unix:/PATH.
func (u *Upstream) URLs() []*url.URL {
	all := make([]*url.URL, len(u.URL))
	for i, raw := range u.URL {
		all[i], _, _ = parseUpstreamURL(raw)
	}
	return all
}

// HostHeader says whose name the Host header of forwarded requests has.
type HostHeader string

// Whose name it is.
const (
	HostPreserve HostHeader = "preserve"
	HostUpstream HostHeader = "upstream"
)

func (HostHeader) words() []string { return []string{string(HostPreserve), string(HostUpstream)} }

func (u *Upstream) decode(l *loader, n *yaml.Node, path string) bool {
	if isText(n) {
		l.fault(n, path, "expected a mapping, got %s", quote(n.Value)).hint("write {url: %s}", quote(n.Value))
		return false
	}
	return l.structureInto(u, n, path)
}

// UpstreamRef is how a route names its upstream: by its name in upstreams, by a URL,
// or with a mapping of its own like those in upstreams. The zero value is none.
type UpstreamRef struct {
	// Ref is the name as it stands in the file, empty for a URL or a mapping.
	Ref string
	// Upstream is what is meant, nil for none. Load has made sure that it is there when
	// Ref is.
	*Upstream
}

func (u *UpstreamRef) decode(l *loader, n *yaml.Node, path string) bool {
	switch {
	case n.Kind == yaml.MappingNode:
		u.Upstream = new(Upstream)
		return l.structureInto(u.Upstream, n, path)
	case !isText(n) || n.Value == "":
		l.fault(n, path, "expected the name of an upstream, a URL or a mapping, got %s", l.describe(n))
		return false
	case strings.Contains(n.Value, "://") || strings.HasPrefix(n.Value, "unix:"):
		u.Upstream = &Upstream{URL: make([]string, 1)}
		return l.into(&u.Upstream.URL[0], n, path)
	}
	u.Ref = n.Value
	return true
}

// parseUpstreamURL reads the address of a server, or says what is wrong with it and what
// was meant instead.
func parseUpstreamURL(raw string) (u *url.URL, problem, hint string) {
	wrong := func(why string) (*url.URL, string, string) {
		return nil, "expected " + upstreamRule.expected + ", got " + quote(raw) + why, hint
	}
	if socket, ok := strings.CutPrefix(raw, "unix:"); ok {
		socket = strings.TrimPrefix(socket, "//")
		switch {
		case !strings.HasPrefix(socket, "/") || strings.HasSuffix(socket, "/"):
			return wrong(": the path of a socket begins with /")
		case strings.ContainsAny(socket, "?#"):
			return wrong(": nothing follows the path of a socket")
		}
		return &url.URL{Scheme: "unix", Path: socket}, "", ""
	}
	if strings.HasPrefix(raw, "/") && strings.Contains(raw, ".sock") {
		hint = "did you mean unix:" + raw + "?"
		return wrong("")
	}
	plain, h2c := raw, false
	if rest, ok := strings.CutPrefix(strings.ToLower(raw), "h2c://"); ok {
		plain, h2c = "http://"+raw[len(raw)-len(rest):], true
	}
	if problem, hint := upstreamRule.check(plain); problem != "" {
		if h2c { // which is what stands there
			problem, hint = strings.ReplaceAll(problem, quote(plain), quote(raw)), strings.Replace(hint, "http://", "h2c://", 1)
		}
		return nil, problem, hint
	}
	parsed, _ := url.Parse(plain) // it was good a line ago
	u = &url.URL{Scheme: parsed.Scheme, Host: canonicalHost(parsed)}
	if h2c {
		u.Scheme = "h2c"
	}
	return u, "", ""
}

func (l *loader) validateUpstream(u *Upstream) {
	if strings.ContainsFunc(u.Name, func(r rune) bool { return r > 0x7f || !isNameByte(byte(r)) }) {
		l.bad(&u.Name, "expected a name of letters, digits, - and _, got %s", quote(u.Name))
	}
	https := l.validateServers(u)
	if l.good(&u.Health) {
		if problem, _ := checkPath(strings.SplitN(u.Health, "?", 2)[0]); problem != "" || strings.ContainsAny(u.Health, "*# ") {
			l.bad(&u.Health, "expected a path, as in /healthz, got %s", quote(u.Health))
		}
	}
	if l.good(&u.StripPrefix) {
		l.checkFixedPath(&u.StripPrefix, u.StripPrefix, "/grafana")
	}
	for _, key := range []*string{&u.CA, &u.Cert, &u.Key, &u.ServerName} {
		if l.good(key) && !https {
			l.bad(key, "this is for TLS, and no URL begins with https://")
			return
		}
	}
	if l.good(&u.ServerName) {
		if problem := checkHost(strings.ToLower(u.ServerName)); problem != "" {
			l.bad(&u.ServerName, "expected a host name, got %s: %s", quote(u.ServerName), problem)
		}
	}
	switch cert, key := l.set(&u.Cert), l.set(&u.Key); {
	case cert && !key:
		l.bad(&u.Cert, "a certificate needs its key")
	case key && !cert:
		l.bad(&u.Key, "a key needs its certificate, cert")
	}
	if l.env.WithoutSecrets {
		return
	}
	if l.good(&u.CA) {
		l.validateCA(&u.CA)
	}
	if l.good(&u.Cert) && l.good(&u.Key) {
		l.validatePair(&u.Cert, &u.Key)
	}
}

// maxServers is how many servers an upstream can have.
const maxServers = 64

// validateServers checks the URLs, and says whether TLS is spoken with any of them or may
// be, for all that is known.
func (l *loader) validateServers(u *Upstream) (https bool) {
	if !l.good(&u.URL) {
		// A route may name a URL in place of a mapping, whose only element has the place.
		if len(u.URL) != 1 || !l.good(&u.URL[0]) {
			return true
		}
	} else if !l.notEmpty(&u.URL, len(u.URL), "URL") {
		return true
	}
	if len(u.URL) > maxServers {
		l.bad(&u.URL, "expected at most %d URLs, got %d", maxServers, len(u.URL))
	}
	var seen []string
	for i := range u.URL {
		at := &u.URL[i]
		if !l.good(at) {
			https = true
			continue
		}
		one, problem, hint := parseUpstreamURL(*at)
		if problem != "" {
			l.bad(at, "%s", problem).hint("%s", hint)
			https = true
			continue
		}
		if slices.Contains(seen, one.String()) {
			l.bad(at, "%s stands here twice", quote(*at))
		}
		seen = append(seen, one.String())
		https = https || one.Scheme == "https"
	}
	return https
}
