package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	exprparser "github.com/expr-lang/expr/parser"
)

// reading is what can be told of an expression without running it: the claims that
// it names, and the first construct that is refused.
type reading struct {
	src    *source
	claims []string
	// bare are the places where claims stands, allowed those where it may.
	bare    []ast.Node
	allowed map[ast.Node]bool
	fault   *Error
}

// readExpression parses an expression and looks at every part of it.
func readExpression(src *source) (*reading, *Error) {
	if strings.Trim(src.text, blanks) == "" {
		return nil, span{src: src}.fault("the expression is empty", "")
	}
	tree, err := exprparser.Parse(src.text)
	if err != nil {
		return nil, expressionFault(src, err)
	}
	r := &reading{src: src, allowed: make(map[ast.Node]bool)}
	ast.Walk(&tree.Node, r)
	for _, n := range r.bare {
		if !r.allowed[n] {
			r.refuse(n, "claims stands here without a name", "write claims.groups; all claims that an expression looks at are named in it")
		}
	}
	if r.fault != nil {
		return nil, r.fault
	}
	slices.Sort(r.claims)
	r.claims = slices.Compact(r.claims)
	return r, nil
}

// Visit is called for each node, after those below it.
func (r *reading) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if n.Value == nameClaims {
			r.bare = append(r.bare, n)
		}
	case *ast.MemberNode:
		r.member(n)
	case *ast.BinaryNode:
		r.binary(n)
	case *ast.BuiltinNode:
		if !slices.Contains(expressionBuiltins, n.Name) {
			r.refuse(n, fmt.Sprintf("the function %s is not available", n.Name), "functions are: "+strings.Join(expressionBuiltins, ", ")+", "+nameList)
		}
	case *ast.PredicateNode:
		inner := 0
		ast.Walk(&n.Node, visitor(func(below *ast.Node) {
			if _, ok := (*below).(*ast.PredicateNode); ok {
				inner++
			}
		}))
		if inner > 0 {
			r.refuse(n, "a predicate stands inside another one, which takes long for long lists", "use in for the inner one, or give it a policy of its own")
		}
	case *ast.SequenceNode:
		r.refuse(n, "several expressions stand here", "join them with and or or")
	case *ast.VariableDeclaratorNode:
		if n.Name == nameClaims || n.Name == "request" {
			r.refuse(n, fmt.Sprintf("the name %s is taken", n.Name), "")
		}
	}
}

// visitor is a function as ast.Walk wants it.
type visitor func(*ast.Node)

// Visit calls the function.
func (v visitor) Visit(node *ast.Node) { v(node) }

// member notes which claim is looked at.
func (r *reading) member(n *ast.MemberNode) {
	root, ok := n.Node.(*ast.IdentifierNode)
	if !ok || root.Value != nameClaims {
		return
	}
	r.allowed[root] = true
	name, ok := n.Property.(*ast.StringNode)
	if !ok {
		r.refuse(n, "the name of a claim is worked out here", `write it out: claims.groups, claims["https://example.org/groups"]`)
		return
	}
	r.claims = append(r.claims, name.Value)
}

func (r *reading) binary(n *ast.BinaryNode) {
	switch n.Operator {
	case "contains":
		r.refuse(n, "contains looks for a part of a text in this language", `for membership write "teams/a" in claims.groups, for parts of a text startsWith, endsWith or matches`)
	case "matches":
		text, ok := n.Right.(*ast.StringNode)
		if !ok {
			r.refuse(n, "the pattern of matches is worked out here", `write it out: claims.email matches "^[a-z]+@kde\\.org$"`)
			return
		}
		if _, f := compilePattern(text.Value); f != nil {
			r.refuse(n.Right, f.message, f.hint)
		}
	case "..":
		from, isFrom := n.Left.(*ast.IntegerNode)
		to, isTo := n.Right.(*ast.IntegerNode)
		if !isFrom || !isTo || to.Value-from.Value >= maxRange {
			r.refuse(n, "a range without a small bound", fmt.Sprintf("both ends are whole numbers, at most %d apart", maxRange))
		}
	case "in":
		if root, ok := n.Right.(*ast.IdentifierNode); ok && root.Value == nameClaims {
			if name, ok := n.Left.(*ast.StringNode); ok {
				r.allowed[root] = true
				r.claims = append(r.claims, name.Value)
			}
		}
	}
}

// refuse keeps the first fault.
func (r *reading) refuse(n ast.Node, message, hint string) {
	if r.fault == nil {
		at := n.Location()
		r.fault = bytesOf(r.src, at.From, at.To).fault(message, hint)
	}
}

// strictClaims turns claims.x, and what is read below it, into calls that fail when
// there is nothing. claims?.x is left as it is.
type strictClaims struct{ strict map[ast.Node]bool }

// Visit is called for each node, after those below it.
func (s *strictClaims) Visit(node *ast.Node) {
	n, ok := (*node).(*ast.MemberNode)
	if !ok || n.Optional {
		return
	}
	root, ok := n.Node.(*ast.IdentifierNode)
	if ok && root.Value != nameClaims || !ok && !s.strict[n.Node] {
		return
	}
	call := &ast.CallNode{Callee: &ast.IdentifierNode{Value: nameMember}, Arguments: []ast.Node{n.Node, n.Property}}
	ast.Patch(node, call)
	if s.strict == nil {
		s.strict = make(map[ast.Node]bool)
	}
	s.strict[call] = true
}

// expressionFault turns an error of expr into one about the text.
func expressionFault(src *source, err error) *Error {
	var e *file.Error
	if !errors.As(err, &e) {
		return span{src: src, end: len(src.text)}.fault(err.Error(), "")
	}
	message, _, _ := strings.Cut(e.Message, "\n")
	return bytesOf(src, e.From, e.To).fault(message, "")
}

// bytesOf is a span given in characters, as expr counts.
func bytesOf(src *source, from, to int) span {
	s := span{src: src, offset: len(src.text), end: len(src.text)}
	n := 0
	for i := range src.text {
		if n == from {
			s.offset = i
		}
		if n == to {
			s.end = i
			break
		}
		n++
	}
	s.end = max(s.end, s.offset)
	return s
}
