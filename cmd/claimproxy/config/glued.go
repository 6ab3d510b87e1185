package config

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// A key needs a blank behind its colon. Without one YAML takes both for a text, which
// goes on over the lines below, or has the next line not fit.

// gluedKey is the key in the first group, and its value at once.
var gluedKey = regexp.MustCompile(`^\s*(?:- +)*([a-z_]+:)[^\s:]`)

// gluedIn finds a known key without a blank at the beginning of a line: its bytes from
// and to.
func gluedIn(line string) (from, to int, ok bool) {
	m := gluedKey.FindStringSubmatchIndex(line)
	if m == nil || len(keyHomes()[line[m[2]:m[3]-1]]) == 0 {
		return 0, 0, false
	}
	return m[2], m[3], true
}

// gluedBefore reports one in line n, in which the file stops being YAML, or in the last
// line above it that has anything in it.
func (l *reading) gluedBefore(n int) bool {
	above := min(n, len(l.src.lines)+1) - 1
	for above > 0 && isBlankLine(l.src.lines[above-1]) {
		above--
	}
	for _, at := range []int{n, above} {
		if line := l.src.from(at, 1); line != "" {
			if from, to, ok := gluedIn(line); ok {
				l.fileFault(at, utf8.RuneCountInString(line[:from])+1, "a space is missing after `"+line[from:to]+"`")
				return true
			}
		}
	}
	return false
}

func isBlankLine(line string) bool {
	text := strings.TrimSpace(line)
	return text == "" || text[0] == '#'
}

// glued reports one that YAML has made a part of a text without quotes, and says
// whether it did.
func (l *loader) glued(n *yaml.Node, path string) bool {
	if !isText(n) || n.Style != 0 || !strings.Contains(n.Value, " ") {
		return false
	}
	src := l.source(n)
	if strings.HasPrefix(src.from(n.Line, n.Column), n.Value) {
		return false // all in one line
	}
	for line := n.Line + 1; line <= len(src.lines); line++ {
		text := strings.TrimSpace(src.from(line, 1))
		if text == "" || !strings.Contains(n.Value, text) {
			return false
		}
		if from, to, ok := gluedIn(src.from(line, 1)); ok {
			f := l.fault(n, path, "a space is missing after `%s`", src.from(line, 1)[from:to])
			f.At.Line, f.At.Column, f.Length = line, utf8.RuneCountInString(src.from(line, 1)[:from])+1, to-from
			return true
		}
	}
	return false
}
