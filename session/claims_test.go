package session

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseClaims(t *testing.T) {
	got, err := ParseClaims([]byte(`
		{"sub": "u", "n": 9007199254740993, "f": 1.50, "e": 1e400, "yes": true, "none": null,
		 "groups": ["a", 1, ["b"]], "realm_access": {"roles": []}, "": "empty name", "ü": "é"}
	`))
	if err != nil {
		t.Fatal(err)
	}
	want := Claims{
		"sub": "u", "n": json.Number("9007199254740993"), "f": json.Number("1.50"), "e": json.Number("1e400"),
		"yes": true, "none": nil, "groups": []any{"a", json.Number("1"), []any{"b"}},
		"realm_access": map[string]any{"roles": []any{}}, "": "empty name", "ü": "é",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

// encoding/json matches struct fields without regard to case, in Unicode too, so
// that a second name could overwrite the first (trap 14).
func TestParseClaimsKeepsCaseFoldedNamesApart(t *testing.T) {
	for _, doc := range []string{
		`{"sub":"u","SUB":"admin"}`,
		`{"SUB":"admin","sub":"u"}`,
		`{"sub":"u","` + "\u017f" + `ub":"admin"}`, // U+017F folds to s
		`{"sub":"u","\u017fub":"admin"}`,
		`{"sub":"u","Sub":"admin","sUB":"admin"}`,
	} {
		c, err := ParseClaims([]byte(doc))
		if err != nil {
			t.Errorf("%s: %v", doc, err)
			continue
		}
		if sub, ok := c.String("sub"); !ok || sub != "u" {
			t.Errorf("%s: got sub %q, want %q", doc, sub, "u")
		}
	}
}

func TestParseClaimsKeepsLargeNumbersApart(t *testing.T) {
	a, errA := ParseClaims([]byte(`{"id":9007199254740992}`))
	b, errB := ParseClaims([]byte(`{"id":9007199254740993}`))
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if a["id"] == b["id"] {
		t.Errorf("two ids above 2^53 became one: %v", a["id"])
	}
}

func TestParseClaimsRefuses(t *testing.T) {
	deep := func(n int) string {
		return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	if _, err := ParseClaims([]byte(deep(maxClaimsDepth - 1))); err != nil {
		t.Errorf("nesting within the bound: %v", err)
	}
	tests := []struct {
		name, doc, want string
	}{
		{"a key twice", `{"sub":"u","sub":"admin"}`, `key "sub" appears twice`},
		{"a key twice, escaped", `{"sub":"u","\u0073ub":"admin"}`, `key "sub" appears twice`},
		{"a key twice, further down", `{"a":[{"b":1,"b":2}]}`, `key "b" appears twice`},
		{"nothing", ``, "unexpected end of JSON input"},
		{"blanks", " \n", "unexpected end of JSON input"},
		{"an array", `["sub","u"]`, "expected a JSON object, got an array"},
		{"a string", `"u"`, "expected a JSON object, got a string"},
		{"a number", `1`, "expected a JSON object, got a number"},
		{"a boolean", `true`, "expected a JSON object, got a boolean"},
		{"null", `null`, "expected a JSON object, got null"},
		{"two objects", `{"sub":"u"}{"sub":"admin"}`, "after top-level value"},
		{"an object and garbage", `{"sub":"u"} x`, "after top-level value"},
		{"an object and a bracket", `{"sub":"u"}]`, "after top-level value"},
		{"nested too deep", deep(maxClaimsDepth + 1), "nested deeper than 32"},
		{"nested very deep", deep(100000), "exceeded max depth"},
		{"objects nested too deep", strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), "nested deeper than 32"},
		{"invalid UTF-8", "{\"sub\":\"\xff\"}", "not valid UTF-8"},
		{"a number with a leading zero", `{"n":01}`, "invalid character"},
		{"a comma too many", `{"sub":"u",}`, "invalid character"},
		{"a comma too many in a list", `{"a":[1,]}`, "invalid character"},
		{"a comma too few", `{"a":[1 2]}`, "invalid character"},
		{"a colon too few", `{"sub" "u"}`, "invalid character"},
		{"a name that is no string", `{1:2}`, "invalid character"},
		{"a raw line break", "{\"sub\":\"a\nb\"}", "invalid character"},
		{"NaN", `{"n":NaN}`, "invalid character"},
		{"a comment", `{/**/"sub":"u"}`, "invalid character"},
		{"mismatched brackets", `{"a":[1}`, "invalid character"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseClaims([]byte(tt.doc))
			if err == nil {
				t.Fatalf("got %v, want an error with %q", got, tt.want)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %q, want one with %q", err, tt.want)
			}
		})
	}
}

func TestParseClaimsRefusesTruncatedAtEveryLength(t *testing.T) {
	doc := `{"sub":"u","groups":["a",{"b":true}],"n":1.5e3}`
	if _, err := ParseClaims([]byte(doc)); err != nil {
		t.Fatal(err)
	}
	for n := range len(doc) {
		if got, err := ParseClaims([]byte(doc[:n])); err == nil {
			t.Errorf("%q: got %v, want an error", doc[:n], got)
		}
	}
}

func TestClaimsString(t *testing.T) {
	c := Claims{"s": "x", "empty": "", "n": json.Number("1"), "l": []any{"x"}, "nil": nil}
	for name, want := range map[string]bool{"s": true, "empty": true, "n": false, "l": false, "nil": false, "missing": false} {
		if _, ok := c.String(name); ok != want {
			t.Errorf("String(%q): got %t, want %t", name, ok, want)
		}
	}
}

func TestClaimsStrings(t *testing.T) {
	c := Claims{
		"one": "a", "many": []any{"a", "b"}, "mixed": []any{"a", json.Number("1"), nil, []any{"x"}, "b"},
		"none": []any{}, "number": json.Number("1"), "object": map[string]any{"a": true}, "null": nil,
	}
	for name, want := range map[string][]string{
		"one": {"a"}, "many": {"a", "b"}, "mixed": {"a", "b"}, "none": {},
		"number": nil, "object": nil, "null": nil, "missing": nil,
	} {
		if diff := cmp.Diff(want, c.Strings(name)); diff != "" {
			t.Errorf("Strings(%q) (-want +got):\n%s", name, diff)
		}
	}
}

func FuzzParseClaims(f *testing.F) {
	for _, s := range []string{`{"sub":"u"}`, `{"a":[1,{"b":null}]}`, `{"a":1,"a":2}`, `{"n":9007199254740993}`, `{`, `{}`, `[]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseClaims(data)
		if err != nil {
			return
		}
		if c == nil {
			t.Fatal("no claims and no error")
		}
		// What is accepted is JSON, and is the same after a round trip: what a
		// session keeps is what the provider said.
		if !json.Valid(data) {
			t.Fatalf("accepted %q, which is not JSON", data)
		}
		again, err := compactJSON(c)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseClaims(again)
		if err != nil {
			t.Fatalf("%q became %q: %v", data, again, err)
		}
		if !reflect.DeepEqual(c, back) {
			t.Fatalf("%q changed on the way: got %v", data, back)
		}
	})
}
