package policy

import "fmt"

// test is what a leaf asks about a caller: a *comparison or an *expression.
type test interface {
	node
	verdict(c *Caller) verdict
	// describe prints it, lists with at most limit values.
	describe(limit int) string
	// claims are the claims that it looks at.
	claims() []path
	// literals are the texts that it compares claims with.
	literals() []string
	// show prints what the caller has in the claim, for the caller.
	show(name path, v *value, c *Caller) string
}

// leaf is a test, or its opposite. There is no other negation in a tree: it was
// pushed down when the tree was made, because a program that says
// "not (groups contains x)" would grant to whoever has no groups at all.
type leaf struct {
	test
	negated bool
	// explain is how much a refusal tells of this leaf.
	explain Explain
}

// verdict is what the leaf's test finds out. Of a caller who is not known nothing is
// known: then even an absence is none.
func (l leaf) verdict(c *Caller) verdict {
	if c.Claims == nil {
		return missing
	}
	return l.test.verdict(c)
}

// grants decides the leaf. A claim that is missing or of the wrong type grants
// neither the test nor its opposite.
func (l leaf) grants(c *Caller) bool {
	switch l.verdict(c) {
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
	// explain is for all leaves that are planted here.
	explain Explain
	// tooLarge is set when a tree outgrew its bounds; all results are void then.
	tooLarge bool
}

// plant returns the tree of a node, or of its opposite. It returns nil when
// something below is faulty.
func (p *planter) plant(n node, negated bool) *tree {
	switch n := n.(type) {
	case test:
		return &tree{leaf: leaf{test: n, negated: negated, explain: p.explain}, leaves: 1, depth: 1}
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
		members := make([]*tree, len(n.nodes))
		for i, member := range n.nodes {
			if members[i] = p.plant(member, negated); members[i] == nil {
				return nil
			}
		}
		return p.join(with, members...)
	}
	panic(fmt.Sprintf("policy: unknown node %T", n))
}

// join makes one tree of several. It returns nil when that is too large.
func (p *planter) join(with connective, members ...*tree) *tree {
	t := &tree{connective: with}
	for _, m := range members {
		if t.leaves += m.leaves; t.leaves > maxLeaves {
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

// holds decides the tree without its program. It explains a denial; the program
// decides.
func (t *tree) holds(c *Caller) bool {
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
