package config

import (
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// entryExamples are how the entries of lists begin.
var entryExamples = map[reflect.Type]string{
	reflect.TypeFor[Provider](): "id: gitlab",
	reflect.TypeFor[Client]():   "client_id: 77ab",
	reflect.TypeFor[Route]():    "path: /",
	reflect.TypeFor[Rule]():     "methods: [GET]",
	reflect.TypeFor[Test]():     "request: GET /",
}

// listExample is how a list of mappings begins that was written as a mapping, in the
// words of the file where they fit; "" for everything else.
func listExample(n *yaml.Node, entry reflect.Type) string {
	example := entryExamples[entry]
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 || example == "" {
		return ""
	}
	first := follow(n.Content[0])
	switch entry {
	case reflect.TypeFor[Provider]():
		if isText(first) && providerID.MatchString(first.Value) && fieldsOf(entry).byName[first.Value] == nil {
			return "id: " + first.Value
		}
	case reflect.TypeFor[Route]():
		if problem, _ := checkRoutePath(first.Value); isText(first) && problem == "" {
			return "path: " + first.Value
		}
	}
	return example
}

// meantClauses writes a list of conditions and names of policies as the block that was
// probably meant; "" where an entry cannot stand in one.
func meantClauses(n *yaml.Node) string {
	const most = 4
	var members []string
	for _, c := range n.Content {
		text := strings.TrimSpace(follow(c).Value)
		switch {
		case !isText(follow(c)) || text == "" || strings.ContainsAny(text, "\n'"):
			return ""
		case text == "public" || text == "signed-in" || text == "nobody":
			return ""
		case !strings.Contains(text, " "):
			text = "policy " + text
		case strings.ContainsAny(text, ",[]{}#:"):
			text = "'" + text + "'"
		}
		members = append(members, text)
	}
	if len(members) == 0 {
		return ""
	}
	if len(members) > most {
		members = append(members[:most], "...")
	}
	return "{any: [" + strings.Join(members, ", ") + "]}"
}
