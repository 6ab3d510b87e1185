package policy

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sameTree compares nodes by meaning: places in the text do not count.
var sameTree = cmp.Options{
	cmp.AllowUnexported(group{}, negation{}, reference{}, comparison{}, literal{}),
	cmpopts.IgnoreTypes(span{}),
	cmpopts.IgnoreFields(comparison{}, "texts"),
	cmp.Comparer(func(a, b *operator) bool { return a == b }),
	cmp.Comparer(func(a, b *regexp.Regexp) bool { return a == b || a != nil && b != nil && a.String() == b.String() }),
}

func mustParse(t testing.TB, text string) node {
	t.Helper()
	n, err := parse(&source{text: text}, nil)
	if err != nil {
		t.Fatalf("parse(%q): %v\n%s", text, err, err.Caret())
	}
	return n
}

// TestCanonicalText parses and prints. What is printed must parse to the same
// tree again.
func TestCanonicalText(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a plain condition stays", "groups contains teams/kde-developers", ""},
		{"blanks and line breaks are one space", " groups\tcontains\n  teams/a\r\n", "groups contains teams/a"},
		{"lists are spaced evenly", "groups contains any of[a,b ,  c]", "groups contains any of [a, b, c]"},
		{"all of", "groups contains all of [a, b]", ""},
		{"is", "email is jane@kde.org", ""},
		{"is one of", "acr is one of [silver, gold]", ""},
		{"a policy", "policy kde-developers", ""},
		{"a policy's name in quotes that it does not need", `policy "kde-developers"`, "policy kde-developers"},
		{"quotes that a value does not need", `groups contains "teams/a"`, "groups contains teams/a"},
		{"quotes that a value needs", `groups contains "Field Team"`, ""},
		{"an empty value", `email is ""`, ""},
		{"quotes and backslashes in quotes", `groups contains "a \"b\" \\c"`, ""},
		{"brackets and commas in quotes", `groups contains any of ["(a)", "[b]", "c,d"]`, ""},
		{"a word of the language in quotes", `groups contains any of ["and", "any", "is"]`, ""},
		{"quoted digits stay quoted", `room is "5"`, ""},
		{"quoted true stays quoted", `room is "true"`, ""},
		{"bare digits stay bare", "room is one of [5, -5, 1.50, 007, true, false]", ""},
		{"an exponent is text", `room is "1e3"`, "room is 1e3"},
		{"a hash", "groups contains #kde", ""},
		{"a value with equals signs", "sub is YWJj==", ""},
		{"a value with an at sign", "email is one of [@, a@b]", ""},
		{"a slash in front, as Keycloak writes groups", "groups contains /kde/developers", ""},
		{"an apostrophe inside", "name is O'Brien", ""},
		{"letters beyond ASCII", "name is Jürgen", ""},
		{"a way into an object", "realm_access.roles contains admin", ""},
		{"a quoted name is one key", `"realm_access.roles" contains admin`, ""},
		{"a quoted name that needs no quotes", `"groups" contains a`, "groups contains a"},
		{"a quoted name inside a way", `resource_access."my.client".roles contains admin`, ""},
		{"a quoted name in front of a way", `"https://kde.org/claims".roles contains admin`, ""},
		{"an escaped quote inside a way", `a."b\"c\\".d contains e`, ""},
		{"an address needs no quotes", "https://gitlab.org/claims/groups/owner contains teams/sysadmin", ""},
		{"an address in quotes", `"https://gitlab.org/claims/groups/owner" contains a`, "https://gitlab.org/claims/groups/owner contains a"},
		{"an address with brackets keeps its quotes", `"https://kde.org/(x)" contains a`, ""},
		{"claims that are called like words of the language", `"not" is a and "policy" is b and "is" is c`, ""},
		{"claims that are called like rule words", "public is a and nobody is b", ""},
		{"claims that are called like builtins of expr", "len is 3 and true is x and claims contains leaf", ""},
		{"and", "a is b and c is d and e is f", ""},
		{"or", "a is b or c is d or e is f", ""},
		{"not binds to what follows it", "not a is b and c is d", ""},
		{"not over parentheses", "not (a is b or c is d)", ""},
		{"not not", "not not a is b", ""},
		{"parentheses that group", "(a is b and c is d) or e is f", ""},
		{"parentheses that group alike", "(a is b and c is d) and e is f", ""},
		{"parentheses that say nothing", "((a is b))", "a is b"},
		{"parentheses without spaces", "(a is b)and(c is d)", "a is b and c is d"},
		{"the largest nesting", strings.Repeat("(", maxNesting) + "a is b" + strings.Repeat(")", maxNesting), "a is b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if want == "" {
				want = tt.text
			}
			n := mustParse(t, tt.text)
			if got := n.String(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if diff := cmp.Diff(mustParse(t, n.String()), n, sameTree); diff != "" {
				t.Errorf("the printed text means something else (-printed +text):\n%s", diff)
			}
		})
	}
}

func TestTextsWithDifferentMeaningsAreDifferentTrees(t *testing.T) {
	pairs := []struct{ name, a, b string }{
		{"a way and one key", "a.b is c", `"a.b" is c`},
		{"digits and quoted digits", "a is 5", `a is "5"`},
		{"true and quoted true", "a is true", `a is "true"`},
		{"not over one and not over both", "not a is b and c is d", "not (a is b and c is d)"},
		{"contains and is", "a contains b", "a is b"},
		{"any and all", "a contains any of [b]", "a contains all of [b]"},
		{"case", "a is B", "a is b"},
	}
	for _, p := range pairs {
		t.Run(p.name, func(t *testing.T) {
			if cmp.Equal(mustParse(t, p.a), mustParse(t, p.b), sameTree) {
				t.Errorf("%s and %s are one tree", p.a, p.b)
			}
		})
	}
}

// TestBoundsHoldBackHugeTexts feeds texts that would cost a deep stack or much
// memory.
func TestBoundsHoldBackHugeTexts(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"too long", strings.Repeat("a is b and ", 2000) + "a is b", "the condition is 22006 bytes long, at most 16384 are read; give parts of it a name under policies"},
		{"parentheses too deep", strings.Repeat("(", 10_000), "nested deeper than 32 levels; give the inner part a name under policies"},
		{"not too deep", strings.Repeat("not ", 4000) + "a is b", "nested deeper than 32 levels; give the inner part a name under policies"},
		{"a list too long", "a is one of [" + strings.Repeat("b, ", maxValues) + "b]", "the list has more than 1000 values"},
		{"too many conditions", strings.Repeat("a is b or ", maxLeaves) + "a is b", "too large: with its policies put in it has more than 1000 comparisons or more than 128 levels"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, faults := (*Set)(nil).Rule(Clause{Text: tt.text})
			if len(faults) != 1 {
				t.Fatalf("got %d faults, want 1", len(faults))
			}
			if got := faults[0].Error(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if got := faults[0].Caret(); len(got) > 500 {
				t.Errorf("the caret takes %d bytes", len(got))
			}
		})
	}
	t.Run("the largest list is read", func(t *testing.T) {
		mustParse(t, "a is one of ["+strings.Repeat("b, ", maxValues-1)+"b]")
	})
}
