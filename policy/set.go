package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Definition is a policy: a condition with a name.
type Definition struct {
	// Name is how routes and other policies refer to it: letters, digits, "_",
	// "-" and ".", at most 100 bytes, none of the words of the language.
	Name string
	// Title is shown to people instead of the name; Help, a sentence or an
	// address, tells them what to do when they are refused. Both may be empty.
	Title, Help string
	// Require is the condition.
	Require Clause
	// Shadow, if set, is evaluated beside Require and never decides. Wherever the
	// policy is named, the whole condition is evaluated a second time with Shadow in
	// its place.
	Shadow *Clause
	// Providers are the ids of the providers whose people and tokens the policy
	// speaks of; none means all. To the callers of other providers the policy grants
	// nothing, under not neither.
	Providers []string
	// Explain is how much a refusal tells.
	Explain Explain
	// At is where the policy stands.
	At Position
}

// Explain is how much a refusal tells the person who is refused. Of a condition
// that several policies take part in, each one's part is told as that policy says.
type Explain uint8

// The levels of Explain.
const (
	// ExplainDefault tells what is needed and the caller's own values of the claims
	// named there, but nothing about conditions under not: a person need not learn
	// which list shuts them out.
	ExplainDefault Explain = iota
	// ExplainFull tells conditions under not as well, without the caller's values.
	ExplainFull
	// ExplainRequirement tells what is needed, as ExplainDefault does, and none of
	// the caller's values.
	ExplainRequirement
	// ExplainNone tells nothing but the policy's title and help.
	ExplainNone
)

// Set is all policies of a configuration, compiled. It never changes, and any
// number of goroutines may ask it for rules.
type Set struct {
	codes codes
	// entries has every well-named policy, a faulty one with a nil rule.
	entries map[string]*entry
	names   []string
	claims  []string
}

// entry is one policy on its way from definition to rule.
type entry struct {
	def Definition
	// twice is true when the name has two definitions: neither counts then.
	twice bool
	node  node
	state state
	// trees are the condition and its opposite; nil when faulty.
	trees [2]*tree
	rule  *Rule
}

// state is how far the search for circles has come.
type state uint8

const (
	unseen state = iota
	open
	closed
)

// Compile reads all policies and reports all their faults at once. With faults
// the Set is still good for one thing: asking it for rules, to find the faults of
// those too. A rule that needs a faulty policy denies.
func Compile(defs []Definition) (*Set, []*Error) {
	c := &compiler{set: &Set{entries: make(map[string]*entry, len(defs))}}
	for _, d := range defs {
		c.declare(d)
	}
	c.reader.policies = c.set.names
	for _, name := range c.set.names {
		e := c.set.entries[name]
		e.node = c.read(e.def.Require, 0)
		if e.node != nil && !c.known(e.node) || e.twice {
			e.node = nil
		}
	}
	claims := map[string]bool{}
	for _, name := range c.set.names {
		e := c.set.entries[name]
		c.close(e, nil)
		if e.rule != nil {
			for _, claim := range e.rule.claims {
				claims[claim] = true
			}
		}
	}
	c.set.claims = slices.Sorted(maps.Keys(claims))
	return c.set, c.faults
}

// Names returns the names of all policies in the order of their definitions.
func (s *Set) Names() []string {
	if s == nil {
		return nil
	}
	return slices.Clone(s.names)
}

// Claims returns the top-level claims that the policies name, sorted.
func (s *Set) Claims() []string {
	if s == nil {
		return nil
	}
	return slices.Clone(s.claims)
}

// compiler makes a Set, or a rule over one.
type compiler struct {
	reader
	set *Set
}

