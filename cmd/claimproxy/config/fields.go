package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// options are the words in a field's yaml tag; the package comment explains them.
type options struct {
	required, many, keyed, path, text bool
}

// field is one key of a mapping.
type field struct {
	options
	name  string
	index int
}

// fields are the keys of a mapping, as the struct's tags say.
type fields struct {
	inOrder []*field
	byName  map[string]*field
	key     int // index of the field that holds the element's own name, or -1
}

func (f *fields) names() []string {
	names := make([]string, len(f.inOrder))
	for i, field := range f.inOrder {
		names[i] = field.name
	}
	return names
}

var fieldCache sync.Map // reflect.Type to *fields

// fieldsOf reads the tags of a struct. Exported fields without a tag are not in
// the file. A tag that cannot be read is a mistake in this package.
func fieldsOf(t reflect.Type) *fields {
	if f, ok := fieldCache.Load(t); ok {
		return f.(*fields)
	}
	all := &fields{byName: make(map[string]*field), key: -1}
	for i := range t.NumField() {
		tag := t.Field(i).Tag.Get("yaml")
		if tag == "" || tag == "-" {
			continue
		}
		name, words, _ := strings.Cut(tag, ",")
		if name == "" && words == "key" {
			all.key = i
			continue
		}
		f := &field{name: name, index: i}
		for word := range strings.SplitSeq(words, ",") {
			switch word {
			case "":
			case "required":
				f.required = true
			case "many":
				f.many = true
			case "keyed":
				f.keyed = true
			case "path":
				f.path = true
			case "text":
				f.text = true
			default:
				panic(fmt.Sprintf("config: unknown word %q in the tag of %s.%s", word, t, t.Field(i).Name))
			}
		}
		all.inOrder = append(all.inOrder, f)
		all.byName[name] = f
	}
	fieldCache.Store(t, all)
	return all
}

// keyHomes says for the name of each key which mappings have it, in the order of
// the structs: "timeout" belongs to "upstreams.NAME".
var keyHomes = sync.OnceValue(func() map[string][]string {
	homes := make(map[string][]string)
	eachField(reflect.TypeFor[Config](), "", func(path string, f *field) {
		home := path
		if home == "" {
			home = "the top of the file"
		}
		if !slices.Contains(homes[f.name], home) {
			homes[f.name] = append(homes[f.name], home)
		}
	})
	return homes
})

// eachField visits every key that the file can have, once for each mapping that
// can have it. Paths are written as "providers[].clients[]" and "policies.NAME".
func eachField(t reflect.Type, path string, visit func(path string, f *field)) {
	for _, f := range fieldsOf(t).inOrder {
		visit(path, f)
		below, ft := joinHome(path, f.name), t.Field(f.index).Type
		if ft.Kind() == reflect.Slice {
			ft = ft.Elem()
			if f.keyed {
				below += ".NAME"
			} else {
				below += "[]"
			}
		}
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		if ft.Kind() == reflect.Struct && len(fieldsOf(ft).inOrder) > 0 {
			eachField(ft, below, visit)
		}
	}
}

func joinHome(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
