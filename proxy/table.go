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
	// names has for each host that a route names its routes, in a tree of their paths.
	names map[string]*node
	// oneLabel has the same for wildcards, by what follows the first label. A host
	// may have routes in both.
	oneLabel map[string]*node
}

// Entry is a route as it is used.
type Entry struct {
	Route
	methods  methodTable
	headers  headerPlan
	networks networks
	// demanded is set where a front proxy names a policy: nobody passes it who is not
	// known, whatever passes on the route without.
	demanded bool
	strip    int // how many segments of the path are not forwarded
}

// Rule returns who may with a method, or nil if the route does not take it.
func (e *Entry) Rule(method string) *policy.Rule {
	if refusedMethod(method) {
		return nil
	}
	return e.methods.rule(method)
}

// Allowed returns the methods that the route takes, none for all there are.
func (e *Entry) Allowed() []string { return slices.Clone(e.methods.allowed) }

// NewTable compiles routes. Their order decides between several that match. The
// error is about the first route that is no good.
func NewTable(routes []Route) (*Table, error) {
	t := &Table{names: make(map[string]*node), oneLabel: make(map[string]*node)}
	plans := make(planner)
	for i := range routes {
		r := &routes[i]
		wrap := func(err error) error { return fmt.Errorf("route %q: %w", r.Name, err) }
		e := &Entry{Route: *r}
		var err error
		if e.methods, err = newMethodTable(r); err != nil {
			return nil, wrap(err)
		}
		headers, err := compileHeaders(r.Headers)
		if err != nil {
			return nil, wrap(err)
		}
		e.headers = plans.plan(headers)
		if e.networks, err = newNetworks(r.PublicFrom); err != nil {
			return nil, wrap(err)
		}
		for _, s := range r.PassSchemes {
			if err := CheckScheme(s); err != nil {
				return nil, wrap(err)
			}
		}
		if slices.Contains(r.Providers, "") {
			return nil, wrap(errors.New("it names a provider without an id"))
		}
		if r.StripPrefix != "" {
			if err = CheckPrefix(r.StripPrefix, r.Path); err != nil {
				return nil, wrap(err)
			}
			if r.AmbiguousPaths {
				return nil, wrap(errors.New("it takes paths with several readings, and a prefix off them"))
			}
			e.strip = strings.Count(r.StripPrefix, "/")
		}
		path, err := parsePattern(r.Path)
		if err != nil {
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
			t.tree(p).add(path, i)
		}
		t.routes = append(t.routes, e)
	}
	return t, nil
}

// tree returns the paths of a host's own routes, or of a wildcard's.
func (t *Table) tree(p hostPattern) *node {
	trees := t.names
	if p.oneLabel {
		trees = t.oneLabel
	}
	if trees[p.name] == nil {
		trees[p.name] = newNode()
	}
	return trees[p.name]
}

// hasHost reports whether a route names a host, exactly or by a wildcard.
func (t *Table) hasHost(host string) bool {
	if t.names[host] != nil {
		return true
	}
	suffix, ok := afterFirstLabel(host)
	return ok && t.oneLabel[suffix] != nil
}

// Find returns the first route that matches, or nil. The error is a *Fault: for
// applications behind two decoders the target would be on another route.
func (t *Table) Find(target Target) (*Entry, error) {
	if target.ambiguous != nil {
		return t.findAmbiguous(target)
	}
	own, wildcard := t.names[target.Host], (*node)(nil)
	if suffix, ok := afterFirstLabel(target.Host); ok {
		wildcard = t.oneLabel[suffix]
	}
	find := func(path string) int { return wildcard.find(path, own.find(path, none)) }
	i := find(target.Path)
	for _, reading := range target.readings {
		if find(reading) != i {
			return nil, badTarget(sentenceTwice)
		}
	}
	if i == none {
		return nil, nil
	}
	return t.routes[i], nil
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

// find returns the first route for a path, if it comes before best, else best. A nil
// node has no routes.
func (n *node) find(path string, best int) int {
	if n == nil || path == "" || n.least >= best {
		return best
	}
	return n.walk(path[1:], false, best)
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
