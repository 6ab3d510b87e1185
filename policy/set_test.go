package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func text(s string) Clause { return Clause{Text: s} }

// mustCompile compiles policies written as name, condition, name, condition.
func mustCompile(t testing.TB, pairs ...string) *Set {
	t.Helper()
	var defs []Definition
	for i := 0; i < len(pairs); i += 2 {
		defs = append(defs, Definition{Name: pairs[i], Require: text(pairs[i+1])})
	}
	set, faults := Compile(defs)
	if len(faults) > 0 {
		t.Fatalf("Compile: %v\n%s", faults, faults[0].Caret())
	}
	return set
}

func mustRule(t testing.TB, set *Set, c Clause) *Rule {
	t.Helper()
	rule, faults := set.Rule(c)
	if len(faults) > 0 {
		t.Fatalf("Rule(%+v): %v\n%s", c, faults, faults[0].Caret())
	}
	return rule
}

// TestFaultyPolicies tells the sentences for faults that are not in one text
// alone.
func TestFaultyPolicies(t *testing.T) {
	line := func(n int) Position { return Position{File: "p.yaml", Line: n} }
	def := func(n int, name, require string) Definition {
		return Definition{Name: name, Require: Clause{Text: require, At: line(n)}, At: line(n)}
	}
	block := func(c Clause) []Definition {
		c.At = line(1)
		return []Definition{{Name: "a", Require: c, At: line(1)}}
	}
	tests := []struct {
		name string
		defs []Definition
		want []string
	}{
		{"a policy that refers to itself",
			[]Definition{def(1, "a", "policy a")},
			[]string{"p.yaml:1 byte 7: policy a refers to itself; the circle is a -> a"}},
		{"two policies that refer to each other, told once",
			[]Definition{def(1, "a", "x is y and policy b"), def(2, "b", "not policy a")},
			[]string{"p.yaml:2 byte 11: policy a refers to itself; the circle is a -> b -> a"}},
		{"a circle that is not at the start of the way to it",
			[]Definition{def(1, "a", "policy b"), def(2, "b", "policy c"), def(3, "c", "policy d"), def(4, "d", "policy b")},
			[]string{"p.yaml:4 byte 7: policy b refers to itself; the circle is b -> c -> d -> b"}},
		{"two circles",
			[]Definition{def(1, "a", "policy a"), def(2, "b", "policy b")},
			[]string{"p.yaml:1 byte 7: policy a refers to itself; the circle is a -> a", "p.yaml:2 byte 7: policy b refers to itself; the circle is b -> b"}},
		{"an unknown policy, with what was probably meant",
			[]Definition{def(1, "developers", "x is y"), def(2, "b", "x is y and policy develpers")},
			[]string{`p.yaml:2 byte 18: unknown policy "develpers"; did you mean developers?`}},
		{"two unknown policies in one condition",
			[]Definition{def(1, "b", "policy nope or policy nada")},
			[]string{`p.yaml:1 byte 7: unknown policy "nope"; policies are: b`, `p.yaml:1 byte 22: unknown policy "nada"; policies are: b`}},
		{"an unknown policy among many",
			append(many(12), def(13, "b", "policy nope")),
			[]string{`p.yaml:13 byte 7: unknown policy "nope"; policies are: a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, and 3 more`}},
		{"a name twice",
			[]Definition{def(1, "a", "x is y"), def(2, "a", "x is z")},
			[]string{`p.yaml:2 byte 0: policy "a" is defined twice; the other one is at p.yaml:1`}},
		{"no name",
			[]Definition{def(1, "", "x is y")},
			[]string{"p.yaml:1 byte 0: a policy has no name"}},
		{"a name with a space",
			[]Definition{def(1, "kde developers", "x is y")},
			[]string{`p.yaml:1 byte 0: "kde developers" cannot be the name of a policy; a name is letters, digits, _, - and ., begins with none of the last two, and has at most 100 bytes`}},
		{"a name that is too long",
			[]Definition{def(1, strings.Repeat("a", 101), "x is y")},
			[]string{`p.yaml:1 byte 0: "` + strings.Repeat("a", 101) + `" cannot be the name of a policy; a name is letters, digits, _, - and ., begins with none of the last two, and has at most 100 bytes`}},
		{"a name that would shadow public",
			[]Definition{def(1, "public", "x is y")},
			[]string{`p.yaml:1 byte 0: "public" cannot be the name of a policy; it is a word of the language`}},
		{"a name that is a keyword",
			[]Definition{def(1, "not", "x is y")},
			[]string{`p.yaml:1 byte 0: "not" cannot be the name of a policy; it is a word of the language`}},
		{"public as what a policy requires",
			[]Definition{def(1, "a", "public")},
			[]string{"p.yaml:1 byte 0: public stands alone as what a route allows and is not part of a condition"}},
		{"a policy's bare name as what another requires",
			[]Definition{def(1, "a", "b"), def(2, "b", "x is y")},
			[]string{"p.yaml:1 byte 0: expected a condition, got the name of a policy, b; write policy b"}},
		{"nothing required",
			[]Definition{def(1, "a", "")},
			[]string{"p.yaml:1 byte 0: the condition is empty; write for example groups contains teams/kde-developers"}},
		{"two kinds of block at once",
			block(Clause{All: []Clause{text("x is y")}, Any: []Clause{text("x is y")}}),
			[]string{"p.yaml:1 byte 0: a block is one of all, any, not and expr; nest one block in the other"}},
		{"an empty all",
			block(Clause{All: []Clause{}}),
			[]string{"p.yaml:1 byte 0: all: is empty; a block has at least one condition"}},
		{"an empty any",
			block(Clause{Any: []Clause{}}),
			[]string{"p.yaml:1 byte 0: any: is empty; a block has at least one condition"}},
		{"every faulty member of a block is told",
			block(Clause{All: []Clause{text("x has y"), text("x is z"), {Not: &Clause{Text: "x"}}}}),
			[]string{
				` byte 2: unknown operator "has"; write contains; operators are: contains, contains any of, contains all of, is, is one of, starts with, ends with, matches, is present, is missing, within`,
				" byte 1: an operator is missing after x; operators are: contains, contains any of, contains all of, is, is one of, starts with, ends with, matches, is present, is missing, within",
			}},
		{"blocks nested without end",
			block(nested(maxNesting + 1)),
			[]string{" byte 0: blocks are nested deeper than 32 levels; give the inner part a name under policies"}},
		{"all faults of a file at once",
			[]Definition{def(1, "a", "x == y"), def(2, "b", "policy c"), def(3, "d", "policy a")},
			[]string{
				"p.yaml:1 byte 2: == is not a word of this language; write is for one value or contains for a list",
				`p.yaml:2 byte 7: unknown policy "c"; did you mean a?`,
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, faults := Compile(tt.defs)
			var got []string
			for _, f := range faults {
				got = append(got, fmt.Sprintf("%v byte %d: %v", f.At, f.Offset, f))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			for _, d := range tt.defs {
				if nameFault(d.Name) != nil {
					continue
				}
				rule, faults := set.Rule(text(d.Name))
				if len(faults) > 0 {
					t.Errorf("a rule that names the policy %s repeats the fault: %v", d.Name, faults)
				}
				known := Caller{Claims: Index(map[string]any{"x": "y"}), User: true}
				if rule.Decide(known).Outcome == Allow && d.Require.Text != "x is y" {
					t.Errorf("the faulty policy %s allows", d.Name)
				}
			}
		})
	}
}

// many is n policies without faults.
func many(n int) []Definition {
	defs := make([]Definition, n)
	for i := range defs {
		defs[i] = Definition{Name: fmt.Sprintf("a%d", i), Require: text("x is y")}
	}
	return defs
}

// nested is n blocks in each other around one condition.
func nested(n int) Clause {
	c := text("x is y")
	for range n {
		c = Clause{All: []Clause{c}}
	}
	return c
}

// TestPoliciesThatDoubleEachOther is the attempt to make a small file blow up:
// each policy names the one before it twice.
func TestPoliciesThatDoubleEachOther(t *testing.T) {
	defs := []Definition{{Name: "p0", Require: text("x is y")}}
	for i := 1; i < 64; i++ {
		defs = append(defs, Definition{Name: fmt.Sprintf("p%d", i), Require: text(fmt.Sprintf("policy p%d and (policy p%d or x is z)", i-1, i-1))})
	}
	set, faults := Compile(defs)
	if len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), "too large: ") {
		t.Fatalf("got %v, want one fault that says too large", faults)
	}
	if got := mustRule(t, set, text("p63")).Decide(Caller{Claims: Index(map[string]any{"x": "y"})}); got.Outcome != Deny {
		t.Errorf("a rule that needs the faulty policy: got %v, want deny", got.Outcome)
	}
	if got := mustRule(t, set, text("p3")).Decide(Caller{Claims: Index(map[string]any{"x": "y"})}); got.Outcome != Allow {
		t.Errorf("a rule that does not: got %v, want allow", got.Outcome)
	}
}

