package config

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// A key needs a blank behind its colon. Without one YAML takes both for a text, and the
// fault for one of the next line.

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

// splitValue reports a key inside {} that has neither colon nor value, and says whether
// it was one. In {methods: get, post} it is the rest of a value, in {path:/} the blank
// is missing. Either may be of a secret, so that the key is not repeated.
func (l *loader) splitValue(key, val *yaml.Node, path string) bool {
	if !isNull(val) || val.Value != "" || strings.HasSuffix(key.Value, ":") {
		return false
	}
	rest := strings.TrimLeft(l.source(key).from(key.Line, key.Column+l.length(key)), " \t")
	if !strings.HasPrefix(rest, ",") && !strings.HasPrefix(rest, "}") {
		return false
	}
	if from, to, ok := gluedIn(key.Value); ok {
		l.fault(key, path, "a space is missing after `%s`", key.Value[from:to])
	} else {
		l.fault(key, path, "inside {} a comma ends a value, and this follows one").hint("write [a, b] for a list, or quote the whole value")
	}
	return true
}
