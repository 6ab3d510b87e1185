package proxy

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/proxy/limit"
	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
)

// Config is what a Proxy is made of.
type Config struct {
	// PublicURL is the origin where people sign in. Its scheme is the one that
	// clients use, also where TLS ends in front of claimproxy.
	PublicURL *url.URL
	// Endpoints is the path that claimproxy's own pages live under, on every host,
	// without a slash at the end.
	Endpoints string
	// Connections are those to the upstreams, which may be shared with other proxies; nil
	// means connections of the proxy's own.
	Connections *Connections
	// Transport is put between a request and the connections to the upstream of that name;
	// nil puts nothing there.
	Transport func(upstream string, next http.RoundTripper) http.RoundTripper
	// Own answers everything below Endpoints, but for the stylesheet, and at
	// OwnPaths. The path it sees is canonical, the host is lower case, and RemoteAddr is
	// the address of the client, without a port, or empty if there is none.
	Own http.Handler
	// OwnPaths are further paths of our own, written as a route's path and valid on
	// every host, or with a host before it: "telemetry.example.org/oauth/return".
	OwnPaths []string
	// Table is the routes.
	Table *Table
	// Limiter bounds what clients may use. It may be shared with other proxies; nil bounds
	// nothing.
	Limiter *limit.Limiter
	// SignIn says which step of signing in one of our own pages is; nil: none is bounded.
	SignIn func(path string) limit.Step
	// Trusted are the proxies in front of claimproxy. The zero value is nobody.
	Trusted Trusted
	// ForwardAuth is how front proxies ask whether a request may pass; only trusted
	// ones may. The zero value answers none.
	ForwardAuth ForwardAuth
	// OAuth2Proxy also answers the questions of front proxies at OAuth2ProxyAuth, which has
	// to be among OwnPaths, as oauth2-proxy would.
	OAuth2Proxy bool
	// Policies are those that a front proxy may name in its question.
	Policies map[string]*policy.Rule
	// Sessions and Tokens say who is calling. Each may be nil if no route takes its
	// kind of credentials.
	Sessions Sessions
	Tokens   Tokens
	// Changes tell when sessions and tokens change, so that what is under way can end
	// with them; see Run.
	Changes []Changes
	// Refresh adds to the header of an answer what keeps the session of a request going,
	// where sessions are in the cookies themselves; nil: nothing need be done. It is
	// called for answers that an upstream gives to people who open a page.
	Refresh func(h http.Header, r *http.Request)
	// TokenFields are the names of header fields that native programs send beside an
	// access token, such as one that names its provider. No upstream gets them, in no
	// spelling, but that of a route with ForwardToken.
	TokenFields []string
	// Forms keeps forms that were sent with a session that was over; nil keeps none.
	Forms Forms
	// Cookies are the names of claimproxy's own cookies, which no upstream gets.
	Cookies session.CookieNames
	// Answers makes the answers of our own.
	Answers *answer.Answers
	// ProviderNames are what people call the providers, by id. One that is missing
	// goes by its id.
	ProviderNames map[string]string
	// HSTS is the value of Strict-Transport-Security (RFC 6797) on every answer over https
	// that has none of the application's own; empty for none.
	HSTS string
	// Asserter signs the assertions of routes that have one.
	Asserter Asserter
	// NamedGroups are the members of lists that policies name. Of a list that is
	// too long for a header, only these are sent.
	NamedGroups []string
	// Observe is called once for each request, after its answer. Nil: nobody
	// observes.
	Observe func(Event)
	// MayAllow is asked before anybody is let in: an error, whose cause is for the log,
	// makes it a "cannot know now". Nil: nothing is in the way.
	MayAllow func() error
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log receives what went wrong with upstreams and with knowing callers; nil
	// discards it.
	Log *slog.Logger
}

