package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/bearer"
	"github.com/claimproxy/claimproxy/session/login"
	"github.com/claimproxy/claimproxy/session/native"
	"github.com/claimproxy/claimproxy/session/provider"
	"github.com/claimproxy/claimproxy/session/redis"
)

// service is everything that one configuration runs. closers end it in the
// opposite order of making.
type service struct {
	handler http.Handler
	desk    *desk
	closers []func()
}

func (s *service) close() {
	for _, c := range slices.Backward(s.closers) {
		c()
	}
	s.closers = nil
}

// build is the composition root: it makes everything from a configuration and
// hands it on by name. The state directory is opened, and nobody is waited for: a Redis
// that is down is no reason not to start. What becomes of requests is told to w, which outlives the service.
func build(c *compiled, w *watch) (_ *service, err error) {
	s, log := &service{}, w.log
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	cfg := c.config

	sealer, err := newSealer(cfg)
	if err != nil {
		return nil, err
	}
	providers, err := s.newProviders(cfg, log)
	if err != nil {
		return nil, err
	}
	store, err := s.openStore(cfg, sealer, login.NewRenewer(providers, nil, log), log)
	if err != nil {
		return nil, err
	}
	answers := answer.New(answer.Options{Endpoints: cfg.Endpoints, Site: cfg.PublicURL.Host, Log: log})
	resources := origins(cfg)
	tokens := bearer.New(bearer.Config{Providers: providers, Needs: c.claims(), Resource: resources, Log: log})
	s.closers = append(s.closers, tokens.Close)
	pages := login.New(login.Config{
		Providers: providers, Sessions: store, Parking: store, Remote: store, Tokens: tokens, Sealer: sealer, Cookies: store.Cookies(), Answers: answers,
		PublicURL: cfg.PublicURL, Endpoints: cfg.Endpoints, CallbackPaths: callbackPaths(cfg),
		StrictCookie: cfg.Session.Cookie.SameSite == config.SameSiteStrict, Log: log,
	})
	table, err := c.table()
	if err != nil {
		return nil, err
	}
	own := &ownPages{
		endpoints: cfg.Endpoints, answers: answers, login: pages, qfield: qfieldClouds(cfg),
		native: &native.Handler{Providers: providers, Origin: resources, Endpoints: cfg.Endpoints, Answers: answers},
	}
	p, err := proxy.New(proxy.Config{
		Table: table, Sessions: store, Tokens: tokens, Own: own, Forms: pages, Endpoints: cfg.Endpoints, OwnPaths: ownPaths(cfg),
		PublicURL: cfg.PublicURL, Answers: answers, Cookies: store.Cookies(),
		Trusted: trusted(cfg), ForwardAuth: forwardAuth(cfg), Policies: c.asked,
		ProviderNames: providerNames(cfg), NamedGroups: c.namedValues(), Observe: w.observer(c), Log: log,
	})
	if err != nil {
		return nil, err
	}
	own.native.Application = p.Ask // the proxy serves own, so it is made after it
	s.closers = append(s.closers, p.Close)
	s.handler = p
	s.desk = &desk{remote: store, tokens: tokens, providers: pages.Providers, log: log}
	return s, nil
}

// openStore opens the session store and starts the goroutine that looks after it.
func (s *service) openStore(cfg *config.Config, sealer *session.Sealer, renewer session.Renewer, log *slog.Logger) (*session.Store, error) {
	backend, err := openBackend(cfg, log)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() {
		if err := backend.Close(); err != nil {
			log.Error("closing the session store", "error", err)
		}
	})
	sameSite := http.SameSiteLaxMode
	if cfg.Session.Cookie.SameSite == config.SameSiteStrict {
		sameSite = http.SameSiteStrictMode
	}
	store, err := session.NewStore(session.StoreOptions{
		Backend: backend, Sealer: sealer, CookieName: cfg.Session.Cookie.Name,
		// Plain http is for loopback hosts alone: config has made sure.
		Secure: cfg.PublicURL.Scheme == "https", SameSite: sameSite,
		Idle: cfg.Session.Idle, Lifetime: cfg.Session.Lifetime,
		Renewer: renewer, Recheck: cfg.Session.Recheck, Grace: cfg.Session.Grace, Log: log,
	})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, store.Close)
	s.background(func(ctx context.Context) { store.Run(ctx) })
	return store, nil
}

