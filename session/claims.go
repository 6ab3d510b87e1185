package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := parseValue(dec, 0)
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("claims: expected a JSON object, got %s", kindOf(v))
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("claims: something follows the JSON object")
	}
	return Claims(obj), nil
}

func parseValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxClaimsDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxClaimsDepth)
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, notEOF(err)
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		return tok, nil
	}
	switch delim {
	case '{':
		obj := make(map[string]any)
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil, notEOF(err)
			}
			name := key.(string)
			if _, twice := obj[name]; twice {
				return nil, fmt.Errorf("key %q appears twice", name)
			}
			if obj[name], err = parseValue(dec, depth+1); err != nil {
				return nil, err
			}
		}
		_, err = dec.Token()
		return obj, notEOF(err)
	case '[':
		list := []any{}
		for dec.More() {
			v, err := parseValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = dec.Token()
		return list, notEOF(err)
	}
	return nil, fmt.Errorf("unexpected %q", delim)
}

// notEOF keeps a truncated document from looking like a regular end.
func notEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
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
