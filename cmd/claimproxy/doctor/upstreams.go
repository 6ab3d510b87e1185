package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
)

// upstreams are the looks at each server of each application.
func (p *Patient) upstreams() []func(context.Context) []Finding {
	var all []func(context.Context) []Finding
	seen := make(map[string]bool)
	look := func(u *config.Upstream) {
		for _, server := range u.URLs() {
			if server == nil || seen[server.String()] {
				continue
			}
			seen[server.String()] = true
			name := cmp.Or(u.Name, server.Host, server.Path)
			all = append(all, func(ctx context.Context) []Finding { return lookAtServer(ctx, name, u, server) })
		}
	}
	for i := range p.Config.Upstreams {
		look(&p.Config.Upstreams[i])
	}
	for i := range p.Config.Routes {
		if u := p.Config.Routes[i].Upstream.Upstream; u != nil {
			look(u)
		}
	}
	return all
}

// lookAtServer sees whether a server of an application takes connections. Nothing is asked
// of it: what a request does is its own business.
func lookAtServer(ctx context.Context, name string, of *config.Upstream, u *url.URL) []Finding {
	n := &notes{about: "upstream " + name}
	network, address := "unix", u.Path
	if u.Scheme != "unix" {
		port := cmp.Or(u.Port(), map[string]string{"http": "80", "h2c": "80", "https": "443"}[u.Scheme])
		network, address = "tcp", net.JoinHostPort(u.Hostname(), port)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		n.add(Problem, "reachable", fmt.Sprintf("%s takes no connection: %v", cmp.Or(u.Host, u.Path), err), "start the application, or correct its url; whoever is let in gets 502")
		return n.list
	}
	defer conn.Close()
	if u.Scheme == "https" {
		c, _, err := of.ReadTLS()
		if err != nil {
			n.add(Problem, "TLS", err.Error(), "correct the upstream's ca, cert or key")
			return n.list
		}
		if c == nil {
			c = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		c.ServerName = cmp.Or(c.ServerName, u.Hostname())
		if err := tls.Client(conn, c).HandshakeContext(ctx); err != nil {
			n.add(Problem, "TLS", fmt.Sprintf("%s: %v", u.Host, err), "give the application a certificate for this name that this machine trusts, or say ca or server_name")
			return n.list
		}
	}
	n.add(OK, "reachable", u.String(), "")
	return n.list
}
