package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/assertion"
	"github.com/claimproxy/claimproxy/session/bearer"
	"github.com/claimproxy/claimproxy/session/login"
	"github.com/claimproxy/claimproxy/session/native"
	"github.com/claimproxy/claimproxy/session/provider"
	"github.com/claimproxy/claimproxy/session/redis"
)

// service is everything that one configuration runs, some of it shared with other
// configurations. closers end it, or let go of it, in the opposite order of making.
type service struct {
	proxy     *proxy.Proxy
	desk      *desk
	providers []*provider.Provider
	// live is how many sessions are answered from memory; nil: that says nothing.
	live func() int
	// checkSessions says how it stands with what keeps the sessions; nil where nothing does.
	checkSessions func(context.Context) error
	// adopt is called when the service takes over from the one before it: what the two
	// share then goes by this one's configuration.
	adopt   func()
	shelf   *shelf
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
// that is down is no reason not to start. What outlives the service is the process's,
// and what before has learned of the same providers is taken over; nil is none.
func build(c *compiled, in *process, before *service) (_ *service, err error) {
	s, log := &service{shelf: &in.shelf}, in.watch.log
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
	known, err := s.newProviders(cfg, before, &in.watch)
	if err != nil {
		return nil, err
	}
	providers := s.providers
	store, err := s.openSessions(c, in, sealer, login.NewRenewer(providers, nil, log, in.watch.ofPeople()), known)
	if err != nil {
		return nil, err
	}
	s.live = store.live
	sessions := sessionsOf(store, providers)
	answers := answer.New(answer.Options{Endpoints: cfg.Endpoints, Site: cfg.PublicURL.Host, Log: log})
	resources := origins(cfg)
	tokens, err := s.newTokens(cfg, providers, known, c.claims(), resources, &in.watch)
	if err != nil {
		return nil, err
	}
	forget, deaf := tokensEverywhere(tokens, store.replicas, log)
	s.closers = append(s.closers, deaf)
	pages := login.New(login.Config{
		Providers: providers, Sessions: sessions, Handover: store.handover, Origin: signInOrigins(cfg, resources),
		Parking: store.parking, Remote: store.remote, Tokens: forget, Sealer: sealer, Cookies: store.cookies, Answers: answers,
		PublicURL: cfg.PublicURL, Endpoints: cfg.Endpoints, CallbackPaths: callbackPaths(cfg),
		StrictCookie: cfg.Session.Cookie.SameSite == config.SameSiteStrict, Observer: in.watch.ofPeople(), Log: log,
	})
	table, err := c.table(upstreamTLS)
	if err != nil {
		return nil, err
	}
	signer, err := assertion.New(assertion.Options{Issuer: cfg.PublicURL.String(), Sealer: sealer, NamedGroups: c.namedValues()})
	if err != nil {
		return nil, err
	}
	own := &ownPages{
		endpoints: cfg.Endpoints, keys: signer, answers: answers, login: pages, qfield: qfieldClouds(cfg),
		native: &native.Handler{Providers: providers, Origin: resources, ProviderHeader: cfg.Native.ProviderHeader, Endpoints: cfg.Endpoints, Answers: answers},
	}
	p, err := proxy.New(proxy.Config{
		Table: table, Sessions: sessions, Refresh: store.refresh, Tokens: tokens, Changes: []proxy.Changes{store.changes, tokens}, Own: own, Forms: pages,
		Endpoints: cfg.Endpoints, OwnPaths: ownPaths(cfg), PublicURL: cfg.PublicURL, Answers: answers, Cookies: store.cookies,
		Trusted: trusted(cfg), ForwardAuth: forwardAuth(cfg), Policies: c.asked,
		TokenFields: cfg.TokenHeaders(), ProviderNames: providerNames(cfg), NamedGroups: c.namedValues(), Observe: in.watch.observer(c), Log: log,
		Connections: &in.connections, Transport: in.watch.throughUpstream(), Asserter: signer, MayAllow: in.watch.mayAllow(cfg),
	})
	if err != nil {
		return nil, err
	}
	own.native.Application = p.Ask // the proxy serves own, so it is made after it
	s.closers = append(s.closers, p.Close)
	s.closers = append(s.closers, background(p.Run))
	s.proxy = p
	s.desk = &desk{remote: store.remote, tokens: forget, providers: pages.Providers, log: log}
	return s, nil
}

// openStore opens the store of sessions that are kept here or in a Redis, and starts the
// goroutine that looks after it.
func (s *service) openStore(cfg *config.Config, sealer *session.Sealer, renewer session.Renewer, providers fingerprint, w *watch) (*session.Store, error) {
	log := w.log
	kept, err := keptIn(cfg)
	if err != nil {
		return nil, err
	}
	backend, release, err := take(s.shelf, kept, func() (session.Backend, func(), error) {
		backend, err := openBackend(cfg, log)
		if err != nil {
			return nil, nil, err
		}
		return w.tracing.Backend(string(cfg.Session.Store), backend), func() {
			if err := backend.Close(); err != nil {
				log.Error("closing the session store", "error", err)
			}
		}, nil
	})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, release)
	if checker, ok := backend.(session.Checker); ok {
		s.checkSessions = checker.Check
	}
	o := session.StoreOptions{
		CookieName: cfg.Session.Cookie.Name, CookieDomain: cfg.Session.Cookie.Domain,
		// Plain http is for loopback hosts alone: config has made sure.
		Secure: cfg.PublicURL.Scheme == "https", SameSite: sameSite(cfg),
		Idle: cfg.Session.Idle, Lifetime: cfg.Session.Lifetime,
		Recheck: cfg.Session.Recheck, Grace: cfg.Session.Grace, CacheBytes: openedMemory(cfg),
	}
	key := fingerprintOf("store", kept, secretsOf(cfg), providers, o)
	o.Backend, o.Sealer, o.Renewer, o.Log = backend, sealer, renewer, log
	store, release, err := take(s.shelf, key, func() (*session.Store, func(), error) {
		store, err := session.NewStore(o)
		if err != nil {
			return nil, nil, err
		}
		stop := background(store.Run)
		return store, func() { stop(); store.Close() }, nil
	})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, release)
	return store, nil
}

