package policy

import "strings"

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
	test func(c *comparison, v *value) verdict
	// wants says what type of claim it takes, for a refusal's sentence.
	wants func(c *comparison) string
}

var operators = []*operator{
	{name: "contains", operand: oneValue{}, test: containsAny, wants: aList},
	{name: "contains any of", operand: listOfValues{}, test: containsAny, wants: aList},
	{name: "contains all of", operand: listOfValues{}, test: containsAll, wants: aList},
	{name: "is", operand: oneValue{}, test: isOneOf, wants: aSingleValue},
	{name: "is one of", operand: listOfValues{}, test: isOneOf, wants: aSingleValue},
}

// operand is a kind of right-hand side.
type operand interface {
	// parse reads it into the comparison.
	parse(p *parser, c *comparison) *Error
	// print returns it as it is written, a list with at most limit values.
	print(c *comparison, limit int) string
}

// oneValue is the operand of "is".
type oneValue struct{}

func (oneValue) parse(p *parser, c *comparison) *Error {
	l, err := p.value(c)
	c.values = []literal{l}
	return err
}

func (oneValue) print(c *comparison, _ int) string { return c.values[0].String() }

// listOfValues is the operand of "is one of".
type listOfValues struct{}

func (listOfValues) parse(p *parser, c *comparison) (err *Error) {
	c.values, err = p.list(c)
	return err
}

func (listOfValues) print(c *comparison, limit int) string {
	shown := make([]string, 0, min(limit, len(c.values)))
	for _, l := range c.values[:min(limit, len(c.values))] {
		shown = append(shown, l.String())
	}
	return bracketed(shown, len(c.values))
}

// containsAny holds when at least one of the values is a member.
func containsAny(c *comparison, v *value) verdict {
	if v == nil {
		return missing
	}
	if !v.isList() {
		return wrongType
	}
	return verdictOf(v.members.meets(&c.texts))
}

// containsAll holds when every one of the values is a member.
func containsAll(c *comparison, v *value) verdict {
	if v == nil {
		return missing
	}
	if !v.isList() {
		return wrongType
	}
	for _, s := range c.texts.list {
		if !v.members.has(s) {
			return no
		}
	}
	return yes
}

// isOneOf holds when the claim is one of the values. The claim is of a wrong type
// when it could be none of them.
func isOneOf(c *comparison, v *value) verdict {
	if v == nil {
		return missing
	}
	found := wrongType
	for _, l := range c.values {
		if got := l.compare(v); got == yes {
			return yes
		} else if got == no {
			found = no
		}
	}
	return found
}

func aList(*comparison) string { return "a list or a string" }

func aSingleValue(c *comparison) string {
	kind := c.values[0].kind
	for _, l := range c.values {
		if l.kind != kind {
			return "one of the values"
		}
	}
	switch kind {
	case literalBool:
		return "true or false"
	case literalNumber:
		return "a number or a string"
	}
	return "a string"
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
		if strings.HasPrefix(op.name, name+" ") {
			names = append(names, op.name+" [...]")
		}
	}
	return names
}

// reserved are the words of the language. As a value, as a claim and as a
// policy's name each is written in quotes, so that a forgotten value is never
// taken from what follows it. present and missing are among them because
// "is present" reads as a question, which comparing with a word is not.
var reserved = func() map[string]bool {
	words := map[string]bool{}
	for _, w := range []string{"and", "or", "not", "policy", "in", "present", "missing"} {
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
