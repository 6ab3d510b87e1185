package config

import (
	"net/url"
	"time"

	"github.com/claimproxy/claimproxy/policy"
)

// Config is a whole configuration with its defaults filled in: the file, and what the
// files that it includes add. Load makes it and nobody changes or copies it
// afterwards.
type Config struct {
	// PublicURL is where people sign in, and the address that redirect URIs begin
	// with: https and a host, without path, query and user info. Plain http is
	// accepted for loopback hosts alone (localhost, 127.0.0.0/8, [::1]); cookies
	// then go without prefix and Secure. The host is in lower case, and the
	// scheme's own port is left out.
	PublicURL *url.URL `yaml:"public_url,required"`

	// Listen is the addresses to listen on. host:port; without a host it is all addresses
	// of the machine, and port 0 is any free one. unix:/PATH, a socket that the process
	// makes; whoever may open its file may send requests. systemd:NAME, the sockets that
	// systemd passes under that name (FileDescriptorName= of the socket unit, else the
	// unit's name): they are open while claimproxy is started again. The default is
	// 127.0.0.1:8080.
	Listen []string `yaml:"listen,many"`

	// RedirectHTTP is the addresses at which plain HTTP is answered, such as ":80", in the
	// forms of Listen: with a redirect to https, for the hosts that PublicURL and the routes
	// name, and with what an authority wants to see that certificates are ordered from
	// (ACME). There is none by default.
	RedirectHTTP []string `yaml:"redirect_http,many"`

	// TLS makes every listener speak TLS. Left out, TLS ends in front of claimproxy.
	TLS *TLS `yaml:"tls"`

	// HSTS has browsers come by https alone. Left out, it does not.
	HSTS *HSTS `yaml:"hsts"`

	// TrustedProxies are the proxies in front of claimproxy whose word is believed: about
	// the client's address, in X-Forwarded-For, and about the request that they ask about
	// (ForwardAuth), and about its id, in X-Request-Id, where that is letters, digits and
	// -_. and at most 64 of them. They are networks, single addresses, or "unix:" for every unix socket
	// that claimproxy listens on. Whoever can send requests from there can claim to be at
	// any address. What a trusted proxy forwards without saying for whom is from nobody
	// known, not from the proxy. The default is none: nobody is believed.
	TrustedProxies []TrustedProxy `yaml:"trusted_proxies,many"`

	// ForwardAuth is the family of headers in which trusted proxies say what they ask
	// about at ENDPOINTS/check; the other family is ignored. "x-forwarded", the default,
	// is X-Forwarded-Method, -Proto, -Host and -Uri, as Traefik and Caddy send them;
	// "x-original" is X-Original-Method and X-Original-URL, for nginx; with "off" nobody
	// can ask.
	ForwardAuth ForwardAuth `yaml:"forward_auth"`

	// Endpoints is the path below which claimproxy's own pages live, on every host.
	// Nothing below it is ever forwarded. The default is /.auth.
	Endpoints string `yaml:"endpoints"`

	// Compat are other programs at whose addresses claimproxy answers as well, on every
	// host, so that what was set up for them needs no other ones. "oauth2-proxy" is
	// /oauth2/auth for trusted proxies that ask (202, 401, 403; X-Auth-Request-User,
	// -Email, -Groups, -Preferred-Username), /oauth2/start and /oauth2/sign_in with rd for
	// return_to, /oauth2/sign_out and /oauth2/userinfo. There are none by default.
	Compat []Compat `yaml:"compat,many"`

	// Admin is the listener for those who run claimproxy. Left out, there is none.
	Admin *Admin `yaml:"admin"`

	// Audit is where each decision is written down. Left out, it is not.
	Audit *Audit `yaml:"audit"`

	// Tracing is where spans of requests are sent. Left out, the environment says so, or
	// nobody is told.
	Tracing *Tracing `yaml:"tracing"`

	// Limits are what one client, and all of them together, may use.
	Limits Limits `yaml:"limits"`

	// StateDir is the directory of sessions and generated keys, which claimproxy
	// makes for itself alone (0700). A relative path is relative to the
	// configuration file. The default is $STATE_DIRECTORY, which systemd sets for a
	// unit with StateDirectory=, else ./state in the working directory.
	StateDir string `yaml:"state_dir,path"`

	// ShutdownDelay is how long requests are taken as ever after SIGTERM, while /readyz
	// of the admin listener says 503 and each answer closes its connection, so that
	// whatever shares requests out between several claimproxies sends them elsewhere
	// before this one is gone. There is none by default.
	ShutdownDelay time.Duration `yaml:"shutdown_delay"`

	// ShutdownTimeout is how long requests that are under way may go on after
	// SIGTERM and ShutdownDelay. The default is 30s.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`

	// Include names files that hold more policies, upstreams, routes, people and tests,
	// so that each team can keep its own. A name is relative to this file and may be a
	// pattern: `*` and `?` stand for characters other than a slash, [a-z] for one of
	// these; files whose name begins with a dot are passed over. The files of a pattern
	// are read in the order of their names; a pattern that no file matches is legal, a
	// name that is no file is not, and no file can be included twice. An included file
	// has none of the other keys, and includes no further ones.
	//
	// The routes of the file that includes come before those that it includes, and
	// these are in the order of Include: the first that matches decides. The names of
	// policies, upstreams and people are common to all files, so that none of them is
	// defined twice.
	Include []string `yaml:"include,many"`

	// Providers are the OpenID Providers that people sign in at and whose tokens are
	// accepted. At least one is needed as soon as a route asks who is calling.
	Providers []Provider `yaml:"providers"`

	// Native is about programs that bring a token of their own.
	Native Native `yaml:"native"`

	// Session is about people with a browser, from signing in to signing out.
	Session Session `yaml:"session"`

	// Policies are named conditions over claims, in the order of the files.
	Policies []Policy `yaml:"policies,keyed"`

	// Upstreams are the named applications behind the routes, in the order of the files.
	Upstreams []Upstream `yaml:"upstreams,keyed"`

	// Routes say who may do what. The first whose host and path match decides; a
	// request that none matches gets 404. There is at least one, here or in an included
	// file.
	Routes []Route `yaml:"routes"`

	// People are named sets of claims for the tests, in the order of the files.
	People []Person `yaml:"people,keyed"`

	// Tests say what is decided about requests. A configuration with a test that fails
	// is not used.
	Tests []Test `yaml:"tests"`

	// File is the name of the file, as Load got it.
	File string
	// Files are all files that Load has read: this one, those that it includes in their
	// order, and then the ones that they name, such as secrets and certificates.
	Files []string
	// SecretFiles are those of Files that hold a secret or a private key.
	SecretFiles []string

	places map[any]place
}

