package proxy

import (
	"fmt"
	"slices"
	"strings"
)

// ownPaths are the paths that are never forwarded.
type ownPaths struct {
	everywhere *node
	byHost     map[string]*node
}

func newOwnPaths(endpoints string, paths []string) (ownPaths, error) {
	o := ownPaths{everywhere: newNode(), byHost: make(map[string]*node)}
	for _, path := range append([]string{endpoints + "/"}, paths...) {
		tree := o.everywhere
		if slash := strings.IndexByte(path, '/'); slash > 0 {
			host, _, fault := canonicalHost(path[:slash])
			if fault != nil {
				return ownPaths{}, fmt.Errorf("own path %q does not begin with a valid host", path)
			}
			path = path[slash:]
			if o.byHost[host] == nil {
				o.byHost[host] = newNode()
			}
			tree = o.byHost[host]
		}
		pattern, err := parsePattern(path)
		if err != nil {
			return ownPaths{}, fmt.Errorf("own path: %w", err)
		}
		tree.add(pattern, 0)
	}
	return o, nil
}

// has reports whether a target is one of our own pages, or could be taken for one.
func (o *ownPaths) has(t *Target) bool {
	if t.ambiguous != nil && slices.ContainsFunc(t.readings, func(path string) bool { return o.hasPath(t.Host, path) }) {
		return true
	}
	return o.hasPath(t.Host, t.Path)
}

func (o *ownPaths) hasPath(host, path string) bool {
	return o.everywhere.find(path, none) != none || o.byHost[host].find(path, none) != none
}
