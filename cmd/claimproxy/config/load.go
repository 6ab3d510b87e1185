package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/claimproxy/claimproxy/policy"
)

// Env is everything outside the configuration file that Load looks at. A nil
// function is the operating system's.
type Env struct {
	// LookupEnv is os.LookupEnv.
	LookupEnv func(name string) (value string, ok bool)
	// ReadFile is os.ReadFile.
	ReadFile func(name string) ([]byte, error)
	// Stat is os.Stat.
	Stat func(name string) (fs.FileInfo, error)
}

func (e Env) withDefaults() Env {
	if e.LookupEnv == nil {
		e.LookupEnv = os.LookupEnv
	}
	if e.ReadFile == nil {
		e.ReadFile = os.ReadFile
	}
	if e.Stat == nil {
		e.Stat = os.Stat
	}
	return e
}

// Load reads a configuration file. The Config is nil when the report has errors;
// the report is never nil. It reads the files that the configuration names
// (secrets, certificates), changes nothing and asks nobody.
func Load(name string, env Env) (*Config, *Report) {
	env = env.withDefaults()
	data, err := env.ReadFile(name)
	if err != nil {
		r := &Report{}
		r.Add(policy.Position{File: name}, "", fmt.Sprintf("the configuration file cannot be read: %v", err))
		return nil, r
	}
	return Parse(name, data, env)
}

// Parse is Load for a text that has been read already. The name is used in faults,
// and its directory for relative paths.
func Parse(name string, data []byte, env Env) (*Config, *Report) {
	l := &loader{
		name:       name,
		env:        env.withDefaults(),
		src:        newSource(data),
		places:     make(map[any]place),
		conditions: make(map[policy.Position]place),
	}
	c := l.load(data)
	r := l.report()
	if !r.OK() {
		return nil, r
	}
	return c, r
}

// loader is one reading of one file.
type loader struct {
	name string
	env  Env
	src  *source

	errors, warnings []*Fault

	// places knows where values stand by their address: a pointer to a field or an
	// element of the Config that is being filled.
	places map[any]place
	// conditions knows conditions, and names of policies, by where their text
	// begins: package policy tells its faults by that.
	conditions map[policy.Position]place
	// policyNames are the names of policies outside conditions.
	policyNames []policyName
}

// policyName is a place where a policy is named.
type policyName struct {
	name string
	node *yaml.Node
	path string
}

func (l *loader) load(data []byte) *Config {
	root := l.parse(data)
	if root == nil {
		return nil
	}
	c := &Config{File: l.name, places: l.places}
	if !l.into(c, root, "") {
		return nil
	}
	l.defaults(c)
	l.validate(c)
	return c
}

// report sorts what was found.
func (l *loader) report() *Report {
	r := &Report{sources: map[string]*source{l.name: l.src}}
	for _, f := range l.errors {
		r.add(&r.Errors, *f)
	}
	for _, f := range l.warnings {
		r.add(&r.Warnings, *f)
	}
	r.showSources()
	return r
}

// into decodes a node into what a pointer points to.
func (l *loader) into(to any, n *yaml.Node, path string) bool {
	return l.value(n, reflect.ValueOf(to).Elem(), path, options{})
}

// structureInto does so with a struct, passing by its own decoder.
func (l *loader) structureInto(to any, n *yaml.Node, path string) bool {
	return l.structure(n, reflect.ValueOf(to).Elem(), path)
}

// file resolves the name of a file against the configuration file's directory.
func (l *loader) file(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(filepath.Dir(l.name), name)
}

func (l *loader) position(n *yaml.Node) policy.Position {
	return policy.Position{File: l.name, Line: n.Line, Column: n.Column}
}

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

// fileFault reports an error at a place of the text, where there is no node.
func (l *loader) fileFault(line, column int, message string) {
	at := policy.Position{File: l.name, Line: line, Column: column}
	l.errors = append(l.errors, &Fault{At: at, Message: message, Length: 1})
}

// hint completes a fault with a suggestion; an empty one changes nothing.
func (f *Fault) hint(format string, args ...any) {
	f.Hint = fmt.Sprintf(format, args...)
}

// length is how many characters of its line a node takes, as far as that is plain
// to see.
func (l *loader) length(n *yaml.Node) int {
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		return 1
	}
	rest := l.src.from(n.Line, n.Column)
	for _, quote := range []string{"", `"`, `'`} {
		if text := quote + n.Value + quote; strings.HasPrefix(rest, text) {
			return utf8.RuneCountInString(text)
		}
	}
	return 1
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
