package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr/vm/runtime"
)

// evaluation is what our functions know of the evaluation that they are part of.
type evaluation struct {
	// absent is set when something was asked for with ?. and was not there.
	absent bool
	work   int
}

// maxExpressionWork bounds one evaluation: about a nanosecond each, so that no claims,
// however many, keep a request for long.
const maxExpressionWork = 40_000_000

// What steps cost, measured generously.
const (
	workNode = 100 // one part of a predicate, for one member of a list
	workByte = 5   // one byte that is copied or changed
	workInst = 10  // one byte of a text, for each instruction of a pattern
)

var (
	// errMissingClaim ends an evaluation at something that is not there.
	errMissingClaim = errors.New("a claim is missing")
	errTooMuchWork  = errors.New("the expression takes too long for these claims")
	errLongText     = errors.New("the expression makes too long a text")
)

func (e *evaluation) spend(work int) error {
	if e.work += work; work < 0 || e.work > maxExpressionWork {
		return errTooMuchWork
	}
	return nil
}

// Names of our own functions. Those with a blank in them cannot be written by people;
// strictness puts them in.
const (
	nameList     = "list"
	nameRun      = "this evaluation"
	nameMember   = "the member"
	nameOptional = "the member if any"
	nameRequest  = "the request"
	nameSlice    = "the slice"
	nameCompare  = "how they compare"
	nameIn       = "whether in"
	nameAdd      = "the sum"
	nameEnd      = "the end"
	nameTaken    = "taken as"
)

// expressionFunctions are our own.
var expressionFunctions = []struct {
	name      string
	call      func(params ...any) (any, error)
	signature any
}{
	{nameList, asList, new(func(any) []any)},
	{nameMember, member, new(func(any, any) any)},
	{nameOptional, memberIfAny, new(func(*evaluation, any, any) any)},
	{nameRequest, known, new(func(any) string)},
	{nameSlice, slice, new(func(any, any, any) any)},
	{nameCompare, compare, new(func(string, any, any) bool)},
	{nameIn, isIn, new(func(*evaluation, any, any) bool)},
	{nameAdd, add, new(func(*evaluation, any, any) any)},
	{nameEnd, end, new(func(string, any) any)},
	{nameTaken, taken, new(func(*evaluation, string, int, any) any)},
}

// member is a member of an object or a list that has to be there.
func member(params ...any) (any, error) {
	v, err := memberOf(params[0], params[1])
	if err == nil && v == nil {
		return nil, errMissingClaim
	}
	return v, err
}

// memberIfAny is what ?. stands for.
func memberIfAny(params ...any) (any, error) {
	v, err := memberOf(params[1], params[2])
	if err == nil && v == nil {
		params[0].(*evaluation).absent = true
	}
	return v, err
}

// memberOf returns nil for what is not there.
func memberOf(object, name any) (any, error) {
	switch object := object.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		if name, ok := name.(string); ok {
			return object[name], nil
		}
	default:
		i, isIndex := name.(int)
		n, isList := listLen(object)
		if !isIndex || !isList {
			break
		}
		if i < 0 {
			i += n
		}
		if i < 0 || i >= n {
			return nil, nil
		}
		return listAt(object, i), nil
	}
	return nil, fmt.Errorf("%s has no member %v", kindName(object), name)
}

// known is a part of the request, which is empty when it is not known.
func known(params ...any) (any, error) {
	if params[0] == "" {
		return nil, errMissingClaim
	}
	return params[0], nil
}

// slice is a part of a list or of a text. What is beyond the end is missing.
func slice(params ...any) (any, error) {
	n, isList := listLen(params[0])
	text, isText := params[0].(string)
	if isText {
		n = len(text)
	}
	if !isList && !isText {
		if params[0] == nil {
			return nil, errMissingClaim
		}
		return nil, fmt.Errorf("%s has no slices", kindName(params[0]))
	}
	bounds := [2]int{0, n}
	for i := range bounds {
		if params[1+i] == nil {
			continue
		}
		at, ok := params[1+i].(int)
		if !ok {
			return nil, fmt.Errorf("%s is no bound of a slice", kindName(params[1+i]))
		}
		if at < 0 {
			at += n
		}
		if at < 0 || at > n {
			return nil, errMissingClaim
		}
		bounds[i] = at
	}
	if bounds[0] > bounds[1] {
		return nil, errMissingClaim
	}
	if isText {
		return text[bounds[0]:bounds[1]], nil
	}
	return runtime.Slice(params[0], bounds[0], bounds[1]), nil
}

// askedForNil follows an operator on one side of which nil is written.
const askedForNil = " nil"

