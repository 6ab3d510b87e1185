package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

// expression is a leaf in the language of expr-lang, for what a comparison cannot
// say. It sees two things:
//
//	claims   the caller's claims, as claims.groups or claims["https://x/y"]
//	request  what is asked for: request.method, .path, .host, .client_ip
//
// # Strict
//
// expr-lang by itself is generous: what is not there is nil, nil equals nothing, and
// in, none and != turn that into true, so that "the claim is missing" reads as "the
// person is not banned". Here such an expression comes to no answer, and grants
// nothing, under not neither, neither inside the expression nor around it. It comes
// to no answer when it meets
//
//   - a member that is missing or null, of the claims, of an object, or of a list:
//     claims.x, claims.x.y, claims.list[3], .name in a predicate, wherever the object
//     came from (let, first, filter, a lookup table of its own); also a slice beyond
//     the end, first and last of an empty list, and a part of the request that is not
//     known;
//   - a value of the wrong type: a text where a list is needed, also in all, any,
//     none, one, filter, count, first and last (list(claims.groups) makes a text a
//     list of one); an object, whatever it is asked for but a member; ==, !=, <, <=,
//     > and >= between different types, or of lists and objects; in, when the list
//     has members and none is of the type that is looked for; anything but true and
//     false for and, or, not and as the answer;
//   - more work than its budget, see maxExpressionWork.
//
// Absence is asked for in so many words: claims?.x is nil when x is missing, and
// speaks for its own step alone, so that claims?.x.y wants y; "x" in claims asks
// whether x is there at all. Two absences equal each other only where nil is
// written. What absence then means, the expression itself has to say:
// claims?.banned != true grants those of whom nothing is said. A not around the whole
// expression, in a block or before a policy's name, never does: where an absence was
// met and the answer is false, there is no answer (missing).
//
// Only what is evaluated counts: the right side of "or" does not when the left side
// holds.
type expression struct {
	span
	text   string
	names  []path
	values []string
	code   *vm.Program
}

// Bounds on an expression: its length in bytes, its nodes, the members of a range,
// and the memory of one evaluation as expr counts it.
const (
	maxExpression       = 4 << 10
	maxExpressionNodes  = 500
	maxRange            = 1000
	maxExpressionMemory = 100_000
)

// expressionEnv is what an expression sees, and what our own functions know of the
// evaluation that they are part of. Each evaluation has one of its own.
type expressionEnv struct {
	Claims  map[string]any    `expr:"claims"`
	Request expressionRequest `expr:"request"`
	Run     *evaluation       `expr:"this evaluation"`
}

type expressionRequest struct {
	Method   string `expr:"method"`
	Path     string `expr:"path"`
	Host     string `expr:"host"`
	ClientIP string `expr:"client_ip"`
}

// newExpression reads and compiles an expression.
func newExpression(src *source) (*expression, *Error) {
	whole := span{src: src, end: len(src.text)}
	if len(src.text) > maxExpression {
		return nil, whole.fault(fmt.Sprintf("the expression is %d bytes long, at most %d are read", len(src.text), maxExpression), "give parts of it names under policies")
	}
	reading, fault := readExpression(src)
	if fault != nil {
		return nil, fault
	}
	// Once as it was written, so that types are checked and faults are told in words
	// that the text has. What was read above is held against this tree once more.
	again := newReading(src)
	if _, err := expr.Compile(src.text, append(expressionOptions(), expr.Patch(again))...); err != nil {
		return nil, expressionFault(src, err)
	}
	if fault := again.done(); fault != nil {
		return nil, fault
	}
	if len(again.bare) == 0 {
		return nil, whole.fault("the expression looks neither at claims nor at the request", "it would say the same to everybody: write public or nobody if that is meant")
	}
	code, err := expr.Compile(src.text, append(expressionOptions(), expr.Patch(strictness{}))...)
	if err != nil {
		return nil, expressionFault(src, err)
	}
	e := &expression{span: whole, text: strings.Trim(src.text, blanks), code: code, values: reading.values()}
	for _, name := range reading.claims {
		e.names = append(e.names, path{name})
	}
	return e, nil
}

func expressionOptions() []expr.Option {
	options := []expr.Option{
		expr.Env(expressionEnv{}), expr.AsBool(), expr.MaxNodes(maxExpressionNodes), expr.DisableAllBuiltins(),
		// What is read here is what runs: nothing is rearranged behind our back.
		expr.Optimize(false),
	}
	for _, f := range expressionFunctions {
		options = append(options, expr.Function(f.name, f.call, f.signature))
	}
	for _, name := range expressionBuiltins {
		options = append(options, expr.EnableBuiltin(name))
	}
	return options
}

func (e *expression) verdict(c *Caller) verdict {
	if c.Claims == nil {
		return missing
	}
	// A machine of its own for each evaluation: one that waited in a pool would hold
	// on to the claims of whoever came before.
	m := vm.VM{MemoryBudget: maxExpressionMemory}
	run := &evaluation{}
	out, err := m.Run(e.code, expressionEnv{
		Claims:  c.Claims.plain(),
		Request: expressionRequest{c.Request.Method, c.Request.Path, c.Request.Host, c.Request.ClientIP},
		Run:     run,
	})
	granted, ok := out.(bool)
	switch {
	case errors.Is(err, errMissingClaim):
		return missing
	case err != nil, !ok:
		return wrongType
	case !granted && run.absent:
		return missing
	}
	return verdictOf(granted)
}

func (e *expression) String() string { return "expr: " + e.text }

// describe does not parse again: there is no short form of an expression.
func (e *expression) describe(int) string { return e.String() }

func (e *expression) claims() []path { return slices.Clone(e.names) }

// literals are all texts in the expression: which of them it compares claims with is
// not known.
func (e *expression) literals() []string { return e.values }

func (e *expression) show(_ path, v *value, _ *Caller) string { return v.print() }
