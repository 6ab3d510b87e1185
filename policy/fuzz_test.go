package policy

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// FuzzParse reads what anybody may write. Nothing panics, every fault has a place
// inside the text, and what is accepted prints as a text with the same meaning.
func FuzzParse(f *testing.F) {
	for _, m := range museum {
		f.Add(m.text)
	}
	for _, s := range []string{
		"groups contains any of [teams/a, \"Field Team\"] and not policy p",
		`resource_access."my \"client\"".roles contains all of [a, "\\"]`,
		"https://gitlab.org/claims/groups/owner contains x or (a is one of [5, \"5\", true] and b is 007)",
		`"" is ""`, "\"a\".\"b\".c is \"\"", "a is b.", "a is \"b\".", "((((", "not not not", "[[[[", "a.\"", "a is -0.0e5",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, fault := parse(&source{text: text}, []string{"p"})
		if fault != nil {
			if fault.Offset < 0 || fault.Length < 0 || fault.Offset+fault.Length > len(text) || fault.Message == "" {
				t.Fatalf("%q: the fault %q is at byte %d, length %d", text, fault, fault.Offset, fault.Length)
			}
			if caret := fault.Caret(); !utf8.ValidString(caret) || strings.Count(caret, "\n") > 1 {
				t.Fatalf("%q: caret %q", text, caret)
			}
			return
		}
		printed := n.String()
		again, fault := parse(&source{text: printed}, nil)
		if fault != nil && len(printed) > maxText {
			return // Quotes can make a text that just fitted too long.
		}
		if fault != nil {
			t.Fatalf("%q prints as %q, which is refused: %v", text, printed, fault)
		}
		if diff := cmp.Diff(n, again, sameTree); diff != "" {
			t.Fatalf("%q prints as %q, which means something else:\n%s", text, printed, diff)
		}
		if twice := again.String(); twice != printed {
			t.Fatalf("%q prints as %q and then as %q", text, printed, twice)
		}
	})
}

// FuzzDecide reads conditions and claims of strangers: nothing panics, and a
// condition and its opposite never both grant.
func FuzzDecide(f *testing.F) {
	f.Add("groups contains teams/a", "groups", "teams/a", "5")
	f.Add("uid is 5 and not groups contains any of [a, b]", "uid", "5", "1e5")
	f.Add("not scope contains write", "scope", "read write", "-0")
	f.Fuzz(func(t *testing.T, condition, name, value, number string) {
		rule, faults := (*Set)(nil).Rule(Clause{Text: condition})
		opposite, more := (*Set)(nil).Rule(Clause{Not: &Clause{Text: condition}})
		if len(faults) > 0 || len(more) > 0 || rule.kind != ruleCondition {
			return
		}
		for _, v := range []any{value, json.Number(number), []any{value, json.Number(number)}, map[string]any{name: value}, true} {
			caller := Caller{Claims: Index(map[string]any{name: v}), User: true}
			a, b := rule.Decide(caller), opposite.Decide(caller)
			if a.Err != nil || b.Err != nil {
				t.Fatalf("%q: %v, %v", condition, a.Err, b.Err)
			}
			if a.Outcome == Allow && b.Outcome == Allow {
				t.Fatalf("%q and its opposite both allow %v", condition, v)
			}
			for _, n := range append(a.Needs, b.Needs...) {
				if strings.ContainsFunc(n.String(), func(r rune) bool { return r < ' ' || r == 0x7f }) || !utf8.ValidString(n.String()) {
					t.Fatalf("%q: control characters in %q", condition, n)
				}
			}
		}
	})
}