// compare is ==, !=, <, <=, > and >=.
func compare(params ...any) (any, error) {
	op, a, b := params[0].(string), params[1], params[2]
	op, asked := strings.CutSuffix(op, askedForNil)
	if a == nil && b == nil && !asked {
		return nil, errMissingClaim // two absences have nothing in common
	}
	if op == "==" || op == "!=" {
		equal, err := equals(a, b)
		return equal == (op == "=="), err
	}
	order, ok := 0, false
	switch kindName(a) {
	case "a number":
		order, ok = compareNumbers(a, b)
	case "a text":
		var text string
		if text, ok = b.(string); ok {
			order = strings.Compare(a.(string), text)
		}
	}
	if !ok {
		return nil, fmt.Errorf("%s and %s have no order", kindName(a), kindName(b))
	}
	switch op {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	}
	return order >= 0, nil
}

// equals compares two values of one type. nil is here only where it was asked for,
// and differs from everything else.
func equals(a, b any) (bool, error) {
	kind := kindName(a)
	switch {
	case a == nil || b == nil:
		return a == nil && b == nil, nil
	case kind != kindName(b):
		return false, fmt.Errorf("%s is compared with %s", kind, kindName(b))
	case kind == "a number":
		order, ok := compareNumbers(a, b)
		if !ok {
			return false, errors.New("a number is none")
		}
		return order == 0, nil
	case kind == "a text", kind == "a boolean":
		return a == b, nil
	}
	return false, fmt.Errorf("%s is compared as a whole", kind)
}

// isIn is membership in a list.
func isIn(params ...any) (any, error) {
	needle, list := params[1], params[2]
	n, ok := listLen(list)
	switch {
	case list == nil:
		return nil, errMissingClaim
	case !ok:
		return nil, fmt.Errorf("%s is no list", kindName(list))
	case needle == nil:
		return false, nil
	}
	if err := params[0].(*evaluation).spend(n * workNode / 4); err != nil {
		return nil, err
	}
	kind, alike := kindName(needle), n == 0
	for i := range n {
		v := listAt(list, i)
		if kindName(v) != kind {
			continue
		}
		equal, err := equals(needle, v)
		if err != nil {
			return nil, err
		}
		if alike = true; equal {
			return true, nil
		}
	}
	if !alike {
		return nil, fmt.Errorf("%s is looked for where there is none", kind)
	}
	return false, nil
}

// add is +. Texts stay short, since each one can be put together with itself.
func add(params ...any) (any, error) {
	a, ok := params[1].(string)
	b, both := params[2].(string)
	if ok && both {
		if len(a)+len(b) > maxExpressionMemory {
			return nil, errLongText
		}
		return a + b, params[0].(*evaluation).spend(workByte * (len(a) + len(b)))
	}
	return runtime.Add(params[1], params[2]), nil
}

// end is first and last.
func end(params ...any) (any, error) {
	n, ok := listLen(params[1])
	switch {
	case params[1] == nil, ok && n == 0:
		return nil, errMissingClaim
	case !ok:
		return nil, fmt.Errorf("%s is no list", kindName(params[1]))
	}
	i := 0
	if params[0] == "last" {
		i = n - 1
	}
	if v := listAt(params[1], i); v != nil {
		return v, nil
	}
	return nil, errMissingClaim
}

// taken lets an argument of a builtin through when it is of the kind that is wanted,
// and counts what the builtin will do with it.
func taken(params ...any) (any, error) {
	run, kind, weight, v := params[0].(*evaluation), params[1].(string), params[2].(int), params[3]
	if v == nil && kind != takenTextOrNil {
		return nil, errMissingClaim
	}
	n, isList := listLen(v)
	text, isText := v.(string)
	ok, name := false, kindName(v)
	switch kind {
	case takenList:
		ok = isList
	case takenSized:
		ok = isList || isText
	case takenText:
		ok = isText
	case takenTextOrNil:
		ok = isText || v == nil
	case takenScalar:
		ok = isText || name == "a number" || name == "a boolean"
	case takenNumbers:
		ok = name == "a number" || isList && n > 0
		for i := range n {
			ok = ok && kindName(listAt(v, i)) == "a number"
		}
	}
	if !ok {
		return nil, fmt.Errorf("%s is not %s", name, kind)
	}
	return v, run.spend(weight * (n + len(text)))
}

// What builtins take.
const (
	takenList      = "a list"
	takenSized     = "a list or a text"
	takenText      = "a text"
	takenTextOrNil = "a text or nothing"
	takenScalar    = "a single value"
	takenNumbers   = "a number or a list of numbers"
)
