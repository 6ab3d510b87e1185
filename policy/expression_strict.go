package policy

import (
	"regexp/syntax"

	"github.com/expr-lang/expr/ast"
)

// strictness replaces what expr-lang is generous about by our own functions. It
// works on every member, slice and comparison, not only on those of claims: whatever
// an expression gets hold of came from there.
type strictness struct{}

// Visit is called for each node, after those below it.
func (strictness) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.MemberNode:
		switch {
		case isName(n.Node, nameRequested):
			ours(node, nameRequest, &ast.MemberNode{Node: n.Node, Property: n.Property})
		case n.Optional:
			ours(node, nameOptional, thisRun(), n.Node, n.Property)
		default:
			ours(node, nameMember, n.Node, n.Property)
		}
	case *ast.SliceNode:
		ours(node, nameSlice, n.Node, orNil(n.From), orNil(n.To))
	case *ast.BinaryNode:
		switch n.Operator {
		case "==", "!=", "<", "<=", ">", ">=":
			op := n.Operator
			if isNil(n.Left) || isNil(n.Right) {
				op += askedForNil
			}
			ours(node, nameCompare, word(op), n.Left, n.Right)
		case "+":
			ours(node, nameAdd, thisRun(), n.Left, n.Right)
		case "in":
			if !isName(n.Right, nameClaims) { // "x" in claims asks for the claim itself
				ours(node, nameIn, thisRun(), n.Left, n.Right)
			}
		case "matches":
			n.Left = takenAs(takenTextOrNil, workInst*instructions(n.Right), n.Left)
		}
	case *ast.BuiltinNode:
		builtin(node, n)
	}
}

func builtin(node *ast.Node, n *ast.BuiltinNode) {
	if len(n.Arguments) == 0 {
		return
	}
	arg := func(kind string, weight int) {
		n.Arguments[0] = takenAs(kind, weight, n.Arguments[0])
	}
	switch n.Name {
	case "all", "any", "none", "one", "filter", "count":
		weight := 1
		for i := range n.Arguments[1:] {
			ast.Walk(&n.Arguments[1+i], visitor(func(*ast.Node) { weight++ }))
		}
		arg(takenList, weight*workNode)
	case "len":
		arg(takenSized, workByte)
	case "first", "last":
		ours(node, nameEnd, word(n.Name), n.Arguments[0])
	case "min", "max":
		for i := range n.Arguments {
			n.Arguments[i] = takenAs(takenNumbers, workNode, n.Arguments[i])
		}
	case "split":
		arg(takenText, workNode)
	case "lower", "upper", "trim", "hasPrefix", "hasSuffix":
		arg(takenText, workByte)
	case "int", "float", "string":
		arg(takenScalar, workByte)
	}
}

// ours puts a call of one of our functions in the place of a node.
func ours(node *ast.Node, name string, arguments ...ast.Node) {
	ast.Patch(node, &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: arguments})
}

func takenAs(kind string, weight int, n ast.Node) ast.Node {
	call := &ast.CallNode{
		Callee:    &ast.IdentifierNode{Value: nameTaken},
		Arguments: []ast.Node{thisRun(), word(kind), &ast.IntegerNode{Value: weight}, n},
	}
	call.SetLocation(n.Location())
	return call
}

func thisRun() ast.Node { return &ast.IdentifierNode{Value: nameRun} }

func word(s string) ast.Node { return &ast.StringNode{Value: s} }

func orNil(n ast.Node) ast.Node {
	if n == nil {
		return &ast.NilNode{}
	}
	return n
}

func isNil(n ast.Node) bool {
	_, ok := n.(*ast.NilNode)
	return ok
}

func isName(n ast.Node, name string) bool {
	id, ok := n.(*ast.IdentifierNode)
	return ok && id.Value == name
}

// instructions is how long the program of a pattern is: matching takes as many steps
// for each byte of the text, at most.
func instructions(pattern ast.Node) int {
	const unknown = 10_000
	s, ok := pattern.(*ast.StringNode)
	if !ok {
		return unknown
	}
	tree, err := syntax.Parse(s.Value, syntax.Perl)
	if err != nil {
		return unknown
	}
	code, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return unknown
	}
	return len(code.Inst)
}
