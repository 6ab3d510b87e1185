package main

import (
	"net/url"
	"strings"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
)

// origins maps the hosts that routes name to their public origins, under which
// they are published as protected resources. Every other host has none: nothing is
// made from what a stranger writes into the Host header.
func origins(cfg *config.Config) func(host string) string {
	port := ""
	if p := cfg.PublicURL.Port(); p != "" {
		port = ":" + p
	}
	exact, below := map[string]bool{cfg.PublicURL.Hostname(): true}, map[string]bool{}
	for _, r := range cfg.Routes {
		for _, h := range r.Hosts {
			if suffix, ok := strings.CutPrefix(h, "*"); ok {
				below[suffix] = true
			} else {
				exact[h] = true
			}
		}
	}
	return func(host string) string {
		name := host
		if dot := strings.IndexByte(host, '.'); !exact[host] && (dot <= 0 || !below[host[dot:]]) {
			return ""
		}
		if strings.Contains(name, ":") && !strings.HasPrefix(name, "[") {
			name = "[" + name + "]"
		}
		return (&url.URL{Scheme: cfg.PublicURL.Scheme, Host: name + port}).String()
	}
}

// signInOrigins are those of origins on which people may sign in: over plain http this
// machine's alone.
func signInOrigins(cfg *config.Config, origin func(host string) string) func(host string) string {
	if cfg.PublicURL.Scheme == "https" {
		return origin
	}
	return func(host string) string {
		if !config.PlainHost(host) {
			return ""
		}
		return origin(host)
	}
}

// callbackPaths maps redirect paths that were configured to their providers.
func callbackPaths(cfg *config.Config) map[string]string {
	paths := map[string]string{}
	for _, p := range cfg.Providers {
		if p.CallbackPath != "" && p.CallbackPath != cfg.Endpoints+"/callback/"+p.ID {
			paths[p.CallbackPath] = p.ID
		}
	}
	return paths
}
