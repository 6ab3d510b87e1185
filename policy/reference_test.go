package policy

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// The reference is the language once more, slow and plain: it shares no type and
// no function with the package, reads the claims as they are, carries negation
// along instead of pushing it down, reckons with fractions, and knows what its few
// patterns mean without reading them.

// ref is a condition of the reference.
type ref struct {
	op      string // and, or, not, policy, or an operator
	members []ref
	policy  int
	claim   []string
	values  []refValue
}

type refValue struct {
	text   string
	quoted bool
}

// refPolicy is a policy of the reference.
type refPolicy struct {
	require   ref
	shadow    *ref
	providers []string
}

// refWorld is what a condition of the reference is asked about.
type refWorld struct {
	claims   map[string]any
	policies []refPolicy
	// now is in seconds; 0 is no time.
	now int64
	// shadow takes policies in the form that is tried out.
	shadow bool
}

// refPatterns are all patterns that there are.
var refPatterns = map[string]func(string) bool{
	"^a$":            func(s string) bool { return s == "a" },
	"^(?:a|b)$":      func(s string) bool { return s == "a" || s == "b" },
	"^(?i)A$":        func(s string) bool { return s == "a" || s == "A" },
	"^.*$":           func(s string) bool { return !strings.Contains(s, "\n") },
	"^(?s).*$":       func(string) bool { return true },
	`^teams\/[a-z]$`: func(s string) bool { return len(s) == 7 && s[:6] == "teams/" && s[6] >= 'a' && s[6] <= 'z' },
	"^$|^[0-9.]+$":   func(s string) bool { return strings.Trim(s, "0123456789.") == "" },
}

// refDurations are all durations that there are, in seconds.
var refDurations = map[string]int64{"1s": 1, "15m": 900, "1h": 3600, "1h30m": 5400, "7d": 604800, "1d1s": 86401}

// print writes the condition as a careful person would, by rules of its own.
func (r ref) print() string {
	switch r.op {
	case "and", "or":
		var parts []string
		for _, m := range r.members {
			parts = append(parts, "("+m.print()+")")
		}
		return strings.Join(parts, " "+r.op+" ")
	case "not":
		return "not (" + r.members[0].print() + ")"
	case "policy":
		return fmt.Sprintf("policy p%d", r.policy)
	}
	var names, values []string
	for _, n := range r.claim {
		if strings.ContainsAny(n, ".:/") {
			n = `"` + n + `"`
		}
		names = append(names, n)
	}
	for _, v := range r.values {
		if v.quoted {
			values = append(values, `"`+v.text+`"`)
		} else {
			values = append(values, v.text)
		}
	}
	switch r.op {
	case "is present", "is missing":
		return strings.Join(names, ".") + " " + r.op
	case "matches":
		return strings.Join(names, ".") + " matches /" + r.values[0].text + "/"
	}
	operand := values[0]
	if strings.HasSuffix(r.op, " of") {
		operand = "[" + strings.Join(values, ", ") + "]"
	}
	return strings.Join(names, ".") + " " + r.op + " " + operand
}

// grants says whether the condition, or with want false its opposite, grants.
func (r ref) grants(w refWorld, want bool) bool {
	switch r.op {
	case "not":
		return r.members[0].grants(w, !want)
	case "policy":
		p := w.policies[r.policy]
		provider, _ := w.claims["provider"].(string)
		if len(p.providers) > 0 && !slices.Contains(p.providers, provider) {
			return false
		}
		if w.shadow && p.shadow != nil {
			return p.shadow.grants(w, want)
		}
		return p.require.grants(w, want)
	case "and", "or":
		all, any := true, false
		for _, m := range r.members {
			g := m.grants(w, want)
			all, any = all && g, any || g
		}
		if (r.op == "and") == want {
			return all
		}
		return any
	}
	v := any(w.claims)
	for _, n := range r.claim {
		object, _ := v.(map[string]any)
		v = object[n]
	}
	switch r.op {
	case "is present":
		return (v != nil) == want
	case "is missing":
		return (v == nil) == want
	case "starts with", "ends with", "matches":
		s, ok := v.(string)
		value, holds := r.values[0].text, false
		switch {
		case r.op == "matches":
			holds = refPatterns[value](s)
		case len(s) < len(value):
		case r.op == "starts with":
			holds = s[:len(value)] == value
		default:
			holds = s[len(s)-len(value):] == value
		}
		return ok && holds == want
	case "within":
		n, ok := v.(json.Number)
		at, isNumber := new(big.Rat).SetString(string(n))
		if !ok || !isNumber || w.now == 0 || at.Sign() < 0 || at.Cmp(big.NewRat(1e11, 1)) > 0 {
			return false
		}
		age := new(big.Rat).Sub(big.NewRat(w.now, 1), at)
		if age.Cmp(big.NewRat(-60, 1)) < 0 {
			return false
		}
		return (age.Cmp(big.NewRat(refDurations[r.values[0].text], 1)) <= 0) == want
	}
	if strings.HasPrefix(r.op, "contains") {
		var members []string
		switch v := v.(type) {
		case string:
			members = []string{v}
			if len(r.claim) == 1 && (r.claim[0] == "scope" || r.claim[0] == "scp") {
				members = slices.DeleteFunc(strings.Split(v, " "), func(w string) bool { return w == "" })
			}
		case []any:
			for _, e := range v {
				if s, ok := e.(string); ok {
					members = append(members, s)
				}
			}
		default:
			return false
		}
		found := 0
		for _, w := range r.values {
			if slices.Contains(members, w.text) {
				found++
			}
		}
		if r.op == "contains all of" {
			return (found == len(r.values)) == want
		}
		return (found > 0) == want
	}
	typed, equal := false, false
	for _, w := range r.values {
		ok, eq := w.compare(v)
		typed, equal = typed || ok, equal || eq
	}
	return typed && equal == want
}

// compare reports whether the claim is of a type that the value can match, and
// whether it matches.
func (w refValue) compare(v any) (typed, equal bool) {
	number, isNumber := new(big.Rat), false
	if !w.quoted && strings.Trim(w.text, "-.0123456789") == "" && !strings.HasPrefix(w.text, "00") {
		_, isNumber = number.SetString(w.text)
	}
	isBool := !w.quoted && (w.text == "true" || w.text == "false")
	switch v := v.(type) {
	case bool:
		return isBool, isBool && v == (w.text == "true")
	case string:
		if isBool {
			return v == "true" || v == "false", v == w.text
		}
		return true, v == w.text
	case json.Number:
		if !isNumber {
			return false, false
		}
		got, ok := new(big.Rat).SetString(string(v))
		return ok, ok && got.Cmp(number) == 0
	}
	return false, false
}
