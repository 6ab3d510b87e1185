package policy

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The reference is the language once more, slow and plain: it shares no type and
// no function with the package, reads the claims as they are, carries negation
// along instead of pushing it down, and compares numbers as fractions.

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
	operand := values[0]
	if strings.HasSuffix(r.op, " of") {
		operand = "[" + strings.Join(values, ", ") + "]"
	}
	return strings.Join(names, ".") + " " + r.op + " " + operand
}

// grants says whether the condition, or with want false its opposite, grants.
func (r ref) grants(claims map[string]any, policies []ref, want bool) bool {
	switch r.op {
	case "not":
		return r.members[0].grants(claims, policies, !want)
	case "policy":
		return policies[r.policy].grants(claims, policies, want)
	case "and", "or":
		all, any := true, false
		for _, m := range r.members {
			g := m.grants(claims, policies, want)
			all, any = all && g, any || g
		}
		if (r.op == "and") == want {
			return all
		}
		return any
	}
	v, there := any(claims), true
	for _, n := range r.claim {
		object, ok := v.(map[string]any)
		if !ok {
			return false
		}
		if v, there = object[n]; !there {
			return false
		}
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

// generator makes random conditions and claims from a small stock, so that they
// often meet.
type generator struct {
	*rand.Rand
	policies int
}

var (
	stockClaims  = [][]string{{"groups"}, {"email"}, {"scope"}, {"flag"}, {"uid"}, {"o", "a"}, {"o", "b.c"}, {"o", "scope"}, {"o.a"}, {"absent"}, {"o", "a", "x"}, {"https://kde.org/x"}}
	stockStrings = []string{"a", "b", "a b", "true", "false", "5", "5.0", "007", "teams/a", "teams/a-b", ""}
	stockNumbers = []json.Number{"5", "5.0", "50e-1", "6", "0", "-5", "9007199254740993", "9007199254740992", "0.5"}
	stockBare    = []string{"a", "b", "true", "false", "5", "5.0", "-5", "0", "007", "teams/a", "9007199254740993", "9007199254740992", "1e3", "0.50"}
)

func pick[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

func (g *generator) condition(depth int) ref {
	if depth > 0 {
		switch g.IntN(6) {
		case 0, 1:
			r := ref{op: "and"}
			if g.IntN(2) == 0 {
				r.op = "or"
			}
			for range 2 + g.IntN(2) {
				r.members = append(r.members, g.condition(depth-1))
			}
			return r
		case 2:
			return ref{op: "not", members: []ref{g.condition(depth - 1)}}
		case 3:
			if g.policies > 0 {
				return ref{op: "policy", policy: g.IntN(g.policies)}
			}
		}
	}
	r := ref{op: pick(g, []string{"contains", "contains any of", "contains all of", "is", "is one of"}), claim: pick(g, stockClaims)}
	n := 1
	if strings.HasSuffix(r.op, " of") {
		n += g.IntN(12)
	}
	for range n {
		if g.IntN(2) == 0 {
			r.values = append(r.values, refValue{text: pick(g, stockStrings), quoted: true})
		} else {
			r.values = append(r.values, refValue{text: pick(g, stockBare)})
		}
	}
	return r
}

func (g *generator) value(depth int) any {
	switch g.IntN(9) {
	case 0, 1:
		return pick(g, stockStrings)
	case 2:
		return pick(g, stockNumbers)
	case 3:
		return g.IntN(2) == 0
	case 4:
		if depth > 0 {
			return map[string]any{"a": g.value(depth - 1), "b.c": g.value(depth - 1), "scope": g.value(depth - 1), "x": g.value(depth - 1)}
		}
	case 5:
		if depth > 0 {
			return map[string]any{}
		}
	case 6:
		return g.list(20)
	}
	return g.list(4)
}

func (g *generator) list(n int) []any {
	list := make([]any, g.IntN(n))
	for i := range list {
		if list[i] = any(pick(g, stockStrings)); g.IntN(5) == 0 {
			list[i] = pick(g, []any{json.Number("5"), true, nil, []any{"a"}, map[string]any{"a": "a"}})
		}
	}
	return list
}

func (g *generator) claims() map[string]any {
	claims := map[string]any{}
	for _, name := range []string{"groups", "email", "scope", "flag", "uid", "o", "o.a", "https://kde.org/x"} {
		if g.IntN(5) > 0 {
			claims[name] = g.value(2)
		}
	}
	return claims
}

// TestDecisionsAgreeWithTheReference holds the compiled programs against the
// reference on random conditions and claims, and the explanations against the
// decisions: what is denied has needs, what is allowed has no failing leaf.
func TestDecisionsAgreeWithTheReference(t *testing.T) {
	rounds := 700
	if testing.Short() || raceEnabled {
		rounds = 150
	}
	outcomes := map[Outcome]int{}
	for seed := range uint64(rounds) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
		var policies []ref
		var defs []Definition
		for i := range 3 {
			p := g.condition(2)
			policies = append(policies, p)
			defs = append(defs, Definition{Name: fmt.Sprintf("p%d", i), Require: text(p.print())})
			g.policies = i + 1
		}
		set, faults := Compile(defs)
		if len(faults) > 0 {
			t.Fatalf("seed %d: %v\n%s", seed, faults[0], faults[0].Caret())
		}
		condition := g.condition(3)
		rule := mustRule(t, set, text(condition.print()))
		again := mustRule(t, set, text(rule.String()))
		for range 20 {
			claims := g.claims()
			caller := Caller{Claims: Index(claims)}
			got := rule.Decide(caller)
			want := Deny
			if condition.grants(claims, policies, true) {
				want = Allow
			}
			outcomes[got.Outcome]++
			said, _ := json.Marshal(claims)
			if got.Outcome != want || got.Err != nil {
				t.Fatalf("seed %d: %s\nwith %v\nfor %s:\ngot %v (%v), want %v", seed, rule, defs, said, got.Outcome, got.Err, want)
			}
			if a := again.Decide(caller).Outcome; a != want {
				t.Fatalf("seed %d: printed as %s\nfor %s:\ngot %v, want %v", seed, rule, said, a, want)
			}
			if len(got.Needs) > 0 && want != Deny || rule.tree.holds(&caller) != (want == Allow) {
				t.Fatalf("seed %d: %s\nfor %s: got %v with the needs %v", seed, rule, said, got.Outcome, got.Needs)
			}
		}
	}
	if outcomes[Allow] < rounds || outcomes[Deny] < rounds {
		t.Errorf("the random conditions are one-sided: %v", outcomes)
	}
}
