package policy

import (
	"fmt"
	"slices"
	"strings"
)

// The sentences for what people are likely to get wrong. Each function looks at
// the place where the grammar stopped fitting and says what was probably meant.

// fault is a message and a hint that still lack their place.
type fault struct{ message, hint string }

// describe names a token in a sentence.
func (t token) describe() string {
	switch t.kind {
	case tokenEnd:
		return "the end of the text"
	case tokenQuoted:
		return quote(t.text)
	}
	return fmt.Sprintf("%q", t.text)
}

// symbols are operators of other languages, and what is written here instead.
var symbols = map[string]string{
	"==": "is for one value or contains for a list", "=": "is for one value or contains for a list", "===": "is for one value or contains for a list",
	"!=": "not in front of the claim: not email is jane@example.org",
	"&&": "and", "&": "and", "||": "or", "|": "or", "!": "not",
}

// symbolIn finds a symbol inside a word that has no spaces around it.
func symbolIn(word string) string {
	for _, s := range []string{"===", "==", "!=", "&&", "||", "="} {
		if strings.Contains(word, s) {
			return s
		}
	}
	if strings.HasPrefix(word, "!") {
		return "!"
	}
	return ""
}

func symbolFault(symbol string) fault {
	return fault{fmt.Sprintf("%s is not a word of this language", symbol), "write " + symbols[symbol]}
}

// noClaim explains a token that cannot begin a comparison, and returns nil for
// one that can.
func (p *parser) noClaim(t token) *Error {
	switch t.kind {
	case tokenBad:
		return t.err
	case tokenEnd:
		return t.fault(fmt.Sprintf("a condition is missing after %s", p.tokens[p.pos-1].text), "")
	case tokenListOpen:
		return t.fault("a bare list does not say whether all or any of it must hold", "write all: or any: in front of the list")
	case tokenClose:
		return t.fault("a parenthesis closes that was not opened, or has nothing in it", "")
	case tokenListClose, tokenComma, tokenOpen:
		return t.fault(fmt.Sprintf("expected a claim, got %q", t.text), "")
	case tokenWord:
		if t.parts {
			break
		}
		if p.peek().is("in") {
			break
		}
		if t.is("and") || t.is("or") {
			return t.fault(fmt.Sprintf("a condition is missing before %s", t.text), "")
		}
		if isReserved(t.text) && p.peek().kind == tokenOpen {
			return p.call(t)
		}
		if isReserved(t.text) {
			return t.fault(fmt.Sprintf("expected a claim, got the word %s", t.text), "the claim stands first: claim operator value; a claim of that name is written in quotes: "+quote(t.text))
		}
		if s := symbolIn(t.text); s != "" && !strings.Contains(t.text, "://") {
			at := t.span
			at.offset += strings.Index(t.text, s)
			at.end = at.offset + len(s)
			f := symbolFault(s)
			return at.fault(f.message, f.hint)
		}
	}
	if p.peek().is("in") {
		return p.claimOnTheRight(t)
	}
	return nil
}

// claimOnTheRight explains "teams/x in groups", and "groups in [teams/x]", where it
// is on the left.
func (p *parser) claimOnTheRight(t token) *Error {
	if i := p.pos + 1; i < len(p.tokens) && (p.tokens[i].kind == tokenListOpen || p.tokens[i].kind == tokenOpen) {
		return p.peek().fault(`unknown operator "in"`, fmt.Sprintf("write %s contains any of [...]", p.src.text[t.offset:t.end]))
	}
	claim := "groups"
	if i := p.pos + 1; i < len(p.tokens) && (p.tokens[i].kind == tokenWord || p.tokens[i].kind == tokenQuoted) {
		claim = p.src.text[p.tokens[i].offset:p.tokens[i].end]
	}
	return t.through(p.peek()).fault("the claim stands on the left", fmt.Sprintf("write %s contains %s", claim, p.src.text[t.offset:t.end]))
}

// strangeClaim explains a claim's name that cannot stand without quotes.
func strangeClaim(t token, segment span) *Error {
	hint := "put the name in double quotes if it is one key: " + quote(t.text)
	if t.parts {
		hint = "put that part in double quotes"
	}
	return segment.fault(fmt.Sprintf("%s is not a claim's name without quotes", t.src.text[segment.offset:segment.end]), hint)
}

// otherWords are operators of other languages that are words.
var otherWords = map[string]string{
	"has": "contains", "have": "contains", "includes": "contains", "include": "contains", "contain": "contains",
	"equals": "is", "equal": "is", "eq": "is", "are": "is",
	"begins with": "starts with", "startswith": "starts with", "endswith": "ends with", "like": "matches /^...$/", "regex": "matches /^...$/",
	"match": "matches /^...$/", "exists": "is present", "older": "not ... within", "newer": "within",
}

