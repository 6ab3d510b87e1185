package config

import (
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// included is what a file may hold that another one includes. The keys mean what they
// mean in Config; everything else is said once, in the main file.
type included struct {
	Policies  []Policy   `yaml:"policies,keyed"`
	Upstreams []Upstream `yaml:"upstreams,keyed"`
	Routes    []Route    `yaml:"routes"`
	People    []Person   `yaml:"people,keyed"`
	Tests     []Test     `yaml:"tests"`
}

// include reads the files that the main one includes, and adds what they hold behind
// what is there. A file that cannot be read does not keep the others from it.
func (l *loader) include(c *Config) {
	if !l.fine(&c.Include) {
		l.whole = false
	}
	var files []*included
	by := make(map[string]string) // the path of the key that a file is included by
	for i := range c.Include {
		pattern := &c.Include[i]
		for _, name := range l.matches(pattern) {
			if name == filepath.Clean(l.name) {
				l.bad(pattern, "the file cannot include itself, and %s names it", quote(*pattern)).hint("keep the files to include in a directory of their own")
				continue
			}
			if first, twice := by[name]; twice {
				l.bad(pattern, "the file %s is included already, by %s", quote(name), first)
				continue
			}
			by[name] = l.places[pattern].path
			if in := l.read(pattern, name); in != nil {
				files = append(files, in)
			} else {
				l.whole = false
			}
		}
	}
	for i := range c.Include {
		l.warnOtherEnding(&c.Include[i], by)
	}
	c.Policies = joined(l, c.Policies, files, func(in *included) []Policy { return in.Policies })
	c.Upstreams = joined(l, c.Upstreams, files, func(in *included) []Upstream { return in.Upstreams })
	c.Routes = joined(l, c.Routes, files, func(in *included) []Route { return in.Routes })
	c.People = joined(l, c.People, files, func(in *included) []Person { return in.People })
	c.Tests = joined(l, c.Tests, files, func(in *included) []Test { return in.Tests })
}

// matches are the files that a pattern, given by its address, names.
func (l *loader) matches(pattern *string) []string {
	if !l.good(pattern) {
		l.whole = false
		return nil
	}
	switch {
	case *pattern == "":
		l.bad(pattern, "expected the name of a file or a pattern, got an empty string")
	case strings.Contains(*pattern, "**"):
		l.bad(pattern, "expected the name of a file or a pattern, got %s: `*` never stands for a slash", quote(*pattern)).
			hint("write a pattern for each depth, as in [conf.d/*.yaml, conf.d/*/*.yaml]")
	case !strings.ContainsAny(*pattern, "*?["):
		return []string{l.file(l.places[pattern].node, *pattern)}
	default:
		full := l.pattern(*pattern)
		found, err := l.env.Glob(full)
		if err == nil {
			return visibleFiles(full, found)
		}
		l.bad(pattern, "expected the name of a file or a pattern, got %s: %v", quote(*pattern), err)
	}
	l.whole = false
	return nil
}

// warnOtherEnding warns of files that a pattern, given by its address, misses for
// nothing but the way their names spell YAML. included has those that are not missed.
func (l *loader) warnOtherEnding(pattern *string, included map[string]string) {
	if !l.good(pattern) || !strings.ContainsAny(*pattern, "*?[") {
		return
	}
	for ending, other := range map[string]string{".yaml": ".yml", ".yml": ".yaml"} {
		before, ok := strings.CutSuffix(l.pattern(*pattern), ending)
		if !ok {
			continue
		}
		found, _ := l.env.Glob(before + other) // as good a pattern as the one that was good
		for _, name := range visibleFiles(before, found) {
			if _, is := included[name]; !is && name != filepath.Clean(l.name) {
				l.doubtful(pattern, "%s is not included: its name ends in %s", quote(name), other)
			}
		}
	}
}

// pattern is where a pattern looks for files.
func (l *loader) pattern(text string) string {
	full := filepath.Clean(text)
	if filepath.IsAbs(full) {
		return full
	}
	return filepath.Join(literally(filepath.Dir(l.name)), full)
}

// literally keeps the name of a directory from being taken for a pattern.
func literally(dir string) string {
	if runtime.GOOS == "windows" { // where a backslash is no escape
		return dir
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// visibleFiles sorts what a pattern has matched, without the files that editors leave
// beside the one that is edited: their names begin with a dot.
func visibleFiles(pattern string, found []string) []string {
	var names []string
	for _, name := range found {
		if !strings.HasPrefix(filepath.Base(name), ".") || strings.HasPrefix(filepath.Base(pattern), ".") {
			names = append(names, filepath.Clean(name))
		}
	}
	slices.Sort(names)
	return names
}

// read reads one included file. It returns nil when there is nothing to be had of it.
func (l *loader) read(pattern *string, name string) *included {
	data, err := l.env.ReadFile(name)
	if err != nil {
		l.bad(pattern, "the included file cannot be read: %v", err)
		return nil
	}
	root := l.tree(name, data, "policies, upstreams, routes, people or tests")
	if root == nil {
		return nil
	}
	if root.Kind != yaml.MappingNode {
		// Neither quoted nor shown: a pattern too wide may have met the file of a secret.
		l.bad(pattern, "the included file %s is no mapping: expected one with policies, upstreams, routes, people or tests", quote(name))
		return nil
	}
	in := new(included)
	l.into(in, root, "")
	return in
}

// joined puts what the included files hold behind what the main one holds. Where a
// value stands is known by its address, so the places move along.
func joined[T any](l *loader, own []T, files []*included, of func(*included) []T) []T {
	lists := [][]T{own}
	for _, in := range files {
		lists = append(lists, of(in))
	}
	all := slices.Concat(lists...)
	i := 0
	for _, list := range lists {
		for j := range list {
			l.move(reflect.ValueOf(&list[j]).Elem(), reflect.ValueOf(&all[i]).Elem())
			i++
		}
	}
	return all
}
