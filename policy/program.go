package policy

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

// program is a tree compiled to expr-lang. Its source consists of "and", "or",
// parentheses and calls such as leaf(claims, 3); what leaf 3 is stands in a table
// beside it. So nothing that a person wrote, in a condition or in a claim, is
// ever read as an expression.
type program struct {
	source string
	leaves []leaf
	code   *vm.Program
}

// The only two names that a program can use. There are no builtins.
const (
	nameClaims = "claims"
	nameLeaf   = "leaf"
)

// maxNodes is well above what maxLeaves comparisons need.
const maxNodes = 10 * maxLeaves

// question is what a program knows as claims: the caller's, beside the table of
// leaves that the numbers in its source mean.
type question struct {
	caller Caller
	leaves []leaf
}

// answer is the function that programs know as leaf.
func answer(params ...any) (any, error) {
	q := params[0].(*question)
	return q.leaves[params[1].(int)].grants(&q.caller), nil
}

// codes holds the code of each source. Conditions of one shape have the same
// source, so a thousand policies need a handful of compilations.
type codes struct {
	mu       sync.Mutex
	bySource map[string]*vm.Program
}

// compile returns the program of a tree.
func (c *codes) compile(t *tree) (*program, error) {
	p := &program{leaves: make([]leaf, 0, t.leaves)}
	var b strings.Builder
	p.generate(&b, t)
	p.source = b.String()

	c.mu.Lock()
	defer c.mu.Unlock()
	if p.code = c.bySource[p.source]; p.code != nil {
		return p, nil
	}
	code, err := expr.Compile(p.source,
		expr.Env(map[string]any{nameClaims: (*question)(nil)}),
		expr.DisableAllBuiltins(),
		expr.Function(nameLeaf, answer, new(func(*question, int) bool)),
		expr.AsBool(),
		expr.MaxNodes(maxNodes),
	)
	if err != nil {
		return nil, fmt.Errorf("compiling %q: %w", p.source, err)
	}
	if c.bySource == nil {
		c.bySource = make(map[string]*vm.Program)
	}
	p.code, c.bySource[p.source] = code, code
	return p, nil
}

// generate writes the source of a tree and fills the table of leaves.
func (p *program) generate(b *strings.Builder, t *tree) {
	if len(t.nodes) == 0 {
		b.WriteString(nameLeaf + "(" + nameClaims + ", " + strconv.Itoa(len(p.leaves)) + ")")
		p.leaves = append(p.leaves, t.leaf)
		return
	}
	for i, n := range t.nodes {
		if i > 0 {
			b.WriteString(" " + t.connective.String() + " ")
		}
		if len(n.nodes) > 0 {
			b.WriteByte('(')
		}
		p.generate(b, n)
		if len(n.nodes) > 0 {
			b.WriteByte(')')
		}
	}
}

// machine is what one run needs. Machines are used again, so that a decision
// allocates next to nothing.
type machine struct {
	vm       vm.VM
	question question
	env      map[string]any
}

var machines = sync.Pool{New: func() any {
	m := &machine{}
	m.env = map[string]any{nameClaims: &m.question}
	return m
}}

// run decides. Whatever goes wrong inside, a panic included, comes back as an
// error and never as a grant.
func (p *program) run(c *Caller) (bool, error) {
	m := machines.Get().(*machine)
	m.question = question{caller: *c, leaves: p.leaves}
	out, err := m.vm.Run(p.code, m.env)
	// A machine that waits in the pool holds on to nobody's claims.
	m.question = question{}
	machines.Put(m)
	if err != nil {
		return false, fmt.Errorf("evaluating %q: %w", p.source, err)
	}
	granted, ok := out.(bool)
	if !ok {
		return false, fmt.Errorf("evaluating %q: expected true or false, got %T", p.source, out)
	}
	return granted, nil
}
