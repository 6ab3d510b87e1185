package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/policy"
)

// warnUnused warns of what nothing leads to. A policy that was meant to guard
// something and guards nothing is worth a look.
func (l *loader) warnUnused(c *Config) {
	var names []string
	for i := range c.Routes {
		names = append(names, c.Routes[i].policyNames()...)
	}
	for _, named := range l.policyNames {
		names = append(names, named.name)
	}
	used := c.policiesFrom(names, func(*Policy) bool { return true })
	for i := range c.Policies {
		// A proxy that asks may name any policy.
		if p := &c.Policies[i]; !used[p.Name] && !c.Asked() {
			l.doubtful(&p.Name, "no route uses this policy")
		}
	}
	for i := range c.Upstreams {
		u := &c.Upstreams[i]
		if !slices.ContainsFunc(c.Routes, func(r Route) bool { return r.Upstream.Ref == u.Name }) {
			l.doubtful(&u.Name, "no route uses this upstream")
		}
	}
	for i := range c.People {
		p := &c.People[i]
		if !slices.ContainsFunc(c.Tests, func(t Test) bool { return slices.Contains(t.As, p.Name) }) {
			l.doubtful(&p.Name, "no test uses this person")
		}
	}
}

// warnProviders warns, where there are several providers, of policies and conditions
// that are asked about the people of all of them: whoever runs one of them says who is
// in its groups.
func (l *loader) warnProviders(c *Config) {
	if len(c.Providers) < 2 {
		return
	}
	ids := c.providerIDs()
	each := fmt.Sprintf("so that each of %s decides who passes", strings.Join(ids, ", "))
	// Of what a condition names, each policy is warned of on its own.
	own := func(clause policy.Clause) bool {
		return l.policies.Asks(clause, "provider", func(string) bool { return true })
	}
	narrow := c.narrowPolicies(l.policies)
	var names []string
	for i := range c.Routes {
		r := &c.Routes[i]
		if len(r.Providers) > 0 {
			continue
		}
		names = append(names, r.policyNames()...)
		for _, clause := range r.clauses() {
			if text := strings.TrimSpace(clause.Text); !asks(clause) || text == "signed-in" || own(*clause) {
				continue
			}
			p := l.conditions[clause.At]
			l.warn(p.node, p.path, "this condition names no provider, %s", each).
				hint("say providers: [%s] on the route, or name all of them", ids[0])
		}
	}
	asked := c.policiesFrom(names, func(p *Policy) bool { return !narrow(p.Name) })
	for i := range c.Policies {
		if p := &c.Policies[i]; asked[p.Name] && len(p.Providers) == 0 && !own(p.Require) {
			l.doubtful(&p.Name, "this policy names no provider, %s", each).
				hint("say providers: [%s], or name all of them", ids[0])
		}
	}
}

// narrowPolicies tells of each policy whether it lets nobody in without a look at whose
// people they are.
func (c *Config) narrowPolicies(set *policy.Set) (narrow func(name string) bool) {
	found := make(map[string]bool)
	narrow = func(name string) bool {
		if known, ok := found[name]; ok {
			return known
		}
		for i := range c.Policies {
			if p := &c.Policies[i]; p.Name == name {
				found[name] = len(p.Providers) > 0 || set.Asks(p.Require, "provider", narrow)
			}
		}
		return found[name]
	}
	return narrow
}

// policiesFrom are the policies that names lead to. It goes on to those that a policy
// names where through says so.
func (c *Config) policiesFrom(names []string, through func(*Policy) bool) map[string]bool {
	byName := make(map[string]*Policy, len(c.Policies))
	for i := range c.Policies {
		byName[c.Policies[i].Name] = &c.Policies[i]
	}
	met := make(map[string]bool)
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		p := byName[name]
		if p == nil || met[name] {
			continue
		}
		met[name] = true
		if through(p) {
			names = append(names, namesIn(&p.Require)...)
			names = append(names, namesIn(p.Shadow)...)
		}
	}
	return met
}

// policyNames are the policies that a route names, in conditions and headers.
func (r *Route) policyNames() []string {
	var names []string
	for _, clause := range append(r.clauses(), r.shadows()...) {
		names = append(names, strings.TrimSpace(clause.Text))
		names = append(names, namesIn(clause)...)
	}
	for _, h := range r.IdentityHeaders {
		for _, hc := range h.Cases {
			names = append(names, hc.Policy)
		}
	}
	return names
}

// namedPolicy finds the policies that a condition names. It sees too many rather
// than too few: "policy x" inside a quoted value counts.
var namedPolicy = regexp.MustCompile(`\bpolicy\s+"?([A-Za-z0-9_.-]+)`)

func namesIn(clause *policy.Clause) (names []string) {
	eachText(clause, func(text string) {
		for _, m := range namedPolicy.FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
	})
	return names
}

// eachText visits the conditions and expressions of a clause.
func eachText(clause *policy.Clause, visit func(string)) {
	eachClause(clause, func(c *policy.Clause) {
		visit(c.Text)
		visit(c.Expr)
	})
}

// eachClause visits a clause, which may be nil, and all that are in it.
func eachClause(clause *policy.Clause, visit func(*policy.Clause)) {
	if clause == nil {
		return
	}
	visit(clause)
	for _, list := range [][]policy.Clause{clause.All, clause.Any} {
		for i := range list {
			eachClause(&list[i], visit)
		}
	}
	eachClause(clause.Not, visit)
}
