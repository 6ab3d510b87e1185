package main

import (
	"context"
	"slices"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/certificates"
	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/assertion"
	"github.com/claimproxy/claimproxy/session/login"
	"github.com/claimproxy/claimproxy/session/native"
	"github.com/claimproxy/claimproxy/session/provider"
)

// service is everything that one configuration runs, some of it shared with other
// configurations. closers end it, or let go of it, in the opposite order of making.
type service struct {
	proxy     *proxy.Proxy
	desk      *desk
	providers []*provider.Provider
	// live is how many sessions are answered from memory; nil: that says nothing.
	live func() int
	// kept is how many sessions there are, where that is known; nil: that is never known.
	kept func() (n int, ok bool)
	// checkSessions says how it stands with what keeps the sessions; nil where nothing does.
	checkSessions func(context.Context) error
	// backend keeps the sessions, nil where nothing does, and ordered is which certificates
	// are.
	backend session.Backend
	ordered certificates.Plan
	// origin is the public origin of a host that a route names, empty for others.
	origin func(host string) string
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
	s.live, s.kept = store.live, store.kept
	s.ordered = ordered(cfg, s.backend, sealer)
	sessions := sessionsOf(store, providers)
	answers := answer.New(answer.Options{Endpoints: cfg.Endpoints, Site: cfg.PublicURL.Host, Log: log})
	resources := origins(cfg)
	s.origin = resources
	tokens, err := s.newTokens(cfg, providers, known, c.claims(), resources, &in.limiter, &in.watch)
	if err != nil {
		return nil, err
	}
	forget, deaf := tokensEverywhere(tokens, store.replicas, log)
	s.closers = append(s.closers, deaf)
	pages := login.New(login.Config{
		Providers: providers, Sessions: sessions, Handover: store.handover, Origin: signInOrigins(cfg, resources),
		Parking: store.parking, Remote: store.remote, Tokens: forget, Sealer: sealer, Cookies: store.cookies, Answers: answers,
		PublicURL: cfg.PublicURL, Endpoints: cfg.Endpoints, CallbackPaths: callbackPaths(cfg),
		StrictCookie: cfg.Session.Cookie.SameSite == config.SameSiteStrict, Observer: in.watch.ofPeople(), Circles: &in.circles, Log: log,
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
		compat: newOAuth2Proxy(cfg, sessions, answers),
		native: &native.Handler{Providers: providers, Origin: resources, ProviderHeader: cfg.Native.ProviderHeader, Endpoints: cfg.Endpoints, Answers: answers},
	}
	p, err := proxy.New(proxy.Config{
		Table: table, Sessions: sessions, Refresh: store.refresh, Tokens: tokens, Changes: []proxy.Changes{store.changes, tokens}, Own: own, Forms: pages,
		Endpoints: cfg.Endpoints, OwnPaths: ownPaths(cfg), PublicURL: cfg.PublicURL, Answers: answers, Cookies: store.cookies,
		Trusted: trusted(cfg), ForwardAuth: forwardAuth(cfg), OAuth2Proxy: len(cfg.CompatPaths()) > 0, Policies: c.asked,
		TokenFields: cfg.TokenHeaders(), ProviderNames: providerNames(cfg), NamedGroups: c.namedValues(), Observe: in.watch.observer(c), Log: log,
		Limiter: &in.limiter, SignIn: stepOf(pages), Connections: &in.connections, Transport: in.watch.throughUpstream(), Asserter: signer, HSTS: cfg.HSTS.Field(), MayAllow: in.watch.mayAllow(cfg),
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
