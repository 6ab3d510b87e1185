package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// entry is one policy on its way from definition to rule.
type entry struct {
	def Definition
	// twice is true when the name has two definitions: neither counts then.
	twice bool
	node  node
	state state
	// guard restricts the policy to its providers; nil when it has none.
	guard node
	// trees are the condition and its opposite; nil when faulty.
	trees [2]*tree
	// shadow is what the policy's own shadow says, nil without one; shadows are the
	// trees with it, or with that of a policy that is named, in place.
	shadow  node
	shadows [2]*tree
	rule    *Rule
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
		c.open(c.set.entries[name])
	}
	claims := map[string]bool{}
	for _, name := range c.set.names {
		e := c.set.entries[name]
		c.close(e, nil)
		for _, claim := range e.rule.Claims() {
			claims[claim] = true
		}
	}
	c.set.claims = slices.Sorted(maps.Keys(claims))
	return c.set, c.faults
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

// open reads the texts of a policy. A faulty one is left without a node.
func (c *compiler) open(e *entry) {
	e.node = c.read(e.def.Require, 0)
	good := e.node != nil && c.known(e.node) && !e.twice
	if e.def.Shadow != nil {
		e.shadow = c.read(*e.def.Shadow, 0)
		good = e.shadow != nil && c.known(e.shadow) && good
	}
	if len(e.def.Providers) > 0 {
		e.guard = providerGuard(e.def.Providers)
	}
	if !good {
		e.node = nil
	}
}

// providerGuard is the condition that the caller is of one of these providers.
func providerGuard(ids []string) node {
	quoted := make([]string, len(ids))
	for i, id := range ids {
		quoted[i] = quote(id)
	}
	n, err := parse(&source{text: "provider is one of [" + strings.Join(quoted, ", ") + "]"}, nil)
	if err != nil {
		panic("policy: " + err.Error()) // every text can be quoted
	}
	return n
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
	for _, n := range []node{e.node, e.shadow} {
		references(n, func(r *reference) {
			next := c.set.entries[r.name]
			if next.state == open {
				good = false
				circle := append(slices.Clone(trail[slices.Index(trail, r.name):]), r.name)
				c.faults = append(c.faults, r.at.fault(fmt.Sprintf("policy %s refers to itself", r.name), "the circle is "+strings.Join(circle, " -> ")))
				return
			}
			c.close(next, trail)
		})
	}
	if !good || !c.plant(e) {
		return
	}
	e.rule = c.rule(e.trees[0], e.def.Require.At)
	if e.rule == nil {
		return
	}
	e.rule.node = &reference{name: e.def.Name}
	e.rule.set = c.set
	e.rule.policy, e.rule.title, e.rule.help = e.def.Name, e.def.Title, e.def.Help
	if e.shadows[0] == nil {
		return
	}
	shadow := c.rule(e.shadows[0], e.def.Require.At)
	if shadow == nil {
		e.rule = nil
		return
	}
	if shadow.policy = e.def.Name; e.shadow != nil {
		shadow.policy, shadow.text = "", e.shadow.String()
	}
	e.rule.shadow = shadow
}

// plant makes the trees of a policy.
func (c *compiler) plant(e *entry) bool {
	for i, negated := range []bool{false, true} {
		if e.trees[i] = c.tree(e.node, e, e.def.Require.At, negated, false); e.trees[i] == nil {
			return false
		}
		n := e.shadow
		if n == nil {
			n = e.node
		}
		if e.shadow != nil || c.set.shadowed(n) {
			if e.shadows[i] = c.tree(n, e, e.def.Require.At, negated, true); e.shadows[i] == nil {
				return false
			}
		}
	}
	return true
}

// shadowed reports whether a condition names a policy that is tried out in another
// form.
func (s *Set) shadowed(n node) bool {
	found := false
	references(n, func(r *reference) { found = found || s.entries[r.name].shadows[0] != nil })
	return found
}

// tree plants a node whose references are all closed: that of a policy, or with a
// nil entry one of a route. With shadow the policies that it names are taken in the
// form that they are tried out in.
func (c *compiler) tree(n node, of *entry, at Position, negated, shadow bool) *tree {
	p := planter{resolve: func(r *reference, negated bool) *tree {
		e := c.set.entries[r.name]
		if e.rule == nil {
			return nil
		}
		trees := e.trees
		if shadow && e.shadows[0] != nil {
			trees = e.shadows
		}
		if negated {
			return trees[1]
		}
		return trees[0]
	}}
	if of != nil {
		p.explain = of.def.Explain
	}
	t := p.plant(n, negated)
	if t != nil && of != nil && of.guard != nil {
		// Never negated: the policy does not speak of other providers' people, so
		// that it grants them nothing, and its opposite neither.
		t = p.join(and, p.plant(of.guard, false), t)
	}
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
	t.each(func(l leaf) {
		for _, claim := range l.claims() {
			claims[claim[0]] = true
		}
	})
	return &Rule{kind: ruleCondition, tree: t, program: code, claims: slices.Sorted(maps.Keys(claims))}
}
