package policy

import (
	"strings"
	"time"
)

// verdict is what a comparison finds out about a claim. Only yes and no can
// grant, yes without and no with an odd number of nots around the comparison. The
// zero value never grants.
type verdict uint8

const (
	missing verdict = iota
	wrongType
	no
	yes
)

func verdictOf(b bool) verdict {
	if b {
		return yes
	}
	return no
}

// operator is one way to compare a claim. The table below is the only place that
// knows which exist: parsing, printing, error texts and deciding all read it.
type operator struct {
	// name is the words it is written with.
	name string
	// operand reads and prints what stands to the right.
	operand operand
	// test compares. The value is nil when the claim is missing.
	test func(c *comparison, v *value, now time.Time) verdict
	// wants says what type of claim it takes, for a refusal's sentence. It is nil
	// for what takes every type.
	wants func(c *comparison) string
}

var operators = []*operator{
	{name: "contains", operand: oneValue{}, test: containsAny, wants: aList},
	{name: "contains any of", operand: listOfValues{}, test: containsAny, wants: aList},
	{name: "contains all of", operand: listOfValues{}, test: containsAll, wants: aList},
	{name: "is", operand: oneValue{}, test: isOneOf, wants: aSingleValue},
	{name: "is one of", operand: listOfValues{}, test: isOneOf, wants: aSingleValue},
	{name: "starts with", operand: oneText{}, test: startsWith, wants: aString},
	{name: "ends with", operand: oneText{}, test: endsWith, wants: aString},
	{name: "matches", operand: onePattern{}, test: matches, wants: aString},
	{name: "is present", operand: nothing{}, test: isPresent},
	{name: "is missing", operand: nothing{}, test: isMissing},
	{name: "within", operand: oneDuration{}, test: within, wants: aMoment},
}

// whole reports whether the operator takes values that a claim has as a whole, and no
// parts or patterns of them.
func (op *operator) whole() bool {
	switch op.operand.(type) {
	case oneValue, listOfValues:
		return true
	}
	return false
}

// operatorNames lists what exists, for a sentence.
func operatorNames() string {
	names := make([]string, len(operators))
	for i, op := range operators {
		names[i] = op.name
	}
	return strings.Join(names, ", ")
}

// longerOperator returns an operator whose name goes on with word after name, and
// nil when there is none: "contains", "any" gives contains any of.
func longerOperator(name, word string) *operator {
	for _, op := range operators {
		if op.name == name+" "+word || strings.HasPrefix(op.name, name+" "+word+" ") {
			return op
		}
	}
	return nil
}

// listOperators returns the operators that begin with name and take a list.
func listOperators(name string) []string {
	var names []string
	for _, op := range operators {
		if _, list := op.operand.(listOfValues); list && strings.HasPrefix(op.name, name+" ") {
			names = append(names, op.name+" [...]")
		}
	}
	return names
}

// reserved are the words of the language. As a value, as a claim and as a
// policy's name each is written in quotes, so that a forgotten value is never
// taken from what follows it.
var reserved = func() map[string]bool {
	words := map[string]bool{}
	for _, w := range []string{"and", "or", "not", "policy", "in"} {
		words[w] = true
	}
	for _, op := range operators {
		for w := range strings.SplitSeq(op.name, " ") {
			words[w] = true
		}
	}
	return words
}()

func isReserved(word string) bool { return reserved[word] }
