package config

import (
	"reflect"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// What shells, compose files and charts replace is not replaced here: a secret is
// fetched by {file: PATH} and the like, and everything else says what it means.

var (
	templatePattern = regexp.MustCompile(`(\$\{)[A-Za-z_][^{}]*\}|(\{\{)[^{}]*\}\}|(?:^|://)(\$)[A-Z_][A-Z0-9_]+`)
	// wholeTemplate is one and nothing else, and its first group is a variable's name.
	wholeTemplate = regexp.MustCompile(`^\s*(?:\$\{([A-Za-z_][A-Za-z0-9_]*)[^{}]*\}|\$[A-Z_][A-Z0-9_]+|\{\{[^{}]*\}\})\s*$`)
)

// templateIn names the kind of template that a text has in it, "" for none.
func templateIn(text string) string {
	m := templatePattern.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return map[string]string{"${": "${...}", "{{": "{{...}}", "$": "$..."}[m[1]+m[2]+m[3]]
}

// templateOf does so for a node. Without quotes {{ x }} is a mapping to YAML, with a
// mapping for its key.
func templateOf(n *yaml.Node) string {
	switch {
	case isText(n):
		return templateIn(n.Value)
	case n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[0].Kind == yaml.MappingNode:
		return "{{...}}"
	}
	return ""
}

// template reports a value that was to be replaced, and says whether it was one.
func (l *loader) template(n *yaml.Node, path string) bool {
	kind := templateOf(n)
	if kind != "" {
		l.fault(n, path, "`%s` is not replaced here", kind).hint("write the value itself; secrets alone come from the environment")
	}
	return kind != ""
}

// templateSecret does so in the place of a secret. Of what stands there it tells no
// more than the name in ${NAME}.
func (l *loader) templateSecret(n *yaml.Node, path string) bool {
	name := "NAME"
	if isText(n) {
		m := wholeTemplate.FindStringSubmatch(n.Value)
		if m == nil {
			return false // a secret may have any characters in it
		}
		if m[1] != "" && strings.ToUpper(m[1]) == m[1] {
			name = m[1]
		}
	}
	kind := templateOf(n)
	if kind != "" {
		l.fault(n, path, "`%s` is not replaced here", kind).hint("write {env: %s}", name)
	}
	return kind != ""
}

// replaceable says whether templates in a value are reported for the value as a whole:
// a secret tells its own.
func replaceable(t reflect.Type) bool { return t != reflect.TypeFor[Secret]() }