// TestPoliciesThatDeepenEachOther is the attempt to make the tree too deep for
// whoever walks it: each policy puts the one before it one level further down.
func TestPoliciesThatDeepenEachOther(t *testing.T) {
	deep := func(n int) []*Error {
		defs := []Definition{{Name: "p0", Require: text("x is y")}}
		for i := 1; i < n; i++ {
			with := "and"
			if i%2 == 0 {
				with = "or"
			}
			defs = append(defs, Definition{Name: fmt.Sprintf("p%d", i), Require: text(fmt.Sprintf("policy p%d %s x is z", i-1, with))})
		}
		_, faults := Compile(defs)
		return faults
	}
	if faults := deep(maxDepth); len(faults) > 0 {
		t.Errorf("%d levels: got %v, want no fault", maxDepth, faults)
	}
	if faults := deep(200); len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), "too large: ") {
		t.Errorf("200 levels: got %v, want one fault that says too large", faults)
	}
}

func TestALongChainOfPolicies(t *testing.T) {
	defs := make([]Definition, 2000)
	for i := range defs {
		require := "x is y"
		if i+1 < len(defs) {
			require = fmt.Sprintf("policy p%d", i+1)
		}
		defs[i] = Definition{Name: fmt.Sprintf("p%d", i), Require: text(require)}
	}
	set, faults := Compile(defs)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if got := mustRule(t, set, text("p0")).Decide(Caller{Claims: Index(map[string]any{"x": "y"})}); got.Outcome != Allow {
		t.Errorf("got %v, want allow", got.Outcome)
	}
}

