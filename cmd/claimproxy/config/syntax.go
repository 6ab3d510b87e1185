package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/claimproxy/claimproxy/policy"
)

// reading is one file on its way from text to a tree of nodes.
type reading struct {
	*loader
	src *source
}

// parse turns the text into the one mapping that a configuration file is. It
// returns nil after it has reported why there is none.
func (l *reading) parse(data []byte, expected string) *yaml.Node {
	if !l.readable(data) {
		return nil
	}
	docs, err := documents(data)
	if err != nil {
		l.syntaxFault(data, err)
		return nil
	}
	if len(docs) == 0 || isNull(docs[0]) {
		l.fileFault(0, 0, "the file is empty: expected at least "+expected)
		return nil
	}
	if len(docs) > 1 {
		l.fileFault(l.secondDocument(docs[0], docs[1]), 1, "a second document begins here: one file holds one document")
	}
	if !l.sound(docs[0]) {
		return nil
	}
	return docs[0]
}

// fileFault reports an error at a place of the text, where there is no node.
func (l *reading) fileFault(line, column int, message string) {
	at := policy.Position{File: l.src.name, Line: line, Column: column}
	l.errors = append(l.errors, &Fault{At: at, Message: message, Length: 1})
}

// secondDocument is the line that begins it.
func (l *reading) secondDocument(first, second *yaml.Node) int {
	for line := first.Line + 1; line <= len(l.src.lines); line++ {
		if strings.HasPrefix(l.src.lines[line-1], "---") {
			return line
		}
	}
	return second.Line
}

// documents returns the root of at most two documents. The library panics on a
// few malformed inputs; a file must not be able to stop a running proxy at its
// reload.
func documents(data []byte) (roots []*yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the YAML library gave up on this file: %v", p)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for len(roots) < 2 {
		var doc yaml.Node
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			if len(roots) == 1 { // in the second one, which is a fault by itself
				return append(roots, &yaml.Node{Line: roots[0].Line}), nil
			}
			return nil, err
		}
		if len(doc.Content) == 1 {
			roots = append(roots, doc.Content[0])
		}
	}
	return roots, nil
}

// readable checks the characters before anything reads them as YAML.
func (l *reading) readable(data []byte) bool {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		l.fileFault(1, 1, "the file is in UTF-16: save it in UTF-8")
		return false
	}
	ok := true
	for i, text := range splitLines(string(data)) {
		for at, r := range text {
			var what string
			switch {
			case r == utf8.RuneError && !strings.HasPrefix(text[at:], "\ufffd"):
				what = fmt.Sprintf("the byte %#x is not UTF-8: save the file in UTF-8", text[at])
			case r < ' ' && r != '\t', r == 0x7f:
				what = fmt.Sprintf("the control character U+%04X cannot stand in the file", r)
			default:
				continue
			}
			l.fileFault(i+1, utf8.RuneCountInString(text[:at])+1, what)
			ok = false
			break // one for each line is enough
		}
	}
	return ok
}

// syntaxFault reports a file that is not YAML. The library names a line that is
// often the first of the block around the fault, so the place is searched here:
// it is the line after the longest beginning of the file that is good YAML.
func (l *reading) syntaxFault(data []byte, err error) {
	if l.conflict() {
		return
	}
	n := longestGood(l.src.lines) + 1
	if l.tabs(n) {
		return
	}
	if l.gluedBefore(n) {
		return
	}
	text := ""
	if n <= len(l.src.lines) {
		text = l.src.lines[n-1]
	} else {
		n = len(l.src.lines)
	}
	column, what := explainSyntax(text, err)
	l.fileFault(n, column, what)
}

// conflict reports the first of several versions that a merge left in the file.
func (l *reading) conflict() bool {
	begin := slices.IndexFunc(l.src.lines, func(s string) bool { return strings.HasPrefix(s, "<<<<<<<") })
	end := slices.IndexFunc(l.src.lines, func(s string) bool { return strings.HasPrefix(s, ">>>>>>>") })
	if begin < 0 || end < begin {
		return false
	}
	l.fileFault(begin+1, 1, "a git conflict that was not resolved begins here")
	return true
}

// tabs reports every line from the first faulty one on that a tab indents, provided
// that this one is: inside a block of text tabs are harmless.
func (l *reading) tabs(first int) bool {
	for i := first - 1; i < len(l.src.lines); i++ {
		text := l.src.lines[i]
		blank := len(text) - len(strings.TrimLeft(text, " \t"))
		at := strings.IndexByte(text[:blank], '\t')
		if at >= 0 && blank < len(text) && text[blank] != '#' {
			l.fileFault(i+1, at+1, "a tab cannot indent: use spaces")
		} else if i == first-1 {
			return false
		}
	}
	return first <= len(l.src.lines)
}

