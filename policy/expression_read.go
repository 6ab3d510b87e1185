package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	exprparser "github.com/expr-lang/expr/parser"
)

// nameRequested is what expressions know of the request.
const nameRequested = "request"

// expressionBuiltins are expr's functions that an expression may use: none that
// makes much out of little, none that knows the time or looks into text encoded as
// something else, none that gives the names of claims away from their values.
var expressionBuiltins = []string{
	"all", "any", "none", "one", "filter", "count", "len", "first", "last", "min", "max", "abs",
	"lower", "upper", "trim", "split", "int", "float", "string", "hasPrefix", "hasSuffix",
}

// reading is what can be told of an expression without running it: the claims that
// it names, its texts, and the first construct that is refused.
type reading struct {
	src    *source
	claims []string
	// texts are those that claims may be compared with, each in its place.
	texts []*ast.StringNode
	// bare are the places where claims or request stands, allowed those where it may.
	bare    []*ast.IdentifierNode
	allowed map[ast.Node]bool
	// names are texts that name members.
	names map[ast.Node]bool
	fault *Error
}

func newReading(src *source) *reading {
	return &reading{src: src, allowed: make(map[ast.Node]bool), names: make(map[ast.Node]bool)}
}

// readExpression parses an expression and looks at every part of it.
func readExpression(src *source) (*reading, *Error) {
	if strings.Trim(src.text, blanks) == "" {
		return nil, span{src: src}.fault("the expression is empty", `write for example any(claims.groups, # startsWith "teams/")`)
	}
	if fault := hiddenSigns(src); fault != nil {
		return nil, fault
	}
	tree, err := exprparser.Parse(src.text)
	if err != nil {
		return nil, expressionFault(src, err)
	}
	r := newReading(src)
	ast.Walk(&tree.Node, r)
	if fault := r.done(); fault != nil {
		return nil, fault
	}
	slices.Sort(r.claims)
	r.claims = slices.Compact(r.claims)
	return r, nil
}

// values are the texts that do not name members.
func (r *reading) values() []string {
	var values []string
	for _, n := range r.texts {
		if !r.names[n] {
			values = append(values, n.Value)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// hiddenSigns refuses what a reader of the file would not see, in comments as well.
func hiddenSigns(src *source) *Error {
	for i, r := range src.text {
		s := span{src: src, offset: i, end: i + utf8.RuneLen(r)}
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(src.text[i:], string(utf8.RuneError)):
			s.end = i + 1
			return s.fault(fmt.Sprintf("byte %#02x is not valid UTF-8", src.text[i]), "")
		case !unicode.IsPrint(r) && !strings.ContainsRune(blanks, r):
			return s.fault(fmt.Sprintf("an invisible character (U+%04X) stands here", r), `take it out, or write it as \u and four digits in a text`)
		}
	}
	return nil
}

// done is the first fault, after all nodes were visited.
func (r *reading) done() *Error {
	for _, n := range r.bare {
		if r.allowed[n] {
			continue
		}
		hint := "write request.method, request.path, request.host or request.client_ip"
		if n.Value == nameClaims {
			hint = "write claims.groups; all claims that an expression looks at are named in it"
		}
		r.refuse(n, n.Value+" stands here without a name", hint)
	}
	return r.fault
}

// Visit is called for each node, after those below it.
func (r *reading) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		switch n.Value {
		case nameClaims, nameRequested:
			r.bare = append(r.bare, n)
		case "$env":
			r.refuse(n, "$env is not available", "write claims.groups")
		}
	case *ast.StringNode:
		r.texts = append(r.texts, n)
	case *ast.MemberNode:
		r.member(n)
	case *ast.BinaryNode:
		r.binary(n)
	case *ast.BuiltinNode:
		if !slices.Contains(expressionBuiltins, n.Name) {
			r.noFunction(n, n.Name)
		}
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		if !ok {
			r.refuse(n, "a value cannot be called", "functions stand in front: lower(claims.email)")
		} else if callee.Value != nameList {
			r.noFunction(n, callee.Value)
		}
	case *ast.PredicateNode:
		r.predicate(n)
	case *ast.SequenceNode:
		r.refuse(n, "several expressions stand here", "join them with and or or")
	case *ast.VariableDeclaratorNode:
		if slices.Contains([]string{nameClaims, nameRequested, nameList}, n.Name) || slices.Contains(expressionBuiltins, n.Name) {
			r.refuse(n, fmt.Sprintf("the name %s is taken", n.Name), "let gives a new name to a value")
		}
	}
}

