package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/certificates"
	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy/metrics"
	"github.com/claimproxy/claimproxy/session"
)

// shown is the certificates that the listeners show: one from files, for the hosts that
// it names where others are ordered, and those that are ordered. It outlives
// configurations; nil is for listeners that speak no TLS.
type shown struct {
	files   *certificate          // nil: there is none
	ordered *certificates.Manager // nil: none is ordered
}

// newShown makes what a configuration says of TLS, nil for nothing.
func newShown(c *config.Config, log *slog.Logger) (*shown, error) {
	if c.TLS == nil {
		return nil, nil
	}
	s := new(shown)
	if c.TLS.Cert != "" {
		s.files = &certificate{certFile: c.TLS.Cert, keyFile: c.TLS.Key, now: time.Now, log: log}
		if err := s.files.load(); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	if c.TLS.ACME != nil {
		a, err := authority(c.TLS.ACME, log)
		if err != nil {
			return nil, fmt.Errorf("tls.acme: %w", err)
		}
		a.Plain = len(c.RedirectHTTP) > 0
		s.ordered = certificates.New(a)
	}
	return s, nil
}

// authority is who certificates are ordered from.
func authority(a *config.ACME, log *slog.Logger) (certificates.Config, error) {
	c := certificates.Config{Directory: a.Directory.String(), Email: a.Email, Agent: "claimproxy/" + thisBuild().version, Log: log}
	pem, err := readPEM(a.CA)
	if err == nil {
		c.Roots, err = certPool(a.CA, pem)
	}
	if err != nil {
		return c, fmt.Errorf("ca: %w", err)
	}
	if e := a.ExternalAccount; e != nil {
		key, err := e.MAC()
		if err != nil {
			return c, fmt.Errorf("external_account: %w", err)
		}
		c.Binding = &certificates.Binding{KeyID: e.KeyID, Key: key}
	}
	return c, nil
}

// config is how TLS is spoken, nil for not at all.
func (s *shown) config() *tls.Config {
	if s == nil {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: s.get}
	if s.ordered != nil {
		// A connection that an authority makes to see whose a host is ends with the handshake:
		// net/http knows no protocol of this name (RFC 8737 section 3).
		c.NextProtos = append(c.NextProtos, acme.ALPNProto)
	}
	return c
}

// get answers a handshake.
func (s *shown) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if s.ordered == nil || hello.ServerName == "" && s.files != nil || s.has(hello.ServerName) {
		return s.files.get(hello)
	}
	return s.ordered.Certificate(hello)
}

// has says whether the certificate from files is good for a host.
func (s *shown) has(host string) bool {
	return s.files != nil && s.files.leaf().VerifyHostname(strings.TrimSuffix(host, ".")) == nil
}

// follow has the certificates ordered that a configuration wants.
func (s *shown) follow(p certificates.Plan) {
	if s == nil || s.ordered == nil {
		return
	}
	p.Hosts = slices.DeleteFunc(slices.Clone(p.Hosts), s.has)
	s.ordered.Follow(p)
}

// run looks after them until ctx ends.
func (s *shown) run(ctx context.Context) {
	if s != nil && s.ordered != nil {
		s.ordered.Run(ctx)
	}
}

// ends is when each certificate ends that there is.
func (s *shown) ends() []metrics.Certificate {
	if s == nil {
		return nil
	}
	var all []metrics.Certificate
	if s.files != nil {
		leaf := s.files.leaf()
		host := leaf.Subject.CommonName
		if len(leaf.DNSNames) > 0 {
			host = leaf.DNSNames[0]
		}
		all = append(all, metrics.Certificate{Host: host, Ends: leaf.NotAfter})
	}
	if s.ordered != nil {
		for _, state := range s.ordered.States() {
			if !state.NotAfter.IsZero() {
				all = append(all, metrics.Certificate{Host: state.Host, Ends: state.NotAfter})
			}
		}
	}
	return all
}

// standing is how it stands with those that are ordered. What is missing keeps nobody from
// the other hosts, so claimproxy is ready all the same.
func (s *shown) standing(context.Context) standing {
	var missing []string
	for _, state := range s.ordered.States() {
		switch {
		case state.NotAfter.IsZero() && state.Why == "":
			missing = append(missing, state.Host+": it is being ordered")
		case state.Why != "":
			missing = append(missing, state.Host+": "+state.Why)
		}
	}
	return standing{Ready: true, Why: strings.Join(missing, "; ")}
}

// ordered is which certificates a configuration wants ordered, and where they are kept: with
// the sessions where several claimproxies share them, else in the state directory.
func ordered(cfg *config.Config, backend session.Backend, sealer *session.Sealer) certificates.Plan {
	p := certificates.Plan{Hosts: cfg.OrderedHosts(), Store: certificates.Directory(filepath.Join(cfg.StateDir, "acme"))}
	if cfg.Session.Store == config.StoreRedis {
		p.Store = &certificates.Shared{Backend: backend, Sealer: sealer}
	}
	return p
}
