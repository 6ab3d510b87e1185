package main

import (
	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy"
)

// trusted are the proxies in front of claimproxy.
func trusted(cfg *config.Config) proxy.Trusted {
	var t proxy.Trusted
	for _, p := range cfg.TrustedProxies {
		if p.Unix {
			t.Unix = true
		} else {
			t.Networks = append(t.Networks, p.Network)
		}
	}
	return t
}

// forwardAuth is how they ask.
func forwardAuth(cfg *config.Config) proxy.ForwardAuth {
	switch cfg.ForwardAuth {
	case config.ForwardAuthXForwarded:
		return proxy.ForwardAuthXForwarded
	case config.ForwardAuthXOriginal:
		return proxy.ForwardAuthXOriginal
	}
	return proxy.ForwardAuthOff
}
