package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/claimproxy/claimproxy/policy"
)

// ownDecoder is a type that reads its node itself, because it has more than one
// form in the file. It reports its faults and says whether there were none.
type ownDecoder interface {
	decode(l *loader, n *yaml.Node, path string) bool
}

// foreignDecoders are the same for types that are not of this package.
var foreignDecoders = map[reflect.Type]func(l *loader, n *yaml.Node, v reflect.Value, path string) bool{
	reflect.TypeFor[time.Duration](): func(l *loader, n *yaml.Node, v reflect.Value, path string) bool {
		return l.duration(n, v.Addr().Interface().(*time.Duration), path)
	},
	reflect.TypeFor[*url.URL](): func(l *loader, n *yaml.Node, v reflect.Value, path string) bool {
		return l.url(n, v.Addr().Interface().(**url.URL), path)
	},
	reflect.TypeFor[policy.Clause](): func(l *loader, n *yaml.Node, v reflect.Value, path string) bool {
		return l.clause(n, v.Addr().Interface().(*policy.Clause), path)
	},
	reflect.TypeFor[map[string]any](): func(l *loader, n *yaml.Node, v reflect.Value, path string) bool {
		return l.claims(n, v.Addr().Interface().(*map[string]any), path)
	},
	reflect.TypeFor[netip.Addr](): func(l *loader, n *yaml.Node, v reflect.Value, path string) bool {
		return l.address(n, v.Addr().Interface().(*netip.Addr), path)
	},
	reflect.TypeFor[netip.Prefix](): func(l *loader, n *yaml.Node, v reflect.Value, path string) bool {
		return l.network(n, v.Addr().Interface().(*netip.Prefix), path)
	},
}

// value decodes a node into an addressable value and notes where that stands.
// It reports what does not fit and says whether the value itself did; faults in
// the elements of a list or a mapping are the elements' own.
func (l *loader) value(n *yaml.Node, v reflect.Value, path string, opt options) bool {
	n = follow(n)
	ok := !(replaceable(v.Type()) && l.template(n, path)) && l.decode(n, v, path, opt)
	l.note(v.Addr().Interface(), n, path, !ok)
	return ok
}

func (l *loader) decode(n *yaml.Node, v reflect.Value, path string, opt options) bool {
	if own, ok := v.Addr().Interface().(ownDecoder); ok {
		return own.decode(l, n, path)
	}
	if foreign, ok := foreignDecoders[v.Type()]; ok {
		return foreign(l, n, v, path)
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return l.value(n, v.Elem(), path, opt)
	case reflect.Struct:
		return l.structure(n, v, path)
	case reflect.Slice:
		if opt.keyed {
			return l.keyedList(n, v, path)
		}
		return l.list(n, v, path, opt)
	case reflect.String:
		return l.text(n, v, path, opt)
	case reflect.Bool:
		return l.boolean(n, v, path)
	}
	panic(fmt.Sprintf("config: the decoder does not know the type %s of %s", v.Type(), path))
}

// structure decodes a mapping whose keys are the fields of a struct.
func (l *loader) structure(n *yaml.Node, v reflect.Value, path string) bool {
	if n.Kind != yaml.MappingNode {
		if from, to, ok := gluedIn(n.Value); isText(n) && ok { // it may be a secret
			l.fault(n, path, "expected a mapping, got a text").hint("a space is missing after `%s`", n.Value[from:to])
		} else {
			l.mismatch(n, path, "a mapping")
		}
		return false
	}
	fields := fieldsOf(v.Type())
	seen := make(map[string]bool)
	l.eachKey(n, path, func(name string, key, val *yaml.Node, below string) {
		seen[name] = true
		f := fields.byName[name]
		if f == nil {
			if l.splitValue(key, val, path) {
				return
			}
			if meant := l.unknownKey(key, below, name, fields); meant != nil && !seen[meant.name] {
				// It is not missing as well.
				seen[meant.name] = true
				l.note(v.Field(meant.index).Addr().Interface(), key, below, true)
			}
			return
		}
		field := v.Field(f.index)
		if isNull(follow(val)) {
			l.nothing(key, val, below, f.options)
			l.note(field.Addr().Interface(), key, below, true)
			return
		}
		l.value(val, field, below, f.options)
	})
	for _, f := range fields.inOrder {
		if f.required && !seen[f.name] {
			l.fault(n, joinPath(path, f.name), "this key is missing")
		}
	}
	return true
}

