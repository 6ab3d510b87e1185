package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// claimsByTokens is ParseClaims by the decoder of encoding/json, token by token: slow, and
// what ParseClaims is held against.
func claimsByTokens(data []byte) (Claims, error) {
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

// FuzzClaimsAgainstTheDecoder: what is read, and whether anything is, does not depend on
// who reads.
func FuzzClaimsAgainstTheDecoder(f *testing.F) {
	for _, doc := range []string{
		`{}`, ` { "a" : [ 1 , "b" , { } ] } `, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"\ud800":"\ud83d\ude00 \\\" \/"}`, `{"a":-1.5E+3,"b":[[],[[]]],"c":{"d":null,"e":false}}`,
		`[1]`, `"x"`, `1`, `null`, ``, ` `, `{`, `{}x`, `{} {}`, `{"a":}`, `{"a":1,}`, `{"a":"\x"}`, `{"a":01}`, "{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}", `{"":{"":{"":{}}}}`,
		`{"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`, strings.Repeat("[", 40),
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		want, wrong := claimsByTokens(doc)
		got, err := ParseClaims(doc)
		if (err == nil) != (wrong == nil) || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %v, %v; the decoder says %v, %v", doc, got, err, want, wrong)
		}
	})
}
