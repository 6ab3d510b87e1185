package config

import (
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/policy"
)

// crowd is whose people may pass: those of some providers, or of all.
type crowd struct {
	all bool
	of  []string
}

func (p crowd) and(q crowd) crowd {
	switch {
	case p.all:
		return q
	case q.all:
		return p
	}
	var both []string
	for _, id := range p.of {
		if slices.Contains(q.of, id) {
			both = append(both, id)
		}
	}
	return crowd{of: both}
}

func (p crowd) or(q crowd) crowd {
	return crowd{all: p.all || q.all, of: append(slices.Clone(p.of), q.of...)}
}

// parted says whether each lets in somebody, and both together nobody.
func (p crowd) parted(q crowd) bool {
	both := p.and(q)
	return !both.all && len(both.of) == 0 && len(p.of) > 0 && len(q.of) > 0
}

func peopleOf(providers []string) crowd { return crowd{all: len(providers) == 0, of: providers} }

// warnParted warns where a route, or a policy, is for people of other providers than
// what it asks for is.
func (l *loader) warnParted(c *Config) {
	warn := func(providers *[]string, what string, clause *policy.Clause) {
		if allowed := c.peopleIn(clause); peopleOf(*providers).parted(allowed) {
			l.doubtful(providers, "nobody is let in by both: this is for people of %s, and what the %s for people of %s",
				strings.Join(*providers, ", "), what, strings.Join(slices.Compact(slices.Sorted(slices.Values(allowed.of))), ", "))
		}
	}
	for i := range c.Policies {
		warn(&c.Policies[i].Providers, "policy requires is", &c.Policies[i].Require)
	}
	for i := range c.Routes {
		for _, clause := range c.Routes[i].clauses() {
			warn(&c.Routes[i].Providers, "route allows is", clause)
		}
	}
}

// peopleIn says whose people may meet a condition. It looks at names of policies and
// blocks of them, not into texts, where it takes all of them to be meant.
func (c *Config) peopleIn(clause *policy.Clause) crowd {
	if clause.All == nil && clause.Any == nil {
		name := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(clause.Text), "policy "))
		if i := slices.IndexFunc(c.Policies, func(p Policy) bool { return p.Name == name }); i >= 0 {
			return peopleOf(c.Policies[i].Providers).and(c.peopleIn(&c.Policies[i].Require))
		}
		return crowd{all: true}
	}
	met := crowd{all: clause.All != nil}
	for i := range clause.All {
		met = met.and(c.peopleIn(&clause.All[i]))
	}
	for i := range clause.Any {
		met = met.or(c.peopleIn(&clause.Any[i]))
	}
	return met
}
