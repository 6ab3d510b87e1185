package config

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/claimproxy/claimproxy/policy"
)

// place is where the value of one key stands.
type place struct {
	node *yaml.Node // the value; the key when the value is missing
	at   policy.Position
	path string
	bad  bool // a fault has been reported for the value itself
}

// note remembers where a value, given by its address, stands.
func (l *loader) note(value any, n *yaml.Node, path string, bad bool) {
	l.places[value] = place{node: n, at: l.position(n), path: path, bad: bad}
}

// move lets a value that has been copied keep its place, and all that is inside it.
// What it points at has not been copied.
func (l *loader) move(from, to reflect.Value) {
	old := from.Addr().Interface()
	if p, ok := l.places[old]; ok {
		delete(l.places, old)
		l.places[to.Addr().Interface()] = p
	}
	if from.Kind() != reflect.Struct {
		return
	}
	for i := range from.NumField() {
		if from.Type().Field(i).IsExported() {
			l.move(from.Field(i), to.Field(i))
		}
	}
}

// source is the file that a node is from.
func (l *loader) source(n *yaml.Node) *source {
	if src, ok := l.nodes[n]; ok {
		return src
	}
	panic("config: a node that is from no file")
}

// sourceNamed is the file of that name, or nil.
func (l *loader) sourceNamed(name string) *source {
	for _, src := range l.sources {
		if src.name == name {
			return src
		}
	}
	return nil
}

func (l *loader) position(n *yaml.Node) policy.Position {
	return policy.Position{File: l.source(n).name, Line: n.Line, Column: n.Column}
}

// lineOf names the line that a value, given by its address, stands in.
func (l *loader) lineOf(value any) string {
	at := l.places[value].at
	return fmt.Sprintf("%s:%d", at.File, at.Line)
}

// set says whether the file mentions a value, given by its address.
func (l *loader) set(value any) bool {
	_, ok := l.places[value]
	return ok
}

// good says whether the file mentions a value and nothing is wrong with it so far.
func (l *loader) good(value any) bool {
	p, ok := l.places[value]
	return ok && !p.bad
}

// fine says whether nothing is wrong with a value, be it a default.
func (l *loader) fine(value any) bool { return !l.places[value].bad }

// fault reports an error at a node.
func (l *loader) fault(n *yaml.Node, path, format string, args ...any) *Fault {
	f := &Fault{At: l.position(n), Path: path, Message: fmt.Sprintf(format, args...), Length: l.length(n)}
	l.errors = append(l.errors, f)
	return f
}

// warn reports a warning at a node.
func (l *loader) warn(n *yaml.Node, path, format string, args ...any) *Fault {
	f := &Fault{At: l.position(n), Path: path, Message: fmt.Sprintf(format, args...), Length: l.length(n)}
	l.warnings = append(l.warnings, f)
	return f
}

// bad reports that a value, given by its address, is not legal. The file has to
// mention it.
func (l *loader) bad(value any, format string, args ...any) *Fault {
	p, ok := l.places[value]
	if !ok {
		panic(fmt.Sprintf("config: a fault in a value that is not in the file: "+format, args...))
	}
	p.bad = true
	l.places[value] = p
	return l.fault(p.node, p.path, format, args...)
}

// doubtful reports a warning about a value, given by its address. The file has to
// mention it.
func (l *loader) doubtful(value any, format string, args ...any) *Fault {
	p, ok := l.places[value]
	if !ok {
		panic(fmt.Sprintf("config: a warning about a value that is not in the file: "+format, args...))
	}
	return l.warn(p.node, p.path, format, args...)
}

// hint completes a fault with a suggestion; an empty one changes nothing.
func (f *Fault) hint(format string, args ...any) {
	f.Hint = hideInURLs(fmt.Sprintf(format, args...))
}

// keyOf is the key of that name in the mapping of a value, given by its address; the
// mapping itself when it has none.
func (l *loader) keyOf(value any, name string) *yaml.Node {
	n := l.places[value].node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := follow(n.Content[i]); n.Kind == yaml.MappingNode && key.Value == name {
			return key
		}
	}
	return n
}

// at lets a fault point at another node.
func (f *Fault) at(l *loader, n *yaml.Node) *Fault {
	f.At, f.Length = l.position(n), l.length(n)
	return f
}

// length is how many characters of its line a node takes, as far as that is plain
// to see.
func (l *loader) length(n *yaml.Node) int {
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		return 1
	}
	rest := l.source(n).from(n.Line, n.Column)
	for _, quote := range []string{"", `"`, `'`} {
		if text := quote + n.Value + quote; strings.HasPrefix(rest, text) {
			return utf8.RuneCountInString(text)
		}
	}
	return 1
}
