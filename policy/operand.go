package policy

import "fmt"

// operand is a kind of right-hand side.
type operand interface {
	// parse reads it into the comparison.
	parse(p *parser, c *comparison) *Error
	// print returns it as it is written, a list with at most limit values.
	print(c *comparison, limit int) string
}

// oneValue is the operand of "is" and "contains".
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

// oneText is the operand of "starts with": a text, whatever it looks like.
type oneText struct{}

func (oneText) parse(p *parser, c *comparison) *Error {
	t := p.peek()
	l, err := p.value(c)
	if err != nil {
		return err
	}
	if l.text == "" {
		return t.fault(fmt.Sprintf("every string %s an empty one", c.op.name), "to ask whether the claim is there write is present")
	}
	c.values = []literal{{kind: literalText, text: l.text}}
	return nil
}

func (oneText) print(c *comparison, _ int) string { return c.values[0].String() }

// onePattern is the operand of "matches".
type onePattern struct{}

func (onePattern) parse(p *parser, c *comparison) *Error {
	t := p.peek()
	if t.kind != tokenPattern {
		return p.noPattern(t, c)
	}
	p.next()
	source := t.text[1 : len(t.text)-1]
	re, err := compilePattern(source)
	if err != nil {
		return t.fault(err.message, err.hint)
	}
	c.pattern = re
	c.values = []literal{{kind: literalText, text: source}}
	return nil
}

func (onePattern) print(c *comparison, _ int) string { return "/" + c.values[0].text + "/" }

// nothing is the operand of "is present".
type nothing struct{}

func (nothing) parse(*parser, *comparison) *Error { return nil }

func (nothing) print(*comparison, int) string { return "" }

// oneDuration is the operand of "within".
type oneDuration struct{}

func (oneDuration) parse(p *parser, c *comparison) *Error {
	t := p.peek()
	if t.kind != tokenWord || t.parts {
		return p.noDuration(t)
	}
	d, ok := parseDuration(t.text)
	if !ok {
		return p.noDuration(t)
	}
	p.next()
	c.within = d
	c.values = []literal{{kind: literalText, text: t.text}}
	return nil
}

func (oneDuration) print(c *comparison, _ int) string { return c.values[0].text }
