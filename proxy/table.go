package proxy

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/policy"
)

// Table is all routes, compiled for finding the first whose host and path match.
// It never changes.
type Table struct {
	routes []*Entry
	// names has for each host that a route names all routes of that host, those of
	// a wildcard included, in a tree of their paths.
	names map[string]*node
	// oneLabel has the same for wildcards, by what follows the first label.
	oneLabel map[string]*node
}

// Entry is a route as it is used.
type Entry struct {
	Route
	methods  methodTable
	headers  []headerSource
	networks networks
}

// Rule returns who may with a method, or nil if the route does not take it.
func (e *Entry) Rule(method string) *policy.Rule {
	if refusedMethod(method) {
		return nil
	}
	return e.methods.rule(method)
}

// NewTable compiles routes. Their order decides between several that match. The
// error is about the first route that is no good.
func NewTable(routes []Route) (*Table, error) {
	t := &Table{names: make(map[string]*node), oneLabel: make(map[string]*node)}
	type placed struct {
		hosts   []hostPattern
		pattern pattern
	}
	all := make([]placed, len(routes))
	for i := range routes {
		r := &routes[i]
		wrap := func(err error) error { return fmt.Errorf("route %q: %w", r.Name, err) }
		e := &Entry{Route: *r}
		var err error
		if e.methods, err = newMethodTable(r); err != nil {
			return nil, wrap(err)
		}
		if e.headers, err = compileHeaders(r.Headers); err != nil {
			return nil, wrap(err)
		}
		if e.networks, err = newNetworks(r.PublicFrom); err != nil {
			return nil, wrap(err)
		}
		if slices.Contains(r.Providers, "") {
			return nil, wrap(errors.New("it names a provider without an id"))
		}
		if all[i].pattern, err = parsePattern(r.Path); err != nil {
			return nil, wrap(err)
		}
		if len(r.Hosts) == 0 {
			return nil, wrap(errors.New("it names no host"))
		}
		for _, h := range r.Hosts {
			p, err := parseHostPattern(h)
			if err != nil {
				return nil, wrap(err)
			}
			all[i].hosts = append(all[i].hosts, p)
			if p.oneLabel {
				t.oneLabel[p.name] = newNode()
			} else {
				t.names[p.name] = newNode()
			}
		}
		t.routes = append(t.routes, e)
	}
	for i, r := range all {
		for _, h := range r.hosts {
			if !h.oneLabel {
				t.names[h.name].add(r.pattern, i)
				continue
			}
			t.oneLabel[h.name].add(r.pattern, i)
			for name, tree := range t.names {
				if suffix, ok := afterFirstLabel(name); ok && suffix == h.name {
					tree.add(r.pattern, i)
				}
			}
		}
	}
	return t, nil
}

// Find returns the first route that matches, or nil. The error is a *Fault: for
// applications behind two decoders the target would be on another route.
func (t *Table) Find(target Target) (*Entry, error) {
	tree := t.tree(target.Host)
	if tree == nil {
		return nil, nil
	}
	i := tree.find(target.Path)
	for _, reading := range target.readings {
		if tree.find(reading) != i {
			return nil, badTarget(sentenceTwice)
		}
	}
	if i == none {
		return nil, nil
	}
	return t.routes[i], nil
}

func (t *Table) tree(host string) *node {
	if tree := t.names[host]; tree != nil {
		return tree
	}
	if suffix, ok := afterFirstLabel(host); ok {
		return t.oneLabel[suffix]
	}
	return nil
}

// afterFirstLabel returns what follows the first label of a name, dot included.
// An address has no labels.
func afterFirstLabel(name string) (string, bool) {
	dot := strings.IndexByte(name, '.')
	if dot <= 0 || strings.HasPrefix(name, "[") {
		return "", false
	}
	return name[dot:], true
}

// none is the index of no route; all indexes are smaller.
const none = math.MaxInt

// node is a path in the tree of one host's patterns. Numbers are indexes of
// routes: the smallest that matches wins.
type node struct {
	literal map[string]*node
	any     *node
	// exact is the first route for exactly this path.
	exact int
	// below is the first route for this path, with and without a slash at its end,
	// and everything below it.
	below int
	// least is the first route at this node or anywhere under it.
	least int
}

func newNode() *node { return &node{exact: none, below: none, least: none} }

func (n *node) add(p pattern, route int) {
	n.least = min(n.least, route)
	for _, s := range p.segments {
		next := n.any
		if !s.any {
			next = n.literal[s.literal]
		}
		if next == nil {
			next = newNode()
			switch {
			case s.any:
				n.any = next
			case n.literal == nil:
				n.literal = map[string]*node{s.literal: next}
			default:
				n.literal[s.literal] = next
			}
		}
		n = next
		n.least = min(n.least, route)
	}
	if p.below {
		n.below = min(n.below, route)
	} else {
		n.exact = min(n.exact, route)
	}
}

// find returns the first route for a path, or none.
func (n *node) find(path string) int {
	if path == "" {
		return none
	}
	return n.walk(path[1:], false, none)
}

// walk looks for a route before best. rest is what of the path lies below n; with
// done the path ends at n, without a slash. No node is looked at that could not
// improve on best, so the work is bounded by the number of patterns, whatever the
// path.
func (n *node) walk(rest string, done bool, best int) int {
	best = min(best, n.below)
	if done {
		return min(best, n.exact)
	}
	segment, rest, more := strings.Cut(rest, "/")
	if segment == "" {
		return best
	}
	if next := n.literal[segment]; next != nil && next.least < best {
		best = next.walk(rest, !more, best)
	}
	if n.any != nil && n.any.least < best {
		best = n.any.walk(rest, !more, best)
	}
	return best
}
