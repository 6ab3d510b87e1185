package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"sync/atomic"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/session/bearer"
	"github.com/claimproxy/claimproxy/session/provider"
)

// newTokens makes what checks the tokens of native programs. One that another
// configuration uses is shared, with the tokens it knows, where the same providers are
// asked for the same claims.
func (s *service) newTokens(cfg *config.Config, providers []*provider.Provider, known fingerprint, needs []string, resource func(string) string, guesses bearer.Guesses, w *watch) (*bearer.Verifier, error) {
	type tokens struct {
		*bearer.Verifier
		resource atomic.Pointer[func(host string) string]
	}
	shared, release, err := take(s.shelf, fingerprintOf("tokens", known, cfg.Native.ProviderHeader, needs), func() (*tokens, func(), error) {
		t := new(tokens)
		t.resource.Store(&resource)
		t.Verifier = bearer.New(bearer.Config{
			Providers: providers, ProviderHeader: cfg.Native.ProviderHeader, Needs: needs, Guesses: guesses, Observer: w.ofTokens(), Log: w.log,
			Resource: func(host string) string { return (*t.resource.Load())(host) },
		})
		return t, t.Close, nil
	})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, release)
	s.adopt = func() { shared.resource.Store(&resource) }
	return shared.Verifier, nil
}

// newProviders makes the providers, or takes those that another configuration uses with
// the same settings. The fingerprint stands for all of them.
func (s *service) newProviders(cfg *config.Config, before *service, w *watch) (fingerprint, error) {
	var keys []fingerprint
	for i := range cfg.Providers {
		conf, ca, err := providerConfig(cfg, &cfg.Providers[i])
		if err != nil {
			return fingerprint{}, err
		}
		plain := conf
		plain.Roots = nil
		key := fingerprintOf("provider", plain, ca)
		keys = append(keys, key)
		conf.Log, conf.Around, conf.Observer = w.log, w.throughProvider(conf.ID), w.ofProvider(conf.ID)
		p, release, err := take(s.shelf, key, func() (*provider.Provider, func(), error) {
			p := provider.New(conf)
			if before != nil {
				for _, old := range before.providers {
					p.Inherit(old)
				}
			}
			return p, p.Close, nil
		})
		if err != nil {
			return fingerprint{}, err
		}
		s.closers = append(s.closers, release)
		s.providers = append(s.providers, p)
	}
	return fingerprintOf("providers", keys), nil
}

// providerConfig is a provider in the words of package provider, and the text of its
// certificate authorities.
func providerConfig(cfg *config.Config, pc *config.Provider) (provider.Config, string, error) {
	ca, err := readPEM(pc.CA)
	if err != nil {
		return provider.Config{}, "", fmt.Errorf("provider %s: ca: %w", pc.ID, err)
	}
	roots, err := certPool(pc.CA, ca)
	if err != nil {
		return provider.Config{}, "", fmt.Errorf("provider %s: ca: %w", pc.ID, err)
	}
	conf := provider.Config{
		ID: pc.ID, Name: pc.Name, Logo: pc.Logo, Color: pc.Color, ColorDark: pc.ColorDark,
		Issuer: pc.Issuer, Client: provider.Client{ID: pc.ClientID, Secret: pc.ClientSecret.Reveal()},
		Scopes: pc.Scopes, AuthorizeParams: pc.AuthorizeParams, RedirectURI: cfg.RedirectURI(pc),
		UserClaim: pc.User, UserPrefix: pc.UserPrefix, Roots: roots,
		Overrides: provider.Metadata{
			AuthorizationEndpoint: pc.Metadata.AuthorizationEndpoint, TokenEndpoint: pc.Metadata.TokenEndpoint,
			UserInfoEndpoint: pc.Metadata.UserInfoEndpoint, JWKSURI: pc.Metadata.JWKSURI,
			IntrospectionEndpoint: pc.Metadata.IntrospectionEndpoint, TokenInfoEndpoint: pc.Metadata.TokenInfoEndpoint,
			RevocationEndpoint: pc.Metadata.RevocationEndpoint, EndSessionEndpoint: pc.Metadata.EndSessionEndpoint,
		},
		Bearer: provider.Bearer{
			AccessToken: slices.Contains(pc.Bearer.Accept, config.TokenAccess), IDToken: slices.Contains(pc.Bearer.Accept, config.TokenID),
			Audiences: pc.Bearer.Audiences, Opaque: provider.Opaque(pc.Bearer.Opaque), CacheMax: pc.Bearer.CacheMax,
			IDTokenHeader: pc.Bearer.IDTokenHeader,
		},
	}
	if file := pc.Metadata.JWKSFile; file != "" {
		if conf.Keys, err = os.ReadFile(file); err != nil {
			return provider.Config{}, "", fmt.Errorf("provider %s: jwks_file: %w", pc.ID, err)
		}
	}
	for _, cl := range pc.Clients {
		conf.Clients = append(conf.Clients, provider.Client{
			ID: cl.ClientID, Secret: cl.ClientSecret.Reveal(), Name: cl.Name, RedirectURI: cl.RedirectURI,
			Scopes: cl.Scopes, NoIntrospection: !cl.Introspect,
		})
	}
	return conf, ca, nil
}

// providerNames are what people call the providers.
func providerNames(cfg *config.Config) map[string]string {
	names := make(map[string]string, len(cfg.Providers))
	for _, p := range cfg.Providers {
		names[p.ID] = p.Name
	}
	return names
}

// readPEM reads the file of certificate authorities; without a name there is nothing.
func readPEM(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	pem, err := os.ReadFile(file)
	return string(pem), err
}

// certPool are the certificate authorities of a file; no file means the system's.
func certPool(file, pem string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		return nil, fmt.Errorf("%q has no certificate in PEM", file)
	}
	return pool, nil
}