// openBackend opens what keeps the sealed sessions.
func openBackend(cfg *config.Config, log *slog.Logger) (session.Backend, error) {
	switch cfg.Session.Store {
	case config.StoreRedis:
		o, err := redisOptions(cfg.Session.Redis, log)
		if err != nil {
			return nil, fmt.Errorf("session.redis: %w", err)
		}
		return redis.New(o)
	case config.StoreFile:
		backend, err := session.OpenFile(session.FileOptions{Dir: cfg.StateDir, Log: log})
		if err != nil {
			return nil, fmt.Errorf("state_dir: %w", err)
		}
		return backend, nil
	}
	return nil, fmt.Errorf("session.store: there is no store %q", cfg.Session.Store)
}

// redisOptions says where a Redis is. With sentinels the URL has the scheme and the
// database alone, and may be left out.
func redisOptions(r *config.Redis, log *slog.Logger) (redis.Options, error) {
	o := redis.Options{
		Master: r.Master, Cluster: r.Cluster, Username: r.Username, Password: r.Password.Reveal(), Log: log,
	}
	for _, server := range r.Servers() {
		o.Addrs = append(o.Addrs, server.Addr)
		o.DB = server.DB
		if server.TLS && o.TLS == nil {
			roots, err := certPool(r.CA)
			if err != nil {
				return o, fmt.Errorf("ca: %w", err)
			}
			o.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		}
	}
	if len(r.Sentinels) > 0 {
		o.Addrs = r.Sentinels
	}
	return o, nil
}

// background runs work until the service is closed, and has close wait for it.
func (s *service) background(work func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		work(ctx)
	}()
	s.closers = append(s.closers, func() {
		cancel()
		<-done
	})
}

func (s *service) newProviders(cfg *config.Config, log *slog.Logger) ([]*provider.Provider, error) {
	var all []*provider.Provider
	for i := range cfg.Providers {
		pc := &cfg.Providers[i]
		roots, err := certPool(pc.CA)
		if err != nil {
			return nil, fmt.Errorf("provider %s: ca: %w", pc.ID, err)
		}
		conf := provider.Config{
			ID: pc.ID, Name: pc.Name, Logo: pc.Logo, Color: pc.Color, ColorDark: pc.ColorDark,
			Issuer: pc.Issuer, Client: provider.Client{ID: pc.ClientID, Secret: pc.ClientSecret.Reveal()},
			Scopes: pc.Scopes, AuthorizeParams: pc.AuthorizeParams, RedirectURI: cfg.RedirectURI(pc),
			UserClaim: pc.User, UserPrefix: pc.UserPrefix, Roots: roots, Log: log,
			Overrides: provider.Metadata{
				AuthorizationEndpoint: pc.Metadata.AuthorizationEndpoint, TokenEndpoint: pc.Metadata.TokenEndpoint,
				UserInfoEndpoint: pc.Metadata.UserInfoEndpoint, JWKSURI: pc.Metadata.JWKSURI,
				IntrospectionEndpoint: pc.Metadata.IntrospectionEndpoint, TokenInfoEndpoint: pc.Metadata.TokenInfoEndpoint,
				RevocationEndpoint: pc.Metadata.RevocationEndpoint, EndSessionEndpoint: pc.Metadata.EndSessionEndpoint,
			},
			Bearer: provider.Bearer{
				AccessToken: slices.Contains(pc.Bearer.Accept, config.TokenAccess), IDToken: slices.Contains(pc.Bearer.Accept, config.TokenID),
				Audiences: pc.Bearer.Audiences, Opaque: provider.Opaque(pc.Bearer.Opaque), CacheMax: pc.Bearer.CacheMax,
			},
		}
		for _, cl := range pc.Clients {
			conf.Clients = append(conf.Clients, provider.Client{
				ID: cl.ClientID, Secret: cl.ClientSecret.Reveal(), Name: cl.Name, RedirectURI: cl.RedirectURI,
				Scopes: cl.Scopes, NoIntrospection: !cl.Introspect,
			})
		}
		p := provider.New(conf)
		s.closers = append(s.closers, p.Close)
		all = append(all, p)
	}
	return all, nil
}

// providerNames are what people call the providers.
func providerNames(cfg *config.Config) map[string]string {
	names := make(map[string]string, len(cfg.Providers))
	for _, p := range cfg.Providers {
		names[p.ID] = p.Name
	}
	return names
}

// certPool reads certificate authorities; no file means the system's.
func certPool(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%q has no certificate in PEM", file)
	}
	return pool, nil
}

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

// callbackPaths maps redirect paths outside endpoints to their providers.
func callbackPaths(cfg *config.Config) map[string]string {
	paths := map[string]string{}
	for _, p := range cfg.Providers {
		if !strings.HasPrefix(p.CallbackPath, cfg.Endpoints+"/") {
			paths[p.CallbackPath] = p.ID
		}
	}
	return paths
}
