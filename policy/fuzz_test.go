package policy

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
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
		`"" is ""`, "\"a\".\"b\".c is \"\"", "email starts with a and email ends with \"@kde org\"", `user matches /^a\/[b, (c)]$/ or user matches /^(?i)x|y$/`, "0 matches /^$/", `user matches /^(?:a\/|[b, (c)])$/`, "not a matches /", "a matches /^$", "groups is present or groups is missing",
		"auth_time within 1d2h3m4s", "auth_time within 0s", "a is present b", `"within" within 7d`,
		"a is b.", "a is \"b\".", "((((", "not not not", "[[[[", "a.\"", "a is -0.0e5",
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
	f.Add("t within 1h", "t", "x", "1699999999.5")
	f.Add("x matches /^(a|b)*$/ or x starts with a", "x", "ab\n", "1e400")
	f.Add("x is present and not x is missing", "x", "", "0")
	f.Fuzz(func(t *testing.T, condition, name, value, number string) {
		rule, faults := (*Set)(nil).Rule(Clause{Text: condition})
		opposite, more := (*Set)(nil).Rule(Clause{Not: &Clause{Text: condition}})
		if len(faults) > 0 || len(more) > 0 || rule.kind != ruleCondition {
			return
		}
		for _, v := range []any{value, json.Number(number), []any{value, json.Number(number)}, map[string]any{name: value}, true} {
			caller := Caller{Claims: Index(map[string]any{name: v}), User: true, Now: time.Unix(1_700_000_000, 0)}
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

// FuzzExpression reads expressions of strangers. Nothing panics, faults have a place,
// what is accepted lets in nobody who is not known, is no answer both ways, and comes
// to an end soon.
func FuzzExpression(f *testing.F) {
	for _, m := range expressionMuseum {
		f.Add(m.expr)
	}
	for _, s := range []string{
		`"a" in claims.groups and not ("b" in claims?.groups)`, `any(claims.groups, # startsWith "a") or none(claims.o, .x == 1)`,
		`let x = claims.text; let y = x + x; y + y == "a"`, `{"a": claims.text}[claims?.nope ?? "a"] != claims.groups[-1:][0]`,
		`claims.text matches "^(a|b)*$"`, `all(1..1000, claims.n != # ** 2)`, `len(split(claims.text, "")) > count(claims.groups, # in claims.groups)`,
		`claims.n < 5 < 6 <= claims.n ? claims.flag : !claims.flag`, `claims["x y"]?.z?.["q"] ?? request.path[1:3] == first(list(claims.text))`,
		`string(claims.n) + upper(trim(claims.text)) endsWith "5"`, `min(claims.n, 3) % 2 == 0 && max(claims.nums) / 3 > -1.5e3`,
		`if claims.flag { true } else { claims?.x == nil }`, `claims.groups | filter(# not in ["a"]) | len() == 0x1F`, `one(claims.objs, #.role == 'x')`,
	} {
		f.Add(s)
	}
	object := map[string]any{"x": 1, "role": "owner", "z": map[string]any{"q": "a"}}
	claims := Index(map[string]any{
		"groups": manyGroups(300, "a"), "text": strings.Repeat("ab ", 2000), "n": 5, "nums": []any{1, 2.5, json.Number("9007199254740993")}, "flag": true, "o": object,
		"objs": []any{object, object}, "a": "a", "b": []any{}, "x": nil, "x y": object, "uid": json.Number("18446744073709551616"), "email": "jane@kde.org", "sub": "jane",
	})
	claims.plain()
	callers := []Caller{
		{Claims: claims, User: true, Request: Request{Method: "GET", Path: "/a/b", Host: "kde.org", ClientIP: "192.0.2.1"}},
		{Claims: Index(nil), User: true},
	}
	most := 100 * time.Millisecond
	if raceEnabled {
		most *= 20
	}
	f.Fuzz(func(t *testing.T, text string) {
		began := time.Now()
		e, fault := newExpression(&source{text: text})
		if fault != nil {
			if fault.Offset < 0 || fault.Length < 0 || fault.Offset+fault.Length > len(text) || fault.Message == "" {
				t.Fatalf("%q: the fault %q is at byte %d, length %d", text, fault, fault.Offset, fault.Length)
			}
			if caret := fault.Caret(); !utf8.ValidString(caret) || strings.Count(caret, "\n") > 1 {
				t.Fatalf("%q: caret %q", text, caret)
			}
			return
		}
		if took := time.Since(began); took > 2*most {
			t.Fatalf("%q: compiled in %v", text, took)
		}
		rule, faults := (*Set)(nil).Rule(Clause{Expr: text})
		opposite, more := (*Set)(nil).Rule(Clause{Not: &Clause{Expr: text}})
		if len(faults)+len(more) > 0 {
			t.Fatalf("%q: %v, %v", text, faults, more)
		}
		if got := rule.Decide(Caller{}).Outcome; got != SignIn {
			t.Fatalf("%q lets in nobody known: %v", text, got)
		}
		for _, caller := range callers {
			began := time.Now()
			found := e.verdict(&caller)
			if took := time.Since(began); took > most {
				t.Fatalf("%q: decided in %v", text, took)
			}
			a, b := rule.Decide(caller), opposite.Decide(caller)
			if a.Err != nil || b.Err != nil || (a.Outcome == Allow) != (found == yes) || (b.Outcome == Allow) != (found == no) {
				t.Fatalf("%q: found %d, decided %v (%v), the opposite %v (%v)", text, found, a.Outcome, a.Err, b.Outcome, b.Err)
			}
		}
	})
}

// FuzzPattern: what is accepted never matches inside a longer text.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{"^a$", "^(a|b)$", "^a$|^b$", "^a|b$", "(?m)^a$", "^$", "$^", "^^a$$", "(?i)^k$", `\Aa\z`, "^(?s:.)*$", "^(?:|a)$", "(?U)^a*$", "^a$^", "(?:^a$)+", `^a\/b$`, "(?m:^)a$", "^(?m)a$", "^[^a]$"} {
		f.Add(s, "a")
		f.Add(s, "b\na")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		re, fault := compilePattern(pattern)
		if fault != nil {
			if fault.message == "" {
				t.Fatalf("%q: a fault without a message", pattern)
			}
			return
		}
		for _, s := range []string{text, "x" + text + "x", text + "\n", "\n" + text, text + text, text + "\n" + text} {
			if at := re.FindStringIndex(s); at != nil && (at[0] != 0 || at[1] != len(s)) {
				t.Fatalf("%q matches %q in %q", pattern, s[at[0]:at[1]], s)
			}
			if all := regexp.MustCompile(`\A(?:` + pattern + `)\z`); re.MatchString(s) != all.MatchString(s) {
				t.Fatalf("%q: %t for %q, anchored once more %t", pattern, re.MatchString(s), s, !re.MatchString(s))
			}
		}
	})
}

// FuzzDuration holds durations against those of package time, which writes them
// almost alike.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"15m", "12h", "7d", "1h30m", "1d2h3m4s", "0s", "0h1s", "36500d", "36501d", "1m1h", "1s1s", "", "1", "h", "-1h", "1.5h", "99999999999999999999s", "1H", "1 h", "1ms", "１h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseDuration(s)
		if !ok {
			return
		}
		if got < time.Second || got > 36500*24*time.Hour || got%time.Second != 0 {
			t.Fatalf("%q is %v", s, got)
		}
		days, rest, hasDays := strings.Cut(s, "d")
		want := time.Duration(0)
		if !hasDays {
			rest = s
		} else {
			n, err := time.ParseDuration(days + "s")
			if err != nil {
				t.Fatalf("%q: %v", s, err)
			}
			want = n * 86400
		}
		if rest != "" {
			n, err := time.ParseDuration(rest)
			if err != nil {
				t.Fatalf("%q: %v", s, err)
			}
			want += n
		}
		if got != want {
			t.Fatalf("%q is %v, want %v", s, got, want)
		}
	})
}
