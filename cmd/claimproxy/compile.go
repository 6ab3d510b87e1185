package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/cmd/claimproxy/rehearsal"
	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/proxy/metrics"
	"github.com/claimproxy/claimproxy/session/assertion"
)

// compiled is a configuration whose conditions have become rules. It is pure:
// making it touches no file and calls nobody, so check makes it as well.
type compiled struct {
	config   *config.Config
	policies *policy.Set
	// rules are each route's, in the file's order.
	rules []routeRules
	// asked are the policies that proxies in front may name, by name.
	asked map[string]*policy.Rule
	// tested is what the tests in the file came to.
	tested rehearsal.Results
}

// routeRules is what a route allows: one rule, or one for each method.
type routeRules struct {
	allow   *policy.Rule
	methods []proxy.MethodRule
	headers []proxy.IdentityHeader
}

// load reads a configuration file, compiles its conditions and runs its tests. The
// report has all faults, failed tests among them; the result is nil when there are
// any. What was loaded without secrets is for looking at, not for serving.
func load(path string, env config.Env) (*compiled, *config.Report) {
	cfg, report := config.Load(path, env)
	if cfg == nil {
		return nil, report
	}
	c, err := compile(cfg)
	if err == nil {
		err = c.test(report)
	}
	if err != nil { // Load has read every condition and route, so this is a fault of ours
		report.Add(policy.Position{File: path}, "", err.Error())
	}
	if !report.OK() {
		return nil, report
	}
	return c, report
}

// test runs the tests of the configuration and reports those that fail.
func (c *compiled) test(report *config.Report) error {
	stage, err := c.stage()
	if err != nil {
		return err
	}
	c.tested = stage.RunTests()
	for _, f := range c.tested.Failures {
		report.Add(f.At, f.Path, f.Message)
	}
	return nil
}

// stage is the proxy of the configuration, to be asked about made-up requests.
func (c *compiled) stage() (*rehearsal.Stage, error) {
	table, err := c.table(func(*config.Upstream) (*proxy.TLS, error) { return nil, nil })
	if err != nil {
		return nil, err
	}
	return rehearsal.New(c.config, table, ownPaths(c.config), nil)
}

func compile(cfg *config.Config) (*compiled, error) {
	c := &compiled{config: cfg}
	var all []error
	note := func(faults []*policy.Error) {
		for _, f := range faults {
			all = append(all, f)
		}
	}
	var faults []*policy.Error
	c.policies, faults = policy.Compile(cfg.Definitions())
	note(faults)
	rule := func(clause policy.Clause) *policy.Rule {
		r, faults := c.policies.Rule(clause)
		note(faults)
		return r
	}
	shadowed := func(allow policy.Clause, shadow *policy.Clause) *policy.Rule {
		if shadow == nil {
			return rule(allow)
		}
		return rule(allow).Shadowed(rule(*shadow))
	}
	for _, route := range cfg.Routes {
		var rr routeRules
		if route.Allow != nil {
			rr.allow = shadowed(*route.Allow, route.Shadow)
		}
		for _, r := range route.Rules {
			rr.methods = append(rr.methods, proxy.MethodRule{Methods: r.Methods, Allow: shadowed(r.Allow, r.Shadow)})
		}
		for _, h := range route.IdentityHeaders {
			rr.headers = append(rr.headers, headers(h, rule)...)
		}
		c.rules = append(c.rules, rr)
	}
	if cfg.Asked() {
		c.asked = make(map[string]*policy.Rule, len(cfg.Policies))
		for _, p := range cfg.Policies {
			c.asked[p.Name] = rule(policy.Clause{Text: p.Name})
		}
	}
	return c, errors.Join(all...)
}

// headers turns a preset, or one header of the file, into what the proxy sets.
func headers(h config.IdentityHeader, rule func(policy.Clause) *policy.Rule) []proxy.IdentityHeader {
	if h.Preset != "" {
		preset, _ := proxy.Preset(string(h.Preset))
		return preset
	}
	header := proxy.IdentityHeader{Name: h.Name, Claim: h.Claim, Else: h.Else}
	for _, c := range h.Cases {
		header.Values = append(header.Values, proxy.HeaderValue{Allow: rule(policy.Clause{Text: c.Policy}), Value: c.Value})
	}
	return []proxy.IdentityHeader{header}
}

// each calls visit with every rule that is asked about callers.
func (c *compiled) each(visit func(*policy.Rule)) {
	for _, rule := range c.asked {
		visit(rule)
	}
	for _, rr := range c.rules {
		if rr.allow != nil {
			visit(rr.allow)
		}
		for _, m := range rr.methods {
			visit(m.Allow)
		}
		for _, h := range rr.headers {
			for _, v := range h.Values {
				visit(v.Allow)
			}
		}
	}
}

