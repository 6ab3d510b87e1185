package main

import (
	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy"
)

// upstreamTLS reads what an upstream's servers are trusted by and shown. It is nil where
// the configuration says nothing of TLS.
func upstreamTLS(u *config.Upstream) (*proxy.TLS, error) {
	c, files, err := u.ReadTLS()
	if c == nil {
		return nil, err
	}
	print := fingerprintOf("upstream tls", files)
	return &proxy.TLS{Config: c, ServerName: u.ServerName, Print: string(print[:])}, nil
}