// Session says how the sessions of people with a browser are kept.
type Session struct {
	// Store is where sessions are kept: "file", the default, an embedded database
	// in StateDir; "redis", which several claimproxies share; or "cookie", in the
	// browsers alone, which cannot be ended from elsewhere and end with their access
	// token.
	Store SessionStore `yaml:"store"`
	// Redis is where "redis" keeps them.
	Redis *Redis `yaml:"redis"`
	// Secrets are what all keys of sessions are derived from: the first seals, all open.
	// To change one, put the new one first, and take the old one away when all that it
	// sealed is over, which is after Lifetime. Each is at least 32 random bytes in
	// base64url, base64 or hexadecimal, as "claimproxy secret" prints one. Left out,
	// there is one in StateDir, which claimproxy makes.
	Secrets []Secret `yaml:"secrets,many"`
	// Idle is how long a session lives without a request. The default is 8h, or
	// Lifetime where that is shorter.
	Idle time.Duration `yaml:"idle"`
	// Lifetime is how long a session lives at most; never less than Idle. The
	// default is 7d.
	Lifetime time.Duration `yaml:"lifetime"`
	// Recheck is how old a person's claims may become: the next request after it has
	// them fetched from the provider again, so that lost rights are lost. The default
	// is 10m.
	Recheck time.Duration `yaml:"recheck"`
	// Grace is how long beyond Recheck a session stays good while the provider does not
	// answer anybody. The default is 1h.
	Grace time.Duration `yaml:"grace"`
	// Memory bounds what sessions take of it, by estimate, such as 128MiB, the default. Those
	// that were used lately are in there, opened and, with "file", sealed as well; the others
	// are read again where they are kept, so that their number is not bounded by it.
	Memory Size `yaml:"memory"`
	// Cookie is the session's cookie.
	Cookie Cookie `yaml:"cookie"`
}