// Proxy decides on requests and forwards them. It is safe for concurrent use and
// never changes: a new configuration is a new Proxy.
type Proxy struct {
	scheme    string
	signIn    string // the page where people sign in
	style     string
	endpoints string
	host      string // the name of the host where people sign in
	trusted   trusted
	// forwardAuth is how front proxies ask, and policies what they may ask by.
	forwardAuth ForwardAuth
	oauth2Proxy bool
	policies    map[string]*Entry
	own         http.Handler
	ownPaths    ownPaths
	table       *Table
	sessions    Sessions
	tokens      Tokens
	refresh     func(http.Header, *http.Request)
	tokenFields []string // as http.CanonicalHeaderKey has them
	forms       Forms
	cookies     session.CookieNames
	answers     *answer.Answers
	names       map[string]string
	values      valuer
	number      uint64 // of no other proxy in this process
	stripper    *stripper
	asserter    Asserter
	hsts        []string // nil: none
	port        string   // of the addresses that clients use, with its colon; empty for the scheme's own
	upstreams   map[*Upstream]*forwarder
	connections *Connections
	transport   func(string, http.RoundTripper) http.RoundTripper
	kept        kept
	again       again
	limiter     *limit.Limiter
	signInStep  func(path string) limit.Step
	observe     func(Event)
	mayAllow    func() error
	now         func() time.Time
	log         *slog.Logger
}

// New makes a Proxy. It calls nobody. Close lets go of what it holds.
func New(c Config) (_ *Proxy, err error) {
	switch {
	case c.PublicURL == nil || c.PublicURL.Scheme != "https" && c.PublicURL.Scheme != "http" || c.PublicURL.Host == "":
		return nil, errors.New("proxy: public URL is missing or is not an http or https URL")
	case c.Table == nil:
		return nil, errors.New("proxy: there are no routes")
	case c.Answers == nil:
		return nil, errors.New("proxy: there is nobody to make answers")
	case !strings.HasPrefix(c.Endpoints, "/") || strings.HasSuffix(c.Endpoints, "/"):
		return nil, fmt.Errorf("proxy: endpoints %q do not begin with a slash, or end in one", c.Endpoints)
	}
	p := &Proxy{
		scheme:      c.PublicURL.Scheme,
		signIn:      c.PublicURL.Scheme + "://" + c.PublicURL.Host + c.Endpoints + "/sign-in",
		style:       c.Endpoints + answer.StylePath,
		endpoints:   c.Endpoints,
		forwardAuth: c.ForwardAuth,
		oauth2Proxy: c.OAuth2Proxy,
		own:         c.Own,
		table:       c.Table,
		sessions:    c.Sessions,
		tokens:      c.Tokens,
		refresh:     c.Refresh,
		forms:       c.Forms,
		cookies:     c.Cookies,
		answers:     c.Answers,
		names:       maps.Clone(c.ProviderNames),
		values:      valuer{named: make(map[string]bool, len(c.NamedGroups))},
		stripper:    newStripper(c.Table, c.TokenFields),
		number:      proxies.Add(1),
		asserter:    c.Asserter,
		upstreams:   make(map[*Upstream]*forwarder),
		connections: c.Connections,
		transport:   c.Transport,
		limiter:     c.Limiter,
		signInStep:  c.SignIn,
		again:       again{changes: c.Changes, every: lookEvery, wake: make(chan struct{}, 1)},
		observe:     c.Observe,
		mayAllow:    c.MayAllow,
		now:         c.Now,
		log:         c.Log,
	}
	if p.connections == nil {
		p.connections = new(Connections)
	}
	if p.limiter == nil {
		p.limiter = new(limit.Limiter)
	}
	if p.transport == nil {
		p.transport = func(_ string, next http.RoundTripper) http.RoundTripper { return next }
	}
	if c.HSTS != "" {
		p.hsts = []string{c.HSTS}
	}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	p.again.judge.Store(p)
	if p.observe == nil {
		p.observe = func(Event) {}
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	for _, name := range c.TokenFields {
		if err := CheckHeaderName(name); err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		p.tokenFields = append(p.tokenFields, http.CanonicalHeaderKey(name))
	}
	for _, g := range c.NamedGroups {
		p.values.named[g] = true
	}
	var authority string
	if p.host, authority, err = hostOf(c.PublicURL); err != nil {
		return nil, fmt.Errorf("proxy: public URL: %w", err)
	}
	p.port = authority[len(p.host):]
	if p.trusted.networks, err = newNetworks(c.Trusted.Networks); err != nil {
		return nil, fmt.Errorf("proxy: trusted proxies: %w", err)
	}
	p.trusted.unix = c.Trusted.Unix
	if err = p.askable(c.Policies); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	if p.ownPaths, err = newOwnPaths(c.Endpoints, c.OwnPaths); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	for _, e := range c.Table.routes {
		switch {
		case e.SignIn.Has(Browser) && p.sessions == nil, e.SignIn.Has(Bearer) && p.tokens == nil:
			return nil, fmt.Errorf("proxy: route %q takes credentials that nobody can check", e.Name)
		case len(e.PublicFrom) > 0 && e.methods.closed():
			return nil, fmt.Errorf("proxy: route %q lets nobody in, and opens for networks", e.Name)
		case e.Upstream == nil && c.ForwardAuth == ForwardAuthOff:
			return nil, fmt.Errorf("proxy: route %q has no upstream, and nobody may ask about it", e.Name)
		}
		if e.Upstream == nil || p.upstreams[e.Upstream] != nil {
			continue
		}
		f, err := p.newForwarder(e.Upstream)
		if err != nil {
			return nil, fmt.Errorf("proxy: route %q: %w", e.Name, err)
		}
		p.upstreams[e.Upstream] = f
	}
	return p, nil
}

// Close lets go of the connections to upstreams, once: those that nobody uses are closed. The
// websockets that are open end, as nobody else would end them; other requests on their way
// finish.
func (p *Proxy) Close() {
	var work sync.WaitGroup
	for _, x := range p.kept.those(func(x *exchange) bool { return x.stream.Load() && x.request.ProtoMajor == 1 && isWebsocket(x.request) }) {
		work.Go(func() { x.breakOff(Verdict{}, closeGoingAway, "") })
	}
	work.Wait()
	for _, f := range p.upstreams {
		p.connections.release(f.connection)
	}
}

// ServeHTTP answers a request: it is walked to its end, and one event tells what
// happened, whatever happens.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := p.begin(w, r)
	defer p.end(x)
	if p.withinLimits(x) {
		p.walk(x, r)
	}
	x.finished = true
}