// keyedList decodes a mapping with names of the person's own choice into a slice
// that keeps the file's order.
func (l *loader) keyedList(n *yaml.Node, v reflect.Value, path string) bool {
	if n.Kind != yaml.MappingNode {
		return l.mismatch(n, path, "a mapping from names")
	}
	// Of full length from the start: places are known by the address of a value.
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content)/2, len(n.Content)/2))
	name := fieldsOf(v.Type().Elem()).key
	i := 0
	l.eachKey(n, path, func(key string, keyNode, val *yaml.Node, path string) {
		element := v.Index(i)
		i++
		field := element.Field(name)
		field.SetString(key)
		l.note(field.Addr().Interface(), keyNode, path, false)
		if isNull(follow(val)) {
			l.nothing(keyNode, val, path, options{required: true})
			l.note(element.Addr().Interface(), keyNode, path, true)
			return
		}
		l.value(val, element, path, options{})
	})
	v.SetLen(i)
	return true
}

// list decodes a list or, where the key allows it, one value in its stead.
func (l *loader) list(n *yaml.Node, v reflect.Value, path string, opt options) bool {
	element := options{path: opt.path}
	if n.Kind != yaml.SequenceNode {
		if !opt.many {
			f := l.fault(n, path, "expected a list, got %s", l.describe(n))
			if words := strings.FieldsFunc(n.Value, func(r rune) bool { return r == ' ' || r == ',' }); isText(n) && v.Type().Elem().Kind() == reflect.String && len(words) > 0 {
				f.hint("write [%s]", strings.Join(words, ", "))
			} else if example := listExample(n, v.Type().Elem()); example != "" {
				f.hint("begin each entry with \"- \", as in `- %s`", example)
			}
			return false
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		return l.value(n, v.Index(0), path, element)
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, c := range n.Content {
		l.value(c, v.Index(i), fmt.Sprintf("%s[%d]", path, i), element)
	}
	return true
}

// eachKey calls do for every key of a mapping that is a string and new, with the
// path of its value, and reports the others.
func (l *loader) eachKey(n *yaml.Node, path string, do func(name string, key, val *yaml.Node, path string)) {
	lines := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := follow(n.Content[i]), n.Content[i+1]
		if !isText(key) {
			l.fault(key, path, "expected a key, got %s", l.describe(key)).hint("%s", quoteHint(key))
			continue
		}
		below := joinPath(path, key.Value)
		if first, ok := lines[key.Value]; ok {
			l.fault(key, below, "the key %s stands here twice, first in line %d", quote(key.Value), first)
			continue
		}
		lines[key.Value] = key.Line
		do(key.Value, key, val, below)
	}
}

// unknownKey suggests the key of this mapping that was meant, and returns it, or
// tells where else in the file the key has its place.
func (l *loader) unknownKey(key *yaml.Node, path, name string, fields *fields) *field {
	f := l.fault(key, path, "unknown key %s", quote(name))
	if c := closest(name, fields.names()); c != "" {
		f.hint("did you mean %q?", c)
		return fields.byName[c]
	}
	if fields == fieldsOf(reflect.TypeFor[included]()) {
		if own := fieldsOf(reflect.TypeFor[Config]()); own.byName[name] != nil {
			f.Message = fmt.Sprintf("the key %s cannot stand in an included file", quote(name))
			f.hint("it belongs to the main file, %s", l.name)
			if name == "include" {
				f.hint("an included file includes no further ones: list them in the main file, %s", l.name)
			}
			return nil
		} else if c := closest(name, own.names()); c != "" {
			f.hint("did you mean %q? it belongs to the main file, %s", c, l.name)
			return nil
		}
	}
	if elsewhere := keyHomes()[name]; len(elsewhere) > 0 {
		f.hint("it belongs to %s", strings.Join(elsewhere, " or "))
	}
	return nil
}

// nothing reports a key without a value. Usually the value was commented out, by
// intent or because it begins with `#`.
func (l *loader) nothing(key, val *yaml.Node, path string, opt options) {
	f := l.fault(key, path, "expected a value, got nothing")
	comment := key.LineComment + follow(val).LineComment
	switch {
	case len(comment) > 1 && comment[0] == '#' && comment[1] != ' ' && val.Value == "":
		f.hint("`#` began a comment here: quote the value, as in %q", strings.TrimSpace(comment))
	case !opt.required:
		f.hint("a key without a value is left out")
	}
}

func joinPath(path, key string) string {
	for i := range len(key) {
		if c := key[i]; !isNameByte(c) {
			key = strconv.Quote(key)
			break
		}
	}
	if key == "" {
		key = `""`
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func isNameByte(c byte) bool {
	return c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
