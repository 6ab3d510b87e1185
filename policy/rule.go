package policy

import (
	"fmt"
	"maps"
	"slices"
)

type ruleKind uint8

const (
	// ruleNobody is the zero value.
	ruleNobody ruleKind = iota
	rulePublic
	ruleSignedIn
	ruleCondition
)

// ruleWords are what a rule may say instead of a condition.
var ruleWords = []struct {
	word string
	kind ruleKind
}{
	{"public", rulePublic},
	{"signed-in", ruleSignedIn},
	{"nobody", ruleNobody},
}

func isRuleWord(word string) bool {
	for _, w := range ruleWords {
		if w.word == word {
			return true
		}
	}
	return false
}

// Rule is what a route allows, compiled. It never changes, and any number of
// goroutines may ask it. The zero value, and nil, are nobody.
type Rule struct {
	kind    ruleKind
	text    string
	tree    *tree
	program *program
	claims  []string
	// node is the condition as it was written, and set resolves the policies in it;
	// nil for words.
	node node
	set  *Set
	// policy, title and help are of the policy that the rule is, if it is one.
	policy, title, help string
	// shadow is tried out beside the rule; nil for none.
	shadow *Rule
}

// Rule compiles what a route allows: public, signed-in, nobody, the name of a
// policy, a condition, or a block of conditions. It returns a rule that denies
// everybody when there are faults, and also, without saying so twice, when a
// policy that it needs had faults in Compile.
func (s *Set) Rule(c Clause) (*Rule, []*Error) {
	if s == nil {
		s = &Set{}
	}
	if word, ok := c.word(); ok {
		return s.wordRule(word, c)
	}
	r := &compiler{set: s, reader: reader{policies: s.names}}
	n := r.read(c, 0)
	if n == nil || !r.known(n) {
		return &Rule{}, r.faults
	}
	if ref, ok := n.(*reference); ok {
		return s.policy(ref.name), nil
	}
	t := r.tree(n, nil, c.At, false, false)
	if t == nil {
		return &Rule{}, r.faults
	}
	rule := r.rule(t, c.At)
	if rule == nil {
		return &Rule{}, r.faults
	}
	rule.text, rule.node, rule.set = n.String(), n, s
	if s.shadowed(n) {
		if t = r.tree(n, nil, c.At, false, true); t != nil {
			rule.shadow = r.rule(t, c.At)
		}
		if rule.shadow == nil {
			return &Rule{}, r.faults
		}
		rule.shadow.text = rule.text
	}
	return rule, nil
}

// Shadowed returns the rule with another one beside it that is tried out on live
// traffic: it takes the place of the shadows of policies that the rule names. A nil
// shadow takes them away.
func (r *Rule) Shadowed(shadow *Rule) *Rule {
	if r == nil {
		r = &Rule{}
	}
	with := *r
	with.shadow = shadow
	return &with
}

// wordRule compiles a rule of a single word.
func (s *Set) wordRule(word string, c Clause) (*Rule, []*Error) {
	for _, w := range ruleWords {
		if w.word == word {
			return &Rule{kind: w.kind, text: word}, nil
		}
	}
	if _, ok := s.entries[word]; ok {
		return s.policy(word), nil
	}
	if symbolIn(word) != "" || isReserved(word) && !slices.Contains(everybody, word) {
		r := &reader{policies: s.names}
		r.read(c, 0)
		return &Rule{}, r.faults
	}
	return &Rule{}, []*Error{s.noWord(word, c)}
}

// Asks reports whether a condition lets nobody in without a look at a claim: each way
// to fulfil it leads over a comparison with that claim, or with what is in it. named says
// the same of policies that the condition names. A faulty condition lets nobody in.
func (s *Set) Asks(c Clause, claim string, named func(policy string) bool) bool {
	if word, ok := c.word(); ok {
		return !isRuleWord(word) && named(word)
	}
	n := (&reader{policies: s.Names()}).read(c, 0)
	return n == nil || asks(n, false, claim, named)
}

func asks(n node, negated bool, claim string, named func(policy string) bool) bool {
	switch n := n.(type) {
	case *negation:
		return asks(n.node, !negated, claim, named)
	case *reference:
		return named(n.name)
	case *group:
		if (n.connective == or) != negated {
			return !slices.ContainsFunc(n.nodes, func(m node) bool { return !asks(m, negated, claim, named) })
		}
		return slices.ContainsFunc(n.nodes, func(m node) bool { return asks(m, negated, claim, named) })
	case test:
		return slices.ContainsFunc(n.claims(), func(p path) bool { return p[0] == claim })
	}
	return false
}

// Never returns a fault for each comparison of a claim with a value that is none of
// those the claim can have. Under not such a slip would let everybody in.
func (s *Set) Never(c Clause, claim string, values []string) []*Error {
	if _, ok := c.word(); ok {
		return nil
	}
	n := (&reader{policies: s.Names()}).read(c, 0)
	if n == nil {
		return nil
	}
	var faults []*Error
	tests(n, func(t test) {
		of, ok := t.(*comparison)
		if !ok || len(of.claim) != 1 || of.claim[0] != claim || !of.op.whole() {
			return
		}
		for _, value := range of.texts.list {
			if slices.Contains(values, value) {
				continue
			}
			hint := claim + " is one of: " + joined(values, shownAlternatives)
			if meant := nearest(value, values); meant != "" {
				hint = "did you mean " + meant + "?"
			}
			faults = append(faults, of.fault(fmt.Sprintf("%s is never %q", claim, value), hint))
		}
	})
	return faults
}

// policy returns the rule of a policy that exists.
func (s *Set) policy(name string) *Rule {
	if e := s.entries[name]; e.rule != nil {
		return e.rule
	}
	return &Rule{}
}

// Public reports whether the rule lets everybody in, known or not.
func (r *Rule) Public() bool { return r != nil && r.kind == rulePublic }

// Nobody reports whether the rule lets nobody in, so that signing in is no use.
func (r *Rule) Nobody() bool { return r == nil || r.kind == ruleNobody }

// Claims returns the top-level claims that the rule and its shadow name, sorted.
func (r *Rule) Claims() []string {
	if r == nil {
		return nil
	}
	if r.shadow == nil {
		return slices.Clone(r.claims)
	}
	all := append(slices.Clone(r.claims), r.shadow.claims...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Values returns the texts that the rule and its shadow compare claims with,
// sorted: of somebody in very many groups, only these matter here.
func (r *Rule) Values() []string {
	values := map[string]bool{}
	for ; r != nil; r = r.shadow {
		if r.tree == nil {
			continue
		}
		r.tree.each(func(l leaf) {
			for _, text := range l.literals() {
				values[text] = true
			}
		})
	}
	return slices.Sorted(maps.Keys(values))
}

// Policies returns the names of all policies that take part in what the rule decides,
// those that policies name included, sorted. Shadows decide nothing.
func (r *Rule) Policies() []string {
	if r == nil || r.node == nil {
		return nil
	}
	names := map[string]bool{}
	r.set.named(r.node, names)
	if len(names) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(names))
}

// named enters the names of all policies that a condition comes to.
func (s *Set) named(n node, names map[string]bool) {
	references(n, func(ref *reference) {
		e := s.entries[ref.name]
		if e == nil || names[ref.name] {
			return
		}
		names[ref.name] = true
		s.named(e.node, names)
	})
}

// String returns the rule as it would be written: a word, the name of a policy,
// or the condition in its canonical form.
func (r *Rule) String() string {
	switch {
	case r == nil || r.kind == ruleNobody:
		return "nobody"
	case r.policy != "":
		return r.policy
	}
	return r.text
}
