package config

import (
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/proxy"
)

// validateBecause checks that what a test gives as the reason can be one: a reason
// word, the name of a policy, a condition or an expression. The last two are then in
// the form that they are told in, however they were written.
func (l *loader) validateBecause(t *Test) {
	at := &t.Because
	if !l.good(at) || l.policies == nil {
		return
	}
	text := strings.TrimSpace(*at)
	name := strings.TrimPrefix(text, "not ")
	reasons := make([]string, len(proxy.Reasons))
	for i, r := range proxy.Reasons {
		reasons[i] = string(r)
	}
	switch {
	case slices.Contains(reasons, text), slices.Contains(l.policies.Names(), name), strings.HasPrefix(text, "expr:"):
		*at = text
		return
	case !strings.ContainsAny(text, " \t"):
		f := l.bad(at, "expected a reason word, the name of a policy or a condition, got %s", quote(text))
		if meant := closest(text, append(l.policies.Names(), reasons...)); meant != "" {
			f.hint("did you mean %q?", meant)
		} else {
			f.hint("as in because: groups contains teams/a, or because: no-credentials")
		}
		return
	}
	p := l.places[at]
	clause := policy.Clause{Text: *at, At: l.textPosition(p.node)}
	l.conditions[clause.At] = place{node: p.node, at: clause.At, path: p.path}
	rule, faults := l.policies.Rule(clause)
	for _, f := range faults {
		l.conditionFault(f)
	}
	if len(faults) == 0 {
		*at = rule.String()
	}
}
