package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Claims is a JSON object as a provider sent it. Values are string, json.Number,
// bool, nil, []any and map[string]any, nothing else: numbers keep their digits,
// so that two ids above 2^53 stay two.
type Claims map[string]any

// maxClaimsDepth bounds how deep arrays and objects may nest.
const maxClaimsDepth = 32

// ParseClaims reads one JSON object strictly: exactly one object, valid UTF-8,
// no key twice at any level, nesting bounded. Names stay exactly as they came;
// encoding/json's struct decoding would let "SUB" overwrite "sub".
func ParseClaims(data []byte) (Claims, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("claims are not valid UTF-8")
	}
	if !json.Valid(data) {
		// What is wrong with it is encoding/json's to say.
		var any any
		return nil, fmt.Errorf("claims: %w", json.Unmarshal(data, &any))
	}
	// One copy, which all texts are parts of.
	r := claimsReader{text: string(data)}
	r.blanks()
	v, err := r.value(0)
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("claims: expected a JSON object, got %s", kindOf(v))
	}
	return Claims(obj), nil
}

// claimsReader reads JSON that is known to be valid: exactly one value, and what it says
// about depth and names is all that can still be wrong. The decoder of encoding/json that
// can tell a name that is there twice takes ten times as long.
type claimsReader struct {
	text string
	at   int
}

// blanks goes to the next byte that says something.
func (r *claimsReader) blanks() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return
		}
	}
}

// value reads the value that begins here, and the blanks behind it.
func (r *claimsReader) value(depth int) (v any, err error) {
	if depth > maxClaimsDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxClaimsDepth)
	}
	switch r.text[r.at] {
	case '{':
		v, err = r.object(depth)
	case '[':
		v, err = r.list(depth)
	case '"':
		v, err = r.quoted()
	case 't':
		v = true
		r.at += len("true")
	case 'f':
		v = false
		r.at += len("false")
	case 'n':
		r.at += len("null")
	default:
		v = r.number()
	}
	r.blanks()
	return v, err
}

func (r *claimsReader) object(depth int) (any, error) {
	object := make(map[string]any, r.members())
	for r.next('}') {
		name, err := r.quoted()
		if err != nil {
			return nil, err
		}
		if _, twice := object[name]; twice {
			return nil, fmt.Errorf("key %q appears twice", name)
		}
		r.blanks()
		r.at++ // the colon
		r.blanks()
		if object[name], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// members guesses how many members the object has that begins here. It is most often
// right, and wrong where texts have colons in them or objects are in others.
func (r *claimsReader) members() int {
	const most = 24 // a stranger who writes many colons gets no larger map for them
	return min(strings.Count(r.text[r.at:min(len(r.text), r.at+1024)], `":`), most)
}

func (r *claimsReader) list(depth int) (any, error) {
	list := []any{}
	for r.next(']') {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// next goes from the beginning of an object or a list, or from behind one of its members,
// to the next member, or behind the end.
func (r *claimsReader) next(end byte) bool {
	if r.text[r.at] == end { // behind the last member
		r.at++
		return false
	}
	r.at++ // the opening bracket, or a comma
	r.blanks()
	if r.text[r.at] == end { // there is no member
		r.at++
		return false
	}
	return true
}

// quoted reads a string.
func (r *claimsReader) quoted() (string, error) {
	begin, escaped := r.at, false
	for r.at++; r.text[r.at] != '"'; r.at++ {
		if r.text[r.at] == '\\' {
			escaped = true
			r.at++
		}
	}
	r.at++
	if !escaped {
		return r.text[begin+1 : r.at-1], nil
	}
	var s string
	err := json.Unmarshal([]byte(r.text[begin:r.at]), &s)
	return s, err
}

func (r *claimsReader) number() json.Number {
	begin := r.at
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case '0' <= c && c <= '9', c == '+', c == '-', c == '.', c == 'e', c == 'E':
			r.at++
			continue
		}
		break
	}
	return json.Number(r.text[begin:r.at])
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case []any:
		return "an array"
	}
	return "an object"
}

// String returns the claim if it is there and is a string.
func (c Claims) String(name string) (string, bool) {
	s, ok := c[name].(string)
	return s, ok
}

// Strings returns the claim as a list: a string counts as a list of one, other
// elements than strings are passed over (the aud claim, RFC 7519 section 4.1.3).
func (c Claims) Strings(name string) []string {
	switch v := c[name].(type) {
	case string:
		return []string{v}
	case []any:
		list := make([]string, 0, len(v))
		for _, e := range v {
			if s, ok := e.(string); ok {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}

// EmailMayBeSent reports whether the e-mail address among the claims may be sent to
// applications as the caller's: not when the provider says that nobody has checked it, in
// whatever words. A provider that says nothing vouches for its addresses.
func EmailMayBeSent(claims Claims) bool {
	verified, said := claims["email_verified"]
	text, _ := verified.(string)
	return !said || verified == true || strings.EqualFold(text, "true")
}