// Cookie says how the session's cookie is sent.
type Cookie struct {
	// Name is the cookie's name without its prefix: it is sent as __Host-NAME, on
	// plain http (loopback hosts) as NAME. The default is "claimproxy".
	Name string `yaml:"name"`
	// Domain is a domain, such as int.example.org, whose hosts have one session cookie
	// together, sent as __Secure-NAME; PublicURL's host is one of them. Every host of the
	// domain gets the cookie, whoever runs it, so what an application is asked to do with
	// it must come from a page of its own. Left out, as is better, each host that a route
	// names has a cookie of its own.
	Domain string `yaml:"domain"`
	// SameSite is "lax", the default, or "strict", with which a link from another
	// site leads to a page as if nobody were signed in.
	SameSite SameSite `yaml:"same_site"`
}

// SessionStore names a way to keep sessions.
type SessionStore string

// The ways to keep sessions.
const (
	// StoreFile keeps sessions in an embedded database.
	StoreFile SessionStore = "file"
	// StoreRedis keeps sessions in a Redis.
	StoreRedis SessionStore = "redis"
	// StoreCookie keeps sessions in the cookies of browsers and nowhere else.
	StoreCookie SessionStore = "cookie"
)

func (SessionStore) words() []string {
	return []string{string(StoreFile), string(StoreRedis), string(StoreCookie)}
}

// SameSite is the attribute of that name of a cookie.
type SameSite string

// The values of SameSite.
const (
	SameSiteLax    SameSite = "lax"
	SameSiteStrict SameSite = "strict"
)

func (SameSite) words() []string { return []string{string(SameSiteLax), string(SameSiteStrict)} }

func (SameSite) refusal(word string) string {
	if word == "none" {
		return "none would send the cookie with requests that other sites make"
	}
	return ""
}

// Definitions are the policies in the words of package policy.
func (c *Config) Definitions() []policy.Definition {
	defs := make([]policy.Definition, len(c.Policies))
	for i := range c.Policies {
		p := &c.Policies[i]
		at, _ := c.Place(&p.Name)
		defs[i] = policy.Definition{
			Name: p.Name, Title: p.Title, Help: p.Help, Require: p.Require,
			Shadow: p.Shadow, Providers: p.Providers, Explain: p.Explain.level(), At: at,
		}
	}
	return defs
}

// RedirectURIs are the redirect URIs to register at the providers, in their order. There
// is none for a provider at which nobody signs in.
func (c *Config) RedirectURIs() []string {
	var uris []string
	for i := range c.Providers {
		if uri := c.RedirectURI(&c.Providers[i]); uri != "" {
			uris = append(uris, uri)
		}
	}
	return uris
}

// RedirectURI is where a provider sends people back to (RFC 6749 section 3.1.2); empty
// for one at which nobody signs in.
func (c *Config) RedirectURI(p *Provider) string {
	if p.ClientID == "" {
		return ""
	}
	return c.PublicURL.String() + p.CallbackPath
}

// Place says where a value of the configuration stands: the file, the line, and its
// path in that file. The argument is a pointer to a field or an element of c. For what
// no file mentions the position is the file as a whole and the path is empty.
func (c *Config) Place(value any) (policy.Position, string) {
	p, ok := c.places[value]
	if !ok {
		return policy.Position{File: c.File}, ""
	}
	return p.at, p.path
}
