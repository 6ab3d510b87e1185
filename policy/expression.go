package policy

import (
	"errors"
	"fmt"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

// expression is a leaf in the language of expr-lang, for what a comparison cannot
// say. It sees two things:
//
//	claims   the caller's claims, as claims.groups or claims["https://x/y"]
//	request  what is asked for: request.method, .path, .host, .client_ip
//
// Like a comparison it grants nothing, and under not neither, when a claim that it
// comes to is missing: claims.x is an error then. claims?.x is nil instead, for
// those who ask for absence in so many words.
type expression struct {
	span
	text  string
	names []path
	code  *vm.Program
}

// expressionEnv is what an expression sees.
type expressionEnv struct {
	Claims  map[string]any    `expr:"claims"`
	Request expressionRequest `expr:"request"`
}

type expressionRequest struct {
	Method   string `expr:"method"`
	Path     string `expr:"path"`
	Host     string `expr:"host"`
	ClientIP string `expr:"client_ip"`
}

// Bounds on an expression: its length in bytes, its nodes, the members of a range,
// and the memory of one evaluation as expr counts it.
const (
	maxExpression       = 4 << 10
	maxExpressionNodes  = 500
	maxRange            = 1000
	maxExpressionMemory = 100_000
)

// expressionBuiltins are expr's functions that an expression may use: none that
// makes much out of little, none that knows the time or looks into text encoded as
// something else.
var expressionBuiltins = []string{
	"all", "any", "none", "one", "filter", "count", "len", "first", "last", "min", "max", "abs",
	"lower", "upper", "trim", "split", "int", "float", "string", "hasPrefix", "hasSuffix",
}

// Names of our own functions.
const (
	nameMember = "claim" // what claims.x becomes
	nameList   = "list"
)

// errMissingClaim ends the evaluation of an expression at a claim that is not there.
var errMissingClaim = errors.New("a claim is missing")

// newExpression reads and compiles an expression.
func newExpression(src *source) (*expression, *Error) {
	whole := span{src: src, end: len(src.text)}
	if len(src.text) > maxExpression {
		return nil, whole.fault(fmt.Sprintf("the expression is %d bytes long, at most %d are read", len(src.text), maxExpression), "")
	}
	reading, fault := readExpression(src)
	if fault != nil {
		return nil, fault
	}
	options := []expr.Option{
		expr.Env(expressionEnv{}), expr.AsBool(), expr.MaxNodes(maxExpressionNodes), expr.DisableAllBuiltins(),
		expr.Function(nameMember, claimMember, new(func(any, any) any)),
		expr.Function(nameList, asList, new(func(any) []any)),
		expr.Patch(&strictClaims{}),
	}
	for _, name := range expressionBuiltins {
		options = append(options, expr.EnableBuiltin(name))
	}
	code, err := expr.Compile(src.text, options...)
	if err != nil {
		return nil, expressionFault(src, err)
	}
	e := &expression{span: whole, text: src.text, code: code}
	for _, name := range reading.claims {
		e.names = append(e.names, path{name})
	}
	return e, nil
}

// claimMember is a member of the claims, or of an object in them, that has to be
// there.
func claimMember(params ...any) (any, error) {
	switch object := params[0].(type) {
	case map[string]any:
		if name, ok := params[1].(string); ok && object[name] != nil {
			return object[name], nil
		}
		return nil, errMissingClaim
	case []any:
		if i, ok := params[1].(int); ok && i >= -len(object) && i < len(object) {
			return object[(i+len(object))%len(object)], nil
		}
		return nil, errMissingClaim
	}
	return nil, fmt.Errorf("%T has no members", params[0])
}

// asList is a claim as contains takes it: a string counts as a list of one.
func asList(params ...any) (any, error) {
	switch v := params[0].(type) {
	case []any:
		return v, nil
	case string:
		return []any{v}, nil
	}
	return nil, fmt.Errorf("%T is neither a list nor a string", params[0])
}

// evaluators are machines for expressions, which run inside a program's.
var evaluators = sync.Pool{New: func() any { return &vm.VM{MemoryBudget: maxExpressionMemory} }}

func (e *expression) verdict(c *Caller) verdict {
	if c.Claims == nil {
		return missing
	}
	m := evaluators.Get().(*vm.VM)
	defer evaluators.Put(m)
	out, err := m.Run(e.code, expressionEnv{
		Claims:  c.Claims.plain(),
		Request: expressionRequest{c.Request.Method, c.Request.Path, c.Request.Host, c.Request.ClientIP},
	})
	granted, ok := out.(bool)
	switch {
	case errors.Is(err, errMissingClaim):
		return missing
	case err != nil, !ok:
		return wrongType
	}
	return verdictOf(granted)
}

func (e *expression) String() string { return e.describe(shownRequired) }

// describe does not parse again: there is no short form of an expression.
func (e *expression) describe(int) string { return "expr: " + e.text }

func (e *expression) claims() []path { return e.names }

// literals are none: what an expression compares with is not known.
func (e *expression) literals() []string { return nil }

func (e *expression) show(_ path, v *value, _ *Caller) string { return v.print() }