// deciding are the names of the policies that take part in what routes allow. Others
// are tried out in shadows alone, or choose the value of a header.
func (c *compiled) deciding() map[string]bool {
	names := map[string]bool{}
	note := func(r *policy.Rule) {
		for _, name := range r.Policies() {
			names[name] = true
		}
	}
	for _, rr := range c.rules {
		note(rr.allow)
		for _, m := range rr.methods {
			note(m.Allow)
		}
	}
	return names
}

// claims are the top-level claims that rules and identity headers use.
func (c *compiled) claims() []string {
	used := map[string]bool{}
	c.each(func(r *policy.Rule) {
		for _, name := range r.Claims() {
			used[name] = true
		}
	})
	for _, name := range c.headerClaims() {
		used[name] = true
	}
	return slices.Sorted(maps.Keys(used))
}

// headerClaims are the top-level claims that identity headers have.
func (c *compiled) headerClaims() []string {
	used := map[string]bool{}
	if slices.ContainsFunc(c.config.Routes, func(r config.Route) bool { return r.Assertion }) {
		for _, name := range assertion.Claims {
			used[name] = true
		}
	}
	for _, rr := range c.rules {
		for _, h := range rr.headers {
			if h.Claim != "" {
				name, _, _ := strings.Cut(h.Claim, ".")
				used[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(used))
}

// namedValues are the values that rules compare claims with.
func (c *compiled) namedValues() []string {
	used := map[string]bool{}
	c.each(func(r *policy.Rule) {
		for _, v := range r.Values() {
			used[v] = true
		}
	})
	return slices.Sorted(maps.Keys(used))
}

// table makes the proxy's routes. Upstreams that several routes name are one; tls says how
// each is spoken with.
func (c *compiled) table(tls func(*config.Upstream) (*proxy.TLS, error)) (*proxy.Table, error) {
	upstreams := map[*config.Upstream]*proxy.Upstream{}
	routes := make([]proxy.Route, len(c.config.Routes))
	for i := range c.config.Routes {
		r := &c.config.Routes[i]
		u := upstreams[r.Upstream.Upstream]
		if u == nil && r.Upstream.Upstream != nil {
			u = newUpstream(r.Upstream)
			var err error
			if u.TLS, err = tls(r.Upstream.Upstream); err != nil {
				return nil, fmt.Errorf("upstream %s: %w", u.Name, err)
			}
			upstreams[r.Upstream.Upstream] = u
		}
		route := proxy.Route{
			Name: routeName(r), Hosts: bracketed(r.Hosts), Path: r.Path, Methods: r.Methods,
			Allow: c.rules[i].allow, Rules: c.rules[i].methods, Headers: c.rules[i].headers,
			Upstream: u, Assertion: r.Assertion, ForwardToken: r.ForwardToken, Providers: r.Providers, PublicFrom: r.PublicFrom,
			PassPreflight: r.CORSPreflight == config.CORSPreflightPass, StripPrefix: r.StripPrefix, MaxBody: int64(r.MaxBody),
			AmbiguousPaths: r.AmbiguousPaths == config.AmbiguousPathsAllow, PassOverride: r.MethodOverride == config.MethodOverridePass,
			BasicToken: r.AcceptBasicToken, Identify: r.Identify,
		}
		if r.Maintenance.On {
			route.Maintenance = &proxy.Maintenance{Sentence: r.Maintenance.Text}
		}
		for _, s := range r.PassSchemes {
			route.PassSchemes = append(route.PassSchemes, proxy.Scheme{Name: s.Scheme, Prefix: s.Prefix})
		}
		for _, kind := range r.SignIn {
			switch kind {
			case config.SignInBrowser:
				route.SignIn |= proxy.Browser
			case config.SignInBearer:
				route.SignIn |= proxy.Bearer
			}
		}
		routes[i] = route
	}
	return proxy.NewTable(routes)
}

// routeName is what a route is called in logs and metrics.
func routeName(r *config.Route) string { return r.Hosts[0] + r.Path }

// names are those that metrics are counted by.
func (c *compiled) names() metrics.Names {
	var n metrics.Names
	for i := range c.config.Routes {
		n.Routes = append(n.Routes, routeName(&c.config.Routes[i]))
	}
	for i := range c.config.Policies {
		n.Policies = append(n.Policies, c.config.Policies[i].Name)
	}
	return n
}

// bracketed writes IPv6 addresses as they stand in a Host field (RFC 3986 section
// 3.2.2).
func bracketed(hosts []string) []string {
	out := make([]string, len(hosts))
	for i, h := range hosts {
		if out[i] = h; strings.Contains(h, ":") {
			out[i] = "[" + h + "]"
		}
	}
	return out
}

func newUpstream(ref config.UpstreamRef) *proxy.Upstream {
	urls := ref.URLs()
	name := ref.Ref
	if name == "" {
		if name = urls[0].Host; name == "" {
			name = urls[0].String()
		}
	}
	return &proxy.Upstream{
		Name: name, URLs: urls, Timeout: ref.Timeout, Health: ref.Health, OwnHost: ref.Host == config.HostUpstream,
	}
}
