package policy

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Values as expressions see them: nil, bool, int, float64, string, []any and
// map[string]any; []int and []string come out of ranges and of split.

// opaque is a value of a claim that no operator takes.
type opaque struct{}

// plain is the claims as expressions see them, made when the first one asks.
func (c *Claims) plain() map[string]any {
	c.plainOnce.Do(func() { c.plainly = plainObject(c.raw, 0) })
	return c.plainly
}

// plainObject leaves out what is null: it counts as missing.
func plainObject(object map[string]any, depth int) map[string]any {
	plain := make(map[string]any, len(object))
	for name, v := range object {
		if v := plainValue(v, depth); v != nil {
			plain[name] = v
		}
	}
	return plain
}

// plainValue gives numbers the types that expr reckons with: int where the value
// fits, float64 where it is a fraction. A whole number that fits neither without
// losing digits stays a string, so that two ids are never taken for one.
func plainValue(v any, depth int) any {
	switch v := v.(type) {
	case nil, string, bool, int:
		return v
	case json.Number:
		return plainNumber(string(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return opaque{}
		}
		return plainNumber(strconv.FormatFloat(v, 'f', -1, 64))
	case int64:
		return plainNumber(strconv.FormatInt(v, 10))
	case uint64:
		return plainNumber(strconv.FormatUint(v, 10))
	case []string:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = e
		}
		return list
	case []any:
		if depth > maxObjects {
			return opaque{}
		}
		list := make([]any, len(v))
		for i, e := range v {
			if list[i] = plainValue(e, depth+1); e == nil {
				list[i] = opaque{} // so that it is no absence that was asked for
			}
		}
		return list
	case map[string]any:
		if depth >= maxObjects {
			return opaque{}
		}
		return plainObject(v, depth+1)
	}
	return opaque{}
}

func plainNumber(text string) any {
	if i, err := strconv.ParseInt(text, 10, strconv.IntSize); err == nil {
		return int(i)
	}
	if _, ok := canonicalNumber(text); !ok {
		return opaque{}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(f) >= 1<<53 {
		return text
	}
	if f == math.Trunc(f) {
		return int(f)
	}
	return f
}

// kindName names the type of a value in a sentence.
func kindName(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case bool:
		return "a boolean"
	case int, float64:
		return "a number"
	case string:
		return "a text"
	case []any, []string, []int:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("something else (%T)", v)
}

func listLen(v any) (int, bool) {
	switch v := v.(type) {
	case []any:
		return len(v), true
	case []string:
		return len(v), true
	case []int:
		return len(v), true
	}
	return 0, false
}

func listAt(v any, i int) any {
	switch v := v.(type) {
	case []any:
		return v[i]
	case []string:
		return v[i]
	case []int:
		return v[i]
	}
	return nil
}

// asList is a claim as contains takes it: a string counts as a list of one.
func asList(params ...any) (any, error) {
	switch v := params[0].(type) {
	case nil:
		return nil, errMissingClaim
	case []any:
		return v, nil
	case string:
		return []any{v}, nil
	case []string:
		return plainValue(v, 0), nil
	}
	return nil, fmt.Errorf("%s is neither a list nor a text", kindName(params[0]))
}

// compareNumbers compares by value, all digits counted. It reports false for what is
// no number.
func compareNumbers(a, b any) (int, bool) {
	switch a := a.(type) {
	case int:
		switch b := b.(type) {
		case int:
			return order(a < b, a > b), true
		case float64:
			return compareMixed(a, b), !math.IsNaN(b)
		}
	case float64:
		switch b := b.(type) {
		case int:
			return -compareMixed(b, a), !math.IsNaN(a)
		case float64:
			return order(a < b, a > b), !math.IsNaN(a) && !math.IsNaN(b)
		}
	}
	return 0, false
}

// compareMixed compares a whole number with one that may have a fraction. Rounding
// keeps the order, so that only numbers that round to the same need a second look.
func compareMixed(a int, b float64) int {
	if f := float64(a); f != b {
		return order(f < b, f > b)
	}
	if b >= 1<<63 { // the largest int rounds up to this
		return -1
	}
	return order(a < int(b), a > int(b))
}

func order(less, more bool) int {
	switch {
	case less:
		return -1
	case more:
		return 1
	}
	return 0
}
