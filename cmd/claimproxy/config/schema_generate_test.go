package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

// generateSchema makes the JSON Schema of the configuration file. The library walks the
// structs; what it does not know, the words of our tags and the types that decode
// themselves, is put in here, in schema_forms_test.go and in schema_limits_test.go.
func generateSchema() ([]byte, error) {
	comments, err := readComments()
	if err != nil {
		return nil, err
	}
	r := &jsonschema.Reflector{
		FieldNameTag:               "yaml",
		Anonymous:                  true, // it has no address of its own
		ExpandedStruct:             true,
		RequiredFromJSONSchemaTags: true, // so never: our tag has its own word for it
		Namer:                      func(t reflect.Type) string { return strings.ToLower(t.Name()) },
		KeyNamer:                   keyInFile,
		Mapper:                     form,
		LookupComment:              comments.lookup,
	}
	root, part := r.Reflect(new(Config)), r.Reflect(new(included))
	root.Version, part.Version = "http://json-schema.org/draft-07/schema#", ""
	root.Comments = "Generated from the structs that the file is decoded into. Files that another one includes have the schema #/definitions/included."
	root.Title, root.Description = "claimproxy", ""
	part.Description = "A file that the main one includes: policies, upstreams, routes, people and tests."
	part.Title = "a file that is included"
	part.Definitions = nil // which are the same ones

	g := tightening{definitions: root.Definitions, done: make(map[reflect.Type]bool)}
	g.structure(root, reflect.TypeFor[Config]())
	g.structure(part, reflect.TypeFor[included]())
	// Where the main file has no routes, an included one has them.
	routes := &jsonschema.Schema{Required: []string{"routes"}, Properties: jsonschema.NewProperties()}
	routes.Properties.Set("routes", &jsonschema.Schema{MinItems: new(uint64(1))})
	root.AnyOf = []*jsonschema.Schema{routes, {Required: []string{"include"}}}
	// An editor that is given the address of this part of the file fills in from the
	// whole what the part itself does not say, and would ask for routes here as well.
	part.AnyOf = []*jsonschema.Schema{jsonschema.TrueSchema}
	root.Definitions["included"] = part
	for name, definition := range formDefinitions() {
		root.Definitions[name] = definition
	}

	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		return nil, err
	}
	// The library speaks the draft after draft-07, which renamed this.
	return bytes.ReplaceAll(b.Bytes(), []byte("$defs"), []byte("definitions")), nil
}

// keyInFile drops fields without a tag, whose name in Go begins with a capital.
func keyInFile(name string) string {
	if 'A' <= name[0] && name[0] <= 'Z' {
		return ""
	}
	return name
}

// tightening puts into the schema of each struct what the library could not see.
type tightening struct {
	definitions jsonschema.Definitions
	done        map[reflect.Type]bool
}

// structure tightens the schema of a struct and of all structs below it.
func (g *tightening) structure(s *jsonschema.Schema, t reflect.Type) {
	if g.done[t] {
		return
	}
	g.done[t] = true
	for _, f := range fieldsOf(t).inOrder {
		property, ok := s.Properties.Get(f.name)
		if !ok {
			panic(fmt.Sprintf("the schema of %s has no %s", t, f.name))
		}
		g.property(property, t, f)
		if f.required {
			s.Required = append(s.Required, f.name)
		}
		below := t.Field(f.index).Type
		for below.Kind() == reflect.Slice || below.Kind() == reflect.Pointer {
			below = below.Elem()
		}
		name := strings.ToLower(below.Name())
		if definition := g.definitions[name]; definition != nil {
			g.definition(name, definition, below)
		}
	}
	if together := togetherness[t]; together != nil {
		together(s)
	}
}

// definition tightens the schema of a struct that others refer to.
func (g *tightening) definition(name string, s *jsonschema.Schema, t reflect.Type) {
	if g.done[t] {
		return
	}
	s.Title = name // editors speak of it by this name
	g.structure(s, t)
	if short := shortForms[t]; short != nil {
		g.definitions[name] = short(s)
	}
}

// property tightens the schema of one key.
func (g *tightening) property(s *jsonschema.Schema, t reflect.Type, f *field) {
	if value, ok := defaultIn(s.Description); ok {
		s.Default = value
	}
	l := limits[t.Name()+"."+f.name]
	switch {
	case f.keyed:
		element := s.Items
		s.Type, s.Items, s.AdditionalProperties = "object", nil, element
		s.PropertyNames = l.value
	case s.Type == "array":
		list := &jsonschema.Schema{Type: "array", Items: s.Items, UniqueItems: l.unique}
		if l.value != nil {
			list.Items = l.value
		}
		if l.filled {
			list.MinItems = new(uint64(1))
		}
		if !f.many {
			s.Items, s.UniqueItems, s.MinItems = list.Items, list.UniqueItems, list.MinItems
			break
		}
		s.Type, s.Items = "", nil
		s.AnyOf = []*jsonschema.Schema{list.Items, list}
	case l.value != nil:
		limited := *l.value
		limited.Description, limited.Default = s.Description, s.Default
		*s = limited
	case f.path:
		s.MinLength = new(uint64(1))
	}
}
