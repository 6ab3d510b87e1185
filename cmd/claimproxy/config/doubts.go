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

// endOfDomain is a domain that a text is to end with, and that nothing bounds on the
// left.
var endOfDomain = regexp.MustCompile(`\sends\s+with\s+("?)([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,})(?:"|[\s)]|$)`)

// warnConditions warns of conditions that ask for something else than what they were
// probably meant to ask for.
func (l *loader) warnConditions(c *Config) {
	check := func(clause *policy.Clause) {
		// claims.groups is what groups is in an expression, and here the member of a
		// claim that is called claims.
		for _, m := range claimsPrefix.FindAllStringSubmatchIndex(clause.Text, -1) {
			name := clause.Text[m[4]:m[5]]
			l.doubtfulPart(clause, m[2], m[3], "this asks for "+name+" inside a claim that is called claims").
				hint("did you mean %s? conditions do not write claims.", name)
		}
		for _, m := range endOfDomain.FindAllStringSubmatchIndex(clause.Text, -1) {
			domain := clause.Text[m[4]:m[5]]
			l.doubtfulPart(clause, m[4], m[5], "evil"+domain+" ends with this too").hint("did you mean @%s?", domain)
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

// doubtfulPart reports a warning about a part of a condition's text.
func (l *loader) doubtfulPart(clause *policy.Clause, start, end int, message string) *Fault {
	f := &Fault{At: clause.At, Path: l.conditions[clause.At].path, Message: message, Length: utf8.RuneCountInString(clause.Text[start:end])}
	if line, column, ok := l.locate(clause.At, clause.Text[:start]); ok {
		f.At.Line, f.At.Column = line, column
	}
	l.warnings = append(l.warnings, f)
	return f
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