// openedMemory is how much memory opened sessions may take: the file store has sealed ones
// in the other half.
func openedMemory(cfg *config.Config) int {
	if cfg.Session.Store == config.StoreFile {
		return int(cfg.Session.Memory / 2)
	}
	return int(cfg.Session.Memory)
}

// keptIn stands for where sessions are kept.
func keptIn(cfg *config.Config) (fingerprint, error) {
	if cfg.Session.Store != config.StoreRedis {
		return fingerprintOf("backend", cfg.Session.Store, cfg.StateDir), nil
	}
	r := *cfg.Session.Redis
	ca, err := readPEM(r.CA)
	password := r.Password.Reveal()
	r.Password, r.CA = config.Secret{}, ""
	return fingerprintOf("backend", cfg.Session.Store, r, password, ca), err
}

// secretsOf are the secrets of sessions, in plain.
func secretsOf(cfg *config.Config) []string {
	all := make([]string, len(cfg.Session.Secrets))
	for i, secret := range cfg.Session.Secrets {
		all[i] = secret.Reveal()
	}
	return all
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
		backend, err := session.OpenFile(session.FileOptions{Dir: cfg.StateDir, MemoryBytes: int(cfg.Session.Memory) - openedMemory(cfg), Log: log})
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
			pem, err := readPEM(r.CA)
			if err != nil {
				return o, fmt.Errorf("ca: %w", err)
			}
			roots, err := certPool(r.CA, pem)
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

// background runs work until stop is called, which waits for its end.
func background(work func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		work(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// newTokens makes what checks the tokens of native programs. One that another
// configuration uses is shared, with the tokens it knows, where the same providers are
// asked for the same claims.
func (s *service) newTokens(cfg *config.Config, providers []*provider.Provider, known fingerprint, needs []string, resource func(string) string, w *watch) (*bearer.Verifier, error) {
	type tokens struct {
		*bearer.Verifier
		resource atomic.Pointer[func(host string) string]
	}
	shared, release, err := take(s.shelf, fingerprintOf("tokens", known, cfg.Native.ProviderHeader, needs), func() (*tokens, func(), error) {
		t := new(tokens)
		t.resource.Store(&resource)
		t.Verifier = bearer.New(bearer.Config{
			Providers: providers, ProviderHeader: cfg.Native.ProviderHeader, Needs: needs, Observer: w.ofTokens(), Log: w.log,
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

// callbackPaths maps redirect paths outside endpoints to their providers.
func callbackPaths(cfg *config.Config) map[string]string {
	paths := map[string]string{}
	for _, p := range cfg.Providers {
		if p.CallbackPath != "" && !strings.HasPrefix(p.CallbackPath, cfg.Endpoints+"/") {
			paths[p.CallbackPath] = p.ID
		}
	}
	return paths
}
