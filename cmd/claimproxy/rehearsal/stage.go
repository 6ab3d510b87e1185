// Package rehearsal asks the proxy about made-up requests of made-up people: for the
// tests in the configuration file, for explain, and for the list of who may do what.
//
// It promises that what it says is what a caller would meet: the answer comes from
// proxy.Judge, the function that decides on real requests, over the same routes and
// rules. Only who is calling is put in by hand, where the proxy would look at a cookie
// or a token. Nobody is asked anything and nothing is forwarded.
package rehearsal

import (
	"context"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
)

// Stage is a configuration that can be asked. It never changes and is safe for
// concurrent use.
type Stage struct {
	config *config.Config
	proxy  *proxy.Proxy
}

// New makes a stage of a configuration and the routes that were made of it. now is
// the clock; nil means time.Now.
func New(cfg *config.Config, table *proxy.Table, ownPaths []string, now func() time.Time) (*Stage, error) {
	names := make(map[string]string, len(cfg.Providers))
	for i := range cfg.Providers {
		names[cfg.Providers[i].ID] = cfg.Providers[i].Name
	}
	p, err := proxy.New(proxy.Config{
		PublicURL: cfg.PublicURL, Endpoints: cfg.Endpoints, OwnPaths: ownPaths, Table: table, ProviderNames: names,
		Sessions: cast{}, Tokens: cast{}, Answers: answer.New(answer.Options{Endpoints: cfg.Endpoints}), Now: now,
		// Routes without an upstream are decided on like any other. Nobody is trusted: a
		// caller's address is the one that is given, whatever proxies it came through.
		ForwardAuth: proxy.ForwardAuthXForwarded,
	})
	if err != nil {
		return nil, err
	}
	return &Stage{config: cfg, proxy: p}, nil
}

// Request is what is asked for.
type Request struct {
	Method string
	// Host and Target are as they stand in a request's head: a name or an address, with
	// or without a port, and a path, with or without a query. They are what callers
	// write, so that they may be at fault.
	Host, Target string
	// From is the caller's address.
	From netip.Addr
}

// URL is the request's address for people, as it was written.
func (s *Stage) URL(req Request) string {
	return s.config.PublicURL.Scheme + "://" + req.Host + req.Target
}

// Person is who asks. The zero value is nobody.
type Person struct {
	// Claims are as a provider would send them: JSON values. Nil is nobody. The claim
	// provider says which provider they are of, by default the first; client_id which
	// client the proof was issued to, by default the provider's own.
	Claims session.Claims
	// Auth is how the person comes: with a browser, with a program that sends a token,
	// or as a program alone.
	Auth session.Auth
}

// Known is somebody with these claims, also when there are none.
func Known(claims map[string]any, auth session.Auth) Person {
	if claims == nil {
		claims = map[string]any{}
	}
	return Person{Claims: claims, Auth: auth}
}

// Kinds are the ways to come that the route of a request takes: with a browser, with
// a token, or both.
func (s *Stage) Kinds(req Request) []session.Auth {
	route := s.Ask(req, Person{}).Route
	var kinds []session.Auth
	if route == nil || route.SignIn.Has(proxy.Browser) {
		kinds = append(kinds, session.AuthBrowser)
	}
	if route != nil && route.SignIn.Has(proxy.Bearer) {
		kinds = append(kinds, session.AuthBearer)
	}
	return kinds
}

// Finding is what would become of a request.
type Finding struct {
	proxy.Judgement
	// Trace is the rule with what became of each part; nil where no rule was asked.
	Trace *policy.Trace
	// Shadow is the same of the rule's shadow; nil without one.
	Shadow *policy.Trace
}

// Decision is the word that tests expect: allow, deny, sign-in or not-found.
func (f Finding) Decision() config.Expectation {
	switch {
	case f.Verdict.Reason == proxy.ReasonNoRoute:
		return config.ExpectNotFound
	case f.Verdict.Outcome == proxy.Allow:
		return config.ExpectAllow
	case f.Verdict.Outcome == proxy.SignIn:
		return config.ExpectSignIn
	}
	return config.ExpectDeny
}

// Ask says what would become of a request.
func (s *Stage) Ask(req Request, who Person) Finding {
	f := Finding{Judgement: s.proxy.Judge(s.request(req, who))}
	if f.Route == nil {
		return f
	}
	if rule := f.Route.Rule(req.Method); rule != nil {
		_, f.Trace = rule.Explain(f.Verdict.Caller)
		f.Shadow = rule.ExplainShadow(f.Verdict.Caller)
	}
	return f
}

// request makes the request that the proxy is shown.
func (s *Stage) request(req Request, who Person) *http.Request {
	r := &http.Request{
		Method: req.Method, Host: req.Host, RequestURI: req.Target, Header: http.Header{},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
	}
	if req.From.IsValid() {
		r.RemoteAddr = net.JoinHostPort(req.From.String(), "1")
	}
	if who.Claims == nil {
		return r
	}
	if who.Auth != session.AuthBrowser {
		r.Header.Set("Authorization", "Bearer rehearsal")
	}
	return r.WithContext(context.WithValue(context.Background(), personKey{}, s.identity(who)))
}

// identity makes a person known, as a login or a token would.
func (s *Stage) identity(who Person) *session.Identity {
	p := s.provider(who)
	id := &session.Identity{ClientID: p.ClientID, Provider: p.ID, Issuer: p.Issuer, Auth: who.Auth, Claims: maps.Clone(who.Claims), Origins: map[string]session.Source{}}
	if client, ok := who.Claims.String("client_id"); ok {
		id.ClientID = client
	}
	id.SetVirtual()
	if who.Auth != session.AuthClient {
		if id.Subject, _ = who.Claims.String("sub"); id.Subject == "" {
			// Every login and every token of a person has one, and few tests are about
			// it. Left out, it would be missing to conditions, and not sub is "42" would
			// let nobody in here and everybody there.
			id.Subject = "somebody"
			id.Claims["sub"] = id.Subject
		}
		if user, ok := who.Claims.String(p.User); ok {
			id.User = p.UserPrefix + user
		}
	}
	return id
}

// provider is whom the person's claims are of.
func (s *Stage) provider(who Person) *config.Provider {
	if len(s.config.Providers) == 0 {
		return &config.Provider{}
	}
	named, _ := who.Claims.String("provider")
	i := slices.IndexFunc(s.config.Providers, func(p config.Provider) bool { return p.ID == named })
	return &s.config.Providers[max(i, 0)]
}

// personKey is where in a request's context the person stands who makes it.
type personKey struct{}

// cast knows callers by the request's context, where the proxy's own know them by
// cookie and token.
type cast struct{}

func (cast) Identify(r *http.Request) (*session.Identity, error) { return person(r.Context(), true) }

func (cast) Verify(ctx context.Context, _ session.Presented) (*session.Identity, error) {
	return person(ctx, false)
}

// person is who makes a request, if they come with a browser, or without one.
func person(ctx context.Context, browser bool) (*session.Identity, error) {
	id, ok := ctx.Value(personKey{}).(*session.Identity)
	if !ok || (id.Auth == session.AuthBrowser) != browser {
		return nil, session.ErrNoCredentials
	}
	return id, nil
}
