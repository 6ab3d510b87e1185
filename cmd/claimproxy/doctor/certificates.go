package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"
)

// endsSoon is when a certificate should have been renewed, whoever renews it.
const endsSoon = 7 * 24 * time.Hour

// authority asks who certificates are ordered from.
func (p *Patient) authority(ctx context.Context) []Finding {
	n := &notes{about: "certificates"}
	where := p.Config.TLS.ACME.Directory.String()
	terms, err := p.Authority(ctx)
	switch {
	case err != nil:
		n.add(Problem, "authority", fmt.Sprintf("%s: %v", where, err), "see tls.acme.directory, tls.acme.ca, and whether this machine may reach it (HTTPS_PROXY)")
	case terms == "":
		n.add(OK, "authority", where+" answers", "")
	default:
		n.add(OK, "authority", where+" answers; its terms, which tls.acme.email agrees to: "+terms, "")
	}
	return n.list
}

// certificate looks at the certificate of a host as clients on this machine see it.
func (p *Patient) certificate(ctx context.Context, host string) []Finding {
	n := &notes{about: "certificates"}
	port := p.Config.PublicURL.Port()
	if port == "" {
		port = "443"
	}
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	var unknown *net.DNSError
	var untrusted *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknown):
		n.add(Problem, host, "the name does not resolve: "+unknown.Err, "give it an A or AAAA record: an authority looks for claimproxy there")
		return n.list
	case errors.As(err, &authority):
		n.add(Note, host, "it has a certificate of an authority that this machine does not trust", "")
		return n.list
	case errors.As(err, &untrusted):
		n.add(Problem, host, untrusted.Err.Error(), "see the log of the claimproxy that serves: it says why none could be ordered")
		return n.list
	case err != nil:
		n.add(Warning, host, "no TLS from this machine: "+err.Error(), "start claimproxy; what it could not order it says in its log, and at /readyz")
		return n.list
	}
	defer conn.Close()
	leaf := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	ends := leaf.NotAfter.UTC().Format(time.RFC3339)
	if left := leaf.NotAfter.Sub(p.Now()); left < min(endsSoon, leaf.NotAfter.Sub(leaf.NotBefore)/6) {
		n.add(Warning, host, "its certificate ends "+ends+" and is not renewed", "see the log of the claimproxy that serves")
	} else {
		n.add(OK, host, "its certificate ends "+ends, "")
	}
	return n.list
}
