package policy

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"sync"
)

// Claims is what is known about one caller, indexed for deciding: a decision
// takes the same time with 5 groups and with 500. It never changes and may be
// shared by any number of goroutines. The zero value knows nothing.
type Claims struct {
	values map[string]*value
	// raw is what the index was made of; plainOnce makes of it what expressions see.
	raw       map[string]any
	plainOnce sync.Once
	plainly   map[string]any
}

// Index reads claims once, when a session or token is admitted. Values are what
// JSON gives: string, json.Number, bool, nil, []any and map[string]any; float64,
// int, int64, uint64 and []string are taken as well. A claim that is null counts
// as missing (OpenID Connect Core section 5.3.2). Values of other types, and
// objects nested deeper than 32 levels, are there and are of the wrong type for
// every operator. The map must not be changed afterwards: expressions read it. Index
// never returns nil.
func Index(claims map[string]any) *Claims {
	return &Claims{values: indexObject(claims, 0), raw: claims}
}

// maxObjects is how deep Index walks into objects.
const maxObjects = 32

type valueKind uint8

const (
	// kindOther is for values that no operator takes.
	kindOther valueKind = iota
	kindText
	kindNumber
	kindBool
	kindList
	kindObject
)

// value is one claim.
type value struct {
	kind valueKind
	// text is a string, or a number as it was written.
	text string
	// number is the canonical form of a number.
	number string
	truth  bool
	// members are the strings of a list; of a string, itself; of a string scope,
	// its words.
	members stringSet
	// others is how many elements of a list are not strings and are passed over.
	others int
	object map[string]*value
}

// isList reports whether membership can be asked for.
func (v *value) isList() bool { return v.kind == kindList || v.kind == kindText }

// find follows the path; it returns nil when there is nothing.
func (c *Claims) find(p path) *value {
	if c == nil {
		return nil
	}
	v := c.values[p[0]]
	for _, name := range p[1:] {
		if v == nil {
			return nil
		}
		v = v.object[name]
	}
	return v
}

func indexObject(object map[string]any, depth int) map[string]*value {
	values := make(map[string]*value, len(object))
	for name, raw := range object {
		v := indexValue(raw, depth)
		if v == nil {
			continue
		}
		if depth == 0 && isScope(name) && v.kind == kindText {
			v.members = newStringSet(words(v.text))
		}
		values[name] = v
	}
	return values
}

// indexValue returns nil for null.
func indexValue(raw any, depth int) *value {
	switch raw := raw.(type) {
	case nil:
		return nil
	case string:
		return &value{kind: kindText, text: raw, members: newStringSet([]string{raw})}
	case bool:
		return &value{kind: kindBool, truth: raw, text: strconv.FormatBool(raw)}
	case json.Number:
		return indexNumber(string(raw))
	case float64:
		// As encoding/json writes it, more or less: 1000000 and not 1e+06.
		if math.Abs(raw) < 1e21 {
			return indexNumber(strconv.FormatFloat(raw, 'f', -1, 64))
		}
		return indexNumber(strconv.FormatFloat(raw, 'e', -1, 64))
	case int:
		return indexNumber(strconv.Itoa(raw))
	case int64:
		return indexNumber(strconv.FormatInt(raw, 10))
	case uint64:
		return indexNumber(strconv.FormatUint(raw, 10))
	case []string:
		return &value{kind: kindList, members: newStringSet(append([]string(nil), raw...))}
	case []any:
		list := make([]string, 0, len(raw))
		for _, e := range raw {
			if s, ok := e.(string); ok {
				list = append(list, s)
			}
		}
		return &value{kind: kindList, members: newStringSet(list), others: len(raw) - len(list)}
	case map[string]any:
		if depth < maxObjects {
			return &value{kind: kindObject, object: indexObject(raw, depth+1)}
		}
	}
	return &value{kind: kindOther}
}

func indexNumber(text string) *value {
	number, ok := canonicalNumber(text)
	if !ok {
		return &value{kind: kindOther}
	}
	return &value{kind: kindNumber, text: text, number: number}
}

// isScope reports whether a claim is a list of words in one string: scope (RFC
// 6749 section 3.3, RFC 9068 section 2.2.3) and Microsoft's scp.
func isScope(name string) bool { return name == "scope" || name == "scp" }

// words splits at spaces and at nothing else.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' })
}

// stringSet answers membership in a time that does not depend on its size.
type stringSet struct {
	// list is all members in the order they came, duplicates included.
	list []string
	// index is nil for short lists, which are faster to read through.
	index map[string]struct{}
}

// shortList is the length up to which reading through a list beats hashing.
const shortList = 8

func newStringSet(list []string) stringSet {
	s := stringSet{list: list}
	if len(list) > shortList {
		s.index = make(map[string]struct{}, len(list))
		for _, m := range list {
			s.index[m] = struct{}{}
		}
	}
	return s
}

func (s *stringSet) has(member string) bool {
	if s.index != nil {
		_, ok := s.index[member]
		return ok
	}
	for _, m := range s.list {
		if m == member {
			return true
		}
	}
	return false
}

// meets reports whether the sets have a member in common. It reads through the
// shorter one.
func (s *stringSet) meets(other *stringSet) bool {
	if len(s.list) > len(other.list) {
		s, other = other, s
	}
	for _, m := range s.list {
		if other.has(m) {
			return true
		}
	}
	return false
}