// visitor is a function as ast.Walk wants it.
type visitor func(*ast.Node)

// Visit calls the function.
func (v visitor) Visit(node *ast.Node) { v(node) }

func (r *reading) noFunction(n ast.Node, name string) {
	exist := append(slices.Clone(expressionBuiltins), nameList)
	hint := "functions are: " + strings.Join(exist, ", ")
	if meant := nearest(name, exist); meant != "" {
		hint = "did you mean " + meant + "? " + hint
	}
	r.refuse(n, fmt.Sprintf("there is no function %s", name), hint)
}

func (r *reading) predicate(n *ast.PredicateNode) {
	inner := false
	ast.Walk(&n.Node, visitor(func(below *ast.Node) {
		_, is := (*below).(*ast.PredicateNode)
		inner = inner || is
	}))
	if inner {
		r.refuse(n, "a predicate stands inside another one, which takes long for long lists", "use in for the inner one, or give it a policy of its own")
	}
}

// member notes which claim is looked at.
func (r *reading) member(n *ast.MemberNode) {
	name, written := n.Property.(*ast.StringNode)
	if written {
		r.names[name] = true
	}
	switch {
	case isName(n.Node, nameClaims):
		r.allowed[n.Node] = true
		if !written {
			r.refuse(n, "the name of a claim is worked out here", `write it out: claims.groups, claims["https://example.org/groups"]`)
			return
		}
		r.claims = append(r.claims, name.Value)
	case isName(n.Node, nameRequested):
		r.allowed[n.Node] = true
		if known := []string{"method", "path", "host", "client_ip"}; !written || !slices.Contains(known, name.Value) {
			r.refuse(n, "the request has no such part", "write request.method, request.path, request.host or request.client_ip")
		}
	}
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
		if !isFrom || !isTo || to.Value-from.Value >= maxRange || to.Value < from.Value {
			r.refuse(n, "a range without a small bound", fmt.Sprintf("both ends are written out, the smaller one first, with at most %d members", maxRange))
		}
	case "in":
		if name, ok := n.Left.(*ast.StringNode); ok && isName(n.Right, nameClaims) {
			r.allowed[n.Right] = true
			r.names[name] = true
			r.claims = append(r.claims, name.Value)
		}
	case "==", "!=":
		for _, pair := range [][2]ast.Node{{n.Left, n.Right}, {n.Right, n.Left}} {
			if isNil(pair[1]) && neverNil(pair[0]) {
				r.refuse(n, "what is missing ends an expression, and is never nil here", `write ?. for the last step, claims?.groups, or "groups" in claims`)
			}
		}
	case "??":
		if neverNil(n.Left) {
			r.refuse(n, "what is missing ends an expression, so that the right side of ?? is never used", "write ?. for the last step on its left: claims?.groups ?? []")
		}
	}
}

// neverNil reports whether a node reads a member that has to be there.
func neverNil(n ast.Node) bool {
	if chain, ok := n.(*ast.ChainNode); ok {
		n = chain.Node
	}
	m, ok := n.(*ast.MemberNode)
	return ok && !m.Optional
}

// refuse keeps the first fault.
func (r *reading) refuse(n ast.Node, message, hint string) {
	if r.fault == nil {
		at := n.Location()
		r.fault = bytesOf(r.src, at.From, at.To).fault(message, hint)
	}
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
