package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
)

// upstreams are the looks at each application.
func (p *Patient) upstreams() []func(context.Context) []Finding {
	var all []func(context.Context) []Finding
	seen := make(map[string]bool)
	look := func(name string, u *url.URL) {
		if u == nil || seen[u.String()] {
			return
		}
		seen[u.String()] = true
		if name == "" {
			name = u.Host
		}
		all = append(all, func(ctx context.Context) []Finding { return upstream(ctx, name, u) })
	}
	for i := range p.Config.Upstreams {
		look(p.Config.Upstreams[i].Name, p.Config.Upstreams[i].URL)
	}
	for i := range p.Config.Routes {
		if u := p.Config.Routes[i].Upstream.Upstream; u != nil {
			look(u.Name, u.URL)
		}
	}
	return all
}

// upstream sees whether an application takes connections. Nothing is asked of it: what a
// request does is its own business.
func upstream(ctx context.Context, name string, u *url.URL) []Finding {
	n := &notes{about: "upstream " + name}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		n.add(Problem, "reachable", fmt.Sprintf("%s takes no connection: %v", u.Host, err), "start the application, or correct its url; whoever is let in gets 502")
		return n.list
	}
	defer conn.Close()
	if u.Scheme == "https" {
		secure := tls.Client(conn, &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12})
		if err := secure.HandshakeContext(ctx); err != nil {
			n.add(Problem, "TLS", fmt.Sprintf("%s: %v", u.Host, err), "give the application a certificate for this name that this machine trusts")
			return n.list
		}
	}
	n.add(OK, "reachable", u.String(), "")
	return n.list
}