// walk is a request's way: it is judged, and then it is a question about another
// request, is for one of claimproxy's own pages, is refused, or goes on to the
// upstream.
func (p *Proxy) walk(x *exchange, r *http.Request) {
	j := p.Judge(r)
	x.client, x.target, x.route = j.Client, j.Target, j.Route
	switch {
	case p.isQuestion(r, &j):
		p.check(x)
	case j.Own:
		p.serveOwn(x)
	case j.Route != nil && j.Route.Upstream == nil:
		// It is only asked about, see check.
		x.route = nil
		p.refuse(x, Verdict{Reason: ReasonNoRoute})
	case j.Verdict.Outcome != Allow:
		p.refuse(x, j.Verdict)
	case j.Route.Maintenance != nil:
		p.maintain(x, j.Verdict)
	default:
		p.forward(x, j.Verdict)
	}
}

// serveOwn hands a request for one of claimproxy's own pages to whoever makes them.
func (p *Proxy) serveOwn(x *exchange) {
	if p.tooManySignIns(x) {
		return
	}
	x.own = true
	leaveBody(x, ownBody)
	if x.request.ProtoMajor != 1 && x.request.ContentLength != 0 {
		// There it ends the stream's body alone.
		_ = http.NewResponseController(x).SetReadDeadline(time.Now().Add(ownBody))
	}
	r := *x.request
	r.Host, r.RemoteAddr = x.target.Authority, x.client
	switch {
	case x.target.Path == p.style:
		p.answers.ServeStyle(x, &r)
	case p.own != nil:
		p.own.ServeHTTP(x, &r)
	default:
		x.own = false
		p.refuse(x, Verdict{Reason: ReasonNoRoute})
	}
}
