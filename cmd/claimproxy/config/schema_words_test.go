package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/invopop/jsonschema"
)

// comments are those of the package's structs and fields, written for people who read
// Go. People who edit the file read them too, in their editor, where there are keys and
// no fields.
type comments struct{ byName map[string]string }

func readComments() (*comments, error) {
	var r jsonschema.Reflector
	if err := r.AddGoComments(reflect.TypeFor[Config]().PkgPath(), "."); err != nil {
		return nil, err
	}
	return &comments{r.CommentMap}, nil
}

// lookup is what an editor shows about a key, or about a type when the field is empty.
func (c *comments) lookup(t reflect.Type, field string) string {
	if t == reflect.TypeFor[included]() {
		t = reflect.TypeFor[Config]()
	}
	comment := c.byName[t.PkgPath()+"."+t.Name()+"."+field]
	if field == "" {
		comment, _, _ = strings.Cut(c.byName[t.PkgPath()+"."+t.Name()], "\n")
		field = t.Name()
	}
	return forEditors(t, field, comment)
}

// forEditors turns "Idle is how long ... or Lifetime ..." into "How long ... or
// `lifetime` ...". A paragraph becomes one line, since editors break lines themselves.
func forEditors(t reflect.Type, field, comment string) string {
	var paragraphs []string
	for paragraph := range strings.SplitSeq(comment, "\n\n") {
		paragraphs = append(paragraphs, strings.Join(strings.Fields(paragraph), " "))
	}
	text := zeroValue.ReplaceAllString(strings.Join(paragraphs, "\n\n"), "")
	if rest, ok := strings.CutPrefix(text, field+" "); ok {
		text = leadingVerb.ReplaceAllString(rest, "")
	}
	text = keysForFields(t, text)
	if text == "" || strings.HasPrefix(text, "claimproxy") {
		return text
	}
	first := []rune(text)
	first[0] = unicode.ToUpper(first[0])
	return string(first)
}

var (
	leadingVerb = regexp.MustCompile(`^(?:is|are|says|say) `)
	// zeroValue is a remark that the file has no word for.
	zeroValue = regexp.MustCompile(`; nil is [^.;]*`)
	// goName is a field, or a type and a field, that is not part of a longer word.
	goName = regexp.MustCompile("(^|[^A-Za-z0-9`\"$/_.-])((?:[A-Z][A-Za-z]+\\.)?[A-Z][A-Za-z]*)")
	// common are names of fields and types that are words of everybody's, too.
	common = []string{"TLS", "URL", "Redis", "Cluster"}
)

// keysForFields puts keys in the place of the names of fields and types. A name at the
// start of a sentence may be a word like others, unless it has a capital inside.
func keysForFields(t reflect.Type, text string) string {
	var b strings.Builder
	end := 0
	for _, at := range goName.FindAllStringSubmatchIndex(text, -1) {
		name, start := text[at[4]:at[5]], at[4]
		key := keyOf(t, name)
		starts := start == 0 || strings.HasSuffix(text[:start], ". ") || strings.HasSuffix(text[:start], "\n")
		if key == "" || slices.Contains(common, name) || strings.HasSuffix(text[:start], "OpenID ") || name == "ID" && strings.HasPrefix(text[at[5]:], " token") || starts && !hasInnerCapital(name) {
			continue
		}
		b.WriteString(text[end:start] + "`" + key + "`")
		end = at[5]
	}
	return b.String() + text[end:]
}

func hasInnerCapital(name string) bool { return strings.ToLower(name[1:]) != name[1:] }

// keyOf is the key that a name in Go stands for, in the struct itself or elsewhere: "" if
// it is not one.
func keyOf(t reflect.Type, name string) string {
	if owner, field, ok := strings.Cut(name, "."); ok {
		for s, home := range structHomes() {
			if s.Name() == owner {
				if key := keyIn(s, field); key != "" {
					return home + "." + key
				}
			}
		}
		return ""
	}
	if key := keyIn(t, name); key != "" {
		return key
	}
	for s, home := range structHomes() {
		if s.Name() == name {
			return home
		}
	}
	for s := range structHomes() {
		if key := keyIn(s, name); key != "" {
			return key
		}
	}
	return ""
}

func keyIn(t reflect.Type, field string) string {
	if f, ok := t.FieldByName(field); ok && f.IsExported() {
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		return key
	}
	return ""
}

// structHomes says where in the file the mappings stand that a struct is made of, as in
// "routes[].rules[]".
var structHomes = sync.OnceValue(func() map[reflect.Type]string {
	homes := make(map[reflect.Type]string)
	var visit func(t reflect.Type, home string)
	visit = func(t reflect.Type, home string) {
		if _, known := homes[t]; known {
			return
		}
		homes[t] = home
		for i := range t.NumField() {
			key, words, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			below, ft := joinHome(home, key), t.Field(i).Type
			for ; ft.Kind() == reflect.Slice || ft.Kind() == reflect.Pointer; ft = ft.Elem() {
				if ft.Kind() == reflect.Slice && strings.Contains(words, "keyed") {
					below += ".NAME"
				} else if ft.Kind() == reflect.Slice {
					below += "[]"
				}
			}
			if key != "" && ft.Kind() == reflect.Struct && ft.PkgPath() == t.PkgPath() {
				visit(ft, below)
			}
		}
	}
	visit(reflect.TypeFor[Config](), "")
	return homes
})

// theDefault finds a default that a description names, when it is one value. A plain
// word is none: "the default is all" speaks of no value.
var (
	theDefault = regexp.MustCompile(`[Tt]he default is (\[[^\]]*\]|"[^"]*"|[^\s"` + "`" + `$]+?)(?:[.,;](?:\s|$)|$)`)
	plainWord  = regexp.MustCompile(`^[a-z]+$`)
)

// defaultIn is the default that a description names, as a value of JSON.
func defaultIn(description string) (any, bool) {
	m := theDefault.FindStringSubmatch(description)
	switch {
	case m == nil:
		return nil, false
	case m[1] == "true", m[1] == "false":
		return m[1] == "true", true
	case plainWord.MatchString(m[1]):
		return nil, false
	case m[1][0] == '[':
		return strings.Split(strings.Trim(m[1], "[]"), ", "), true
	}
	return strings.Trim(m[1], `"`), true
}
