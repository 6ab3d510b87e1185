package config

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

const (
	mainSchema     = "file:///claimproxy.schema.json"
	includedSchema = mainSchema + "#/definitions/included"
)

// validator is what an editor does with a schema of ours.
var validator = sync.OnceValue(func() func(schema string, value any) error {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		panic(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(mainSchema, document); err != nil {
		panic(err)
	}
	compiled := map[string]*jsonschema.Schema{mainSchema: c.MustCompile(mainSchema), includedSchema: c.MustCompile(includedSchema)}
	return func(schema string, value any) error { return compiled[schema].Validate(value) }
})

// schemaFaults are what an editor would underline in a text, "" for nothing. A text that
// is not even a tree of nodes is left to the editor's own reading of YAML.
func schemaFaults(t *testing.T, schema, text string) (faults string, isTree bool) {
	t.Helper()
	l := newLoader("claimproxy.yaml", world())
	root := l.tree("claimproxy.yaml", []byte(text), "something")
	if root == nil {
		return "", false
	}
	return faultsOf(t, schema, root), true
}

// faultsOf does so with a tree.
func faultsOf(t *testing.T, schema string, root *yaml.Node) string {
	t.Helper()
	err := validator()(schema, asEditorsRead(t, root))
	if invalid := (*jsonschema.ValidationError)(nil); errors.As(err, &invalid) {
		return invalid.Error()
	} else if err != nil {
		t.Fatal(err)
	}
	return ""
}

// asEditorsRead turns nodes into the values of JSON that a schema is about. Keys are
// texts, whatever they look like; dates are, too; what JSON has no number for becomes
// one that it has.
func asEditorsRead(t *testing.T, n *yaml.Node) any {
	t.Helper()
	n = follow(n)
	switch n.Kind {
	case yaml.MappingNode:
		object := make(map[string]any)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := follow(n.Content[i])
			name := key.Value
			if key.Kind != yaml.ScalarNode {
				name = fmt.Sprintf("a key in line %d", key.Line)
			}
			object[name] = asEditorsRead(t, n.Content[i+1])
		}
		return object
	case yaml.SequenceNode:
		list := []any{}
		for _, element := range n.Content {
			list = append(list, asEditorsRead(t, element))
		}
		return list
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		var number float64
		if err := n.Decode(&number); err != nil || math.IsInf(number, 0) || math.IsNaN(number) {
			return math.MaxFloat64
		}
		return number
	}
	return n.Value
}
