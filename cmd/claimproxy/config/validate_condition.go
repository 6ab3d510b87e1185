package config

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/claimproxy/claimproxy/policy"
)

// validateConditions has package policy read every condition, so that their faults
// are told together with all others. What it compiles is thrown away; building is
// another's work.
func (l *loader) validateConditions(c *Config) {
	var names []string
	var defs []policy.Definition
	for i, def := range c.Definitions() {
		p := &c.Policies[i]
		if !l.good(&p.Name) { // another policy has it
			continue
		}
		names = append(names, p.Name)
		l.conditions[def.At] = l.places[&p.Name]
		if p.Name == elseKey {
			l.bad(&p.Name, "a policy cannot be called else, which has a meaning of its own in identity_headers")
		}
		if !l.good(&p.Require) {
			// Its fault is known. What refers to it by name is no fault.
			def.Require = policy.Clause{Text: "sub is known"}
		}
		defs = append(defs, def)
	}
	set, faults := policy.Compile(defs)
	for i := range c.Routes {
		for _, clause := range c.Routes[i].clauses() {
			if l.good(clause) {
				_, more := set.Rule(*clause)
				faults = append(faults, more...)
			}
		}
	}
	for _, f := range faults {
		l.conditionFault(f)
	}
	for _, named := range l.policyNames {
		if !slices.Contains(names, named.name) {
			f := l.fault(named.node, named.path, "there is no policy %s", quote(named.name))
			if meant := closest(named.name, append(names, elseKey)); meant != "" {
				f.hint("did you mean %q?", meant)
			}
		}
	}
}

// conditionFault turns a fault in a condition into one in the file.
func (l *loader) conditionFault(e *policy.Error) {
	f := &Fault{At: e.At, Message: e.Message, Hint: e.Hint, Length: 1}
	if p, ok := l.conditions[e.At]; ok {
		f.Path, f.Length = p.path, l.length(p.node)
	}
	if e.Text != "" {
		if line, column, ok := l.locate(e.At, e.Text[:min(e.Offset, len(e.Text))]); ok {
			f.At.Line, f.At.Column = line, column
			end := min(e.Offset+e.Length, len(e.Text))
			f.Length = max(utf8.RuneCountInString(e.Text[min(e.Offset, end):end]), 1)
		}
	}
	l.errors = append(l.errors, f)
}

// locate finds the place in the file that follows a beginning of a condition's
// text. YAML folds lines and takes indentation off, so any run of blanks and line
// breaks is as good as another. It gives up where the file spells the text in
// another way, with escapes.
func (l *loader) locate(at policy.Position, text string) (line, column int, ok bool) {
	src := l.sourceNamed(at.File)
	if src == nil {
		return 0, 0, false
	}
	line, column = at.Line, at.Column
	rest := src.from(line, column)
	skipBlanks := func() (some bool) {
		for {
			trimmed := strings.TrimLeft(rest, " \t")
			some = some || len(trimmed) < len(rest)
			column += len(rest) - len(trimmed)
			rest = trimmed
			if rest != "" || line >= len(src.lines) {
				return some
			}
			line++
			rest, column, some = src.from(line, 1), 1, true
		}
	}
	skipBlanks()
	blank := false
	for _, r := range text {
		if r == ' ' || r == '\t' || r == '\n' {
			blank = true
			continue
		}
		if blank && !skipBlanks() {
			return 0, 0, false
		}
		blank = false
		next, size := utf8.DecodeRuneInString(rest)
		if size == 0 || next != r {
			return 0, 0, false
		}
		rest = rest[size:]
		column++
	}
	return line, column, !blank || skipBlanks()
}

// namedPolicy finds the policies that a condition names. It sees too many rather
// than too few: "policy x" inside a quoted value counts.
var namedPolicy = regexp.MustCompile(`\bpolicy\s+"?([A-Za-z0-9_.-]+)`)

// warnUnused warns of policies and upstreams that no route leads to. A policy that
// was meant to guard something and guards nothing is worth a look.
func (l *loader) warnUnused(c *Config) {
	var names []string
	var collect func(clause *policy.Clause)
	collect = func(clause *policy.Clause) {
		for _, m := range namedPolicy.FindAllStringSubmatch(clause.Text, -1) {
			names = append(names, m[1])
		}
		for _, list := range [][]policy.Clause{clause.All, clause.Any} {
			for i := range list {
				collect(&list[i])
			}
		}
		if clause.Not != nil {
			collect(clause.Not)
		}
	}
	for i := range c.Routes {
		for _, clause := range c.Routes[i].clauses() {
			names = append(names, strings.TrimSpace(clause.Text))
			collect(clause)
		}
	}
	for _, named := range l.policyNames {
		names = append(names, named.name)
	}
	used := make(map[string]bool)
	for len(names) > 0 { // policies name policies
		name := names[0]
		names = names[1:]
		if used[name] {
			continue
		}
		used[name] = true
		for i := range c.Policies {
			if c.Policies[i].Name == name {
				collect(&c.Policies[i].Require)
			}
		}
	}
	for i := range c.Policies {
		if p := &c.Policies[i]; !used[p.Name] {
			at := l.places[&p.Name]
			l.warn(at.node, at.path, "no route uses this policy")
		}
	}
	for i := range c.Upstreams {
		u := &c.Upstreams[i]
		if !slices.ContainsFunc(c.Routes, func(r Route) bool { return r.Upstream.Ref == u.Name }) {
			at := l.places[&u.Name]
			l.warn(at.node, at.path, "no route uses this upstream")
		}
	}
}