// longestGood returns how many of the lines from the first on are good YAML by
// themselves. An open bracket or quote makes the lines up to its end faulty, so
// the search, which halves, looks a little further each time it seems done.
func longestGood(lines []string) int {
	good := func(n int) bool {
		_, err := documents([]byte(strings.Join(lines[:n], "\n") + "\n"))
		return err == nil
	}
	low, high := 0, len(lines) // low is good, high is not
	for {
		for low+1 < high {
			if middle := (low + high) / 2; good(middle) {
				low = middle
			} else {
				high = middle
			}
		}
		next := 0
		for n := low + 2; n < len(lines) && n < low+40; n++ {
			if good(n) {
				next = n
			}
		}
		if next == 0 {
			return low
		}
		low, high = next, len(lines)
	}
}

var (
	starValue    = regexp.MustCompile(`(?:^|[:\-\[,]\s+|^\s*-\s+)\*`)
	signValue    = regexp.MustCompile(`[:\-\[,]\s+[@` + "`" + `%]`)
	quotedStart  = regexp.MustCompile(`[:\-]\s+("[^"]*"|'[^']*')\s*[^\s,}\]#]`)
	openQuote    = regexp.MustCompile(`(?:^|[:\-\[{,]\s*)(["'])`)
	bracketsOf   = regexp.MustCompile(`\bof\s+\[`)
	questionMark = regexp.MustCompile(`[^\s,\[{"']\?`)
	flowStart    = regexp.MustCompile(`[:\-]\s+[\[{]|^\s*[\[{]`)
	secondColon  = regexp.MustCompile(`:\s.*?(:\s)`)
	yamlPrefix   = regexp.MustCompile(`^yaml: (line \d+: )?`)
	anchorInText = regexp.MustCompile(`'.*'`)
)

// explainSyntax finds the sentence, and the column, for a line that is not YAML.
// What the library says comes last: it speaks of tokens, and people of lines.
func explainSyntax(text string, err error) (column int, what string) {
	said := yamlPrefix.ReplaceAllString(err.Error(), "")
	at := func(byteOffset int) int { return utf8.RuneCountInString(text[:byteOffset]) + 1 }
	start := at(len(text) - len(strings.TrimLeft(text, " ")))

	if m := starValue.FindStringIndex(text); m != nil && (strings.Contains(said, "anchor") || strings.Contains(said, "alphabetic or numeric")) {
		return at(m[1] - 1), "a value that begins with `*` must be quoted, as in \"*.example.org\""
	}
	if m := signValue.FindStringIndex(text); m != nil && strings.Contains(said, "cannot start any token") {
		return at(m[1] - 1), fmt.Sprintf("a value that begins with %q must be quoted", text[m[1]-1:m[1]])
	}
	if m := flowStart.FindStringIndex(text); m != nil && strings.Contains(said, "',' or") {
		if t := templatePattern.FindStringIndex(text); t != nil {
			return at(t[0]), "`" + templateIn(text) + "` is not replaced here: write the value itself, or {env: NAME} for a secret"
		}
		if b := bracketsOf.FindStringIndex(text); b != nil {
			return at(b[1] - 1), "inside {} or [] this bracket ends the condition: quote the condition"
		}
		if q := questionMark.FindStringIndex(text); q != nil {
			return at(q[1] - 1), "inside {} or [] a value with a `?` must be quoted"
		}
		return at(m[1] - 1), "what this bracket opens is not closed, or holds something that must be quoted"
	}
	if m := quotedStart.FindStringSubmatchIndex(text); m != nil && strings.Contains(said, "did not find expected") {
		return at(m[2]), "something follows the closing quote: put the whole value into another kind of quotes, as in '\"a b\" contains c'"
	}
	if m := openQuote.FindStringSubmatchIndex(text); m != nil && strings.Contains(said, "unexpected end of stream") {
		return at(m[2]), "the quote that opens here is not closed"
	}
	switch {
	case strings.Contains(said, "mapping values are not allowed"):
		if m := secondColon.FindStringSubmatchIndex(text); m != nil {
			return at(m[2]), "a second `: ` in one line: quote the value"
		}
		return start, "this line does not fit the lines above: check how far it is indented, and whether the line above lacks a colon or quotes"
	case strings.Contains(said, "unknown escape"):
		return at(max(strings.IndexByte(text, '\\'), 0)), `inside "double quotes" a backslash begins an escape: use 'single quotes'`
	case strings.Contains(said, "did not find expected key"), strings.Contains(said, "expected '-'"), strings.Contains(said, "document start"):
		return start, "this line is indented unlike the lines above"
	case strings.Contains(said, "could not find expected ':'"):
		return start, "expected a key and a colon, as in `path: /`"
	}
	// The name of an anchor is the only part of the file that the library quotes;
	// it may be an unquoted secret.
	return start, "this is not YAML: " + anchorInText.ReplaceAllString(said, "")
}
