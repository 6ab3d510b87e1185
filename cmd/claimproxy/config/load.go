package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"

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
	// Glob is filepath.Glob.
	Glob func(pattern string) (names []string, err error)
	// WithoutSecrets is for a machine that has no secrets and certificates. The files
	// and variables that the configuration names for them are not read, and may be
	// missing: their names are checked, all secrets are empty, and nothing else in the
	// Config says so. What is loaded so can be looked at and asked, not served.
	WithoutSecrets bool
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
	if e.Glob == nil {
		e.Glob = filepath.Glob
	}
	return e
}

// Load reads a configuration file and those that it includes. The Config is nil when
// the report has errors; the report is never nil. It reads the files that the
// configuration names (secrets, certificates), changes nothing and asks nobody.
func Load(name string, env Env) (*Config, *Report) {
	env = env.withDefaults()
	data, err := env.ReadFile(name)
	if err != nil {
		r := &Report{}
		f := Fault{At: policy.Position{File: name}, Message: fmt.Sprintf("the configuration file cannot be read: %v", err), Length: 1}
		if errors.Is(err, fs.ErrNotExist) {
			f.Hint = "name it with --config FILE; config.example.yaml shows every key"
		}
		r.add(&r.Errors, f)
		return nil, r
	}
	return Parse(name, data, env)
}

// Parse is Load for a text that has been read already. The name is used in faults,
// and its directory for relative paths.
func Parse(name string, data []byte, env Env) (*Config, *Report) {
	l := newLoader(name, env.withDefaults())
	c := l.load(data)
	r := l.report()
	if !r.OK() {
		return nil, r
	}
	return c, r
}

// loader is one reading of a configuration file and of those that it includes.
type loader struct {
	name string // of the main file
	env  Env

	// sources are the texts of the files, the main one first.
	sources []*source
	// nodes knows which file a node is from.
	nodes map[*yaml.Node]*source
	// whole says that every file could be read. Otherwise a name that is not there
	// may be in what is missing, and nothing is said about it.
	whole bool
	// named are the files that the configuration names, as far as they could be read.
	named []string
	// secretFiles are those of named with a secret or a private key.
	secretFiles []string

	errors, warnings []*Fault

	// places knows where values stand by their address: a pointer to a field or an
	// element of the Config that is being filled.
	places map[any]place
	// conditions knows conditions, and names of policies, by where their text
	// begins: package policy tells its faults by that.
	conditions map[policy.Position]place
	// policies are those that could be read; nil as long as none could.
	policies *policy.Set
	// policyNames are the names of policies outside conditions.
	policyNames []policyName
	// claimedProviders are the ids of providers in the claims of people and tests.
	claimedProviders []claimedProvider
}

func newLoader(name string, env Env) *loader {
	l := &loader{
		name:       name,
		env:        env,
		nodes:      make(map[*yaml.Node]*source),
		whole:      true,
		places:     make(map[any]place),
		conditions: make(map[policy.Position]place),
	}
	l.remember()
	return l
}

// policyName is a place where a policy is named.
type policyName struct {
	name string
	node *yaml.Node
	path string
}

func (l *loader) load(data []byte) *Config {
	root := l.tree(l.name, data, "public_url and routes")
	if root == nil {
		return nil
	}
	c := &Config{File: l.name, places: l.places}
	if !l.into(c, root, "") {
		return nil
	}
	l.include(c)
	l.defaults(c)
	l.validate(c, root)
	for _, src := range l.sources {
		c.Files = append(c.Files, src.name)
	}
	for _, name := range l.named {
		if !slices.Contains(c.Files, name) {
			c.Files = append(c.Files, name)
		}
	}
	c.SecretFiles = l.secretFiles
	return c
}

// tree reads the text of a file. It returns nil after it has reported why there is
// nothing in it.
func (l *loader) tree(name string, data []byte, expected string) *yaml.Node {
	r := &reading{loader: l, src: newSource(name, data)}
	l.sources = append(l.sources, r.src)
	return r.parse(data, expected)
}

// remember notes the files that are read from now on.
func (l *loader) remember() {
	read := l.env.ReadFile
	l.env.ReadFile = func(name string) ([]byte, error) {
		data, err := read(name)
		if err == nil && !slices.Contains(l.named, name) {
			l.named = append(l.named, name)
		}
		return data, err
	}
}

// report sorts what was found.
func (l *loader) report() *Report {
	r := &Report{sources: l.sources}
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

// file resolves the name of a file against the directory of the file that names it.
func (l *loader) file(n *yaml.Node, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(filepath.Dir(l.source(n).name), name)
}
