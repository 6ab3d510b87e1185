package config

import (
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/policy"
)

// validateAllow checks that a route says who may, and in one way.
func (l *loader) validateAllow(r *Route) {
	switch allow, rules := l.set(&r.Allow), l.set(&r.Rules); {
	case allow && rules:
		l.bad(&r.Rules, "a route has either allow or rules, and this one has both").at(l, l.keyOf(r, "rules"))
	case !allow && !rules:
		p := l.places[r]
		l.fault(p.node, p.path, "expected allow or rules: nothing says who may").hint("for everybody, unknown people too, say allow: public")
	case rules && l.good(&r.Rules) && l.notEmpty(&r.Rules, len(r.Rules), "rule"):
		l.validateRules(r)
	}
}

// validateRules checks that each method has one rule that can be reached.
func (l *loader) validateRules(r *Route) {
	ruled := make(map[string]int)
	for i := range r.Rules {
		rule := &r.Rules[i]
		if !l.good(rule) || !l.good(&rule.Methods) || !l.notEmpty(&rule.Methods, len(rule.Methods), "method") {
			continue
		}
		l.validateMethods(rule.Methods)
		for j := range rule.Methods {
			at := &rule.Methods[j]
			if !l.good(at) {
				continue
			}
			other, twice := ruled[*at]
			switch {
			case twice && other != i:
				l.bad(at, "%s has a rule already, rules[%d]", *at, other)
			case len(r.Methods) > 0 && !slices.Contains(r.Methods, *at) && !(*at == "HEAD" && slices.Contains(r.Methods, "GET")):
				l.bad(at, "%s is not among the route's methods, so that this rule is never asked", *at)
			}
			ruled[*at] = i
		}
	}
	get, hasGet := ruled["GET"]
	head, hasHead := ruled["HEAD"]
	if hasGet && hasHead && get != head {
		l.bad(&r.Rules[head].Methods, "HEAD goes with GET, which has another rule, rules[%d]", get)
	}
}

// validateShadows checks that each shadow stands beside what asks who is calling.
func (l *loader) validateShadows(r *Route) {
	if l.set(&r.Shadow) {
		if l.set(&r.Allow) {
			l.validateShadow(&r.Shadow, r.Allow)
		} else {
			l.bad(&r.Shadow, "expected a shadow beside allow").hint("each of rules has its own shadow")
		}
	}
	for i := range r.Rules {
		if rule := &r.Rules[i]; l.set(&rule.Shadow) {
			l.validateShadow(&rule.Shadow, &rule.Allow)
		}
	}
}

// validateShadow checks one, given by the address of its field, and what it stands
// beside.
func (l *loader) validateShadow(at any, allow *policy.Clause) {
	if !l.good(at) || !l.good(allow) {
		return
	}
	if word := strings.TrimSpace(allow.Text); word == "public" || word == "nobody" {
		l.bad(at, "a shadow cannot stand beside allow: %s, where nobody is asked who they are", word)
	}
}

// clauses are all conditions of a route that decide.
func (r *Route) clauses() []*policy.Clause {
	var all []*policy.Clause
	if r.Allow != nil {
		all = append(all, r.Allow)
	}
	for i := range r.Rules {
		all = append(all, &r.Rules[i].Allow)
	}
	return all
}

// asksWho says whether a decision on this route can depend on who is calling.
func (r *Route) asksWho() bool {
	return r.Identify || slices.ContainsFunc(r.clauses(), asks)
}

// isPublic says whether a condition is public.
func isPublic(c *policy.Clause) bool { return strings.TrimSpace(c.Text) == "public" }

// asks says whether a condition can depend on who is calling.
func asks(c *policy.Clause) bool {
	text := strings.TrimSpace(c.Text)
	return text != "public" && text != "nobody"
}

// shadows are all conditions of a route that never decide.
func (r *Route) shadows() []*policy.Clause {
	var all []*policy.Clause
	if r.Shadow != nil {
		all = append(all, r.Shadow)
	}
	for i := range r.Rules {
		if r.Rules[i].Shadow != nil {
			all = append(all, r.Rules[i].Shadow)
		}
	}
	return all
}
