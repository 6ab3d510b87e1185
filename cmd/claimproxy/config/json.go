package config

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// numberOfJSON is a number of JSON (RFC 8259 section 6).
var numberOfJSON = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$`)

// oldBooleans are booleans to YAML 1.1 and strings to this package's library, in any
// case. Whoever writes one means one or the other.
var oldBooleans = []string{"y", "yes", "on", "n", "no", "off"}

// json decodes a value as JSON would have it: a string, a json.Number with exactly the
// digits of the file, a bool, nil, a []any or a map[string]any. YAML says more than
// JSON, and what a provider could never have sent would make a test of nothing.
func (l *loader) json(key, n *yaml.Node, path string) any {
	switch n.Kind {
	case yaml.MappingNode:
		object := make(map[string]any, len(n.Content)/2)
		l.eachKey(n, path, func(name string, key, val *yaml.Node, path string) {
			object[name] = l.json(key, follow(val), path)
		})
		return object
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, element := range n.Content {
			element = follow(element)
			list[i] = l.json(element, element, fmt.Sprintf("%s[%d]", path, i))
		}
		return list
	}
	const expected = "a value that JSON knows"
	switch {
	case isText(n):
		if n.Style == 0 && slices.Contains(oldBooleans, strings.ToLower(n.Value)) {
			l.fault(n, path, "expected %s, got %s, which is a boolean to some and a string to others", expected, n.Value).
				hint("say true or false, or quote it: %q", n.Value)
		}
		return n.Value
	case n.Tag == "!!bool" && (n.Value == "true" || n.Value == "false"):
		return n.Value == "true"
	case (n.Tag == "!!int" || n.Tag == "!!float") && numberOfJSON.MatchString(n.Value):
		return json.Number(n.Value)
	case isNull(n) && n.Value == "null":
		return nil
	case isNull(n) && n.Value == "":
		l.nothing(key, n, path, options{required: true})
	case isNull(n):
		l.fault(n, path, "expected %s, got %s", expected, n.Value).hint("say null, or quote it: %q", n.Value)
	default:
		l.fault(n, path, "expected %s, got %s", expected, l.describe(n)).hint("%s", quoteHint(n))
	}
	return nil
}
