package config

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/claimproxy/claimproxy/policy"
)

const clauseExpected = "a condition, or a mapping with one of all, any and not"

// clause decodes what policies require and routes allow: the text of a condition
// or a block of conditions. What the text says is package policy's business; what
// YAML made of it is told here.
func (l *loader) clause(n *yaml.Node, to *policy.Clause, path string) bool {
	to.At = l.textPosition(n)
	l.conditions[to.At] = place{node: n, at: to.At, path: path}
	switch {
	case n.Kind == yaml.SequenceNode:
		l.fault(n, path, "expected %s, got a list: say all: or any: in front of it", clauseExpected)
		return false
	case n.Kind == yaml.MappingNode:
		return l.block(n, to, path)
	case !isText(n):
		l.fault(n, path, "expected %s, got %s", clauseExpected, l.describe(n))
		return false
	}
	text := strings.Trim(n.Value, " \t\n")
	if text == "" {
		l.fault(n, path, "expected %s, got an empty string", clauseExpected)
		return false
	}
	if l.swallowed(n, text, path) {
		return false
	}
	to.Text = text
	return true
}

// block decodes {all: [...]}, {any: [...]} and {not: ...}.
func (l *loader) block(n *yaml.Node, to *policy.Clause, path string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		// `groups contains a: b` is a mapping to YAML, and nothing else is one whose
		// key has a blank.
		if key := follow(n.Content[i]); key.Kind == yaml.ScalarNode && strings.ContainsAny(key.Value, " \t") {
			l.fault(key, path, "YAML took the `:` in this condition for the end of a key: quote the condition")
			return false
		}
	}
	words := []string{"all", "any", "not"}
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
		default:
			ok = false
			f := l.fault(key, path, "expected all, any or not, got the key %s", quote(name))
			if c := closest(name, words); c != "" {
				f.hint("did you mean %q?", c)
			}
		}
	})
	if ok && met != 1 {
		l.fault(n, path, "expected one of all, any and not, got %d keys: put them below one all: or any:", len(n.Content)/2)
		return false
	}
	return ok
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
// is complete without it and a blank follows its "#".
func (l *loader) swallowed(n *yaml.Node, text, path string) bool {
	comment := n.LineComment
	if comment == "" || n.Style != 0 {
		return false
	}
	glued := len(comment) > 1 && comment[1] != ' ' && comment[1] != '\t'
	open := unfinished.MatchString(text)
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
