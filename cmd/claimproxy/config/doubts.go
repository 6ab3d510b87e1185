package config

import (
	"net/netip"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/claimproxy/claimproxy/policy"
)

// claimsPrefix is a claim as expressions have it, in a condition.
var claimsPrefix = regexp.MustCompile(`(?:^|[\s(])(claims\.(\S+))\s+(?:contains|is|starts|ends|matches|within)\b`)

// warnClaims warns of conditions on claims.groups, which is what groups is in an
// expression, and here the member of a claim that is called claims.
func (l *loader) warnClaims(c *Config) {
	check := func(clause *policy.Clause) {
		for _, m := range claimsPrefix.FindAllStringSubmatchIndex(clause.Text, -1) {
			f := &Fault{At: clause.At, Path: l.conditions[clause.At].path, Length: utf8.RuneCountInString(clause.Text[m[2]:m[3]])}
			if line, column, ok := l.locate(clause.At, clause.Text[:m[2]]); ok {
				f.At.Line, f.At.Column = line, column
			}
			name := clause.Text[m[4]:m[5]]
			f.Message = "this asks for " + name + " inside a claim that is called claims"
			f.hint("did you mean %s? conditions do not write claims.", name)
			l.warnings = append(l.warnings, f)
		}
	}
	for i := range c.Policies {
		eachClause(&c.Policies[i].Require, check)
		eachClause(c.Policies[i].Shadow, check)
	}
	for i := range c.Routes {
		for _, clause := range slices.Concat(c.Routes[i].clauses(), c.Routes[i].shadows()) {
			eachClause(clause, check)
		}
	}
}

// loopback are the networks of this machine alone.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// warnLoopback warns of a network, given by its address, that those behind another
// proxy come from.
func (l *loader) warnLoopback(at *netip.Prefix) {
	if slices.ContainsFunc(loopback, at.Overlaps) {
		l.doubtful(at, "behind another proxy on this machine everybody comes from there").
			hint("unless the proxy is one of trusted_proxies, and says in X-Forwarded-For for whom it speaks")
	}
}