// noOperator explains what stands where an operator was expected.
func (p *parser) noOperator(claim token, name path) *Error {
	t := p.peek()
	exist := "operators are: " + operatorNames()
	bare := claim.kind == tokenWord && claim.text == name.String()
	switch {
	case t.kind == tokenBad:
		return t.err
	case bare && (claim.is("public") || claim.is("signed-in") || claim.is("nobody")):
		return claim.fault(fmt.Sprintf("%s stands alone as what a route allows and is not part of a condition", claim.text), "")
	case bare && (t.kind == tokenEnd || t.kind == tokenClose || t.is("and") || t.is("or")) && slices.Contains(p.policies, claim.text):
		return claim.fault(fmt.Sprintf("expected a condition, got the name of a policy, %s", claim.text), "write policy "+claim.text)
	case t.kind == tokenEnd:
		return t.fault(fmt.Sprintf("an operator is missing after %s", name), exist)
	case t.kind == tokenOpen && claim.kind == tokenWord && !claim.parts && claim.end == t.offset:
		return p.call(claim)
	case t.kind != tokenWord:
		return t.fault(fmt.Sprintf("expected an operator after %s, got %s", name, t.describe()), exist)
	case symbols[t.text] != "":
		f := symbolFault(t.text)
		return t.fault(f.message, f.hint)
	case t.is("not"), t.is("isn't"), t.is("doesn't"), t.is("does"):
		return t.fault("not stands before the claim", fmt.Sprintf("write not %s contains ...", name))
	case t.is("and"), t.is("or"):
		return t.fault(fmt.Sprintf("an operator is missing after %s", name), exist)
	}
	if lower := strings.ToLower(claim.text); bare && (lower == "not" || lower == "policy") {
		return claim.fault(fmt.Sprintf("unexpected %q", claim.text), "write "+lower+" in small letters")
	}
	at, word := t.span, t.text
	if i := p.pos + 1; i < len(p.tokens) && (p.tokens[i].is("with") || p.tokens[i].is("of")) {
		at, word = at.through(p.tokens[i]), word+" "+p.tokens[i].text
	}
	hint := exist
	if meant := otherWords[strings.ToLower(word)]; meant != "" {
		hint = "write " + meant + "; " + exist
	} else if meant := nearest(word, firstWords()); meant != "" {
		hint = "did you mean " + meant + "? " + exist
	}
	return at.fault(fmt.Sprintf("unknown operator %q", word), hint)
}