func TestRulesAreWords(t *testing.T) {
	set, faults := Compile([]Definition{{Name: "developers", Title: "KDE developers", Help: "https://kde.org", Require: text("groups contains a")}})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	tests := []struct {
		name           string
		clause         Clause
		want           string
		public, nobody bool
	}{
		{"public", text("public"), "public", true, false},
		{"public with blanks", text(" public\n"), "public", true, false},
		{"signed-in", text("signed-in"), "signed-in", false, false},
		{"nobody", text("nobody"), "nobody", false, true},
		{"a policy's name", text("developers"), "developers", false, false},
		{"a policy's name after policy is the policy", text("policy developers"), "developers", false, false},
		{"a policy as the only member of a block is the policy", Clause{Any: []Clause{text("policy developers")}}, "developers", false, false},
		{"a condition", text(`groups contains  "b"`), "groups contains b", false, false},
		{"a block", Clause{All: []Clause{
			text("a is b"),
			{Any: []Clause{text("c is d"), text("policy developers")}},
			{Not: &Clause{Text: "e is f"}},
			{Not: &Clause{All: []Clause{text("g is h"), text("i is j")}}},
		}}, "a is b and (c is d or policy developers) and not e is f and not (g is h and i is j)", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := mustRule(t, set, tt.clause)
			if got := r.String(); got != tt.want {
				t.Errorf("String: got %s, want %s", got, tt.want)
			}
			if r.Public() != tt.public || r.Nobody() != tt.nobody {
				t.Errorf("Public, Nobody: got %t, %t, want %t, %t", r.Public(), r.Nobody(), tt.public, tt.nobody)
			}
		})
	}
}

func TestNamesAndClaims(t *testing.T) {
	set := mustCompile(t,
		"z", `groups contains a and policy a`,
		"a", `realm_access.roles contains x or not "https://kde.org/x" is y`,
	)
	if diff := cmp.Diff([]string{"z", "a"}, set.Names()); diff != "" {
		t.Errorf("Names (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"groups", "https://kde.org/x", "realm_access"}, set.Claims()); diff != "" {
		t.Errorf("Set.Claims (-want +got):\n%s", diff)
	}
	rule := mustRule(t, set, text("email is x and policy a"))
	if diff := cmp.Diff([]string{"email", "https://kde.org/x", "realm_access"}, rule.Claims()); diff != "" {
		t.Errorf("Rule.Claims (-want +got):\n%s", diff)
	}
	if got := mustRule(t, set, text("public")).Claims(); len(got) > 0 {
		t.Errorf("claims of public: got %v, want none", got)
	}
}
