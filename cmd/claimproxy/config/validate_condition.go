package config

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/claimproxy/claimproxy/policy"
)

// validateConditions has package policy read every condition, so that their faults
// are told together with all others. What it compiles is for further sentences alone;
// building is another's work.
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
		if def.Shadow != nil && !l.good(def.Shadow) {
			def.Shadow = nil
		}
		defs = append(defs, def)
	}
	set, faults := policy.Compile(defs)
	l.policies = set
	for i := range c.Routes {
		r := &c.Routes[i]
		for _, clause := range append(r.clauses(), r.shadows()...) {
			if l.good(clause) {
				_, more := set.Rule(*clause)
				faults = append(faults, more...)
			}
		}
	}
	faults = append(faults, l.impossible(c)...)
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

// impossible are comparisons of the claims that claimproxy sets itself with what it
// never sets them to. not provider is partnr lets in the partner's people.
func (l *loader) impossible(c *Config) (faults []*policy.Error) {
	check := func(clause *policy.Clause) {
		if clause == nil || !l.good(clause) {
			return
		}
		if l.fine(&c.Providers) && len(c.Providers) > 0 {
			faults = append(faults, l.policies.Never(*clause, "provider", c.providerIDs())...)
		}
		faults = append(faults, l.policies.Never(*clause, "auth", TestAuth("").words())...)
	}
	for i := range c.Policies {
		check(&c.Policies[i].Require)
		check(c.Policies[i].Shadow)
	}
	for i := range c.Routes {
		for _, clause := range append(c.Routes[i].clauses(), c.Routes[i].shadows()...) {
			check(clause)
		}
	}
	return faults
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
