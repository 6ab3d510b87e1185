package proxy

import (
	"fmt"
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

func (o *ownPaths) has(t *Target) bool {
	return o.everywhere.find(t.Path, none) != none || o.byHost[t.Host].find(t.Path, none) != none
}
