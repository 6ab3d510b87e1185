package main

import (
	"maps"
	"net/http"
	"slices"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/login"
	"github.com/claimproxy/claimproxy/session/stateless"
)

// sessionStore is where people's sessions are kept, by what the parts of the program want
// of it. What this kind of store cannot do is nil, and the parts say so to people.
type sessionStore struct {
	lasting
	cookies session.CookieNames
	// parking keeps forms, and remote knows sessions without their cookies.
	parking login.Parking
	remote  login.Remote
	// handover carries sessions to other hosts.
	handover login.Handover
	// replicas shares what happens to people with other processes; nil where there are none.
	replicas announcer
	// live is how many are answered from memory.
	live func() int
	// kept is how many there are, as far as that is known.
	kept func() (n int, ok bool)
	// changes tells when sessions change.
	changes proxy.Changes
	// refresh keeps sessions going that must be set again.
	refresh func(http.Header, *http.Request)
}

// openSessions opens the store that is configured. One that another configuration uses is
// shared where all is the same, providers included.
func (s *service) openSessions(c *compiled, in *process, sealer *session.Sealer, renewer session.Renewer, providers fingerprint) (*sessionStore, error) {
	if c.config.Session.Store == config.StoreCookie {
		store, err := s.openStateless(c, in, sealer, renewer, providers)
		if err != nil {
			return nil, err
		}
		return &sessionStore{lasting: store, cookies: store.Cookies(), changes: store, refresh: store.Refresh}, nil
	}
	store, err := s.openStore(c.config, sealer, renewer, providers, &in.watch)
	if err != nil {
		return nil, err
	}
	all := &sessionStore{lasting: store, cookies: store.Cookies(), changes: store, parking: store, remote: store, handover: store, live: store.Live, kept: store.Kept}
	if c.config.Session.Store == config.StoreRedis {
		all.replicas = store
	}
	return all, nil
}

// openStateless opens the store of sessions that are in cookies alone.
func (s *service) openStateless(c *compiled, in *process, sealer *session.Sealer, renewer session.Renewer, providers fingerprint) (*stateless.Store, error) {
	cfg := c.config
	o := stateless.Options{
		CookieName: cfg.Session.Cookie.Name, CookieDomain: cfg.Session.Cookie.Domain,
		// Plain http is for loopback hosts alone: config has made sure.
		Secure: cfg.PublicURL.Scheme == "https", SameSite: sameSite(cfg),
		Idle: cfg.Session.Idle, Lifetime: cfg.Session.Lifetime,
		Recheck: cfg.Session.Recheck, Grace: cfg.Session.Grace, CacheBytes: openedMemory(cfg), Keep: c.keep(),
	}
	key := fingerprintOf("stateless", secretsOf(cfg), providers, o)
	o.Sealer, o.Renewer, o.Ended, o.Log = sealer, renewer, &in.endedSessions, in.watch.log
	store, release, err := take(s.shelf, key, func() (*stateless.Store, func(), error) {
		store, err := stateless.New(o)
		return store, func() {}, err
	})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, release)
	return store, nil
}

func sameSite(cfg *config.Config) http.SameSite {
	if cfg.Session.Cookie.SameSite == config.SameSiteStrict {
		return http.SameSiteStrictMode
	}
	return http.SameSiteLaxMode
}

// Lists of somebody in very many groups are cut in their cookie where that changes
// nothing: one that rules alone look at when it has become longish, and one that is sent
// in a header when the header has room for those alone that rules name.
const (
	longForRules  = 1 << 10
	longForHeader = proxy.MaxList
)

// keep is what a cookie keeps of a person's claims: those that rules and identity headers
// use, and those that name people to applications. What expressions look at is never cut.
func (c *compiled) keep() stateless.Keep {
	// Not nil, which would mean all.
	k := stateless.Keep{Claims: append([]string{}, c.claims()...), Parts: map[string]stateless.Part{}}
	whole, members := map[string]bool{}, map[string][]string{}
	c.each(func(r *policy.Rule) {
		for name, use := range r.Uses() {
			whole[name] = whole[name] || use.Whole
			members[name] = append(members[name], use.Texts...)
		}
	})
	for name := range members {
		k.Parts[name] = stateless.Part{Members: sorted(members[name]), Above: longForRules}
	}
	for _, name := range c.headerClaims() {
		k.Parts[name] = stateless.Part{Members: c.namedValues(), Above: longForHeader}
		if name == "email" {
			k.Claims = append(k.Claims, "email_verified") // without which it is not sent
		}
	}
	for i := range c.config.Providers {
		k.Claims = append(k.Claims, c.config.Providers[i].User)
	}
	maps.DeleteFunc(k.Parts, func(name string, _ stateless.Part) bool { return whole[name] })
	k.Claims = sorted(k.Claims)
	return k
}

// sorted sorts texts and leaves each of them there once.
func sorted(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}