func firstWords() []string {
	var words []string
	for _, op := range operators {
		if w, _, _ := strings.Cut(op.name, " "); !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return words
}

// noValue explains a token that is not a value, and returns nil for one that is.
func (p *parser) noValue(t token, c *comparison) *Error {
	op := c.op.name
	switch t.kind {
	case tokenBad:
		return t.err
	case tokenEnd:
		return t.fault(fmt.Sprintf("a value is missing after %s", op), "if it begins with #, YAML took it for a comment: put it in double quotes and the whole condition in single quotes")
	case tokenListOpen:
		if lists := listOperators(op); len(lists) > 0 {
			return t.fault(fmt.Sprintf("%s takes one value, got a list", op), "write "+strings.Join(lists, " or "))
		}
		return t.fault("a list cannot stand in a list", "")
	case tokenWord:
	default:
		return t.fault(fmt.Sprintf("expected a value, got %q", t.text), "a value with brackets or commas is written in double quotes")
	}
	if t.parts {
		return t.fault("a quote stands inside a value", `put the whole value in double quotes and write \" for a quote inside it`)
	}
	first := len(c.values) == 0 && p.pos > 0 && p.tokens[p.pos-1].kind == tokenWord
	if first {
		after := token{}
		if p.pos+1 < len(p.tokens) {
			after = p.tokens[p.pos+1]
		}
		if t.is("not") {
			return t.fault("not stands before the claim", fmt.Sprintf("write not %s %s ...", c.claim, op))
		}
		if longer := longerOperator(op, t.text); longer != nil || after.is("of") || t.is("present") || t.is("missing") {
			at, word := t.span, t.text
			if after.is("of") {
				at, word = at.through(after), word+" of"
			}
			return at.fault(fmt.Sprintf("unknown operator %q", op+" "+word), fmt.Sprintf("operators are: %s; if the value is the word %s, put it in double quotes", operatorNames(), t.text))
		}
	}
	if t.is("and") || t.is("or") {
		return t.fault(fmt.Sprintf("a value is missing before %s", t.text), "if the value is that word, put it in double quotes")
	}
	if isReserved(t.text) {
		return t.fault(fmt.Sprintf("expected a value, got the word %s", t.text), fmt.Sprintf("operators are: %s; if the value is that word, put it in double quotes", operatorNames()))
	}
	if f := bareFault(t.text); f != nil {
		return t.fault(f.message, f.hint)
	}
	return nil
}

// bareFault returns why a word is not taken for a value without quotes although
// the lexer could read it: it looks as if its writer had meant something else.
func bareFault(word string) *fault {
	for _, s := range []string{"&&", "||"} {
		if strings.Contains(word, s) {
			return &fault{fmt.Sprintf("%s is not a word of this language", s), "write " + symbols[s] + ", or put the value in double quotes if that belongs to it"}
		}
	}
	switch {
	case word == "=" || word == "==":
		return &fault{fmt.Sprintf("expected a value, got %s", word), "the operator alone is enough"}
	case strings.HasPrefix(word, "!"):
		return &fault{"! is not a word of this language", "write not in front of the claim, or put the value in double quotes if it begins with !"}
	case strings.Contains(word, "*"):
		return &fault{"* stands for nothing but itself: values are compared whole, byte for byte", "put the value in double quotes if the star belongs to it"}
	}
	return nil
}

// noList explains what stands where a list was expected.
func (p *parser) noList(t token, c *comparison) *Error {
	switch t.kind {
	case tokenBad:
		return t.err
	case tokenEnd:
		return t.fault(fmt.Sprintf("a list is missing after %s", c.op.name), "write [a, b]; between { and } YAML takes brackets for itself: put the whole condition in single quotes")
	case tokenWord, tokenQuoted:
		return t.fault(fmt.Sprintf("%s takes a list, got %s", c.op.name, t.describe()), fmt.Sprintf("write %s %s [%s]", c.claim, c.op.name, p.src.text[t.offset:t.end]))
	}
	return t.fault(fmt.Sprintf("%s takes a list in square brackets, got %q", c.op.name, t.text), "write [a, b]")
}

// noPattern explains what stands where a pattern was expected.
func (p *parser) noPattern(t token, c *comparison) *Error {
	switch t.kind {
	case tokenBad:
		return t.err
	case tokenEnd:
		return t.fault("a pattern is missing after matches", "write it between slashes: /^svc-[a-z]+$/")
	case tokenListOpen:
		return t.fault("matches takes one pattern, got a list", "write the alternatives into one: /^(a|b)$/")
	}
	return t.fault(fmt.Sprintf("expected a pattern, got %s", t.describe()), fmt.Sprintf("write it between slashes: %s matches /^...$/", c.claim))
}

// noDuration explains what stands where a duration was expected.
func (p *parser) noDuration(t token) *Error {
	const hint = "write 15m, 12h, 7d or 1h30m"
	switch t.kind {
	case tokenBad:
		return t.err
	case tokenEnd:
		return t.fault("a duration is missing after within", hint)
	}
	if _, ok := canonicalNumber(t.text); ok && t.kind == tokenWord {
		return t.fault(fmt.Sprintf("the duration %s has no unit", t.text), hint)
	}
	return t.fault(fmt.Sprintf("expected a duration, got %s", t.describe()), hint)
}

func unclosed(open token) *Error {
	return open.fault("the list that opens here is never closed", "between { and } YAML takes brackets and commas for itself: put the whole condition in single quotes")
}

// noComma explains what follows a value of a list without a comma.
func (p *parser) noComma(t token, last literal) *Error {
	if t.kind == tokenBad {
		return t.err
	}
	if t.kind == tokenWord && !t.parts {
		return t.fault(fmt.Sprintf("expected a comma or ], got %s", t.describe()), fmt.Sprintf("a value with a space is written in double quotes: %s", quote(last.text+" "+t.text)))
	}
	return t.fault(fmt.Sprintf("expected a comma or ], got %s", t.describe()), "")
}

// mixed explains "a and b or c".
func (p *parser) mixed(t token) *Error {
	return t.fault(`"and" and "or" are mixed without parentheses`, "write (A and B) or C, or A and (B or C)")
}

// trailing explains what follows a finished condition n.
func (p *parser) trailing(t token, n node) *Error {
	switch t.kind {
	case tokenBad:
		return t.err
	case tokenClose:
		return t.fault("a parenthesis closes that was not opened", "")
	case tokenListClose:
		return t.fault("a list closes that was not opened", "")
	case tokenListOpen:
		return t.fault("a list stands where the condition has ended", "")
	case tokenWord:
		if symbols[t.text] != "" {
			f := symbolFault(t.text)
			return t.fault(f.message, f.hint)
		}
		if lower := strings.ToLower(t.text); lower == "and" || lower == "or" {
			return t.fault(fmt.Sprintf("unexpected %q", t.text), "write "+lower+" in small letters")
		}
		if last := lastValue(n); last != nil && !t.parts && !p.startsComparison() {
			return t.fault(fmt.Sprintf("unexpected %q after the value", t.text), fmt.Sprintf("a value with a space is written in double quotes: %s", quote(last.text+" "+t.text)))
		}
	}
	return t.fault(fmt.Sprintf("unexpected %s where the condition has ended", t.describe()), `join two conditions with "and" or "or"`)
}

// startsComparison reports whether what is left looks like another condition
// rather than the rest of a value.
func (p *parser) startsComparison() bool {
	if p.peek().is("not") || p.peek().is("policy") {
		return true
	}
	if p.pos+1 >= len(p.tokens) {
		return false
	}
	after := p.tokens[p.pos+1]
	return after.kind == tokenWord && slices.Contains(firstWords(), after.text)
}

// lastValue returns the value that a condition ends with, if it does.
func lastValue(n node) *literal {
	switch n := n.(type) {
	case *group:
		return lastValue(n.nodes[len(n.nodes)-1])
	case *negation:
		return lastValue(n.node)
	case *comparison:
		if _, single := n.op.operand.(oneValue); single {
			return &n.values[0]
		}
	}
	return nil
}
