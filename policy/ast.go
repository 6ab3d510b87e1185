package policy

import (
	"regexp"
	"strings"
	"time"
)

// node is a part of a condition as it was written: *group, *negation, *reference,
// *comparison or *expression. String prints it in the canonical way, which parses to an equal
// node.
type node interface {
	String() string
	place() span
}

type connective uint8

const (
	and connective = iota
	or
)

func (c connective) String() string {
	if c == or {
		return "or"
	}
	return "and"
}

// opposite is what the connective becomes under not (De Morgan).
func (c connective) opposite() connective {
	if c == or {
		return and
	}
	return or
}

// group is two or more nodes that must all hold, or one of which must.
type group struct {
	span
	connective connective
	nodes      []node
}

// negation is "not".
type negation struct {
	span
	node node
}

// reference is "policy NAME".
type reference struct {
	span
	name string
	// at is where the name stands, without the word policy.
	at span
}

// comparison is one operator applied to one claim: a leaf of the tree.
type comparison struct {
	span
	claim  path
	op     *operator
	values []literal
	// pattern is the value of matches, and within that of within.
	pattern *regexp.Regexp
	within  time.Duration
	// texts is values in the form that membership is tested with.
	texts stringSet
}

func (s span) place() span { return s }

func (g *group) String() string {
	parts := make([]string, len(g.nodes))
	for i, n := range g.nodes {
		parts[i] = enclosed(n)
	}
	return strings.Join(parts, " "+g.connective.String()+" ")
}

func (n *negation) String() string { return "not " + enclosed(n.node) }

func (r *reference) String() string { return "policy " + quoteWord(r.name) }

func (c *comparison) String() string { return c.describe(len(c.values)) }

// describe prints the comparison with at most limit values of its list.
func (c *comparison) describe(limit int) string {
	s := c.claim.String() + " " + c.op.name
	if operand := c.op.operand.print(c, limit); operand != "" {
		s += " " + operand
	}
	return s
}

func (c *comparison) verdict(who *Caller) verdict {
	return c.op.test(c, who.Claims.find(c.claim), who.Now)
}

func (c *comparison) claims() []path { return []path{c.claim} }

func (c *comparison) literals() []string { return c.texts.list }

// enclosed prints a node as a member of another one.
func enclosed(n node) string {
	if g, ok := n.(*group); ok {
		return "(" + g.String() + ")"
	}
	return n.String()
}

// path is the way to a claim: the name at the top and, in objects, the names
// below it.
type path []string

// String prints the path as it is written in a condition.
func (p path) String() string {
	if len(p) == 1 && isAddress(p[0]) {
		return p[0]
	}
	parts := make([]string, len(p))
	for i, name := range p {
		if !isSegment(name) || len(p) == 1 && isReserved(name) {
			name = quote(name)
		}
		parts[i] = name
	}
	return strings.Join(parts, ".")
}

// isSegment reports whether a name can stand in a path without quotes.
func isSegment(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
		if !letter && (c != '-' || i == 0) {
			return false
		}
	}
	return name != ""
}

// isAddress reports whether a name is one that "://" lets stand without quotes.
func isAddress(name string) bool {
	return strings.Contains(name, "://") && isWord(name)
}

// isWord reports whether the lexer reads s as one unquoted word.
func isWord(s string) bool {
	tokens := lex(&source{text: s})
	return len(tokens) == 2 && tokens[0].kind == tokenWord && tokens[0].text == s && !tokens[0].parts
}

// quoteWord prints a name or a value, in quotes where it needs them.
func quoteWord(s string) string {
	if isWord(s) && bareFault(s) == nil && !isReserved(s) {
		return s
	}
	return quote(s)
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