// declare enters a policy under its name.
func (c *compiler) declare(d Definition) {
	if f := nameFault(d.Name); f != nil {
		c.fail(d.At, *f)
		return
	}
	if first, twice := c.set.entries[d.Name]; twice {
		hint := "a name belongs to one policy"
		if !first.def.At.IsZero() {
			hint = "the other one is at " + first.def.At.String()
		}
		c.fail(d.At, fault{fmt.Sprintf("policy %q is defined twice", d.Name), hint})
		first.twice = true
		return
	}
	c.set.entries[d.Name] = &entry{def: d}
	c.set.names = append(c.set.names, d.Name)
}

// nameFault says what is wrong with a policy's name.
func nameFault(name string) *fault {
	legal := len(name) <= maxName && isSegment(strings.ReplaceAll(name, ".", "-"))
	switch {
	case name == "":
		return &fault{"a policy has no name", ""}
	case !legal:
		return &fault{fmt.Sprintf("%q cannot be the name of a policy", name), fmt.Sprintf("a name is letters, digits, _, - and ., begins with none of the last two, and has at most %d bytes", maxName)}
	case isRuleWord(name) || isReserved(name):
		return &fault{fmt.Sprintf("%q cannot be the name of a policy", name), "it is a word of the language"}
	}
	return nil
}

// known reports the references below n that lead nowhere.
func (c *compiler) known(n node) bool {
	good := true
	references(n, func(r *reference) {
		if _, ok := c.set.entries[r.name]; !ok {
			good = false
			c.faults = append(c.faults, c.set.unknown(r.name, r.at))
		}
	})
	return good
}

func (s *Set) unknown(name string, at span) *Error {
	hint := "no policy is defined"
	if meant := nearest(name, s.names); meant != "" {
		hint = "did you mean " + meant + "?"
	} else if len(s.names) > 0 {
		hint = "policies are: " + joined(s.names, 10)
	}
	return at.fault(fmt.Sprintf("unknown policy %q", name), hint)
}

// close finishes a policy after all policies that it refers to. The trail is the
// way that led here.
func (c *compiler) close(e *entry, trail []string) {
	if e.state != unseen {
		return
	}
	e.state = open
	defer func() { e.state = closed }()
	if e.node == nil {
		return
	}
	trail = append(trail, e.def.Name)
	good := true
	references(e.node, func(r *reference) {
		next := c.set.entries[r.name]
		if next.state == open {
			good = false
			circle := append(slices.Clone(trail[slices.Index(trail, r.name):]), r.name)
			c.faults = append(c.faults, r.at.fault(fmt.Sprintf("policy %s refers to itself", r.name), "the circle is "+strings.Join(circle, " -> ")))
			return
		}
		c.close(next, trail)
	})
	if !good {
		return
	}
	for i, negated := range []bool{false, true} {
		if e.trees[i] = c.tree(e.node, negated, e.def.Require.At); e.trees[i] == nil {
			return
		}
	}
	e.rule = c.rule(e.trees[0], e.def.Require.At)
	if e.rule != nil {
		e.rule.policy, e.rule.title, e.rule.help = e.def.Name, e.def.Title, e.def.Help
	}
}

// tree plants a node whose references are all closed.
func (c *compiler) tree(n node, negated bool, at Position) *tree {
	p := planter{resolve: func(r *reference, negated bool) *tree {
		e := c.set.entries[r.name]
		if e.rule == nil {
			return nil
		}
		if negated {
			return e.trees[1]
		}
		return e.trees[0]
	}}
	t := p.plant(n, negated)
	if p.tooLarge {
		c.fail(at, errTooLarge)
	}
	return t
}

// rule compiles a tree.
func (c *compiler) rule(t *tree, at Position) *Rule {
	code, err := c.set.codes.compile(t)
	if err != nil {
		c.fail(at, fault{err.Error(), "this is a fault of claimproxy itself; please report it"})
		return nil
	}
	claims := map[string]bool{}
	t.each(func(l leaf) { claims[l.claim[0]] = true })
	return &Rule{kind: ruleCondition, tree: t, program: code, claims: slices.Sorted(maps.Keys(claims))}
}
