package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// parser reads one condition by recursive descent. It stops at the first fault.
type parser struct {
	src    *source
	tokens []token
	pos    int
	depth  int
	// policies are the names that exist, for sentences only: whether a reference
	// can be resolved is decided later, when all policies are known.
	policies []string
}

// parse reads a text as a condition.
func parse(src *source, policies []string) (node, *Error) {
	if len(src.text) > maxText {
		s := span{src: src, offset: maxText, end: maxText}
		return nil, s.fault(fmt.Sprintf("the condition is %d bytes long, at most %d are read", len(src.text), maxText), "give parts of it a name under policies")
	}
	p := &parser{src: src, tokens: lex(src), policies: policies}
	if t := p.peek(); t.kind == tokenEnd {
		t.offset, t.end = 0, 0
		return nil, t.fault("the condition is empty", "write for example groups contains teams/kde-developers")
	}
	n, err := p.condition()
	if err != nil {
		return nil, cmp.Or(p.noCondition(), err)
	}
	if t := p.peek(); t.kind != tokenEnd {
		return nil, p.trailing(t, n)
	}
	return n, nil
}

func (p *parser) peek() token { return p.tokens[p.pos] }

// next returns the current token and steps over it; nothing follows the last.
func (p *parser) next() token {
	t := p.tokens[p.pos]
	if p.pos < len(p.tokens)-1 {
		p.pos++
	}
	return t
}

// from is the span from a node's or token's beginning to the last token read.
func (p *parser) from(start span) span {
	return span{src: p.src, offset: start.offset, end: p.tokens[max(p.pos-1, 0)].end}
}

