package config

import (
	"net/url"
	"strings"

	"gopkg.in/yaml.v3"
)

// Native is about programs that bring a token of their own.
type Native struct {
	// ProviderHeader is the header in which a program may name the provider that its token
	// is from, by the id, as QField does. Without it a JWT says so itself, and
	// of other tokens it cannot be told where there are several providers. No application
	// gets it, but with ForwardToken. There is none by default.
	ProviderHeader string `yaml:"provider_header"`
	// Discovery is further documents by which programs find out how to sign in. What every
	// program can ask for is always there: /.well-known/oauth-protected-resource
	// (RFC 9728), and Endpoints + "/providers". There are none by default.
	Discovery []Discovery `yaml:"discovery,many"`
}

// Discovery is the documents of one kind of program, on one host. They are public, and
// hold no secret.
type Discovery struct {
	// Kind is "qfieldcloud": /api/v1/auth/providers/ and /api/v1/server/info/, for
	// QField, QFieldSync and QGIS. Of the second, all but auth_providers is the
	// application's own answer, where it has one.
	Kind DiscoveryKind `yaml:"kind,required"`
	// Host is where they are. The default is the host of PublicURL.
	Host string `yaml:"host"`
	// Client is the client_id that they tell programs to use, one of the further clients
	// of a provider. The default is the first of each provider's.
	Client string `yaml:"client"`
}

// DiscoveryKind is a kind of programs that look for documents of their own.
type DiscoveryKind string

// DiscoveryQFieldCloud is QField, QFieldSync and QGIS.
const DiscoveryQFieldCloud DiscoveryKind = "qfieldcloud"

func (DiscoveryKind) words() []string { return []string{string(DiscoveryQFieldCloud)} }

func (d *Discovery) decode(l *loader, n *yaml.Node, path string) bool {
	if n.Kind == yaml.ScalarNode && !isNull(n) {
		return l.into(&d.Kind, n, path)
	}
	return l.structureInto(d, n, path)
}

// validateDiscovery checks documents for programs: programs of that kind have to be able
// to use what they are told.
func (l *loader) validateDiscovery(c *Config) {
	hosts := make(map[string]bool)
	for i := range c.Native.Discovery {
		d := &c.Native.Discovery[i]
		if !l.good(d) {
			continue
		}
		if l.good(&d.Host) {
			l.checkDiscoveryHost(c, d)
		}
		if l.fine(&d.Host) && hosts[d.Host] {
			l.bad(d, "the host %s has these documents already", quote(d.Host))
		}
		hosts[d.Host] = true
		if l.fine(&d.Client) && l.fine(&c.Providers) {
			l.validateDiscoveryClient(c, d)
		}
	}
}

// checkDiscoveryHost reports a host that no route is for: nobody would come there.
func (l *loader) checkDiscoveryHost(c *Config, d *Discovery) {
	d.Host = strings.ToLower(d.Host)
	if c.PublicURL == nil || d.Host == c.PublicURL.Hostname() || !l.fine(&c.Routes) {
		return
	}
	var hosts []string
	for i := range c.Routes {
		for _, h := range c.Routes[i].Hosts {
			if _, parent, ok := strings.Cut(d.Host, "."); h == d.Host || ok && h == "*."+parent {
				return
			}
			hosts = append(hosts, h)
		}
	}
	l.bad(&d.Host, "no route is for the host %s", quote(d.Host)).suggest(d.Host, hosts)
}

// validateDiscoveryClient checks that there is a client that programs can be told of.
func (l *loader) validateDiscoveryClient(c *Config, d *Discovery) {
	var ids []string
	found := false
	for i := range c.Providers {
		for j := range c.Providers[i].Clients {
			client := &c.Providers[i].Clients[j]
			if !l.fine(&client.ClientID) {
				return
			}
			ids = append(ids, client.ClientID)
			chosen := client.ClientID == d.Client || d.Client == "" && j == 0
			if found = found || chosen; chosen && client.RedirectURI != "" && l.fine(&client.RedirectURI) {
				l.checkQFieldRedirect(client)
			}
		}
	}
	switch {
	case found:
	case d.Client != "":
		l.bad(&d.Client, "no provider has a client %s among its clients", quote(d.Client)).suggest(d.Client, ids)
	default:
		l.bad(d, "no provider has a client for programs").hint("list it under clients of a provider, as in {client_id: ID, redirect_uri: \"http://127.0.0.1:7070/\"}")
	}
}

// checkQFieldRedirect reports a redirect URI at which QGIS cannot listen.
func (l *loader) checkQFieldRedirect(client *Client) {
	u, err := url.Parse(client.RedirectURI)
	if err == nil && u.Scheme == "http" && isLoopback(u.Hostname()) {
		return
	}
	l.bad(&client.RedirectURI, "expected an address of this machine, as in http://127.0.0.1:7070/, at which QField and QGIS can listen, got %s", quote(client.RedirectURI)).
		hint("name another client in native.discovery")
}
