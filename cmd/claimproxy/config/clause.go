package config

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/claimproxy/claimproxy/policy"
)

const clauseExpected = "a condition, or a mapping with one of all, any, not and expr"

// blockWords are the keys of a mapping in place of a condition.
var blockWords = []string{"all", "any", "not", "expr"}

// clause decodes what policies require and routes allow: the text of a condition, an
// expression or a block of conditions. What the text says is package policy's business; what
// YAML made of it is told here.
func (l *loader) clause(n *yaml.Node, to *policy.Clause, path string) bool {
	to.At = l.textPosition(n)
	l.conditions[to.At] = place{node: n, at: to.At, path: path}
	switch {
	case n.Kind == yaml.SequenceNode:
		f := l.fault(n, path, "expected %s, got a list: say all: or any: in front of it", clauseExpected)
		if meant := meantClauses(n); meant != "" {
			f.hint("write %s", meant)
		}
		return false
	case n.Kind == yaml.MappingNode:
		return l.block(n, to, path)
	case !isText(n):
		f := l.fault(n, path, "expected %s, got %s", clauseExpected, l.describe(n))
		if n.Tag == "!!bool" && lastKey(path) == "allow" {
			f.hint("public is everybody, signed-in is whoever is known, nobody is no one")
		}
		return false
	}
	if l.template(n, path) {
		return false
	}
	text := strings.Trim(n.Value, " \t\n")
	if text == "" {
		l.fault(n, path, "expected %s, got an empty string", clauseExpected)
		return false
	}
	if l.swallowed(n, unfinished.MatchString(text), path) {
		return false
	}
	to.Text = text
	return true
}

// block decodes {all: [...]}, {any: [...]}, {not: ...} and {expr: ...}.
func (l *loader) block(n *yaml.Node, to *policy.Clause, path string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		// `groups contains a: b` is a mapping to YAML, and nothing else is one whose
		// key has a blank.
		if key := follow(n.Content[i]); key.Kind == yaml.ScalarNode && strings.ContainsAny(key.Value, " \t") {
			l.fault(key, path, "YAML took the `:` in this condition for the end of a key: quote the condition")
			return false
		}
	}
	ok, met := true, 0
	l.eachKey(n, path, func(name string, key, val *yaml.Node, path string) {
		met++
		val = follow(val)
		switch name {
		case "all", "any":
			list := l.clauses(val, key, path, name)
			if name == "all" {
				to.All = list
			} else {
				to.Any = list
			}
			ok = ok && list != nil
		case "not":
			to.Not = new(policy.Clause)
			if isNull(val) {
				l.nothing(key, val, path, options{required: true})
				ok = false
				return
			}
			ok = l.clause(val, to.Not, path) && ok
		case "expr":
			ok = l.expression(key, val, to, path) && ok
		default:
			ok = false
			f := l.fault(key, path, "expected all, any, not or expr, got the key %s", quote(name))
			if c := closest(name, blockWords); c != "" {
				f.hint("did you mean %q?", c)
			}
		}
	})
	if ok && met != 1 {
		l.fault(n, path, "expected one of all, any, not and expr, got %d keys: put them below one all: or any:", len(n.Content)/2)
		return false
	}
	return ok
}

// expression decodes what stands behind expr:, a text in the language of expr-lang.
func (l *loader) expression(key, val *yaml.Node, to *policy.Clause, path string) bool {
	switch text := strings.TrimSpace(val.Value); {
	case isNull(val):
		l.nothing(key, val, path, options{required: true})
	case !isText(val):
		l.fault(val, path, "expected an expression, got %s", l.describe(val)).hint("quote the whole expression")
	case text == "":
		l.fault(val, path, "expected an expression, got an empty string")
	case l.swallowed(val, openExpression(text), path):
	default:
		// Package policy tells faults by where the text begins, not the block.
		to.At = l.textPosition(val)
		to.Expr = text
		l.conditions[to.At] = place{node: val, at: to.At, path: path}
		return true
	}
	return false
}

// openExpression says whether an expression stops before all its brackets are closed.
func openExpression(text string) bool {
	open := 0
	for _, r := range text {
		switch r {
		case '(', '[', '{':
			open++
		case ')', ']', '}':
			open--
		}
	}
	return open > 0
}

// clauses decodes the list of an all or any. It returns nil after a fault.
func (l *loader) clauses(n, key *yaml.Node, path, word string) []policy.Clause {
	if n.Kind != yaml.SequenceNode {
		if isNull(n) {
			l.nothing(key, n, path, options{required: true})
		} else {
			l.fault(n, path, "expected a list of conditions below %s:, got %s", word, l.describe(n))
		}
		return nil
	}
	if len(n.Content) == 0 {
		l.fault(n, path, "expected at least one condition, got an empty list")
		return nil
	}
	list, ok := make([]policy.Clause, len(n.Content)), true
	for i, c := range n.Content {
		ok = l.clause(follow(c), &list[i], path+"["+strconv.Itoa(i)+"]") && ok
	}
	if !ok {
		return nil
	}
	return list
}

// unfinished is a condition that stops where a value or another condition has to
// follow.
var unfinished = regexp.MustCompile(`(?:^|\s)(?:contains|of|is|with|matches|within|policy|and|or|not)$`)

// swallowed reports a condition whose end YAML took for a comment, so that more
// is granted than is written. A comment is believed to be one when the condition
// is complete without it, not open, and a blank follows its "#".
func (l *loader) swallowed(n *yaml.Node, open bool, path string) bool {
	comment := n.LineComment
	if comment == "" || n.Style != 0 {
		return false
	}
	glued := len(comment) > 1 && comment[1] != ' ' && comment[1] != '\t'
	if !glued && !open {
		return false
	}
	f := l.fault(n, path, "`#` began a comment here: quote the condition")
	if !open {
		f.hint("if it is a comment, put a blank after the `#`")
	}
	// Point at the "#" where it is in the same line.
	rest := l.source(n).from(n.Line, n.Column)
	if i := strings.LastIndex(rest, comment); i >= 0 {
		f.At.Column = n.Column + utf8.RuneCountInString(rest[:i])
		f.Length = utf8.RuneCountInString(comment)
	}
	return true
}

// textPosition is where the first character of a scalar's text stands: behind the
// quote, or below the sign of a block.
func (l *loader) textPosition(n *yaml.Node) policy.Position {
	at := l.position(n)
	switch {
	case n.Kind != yaml.ScalarNode:
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		at.Column++
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		src := l.source(n)
		for line := n.Line + 1; line <= len(src.lines); line++ {
			if text := src.from(line, 1); strings.TrimSpace(text) != "" {
				at.Line, at.Column = line, len(text)-len(strings.TrimLeft(text, " "))+1
				break
			}
		}
	}
	return at
}
