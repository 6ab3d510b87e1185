package config

import (
	"encoding/base64"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// TLS says which certificates the listeners show: one from files, in PEM, which are read
// again when they change, or those that ACME orders. With both, the one from the files is
// for the hosts that it names, such as all below a domain, and the others are ordered.
type TLS struct {
	// Cert is the file of the certificate, followed by the intermediate ones.
	Cert string `yaml:"cert,path"`
	// Key is the file of the private key, which should be readable to claimproxy
	// alone.
	Key string `yaml:"key,path"`
	// ACME has certificates ordered from an authority, and renewed before they end.
	ACME *ACME `yaml:"acme"`
}

// ACME orders a certificate for PublicURL's host and for each host that a route with an
// upstream names, from an authority that speaks ACME (RFC 8555). The authority must reach
// claimproxy at that name: on port 443, where nothing else may end TLS (tls-alpn-01), or on
// port 80 with Config.RedirectHTTP (http-01). Certificates and their keys are kept in
// StateDir or, sealed, in the Redis of the sessions, where several claimproxies share them.
// Hosts such as "*.int.example.org" get none: name the hosts themselves, or bring a
// certificate of your own.
type ACME struct {
	// Email is how the authority reaches whoever runs claimproxy. To set it is to agree to
	// the authority's terms of service.
	Email string `yaml:"email,required"`
	// Directory is the URL of the authority's directory. The default is that of Let's
	// Encrypt, https://acme-v02.api.letsencrypt.org/directory; its staging environment is
	// https://acme-staging-v02.api.letsencrypt.org/directory.
	Directory *url.URL `yaml:"directory"`
	// CA is a file of certificates in PEM to trust the authority's own server by, in place
	// of the system's.
	CA string `yaml:"ca,path"`
	// ExternalAccount is an account that the authority knows already, where it wants one.
	ExternalAccount *ExternalAccount `yaml:"external_account"`
}

// ExternalAccount is what an authority gives out to those who may order (RFC 8555 section
// 7.3.4).
type ExternalAccount struct {
	// KeyID names the key.
	KeyID string `yaml:"key_id,required"`
	// Key is the key in base64url, as the authority gives it out.
	Key Secret `yaml:"key,required"`
}

// MAC is the key itself.
func (e *ExternalAccount) MAC() ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(e.Key.Reveal()), "="))
}

var mailAddress = regexp.MustCompile(`^[^\s@,;<>?]+@[^\s@,;<>?]+$`)

func (l *loader) validateTLS(c *Config) {
	t := c.TLS
	if t == nil || !l.good(&c.TLS) {
		return
	}
	switch cert, key := l.set(&t.Cert), l.set(&t.Key); {
	case cert && !key:
		l.bad(&t.Cert, "a certificate needs its key")
	case key && !cert:
		l.bad(&t.Key, "a key needs its certificate, cert")
	case !cert && !l.set(&t.ACME):
		l.bad(&c.TLS, "expected a certificate, or acme, which orders some").hint("as in {cert: FILE, key: FILE} or {acme: {email: you@example.org}}")
	case l.good(&t.Cert) && l.good(&t.Key) && !l.env.WithoutSecrets:
		l.validatePair(&t.Cert, &t.Key)
	}
	if t.ACME != nil && l.good(&t.ACME) {
		l.validateACME(c, t.ACME)
	}
}

func (l *loader) validateACME(c *Config, a *ACME) {
	if l.good(&a.Email) && !mailAddress.MatchString(a.Email) {
		l.bad(&a.Email, "expected an e-mail address, got %s", quote(a.Email))
	}
	if l.good(&a.Directory) {
		l.checkURL(&a.Directory, a.Directory.String(), endpointRule)
	}
	if l.good(&a.CA) && !l.env.WithoutSecrets {
		l.validateCA(&a.CA)
	}
	if e := a.ExternalAccount; e != nil && l.good(&a.ExternalAccount) {
		if l.good(&e.KeyID) && (e.KeyID == "" || strings.TrimSpace(e.KeyID) != e.KeyID) {
			l.bad(&e.KeyID, "expected the id of a key, got %s", quote(e.KeyID))
		}
		if key, err := e.MAC(); l.good(&e.Key) && !l.env.WithoutSecrets && (err != nil || len(key) == 0) {
			l.bad(&e.Key, "expected a key in base64url, as the authority gives it out")
		}
	}
	if l.good(&c.PublicURL) && !l.set(&c.TLS.Cert) && isAddress(c.PublicURL.Hostname()) {
		l.bad(&c.PublicURL, "no certificate is ordered for an address: %s", c.PublicURL.Hostname()).hint("give it a name, or bring a certificate (tls.cert)")
	}
}

// warnOrdered warns of hosts that no certificate is ordered for.
func (l *loader) warnOrdered(c *Config) {
	if c.TLS == nil || c.TLS.ACME == nil || c.TLS.Cert != "" {
		return
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		for j := range r.Hosts {
			switch at := &r.Hosts[j]; {
			case r.Upstream.Upstream == nil || !l.set(&r.Hosts):
			case strings.HasPrefix(*at, "*"):
				l.doubtful(at, "no certificate is ordered for %s: an authority wants to see each host by itself (HTTP-01, TLS-ALPN-01)", quote(*at)).
					hint("name its hosts in routes of their own, or bring a certificate for all of them (tls.cert)")
			case isAddress(*at):
				l.doubtful(at, "no certificate is ordered for an address: %s", *at).hint("give it a name, or bring a certificate (tls.cert)")
			}
		}
	}
}

// OrderedHosts are the hosts that TLS's ACME has certificates ordered for: PublicURL's
// first, then those of routes with an upstream. For a route that is only asked about, TLS
// ends in front of claimproxy. It is empty without ACME.
func (c *Config) OrderedHosts() []string {
	if c.TLS == nil || c.TLS.ACME == nil {
		return nil
	}
	var hosts []string
	add := func(host string) {
		if _, err := netip.ParseAddr(host); err != nil && !strings.HasPrefix(host, "*") && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	add(c.PublicURL.Hostname())
	for i := range c.Routes {
		if c.Routes[i].Upstream.Upstream != nil {
			for _, host := range c.Routes[i].Hosts {
				add(host)
			}
		}
	}
	return hosts
}
