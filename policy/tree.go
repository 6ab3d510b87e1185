package policy

import "fmt"

// leaf is a comparison, or its opposite. There is no other negation in a tree: it
// was pushed down when the tree was made, because a program that says
// "not (groups contains x)" would grant to whoever has no groups at all.
type leaf struct {
	*comparison
	negated bool
}

// grants decides the leaf. A claim that is missing or of the wrong type grants
// neither the comparison nor its opposite.
func (l leaf) grants(c *Claims) bool {
	switch l.op.test(l.comparison, c.find(l.claim)) {
	case yes:
		return !l.negated
	case no:
		return l.negated
	}
	return false
}

// tree is a condition ready to be compiled: policies put in, not pushed to the
// leaves, members of the same connective on one level.
type tree struct {
	// nodes are the members of a group; empty for a leaf.
	nodes      []*tree
	connective connective
	leaf       leaf
	// leaves and depth measure the whole tree below.
	leaves, depth int
}

// errTooLarge says that a condition outgrew its bounds when its policies were put
// in.
var errTooLarge = fault{
	fmt.Sprintf("too large: with its policies put in it has more than %d comparisons or more than %d levels", maxLeaves, maxDepth),
	"",
}

// planter makes trees. It resolves a reference to the tree of a policy, or of its
// opposite; nil means that the policy is faulty, which was told already.
type planter struct {
	resolve func(r *reference, negated bool) *tree
	// tooLarge is set when a tree outgrew its bounds; all results are void then.
	tooLarge bool
}

// plant returns the tree of a node, or of its opposite. It returns nil when
// something below is faulty.
func (p *planter) plant(n node, negated bool) *tree {
	switch n := n.(type) {
	case *comparison:
		return &tree{leaf: leaf{comparison: n, negated: negated}, leaves: 1, depth: 1}
	case *negation:
		return p.plant(n.node, !negated)
	case *reference:
		return p.resolve(n, negated)
	case *group:
		// De Morgan: not (a and b) is (not a) or (not b), and the other way round.
		with := n.connective
		if negated {
			with = with.opposite()
		}
		t := &tree{connective: with}
		for _, member := range n.nodes {
			m := p.plant(member, negated)
			if m == nil {
				return nil
			}
			t.leaves += m.leaves
			if t.leaves > maxLeaves {
				p.tooLarge = true
				return nil
			}
			if len(m.nodes) > 0 && m.connective == with {
				t.nodes = append(t.nodes, m.nodes...)
				t.depth = max(t.depth, m.depth)
			} else {
				t.nodes = append(t.nodes, m)
				t.depth = max(t.depth, m.depth+1)
			}
		}
		if t.depth > maxDepth {
			p.tooLarge = true
			return nil
		}
		return t
	}
	panic(fmt.Sprintf("policy: unknown node %T", n))
}

// holds decides the tree without its program. It explains a denial; the program
// decides.
func (t *tree) holds(c *Claims) bool {
	if len(t.nodes) == 0 {
		return t.leaf.grants(c)
	}
	for _, n := range t.nodes {
		if n.holds(c) == (t.connective == or) {
			return t.connective == or
		}
	}
	return t.connective == and
}

// each calls visit for every leaf, from left to right.
func (t *tree) each(visit func(leaf)) {
	if len(t.nodes) == 0 {
		visit(t.leaf)
		return
	}
	for _, n := range t.nodes {
		n.each(visit)
	}
}
