package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// enum is a string type with a closed set of values.
type enum interface {
	// words are the legal values, in the order in which they are told.
	words() []string
}

// refuser is an enum that knows why people write a certain other word.
type refuser interface {
	// refusal is a sentence about word, or "".
	refusal(word string) string
}

// text decodes a string. What YAML takes for something else has to be quoted:
// "no guessing" is cheaper than finding out that 010 is 8 and that 1e3 is 1000.
func (l *loader) text(n *yaml.Node, v reflect.Value, path string, opt options) bool {
	words, isEnum := v.Interface().(enum)
	expected := "a string"
	if isEnum {
		expected = oneOf(words.words())
	}
	if !isText(n) {
		f := l.fault(n, path, "expected %s, got %s", expected, l.describe(n))
		switch meant := meantListen(n.Value); {
		case isEnum:
		case n.Tag == "!!int" && meant != "" && (strings.HasPrefix(path, "listen") || strings.HasPrefix(path, "redirect_http")):
			f.hint("%s", meant) // quotes alone would not do
		default:
			f.hint("%s", quoteHint(n))
		}
		return false
	}
	text := n.Value
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		text = strings.TrimRight(text, "\n") // which only says where the block ends
	}
	if isEnum && !slices.Contains(words.words(), text) {
		f := l.fault(n, path, "expected %s, got %s", expected, quote(text))
		if r, ok := words.(refuser); ok && r.refusal(text) != "" {
			f.Message += ": " + r.refusal(text)
		} else if c := closest(text, words.words()); c != "" {
			f.hint("did you mean %q?", c)
		}
		return false
	}
	for _, r := range text {
		if unicode.IsControl(r) && !(opt.text && r == '\n') {
			l.fault(n, path, "the control character U+%04X cannot stand here", r)
			return false
		}
	}
	if opt.path {
		if text == "" {
			l.fault(n, path, "expected the name of a file, got an empty string")
			return false
		}
		text = l.file(n, text)
	}
	v.SetString(text)
	return true
}

// boolean decodes true and false, and nothing else that YAML 1.1 had for them.
func (l *loader) boolean(n *yaml.Node, v reflect.Value, path string) bool {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!bool" && (n.Value == "true" || n.Value == "false") {
		v.SetBool(n.Value == "true")
		return true
	}
	f := l.fault(n, path, "expected true or false, got %s", l.describe(n))
	switch strings.ToLower(n.Value) {
	case "yes", "on", "y", "true":
		f.hint("did you mean true?")
	case "no", "off", "n", "false":
		f.hint("did you mean false?")
	}
	return false
}

// mismatch reports a value of the wrong kind.
func (l *loader) mismatch(n *yaml.Node, path, expected string) bool {
	l.fault(n, path, "expected %s, got %s", expected, l.describe(n))
	return false
}

// describe says in words what a node is, in the way YAML reads it.
func (l *loader) describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "the boolean " + n.Value
	case "!!int":
		if plain := strings.TrimLeft(n.Value, "+-"); len(plain) > 1 && plain[0] == '0' {
			var number int64
			if n.Decode(&number) == nil {
				return fmt.Sprintf("the number %s, which YAML reads as %d", n.Value, number)
			}
		}
		return "the number " + n.Value
	case "!!float":
		return "the number " + n.Value
	case "!!timestamp":
		return "the date " + n.Value
	}
	return quote(n.Value)
}

// quoteHint suggests quotes around what YAML did not take for a string.
func quoteHint(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || isNull(n) || isText(n) {
		return ""
	}
	return fmt.Sprintf("quote it: %q", n.Value)
}

// quote shows a value of the file: cut short, without a password in a URL.
func quote(s string) string {
	s = hideInURLs(s)
	const most = 60
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "..."
	}
	return strconv.Quote(s)
}

// oneOf lists words as in "file, env or credential".
func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
