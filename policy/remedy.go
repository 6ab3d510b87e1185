package policy

import (
	"slices"
	"time"
)

// StepUp is what signing in once more would have to bring, and nothing else is lacking
// (RFC 9470 section 3).
type StepUp struct {
	// ACR lists values of acr, of which one has to come back; empty for any.
	ACR []string
	// MaxAge is how long ago the person may have signed in at the provider; zero for
	// as long as they like.
	MaxAge time.Duration
}

// stepUp reports whether the caller would be let in after signing in once more, and
// what that would have to bring. It is so where nothing fails but acr is, acr is one of
// and auth_time within, or where nothing else of one alternative fails.
func (t *tree) stepUp(c *Caller) *StepUp {
	s := &StepUp{}
	if !c.User || !t.collect(c, s) {
		return nil
	}
	return s
}

// collect reports whether t would hold after signing in once more, and adds to s what
// that would have to bring.
func (t *tree) collect(c *Caller, s *StepUp) bool {
	switch {
	case t.holds(c):
		return true
	case len(t.nodes) == 0:
		return t.leaf.collect(c, s)
	case t.connective == and:
		for _, n := range t.nodes {
			if !n.collect(c, s) {
				return false
			}
		}
		return true
	}
	for _, n := range t.nodes {
		one := StepUp{slices.Clone(s.ACR), s.MaxAge}
		if n.collect(c, &one) {
			*s = one
			return true
		}
	}
	return false
}

// collect adds what a failing leaf asks of a sign-in. It reports false for a leaf that
// asks for something else, under not, where there is nothing to ask for, and where the
// provider gives the claim in a way that nobody can compare.
func (l leaf) collect(who *Caller, s *StepUp) bool {
	c, ok := l.test.(*comparison)
	if !ok || l.negated || len(c.claim) != 1 || l.verdict(who) == wrongType {
		return false
	}
	switch {
	case c.claim[0] == "acr" && c.op.whole():
		for _, value := range c.texts.list {
			if !slices.Contains(s.ACR, value) {
				s.ACR = append(s.ACR, value)
			}
		}
		return len(c.texts.list) > 0
	case c.claim[0] == "auth_time" && c.within > 0:
		if s.MaxAge == 0 || c.within < s.MaxAge {
			s.MaxAge = c.within
		}
		return true
	}
	return false
}

// lacking are scopes with which a tree would hold that fails for want of scopes alone:
// of alternatives the first.
func (t *tree) lacking(c *Caller) []string {
	if len(t.nodes) == 0 {
		return t.leaf.lacking(c)
	}
	var scopes []string
	for _, n := range t.nodes {
		if n.holds(c) {
			continue
		}
		scopes = append(scopes, n.lacking(c)...)
		if t.connective == or && len(scopes) > 0 {
			break
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// lacking are the scopes that a failing leaf asks for.
func (l leaf) lacking(c *Caller) []string {
	of, ok := l.test.(*comparison)
	if !ok || l.negated || len(of.claim) != 1 || !isScope(of.claim[0]) || !of.op.whole() || len(of.texts.list) == 0 {
		return nil
	}
	if of.op.name != "contains all of" {
		return words(of.texts.list[0])
	}
	have := c.Claims.find(of.claim)
	return slices.DeleteFunc(slices.Clone(of.texts.list), func(s string) bool {
		return have != nil && have.isList() && have.members.has(s)
	})
}
