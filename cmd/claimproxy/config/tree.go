package config

import (
	"fmt"

	"gopkg.in/yaml.v3"
)

const (
	// maxDepth bounds how deep mappings and lists may nest, and with them every
	// recursion over the tree.
	maxDepth = 64
	// maxNodes bounds the tree with its aliases followed: nine lists of nine
	// aliases each are four hundred million values.
	maxNodes = 200_000
)

// sound checks the shape of the tree once, so that all that walks it later may
// rely on it: aliases end, and lead to no more than maxNodes; nothing nests
// deeper than maxDepth; no merge keys, no tags. From here on every node knows its
// file.
func (l *reading) sound(root *yaml.Node) bool {
	c := &treeCheck{reading: l, extents: make(map[*yaml.Node]extent), open: make(map[*yaml.Node]bool)}
	c.measure(root, 0)
	return !c.failed
}

type treeCheck struct {
	*reading
	extents map[*yaml.Node]extent
	open    map[*yaml.Node]bool // the nodes that the walk is inside of
	failed  bool
}

// extent is what a node amounts to with its aliases followed.
type extent struct{ nodes, height int }

func (c *treeCheck) fail(n *yaml.Node, format string, args ...any) extent {
	c.failed = true
	c.fileFault(n.Line, n.Column, fmt.Sprintf(format, args...))
	return extent{nodes: 1} // small, so that one fault does not make another of every node above
}

// measure visits a node once, however many aliases lead to it.
func (c *treeCheck) measure(n *yaml.Node, depth int) extent {
	e, known := c.extents[n]
	switch {
	case known && depth+e.height > maxDepth, depth > maxDepth:
		return c.fail(n, "nested deeper than %d", maxDepth)
	case known:
		return e
	case c.open[n]:
		return c.fail(n, "the anchor &%s contains itself", n.Anchor)
	}
	c.nodes[n] = c.src
	if n.Style&yaml.TaggedStyle != 0 {
		c.fail(n, "tags, words that begin with `!`, are not used here: quote the value if the `!` belongs to it")
	}
	c.open[n] = true
	defer delete(c.open, n)
	children := n.Content
	if n.Kind == yaml.AliasNode {
		children = []*yaml.Node{n.Alias}
	}
	e.nodes = 1
	for i, child := range children {
		if n.Kind == yaml.MappingNode && i%2 == 0 && child.Tag == "!!merge" {
			c.fail(child, "merge keys (<<) are not used here: write the keys out, or put an alias in place of the whole value")
		}
		below := c.measure(child, depth+1)
		e.nodes += below.nodes
		e.height = max(e.height, below.height+1)
		if e.nodes > maxNodes {
			e = c.fail(n, "the aliases in here amount to more than %d values", maxNodes)
			break
		}
	}
	c.extents[n] = e
	return e
}

// follow returns what an alias stands for, and every other node as it is.
func follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

// isText says whether a node is a scalar that YAML takes for a string.
func isText(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!str"
}
