package policy

import (
	"fmt"
	"strings"
)

// Clause is a condition as the configuration holds it: a text, an expression, or a
// block of further clauses. Exactly one of Text, Expr, All, Any and Not is set; an
// empty but non-nil All or Any is an empty block, which is a fault.
type Clause struct {
	Text string
	// Expr is an expression in the language of expr-lang, for what Text cannot say.
	Expr string
	All  []Clause
	Any  []Clause
	Not  *Clause
	// At is where the text or the block stands.
	At Position
}

// word returns the clause's text if it is a single unquoted word: a candidate for
// public, signed-in, nobody or a policy's name.
func (c Clause) word() (string, bool) {
	text := strings.Trim(c.Text, blanks)
	if c.Expr != "" || c.All != nil || c.Any != nil || c.Not != nil || len(text) > maxName || !isWord(text) {
		return "", false
	}
	return text, true
}

// reader turns clauses into nodes and collects the faults of all of them.
type reader struct {
	policies []string
	faults   []*Error
}

// read returns nil when the clause is faulty.
func (r *reader) read(c Clause, depth int) node {
	if depth > maxNesting {
		r.fail(c.At, fault{fmt.Sprintf("blocks are nested deeper than %d levels", maxNesting), "give the inner part a name under policies"})
		return nil
	}
	set := 0
	for _, is := range []bool{c.Text != "", c.Expr != "", c.All != nil, c.Any != nil, c.Not != nil} {
		if is {
			set++
		}
	}
	if set > 1 {
		r.fail(c.At, fault{"a block is one of all, any, not and expr", "nest one block in the other"})
		return nil
	}
	switch {
	case c.Expr != "":
		e, err := newExpression(&source{text: c.Expr, at: c.At})
		if err != nil {
			r.faults = append(r.faults, err)
			return nil
		}
		return e
	case c.All != nil:
		return r.block(c, "all", and, c.All, depth)
	case c.Any != nil:
		return r.block(c, "any", or, c.Any, depth)
	case c.Not != nil:
		n := r.read(*c.Not, depth+1)
		if n == nil {
			return nil
		}
		return &negation{span: n.place(), node: n}
	}
	n, err := parse(&source{text: c.Text, at: c.At}, r.policies)
	if err != nil {
		r.faults = append(r.faults, err)
		return nil
	}
	return n
}

func (r *reader) block(c Clause, name string, with connective, members []Clause, depth int) node {
	if len(members) == 0 {
		r.fail(c.At, fault{fmt.Sprintf("%s: is empty", name), "a block has at least one condition"})
		return nil
	}
	if len(members) > maxLeaves {
		r.fail(c.At, fault{fmt.Sprintf("%s: has more than %d conditions", name, maxLeaves), "give parts of it names under policies"})
		return nil
	}
	nodes, good := make([]node, 0, len(members)), true
	for _, m := range members {
		n := r.read(m, depth+1)
		if n == nil {
			good = false
			continue
		}
		nodes = append(nodes, n)
	}
	if !good {
		return nil
	}
	if len(nodes) == 1 {
		return nodes[0]
	}
	return &group{span: nodes[0].place(), connective: with, nodes: nodes}
}

func (r *reader) fail(at Position, f fault) {
	r.faults = append(r.faults, &Error{At: at, Message: f.message, Hint: f.hint})
}

// tests calls visit for every comparison and expression below n, but for those of
// policies that are named there.
func tests(n node, visit func(test)) {
	switch n := n.(type) {
	case test:
		visit(n)
	case *negation:
		tests(n.node, visit)
	case *group:
		for _, m := range n.nodes {
			tests(m, visit)
		}
	}
}

// references calls visit for every "policy NAME" below n.
func references(n node, visit func(*reference)) {
	switch n := n.(type) {
	case *reference:
		visit(n)
	case *negation:
		references(n.node, visit)
	case *group:
		for _, m := range n.nodes {
			references(m, visit)
		}
	}
}