// condition reads terms joined by and, or terms joined by or.
func (p *parser) condition() (node, *Error) {
	first, err := p.term()
	if err != nil {
		return nil, err
	}
	nodes, joined := []node{first}, and
	for {
		t := p.peek()
		if !t.is("and") && !t.is("or") {
			break
		}
		with := and
		if t.is("or") {
			with = or
		}
		if len(nodes) > 1 && with != joined {
			return nil, p.mixed(t)
		}
		joined = with
		p.next()
		n, err := p.term()
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	if len(nodes) == 1 {
		return first, nil
	}
	return &group{span: p.from(first.place()), connective: joined, nodes: nodes}, nil
}

// term reads not, parentheses, a policy's name or a comparison.
func (p *parser) term() (node, *Error) {
	t := p.peek()
	switch {
	case t.is("not"):
		p.next()
		if err := p.nest(t); err != nil {
			return nil, err
		}
		n, err := p.term()
		p.depth--
		if err != nil {
			return nil, err
		}
		return &negation{span: p.from(t.span), node: n}, nil
	case t.kind == tokenOpen:
		p.next()
		if err := p.nest(t); err != nil {
			return nil, err
		}
		n, err := p.condition()
		p.depth--
		if err != nil {
			return nil, err
		}
		if c := p.peek(); c.kind != tokenClose {
			if c.kind == tokenEnd {
				return nil, t.fault("the parenthesis that opens here is never closed", "")
			}
			return nil, p.trailing(c, n)
		}
		p.next()
		return n, nil
	case t.is("policy"):
		return p.reference()
	}
	return p.comparison()
}

// nest counts one level deeper.
func (p *parser) nest(t token) *Error {
	if p.depth++; p.depth > maxNesting {
		return t.fault(fmt.Sprintf("nested deeper than %d levels", maxNesting), "give the inner part a name under policies")
	}
	return nil
}

// reference reads "policy NAME".
func (p *parser) reference() (node, *Error) {
	word := p.next()
	t := p.peek()
	switch {
	case t.kind == tokenBad:
		return nil, t.err
	case t.kind == tokenQuoted && t.text != "", t.kind == tokenWord && !t.parts && !isReserved(t.text):
		p.next()
		return &reference{span: p.from(word.span), name: t.text, at: t.span}, nil
	case t.kind == tokenEnd:
		return nil, t.fault("the name after policy is missing", "")
	}
	return nil, t.fault(fmt.Sprintf("expected the name of a policy, got %s", t.describe()), `a claim that is called policy is written in quotes: "policy"`)
}

// comparison reads "claim operator operand".
func (p *parser) comparison() (node, *Error) {
	t := p.next()
	if err := p.noClaim(t); err != nil {
		return nil, err
	}
	claim, err := claimPath(t)
	if err != nil {
		return nil, err
	}
	c := &comparison{claim: claim}
	if c.op, err = p.operator(t, claim); err != nil {
		return nil, err
	}
	if err := c.op.operand.parse(p, c); err != nil {
		return nil, err
	}
	texts := make([]string, len(c.values))
	for i, l := range c.values {
		texts[i] = l.text
	}
	c.texts = newStringSet(texts)
	c.span = p.from(t.span)
	return c, nil
}

// claimPath reads the claim from its token.
func claimPath(t token) (path, *Error) {
	if t.kind == tokenQuoted {
		if t.text == "" {
			return nil, t.fault("a claim's name is empty", "")
		}
		return path{t.text}, nil
	}
	if !t.parts && strings.Contains(t.text, "://") {
		return path{t.text}, nil
	}
	var names path
	for rest, at := t.text, t.offset; ; {
		n := strings.IndexByte(rest, '.')
		if strings.HasPrefix(rest, `"`) {
			n = quotedEnd(rest)
		} else if n < 0 {
			n = len(rest)
		}
		segment := span{src: t.src, offset: at, end: at + n}
		name := rest[:n]
		switch {
		case name == "" && n < len(rest):
			segment.end++
			fallthrough
		case name == "", name == `""`:
			return nil, segment.fault(fmt.Sprintf("a name is missing between the dots of %s", t.text), "a dot in a claim's name, rather than a way into an object, is written in quotes: "+quote(t.text))
		case name[0] == '"':
			name = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(name[1 : n-1])
		case !isSegment(name):
			return nil, strangeClaim(t, segment)
		}
		names = append(names, name)
		if n == len(rest) {
			return names, nil
		}
		rest, at = rest[n+1:], at+n+1
		if rest == "" {
			segment.offset, segment.end = at-1, at
			return nil, segment.fault(fmt.Sprintf("a name is missing after the last dot of %s", t.text), "")
		}
	}
}

// operator reads the longest operator that the words spell.
func (p *parser) operator(t token, claim path) (*operator, *Error) {
	var best *operator
	bestWords := 0
	for _, op := range operators {
		words := 0
		for w := range strings.SplitSeq(op.name, " ") {
			if i := p.pos + words; i >= len(p.tokens) || !p.tokens[i].is(w) {
				words = 0
				break
			}
			words++
		}
		if words > bestWords {
			best, bestWords = op, words
		}
	}
	if best == nil {
		return nil, p.noOperator(t, claim)
	}
	p.pos += bestWords
	return best, nil
}

// value reads one value.
func (p *parser) value(c *comparison) (literal, *Error) {
	t := p.peek()
	if t.kind == tokenQuoted {
		p.next()
		return literal{kind: literalText, text: t.text}, nil
	}
	if err := p.noValue(t, c); err != nil {
		return literal{}, err
	}
	p.next()
	return bareLiteral(t.text), nil
}

// list reads "[value, value]".
func (p *parser) list(c *comparison) ([]literal, *Error) {
	open := p.peek()
	if open.kind != tokenListOpen {
		return nil, p.noList(open, c)
	}
	p.next()
	if t := p.peek(); t.kind == tokenListClose {
		return nil, p.from(open.span).through(t).fault("the list is empty", "a list has at least one value")
	}
	var values []literal
	for {
		if t := p.peek(); t.kind == tokenEnd {
			return nil, unclosed(open)
		}
		l, err := p.value(c)
		if err != nil {
			return nil, err
		}
		if values = append(values, l); len(values) > maxValues {
			return nil, open.fault(fmt.Sprintf("the list has more than %d values", maxValues), "")
		}
		switch t := p.next(); t.kind {
		case tokenListClose:
			return slices.Clip(values), nil
		case tokenComma:
		case tokenEnd:
			return nil, unclosed(open)
		default:
			return nil, p.noComma(t, l)
		}
	}
}

// through extends the span to the end of a token.
func (s span) through(t token) span {
	s.end = t.end
	return s
}
