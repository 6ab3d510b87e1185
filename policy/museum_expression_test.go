package policy

import (
	"strings"
	"testing"
)

// TestMuseumOfExpressions keeps what people get wrong in expressions, each with the
// sentence that they get and the mark under the fault.
func TestMuseumOfExpressions(t *testing.T) {
	at := Position{File: "claimproxy.yaml", Line: 12, Column: 9}
	for _, m := range expressionMuseum {
		t.Run(m.name, func(t *testing.T) {
			rule, faults := (*Set)(nil).Rule(Clause{Expr: m.expr, At: at})
			if len(faults) != 1 {
				t.Fatalf("got %d faults, want 1: %v", len(faults), faults)
			}
			f := faults[0]
			if got := f.Error(); got != m.sentence {
				t.Errorf("sentence:\n got %s\nwant %s", got, m.sentence)
			}
			_, caret, _ := strings.Cut(f.Caret(), "\n")
			if caret != m.caret {
				t.Errorf("caret:\n     %s\n got %s\nwant %s", m.expr, caret, m.caret)
			}
			if f.At != at || f.Offset < 0 || f.Length < 0 || f.Offset+f.Length > len(f.Text) {
				t.Errorf("got a fault at %v, bytes %d to %d of %d", f.At, f.Offset, f.Offset+f.Length, len(f.Text))
			}
			if got := rule.Decide(Caller{Claims: Index(nil), User: true}); got.Outcome != Deny {
				t.Errorf("the rule of a faulty expression: got %v, want deny", got.Outcome)
			}
		})
	}
}

var expressionMuseum = []struct{ name, expr, caret, sentence string }{
	{
		"only blanks",
		" \n ",
		"^",
		`the expression is empty; write for example any(claims.groups, # startsWith "teams/")`,
	},
	{
		"a claim without claims",
		`"teams/a" in groups`,
		"             ^~~~~~",
		"unknown name groups; a claim is written claims.groups, a text in quotes",
	},
	{
		"a misspelt claims",
		`"teams/a" in claim.groups`,
		"             ^~~~~",
		"unknown name claim; did you mean claims?",
	},
	{
		"a Go name",
		`Claims.groups == "a"`,
		"^~~~~~",
		"unknown name Claims; did you mean claims?",
	},
	{
		"claims alone",
		"claims",
		"^~~~~~",
		"claims stands here without a name; write claims.groups; all claims that an expression looks at are named in it",
	},
	{
		"claims under another name",
		`let c = claims; c.groups == "a"`,
		"        ^~~~~~",
		"claims stands here without a name; write claims.groups; all claims that an expression looks at are named in it",
	},
	{
		"everything there is",
		`$env.claims.groups == "a"`,
		"^~~~",
		"$env is not available; write claims.groups",
	},
	{
		"a claim's name that is worked out",
		`claims[request.host] == "a"`,
		"      ^",
		`the name of a claim is worked out here; write it out: claims.groups, claims["https://example.org/groups"]`,
	},
	{
		"a claim's name of parts",
		`claims["gro" + "ups"] == "a"`,
		"      ^",
		`the name of a claim is worked out here; write it out: claims.groups, claims["https://example.org/groups"]`,
	},
	{
		"a name that is taken",
		"let claims = 1; claims == 1",
		"    ^~~~~~",
		"the name claims is taken; let gives a new name to a value",
	},
	{
		"a function's name that is taken",
		`let list = claims.groups; "a" in list`,
		"    ^~~~",
		"the name list is taken; let gives a new name to a value",
	},
	{
		"the request alone",
		"request == claims.x",
		"^~~~~~~",
		"request stands here without a name; write request.method, request.path, request.host or request.client_ip",
	},
	{
		"a part of the request that there is not",
		`request.query == "a"`,
		"        ^~~~~",
		"the request has no such part; write request.method, request.path, request.host or request.client_ip",
	},
	{
		"nothing of anybody",
		"1 == 1",
		"^~~~~~",
		"the expression looks neither at claims nor at the request; it would say the same to everybody: write public or nobody if that is meant",
	},
	{
		"a substring test",
		`claims.groups contains "teams/a"`,
		"              ^~~~~~~~",
		`contains looks for a part of a text in this language; for membership write "teams/a" in claims.groups, for parts of a text startsWith, endsWith or matches`,
	},
	{
		"an open pattern",
		`claims.email matches "@kde.org$"`,
		"                     ^~~~~~~~~~~",
		"the pattern is not anchored at both ends, so it would match inside longer values; begin it with ^ and end it with $",
	},
	{
		"a pattern that is worked out",
		"claims.email matches claims.pattern",
		"             ^~~~~~~",
		`the pattern of matches is worked out here; write it out: claims.email matches "^[a-z]+@kde\\.org$"`,
	},
	{
		"a pattern that is none",
		`claims.email matches "^(a$"`,
		"                     ^~~~~~",
		`the pattern cannot be read: missing closing ) in "^(a$"; it is written in the syntax of RE2, without lookahead and back references`,
	},
	{
		"a long range",
		"claims.n in 1..1000000",
		"             ^~",
		"a range without a small bound; both ends are written out, the smaller one first, with at most 1000 members",
	},
	{
		"a range that is worked out",
		"claims.n in 1..claims.m",
		"             ^~",
		"a range without a small bound; both ends are written out, the smaller one first, with at most 1000 members",
	},
	{
		"a range from top to bottom",
		"claims.n in 9..1",
		"             ^~",
		"a range without a small bound; both ends are written out, the smaller one first, with at most 1000 members",
	},
	{
		"a predicate in another one",
		`all(claims.a, any(claims.b, # == "x"))`,
		"              ^~~",
		"a predicate stands inside another one, which takes long for long lists; use in for the inner one, or give it a policy of its own",
	},
	{
		"a function that would look into texts",
		"fromJSON(claims.x).admin",
		"^~~~~~~~",
		"there is no function fromJSON; functions are: all, any, none, one, filter, count, len, first, last, min, max, abs, lower, upper, trim, split, int, float, string, hasPrefix, hasSuffix, list",
	},
	{
		"a function that makes much of little",
		`repeat(claims.x, 1000000) == "a"`,
		"^~~~~~",
		"there is no function repeat; functions are: all, any, none, one, filter, count, len, first, last, min, max, abs, lower, upper, trim, split, int, float, string, hasPrefix, hasSuffix, list",
	},
	{
		"the time",
		"now().Year() > claims.n",
		"^~~",
		"there is no function now; functions are: all, any, none, one, filter, count, len, first, last, min, max, abs, lower, upper, trim, split, int, float, string, hasPrefix, hasSuffix, list",
	},
	{
		"a misspelt function",
		`lowr(claims.email) == "a"`,
		"^~~~",
		"there is no function lowr; did you mean lower? functions are: all, any, none, one, filter, count, len, first, last, min, max, abs, lower, upper, trim, split, int, float, string, hasPrefix, hasSuffix, list",
	},
	{
		"a method",
		`claims.groups.contains("a")`,
		"              ^~~~~~~~",
		"a value cannot be called; functions stand in front: lower(claims.email)",
	},
	{
		"one of our own functions, by a name of people",
		`member(claims.x, "y") == 1`,
		"^~~~~~",
		"there is no function member; functions are: all, any, none, one, filter, count, len, first, last, min, max, abs, lower, upper, trim, split, int, float, string, hasPrefix, hasSuffix, list",
	},
	{
		"nil for what is missing",
		"claims.groups == nil",
		"              ^~",
		`what is missing ends an expression, and is never nil here; write ?. for the last step, claims?.groups, or "groups" in claims`,
	},
	{
		"nil in front",
		"nil != claims.o.x",
		"    ^~",
		`what is missing ends an expression, and is never nil here; write ?. for the last step, claims?.groups, or "groups" in claims`,
	},
	{
		"something in place of what is missing",
		`"a" in (claims.groups ?? [])`,
		"                      ^~",
		"what is missing ends an expression, so that the right side of ?? is never used; write ?. for the last step on its left: claims?.groups ?? []",
	},
	{
		"two expressions",
		"claims.a == 1; claims.b == 2",
		"         ^~",
		"several expressions stand here; join them with and or or",
	},
	{
		"is",
		`claims.email is "a"`,
		"             ^~",
		`unexpected "is"; an expression is written in the language of expr-lang; there it is ==`,
	},
	{
		"one equals sign",
		`claims.email = "a"`,
		"             ^",
		`unexpected "="; an expression is written in the language of expr-lang; there it is ==`,
	},
	{
		"three equals signs",
		`claims.email === "a"`,
		"               ^",
		`unexpected "="; an expression is written in the language of expr-lang; there it is ==`,
	},
	{
		"one ampersand",
		"claims.a & claims.b",
		"         ^",
		`unexpected "&"; write and`,
	},
	{
		"words of a condition",
		"policy developers and claims.a",
		"       ^~~~~~~~~~",
		`unexpected "developers"; an expression is written in the language of expr-lang; a condition stands beside it, in all: or any:`,
	},
	{
		"any of",
		`claims.groups contains any of ["a"]`,
		"                           ^~",
		`unexpected "of"; an expression is written in the language of expr-lang; there it is in`,
	},
	{
		"AND",
		"claims.a AND claims.b",
		"         ^~~",
		`unexpected "AND"; an expression is written in the language of expr-lang; there it is and`,
	},
	{
		"an end too early",
		"claims.a ==",
		"          ^",
		"the expression ends too early; something is missing here, or a bracket that opens is never closed",
	},
	{
		"a parenthesis that is not closed",
		"(claims.a == 1",
		"             ^",
		"the expression ends too early; something is missing here, or a bracket that opens is never closed",
	},
	{
		"a parenthesis too many",
		"claims.a == 1)",
		"             ^",
		") closes what was not opened, or has nothing in front of it",
	},
	{
		"a quote that is not closed",
		`claims.a == "b`,
		"              ^",
		"a quote that opens here or before is never closed",
	},
	{
		"typographic quotes",
		"claims.a == “b”",
		"            ^",
		`“ does not quote here; use straight quotes: "..."`,
	},
	{
		"a backslash",
		`claims.a == "DOMAIN\users"`,
		"                     ^",
		`a backslash stands here before something that it does not change; write \\ for a backslash`,
	},
	{
		"an answer that is a text",
		"lower(claims.a)",
		"^~~~~~~~~~~~~~~",
		"an expression answers true or false, and this one is a text",
	},
	{
		"an answer that is a list",
		`filter(claims.a, # == "x")`,
		"^~~~~~~~~~~~~~~~~~~~~~~~~",
		"an expression answers true or false, and this one is a list",
	},
	{
		"an answer that is a number",
		"len(claims.a)",
		"^~~~~~~~~~~~~",
		"an expression answers true or false, and this one is a number",
	},
	{
		"types that never go together",
		"request.method == 5",
		"               ^~",
		"== stands between a text and a number",
	},
	{
		"not before a text",
		"not request.method",
		"^~~",
		"not stands before a text",
	},
	{
		"a number where a text is needed",
		"lower(5) == claims.a",
		"      ^",
		"lower takes a text, got a number",
	},
	{
		"a text where a list is needed",
		`any(request.path, # == "a")`,
		"            ^~~~",
		"any takes a list, got a text; write list(...) around what may be a single text",
	},
	{
		"a predicate that is none",
		`any(claims.a, "x")`,
		"              ^~~",
		`a predicate answers true or false, and this one is a text; write for example # == "teams/a"`,
	},
	{
		"a predicate that is missing",
		"any(claims.groups)",
		"                 ^",
		`this function takes 2 arguments; write for example any(claims.groups, # startsWith "teams/")`,
	},
	{
		"too many arguments",
		`lower(claims.a, 1) == "x"`,
		"^~~~~",
		"too many arguments for lower",
	},
	{
		"# outside",
		"# == claims.a",
		"^",
		"# and names that begin with a dot stand for one member of a list; they belong inside all, any, none, one, filter or count",
	},
	{
		"a dot outside",
		".name == claims.a",
		"^",
		"# and names that begin with a dot stand for one member of a list; they belong inside all, any, none, one, filter or count",
	},
	{
		"a strange #",
		"any(claims.a, #acc == 1)",
		"              ^",
		"there is no #acc; write # for a member of the list, and #index for its place",
	},
	{
		"a number that is too large",
		"claims.uid == 99999999999999999999",
		"                                 ^",
		"this is not a number, or too large for one; an id that is larger than 9223372036854775807 is compared as a text, in quotes",
	},
	{
		"a comment that is not closed",
		"claims.a == 1 /* or",
		"                   ^",
		"a comment is never closed",
	},
	{
		"an invisible character",
		"claims.a == \"x\u202ey\"",
		"              ^",
		`an invisible character (U+202E) stands here; take it out, or write it as \u and four digits in a text`,
	},
	{
		"an invisible character in a comment",
		"claims.a == 1 // \u2066",
		"                 ^",
		`an invisible character (U+2066) stands here; take it out, or write it as \u and four digits in a text`,
	},
	{
		"a byte that is not UTF-8",
		"claims.a == \"\xff\"",
		"             ^",
		"byte 0xff is not valid UTF-8",
	},
	{
		"letters beyond ASCII before the fault",
		`claims.a == "Jürgen" and claims.b =`,
		"                                  ^",
		`unexpected "="; an expression is written in the language of expr-lang; there it is ==`,
	},
	{
		"too many parts",
		strings.Repeat("claims.n==5 or ", 200) + "claims.m",
		"                                                     ^~",
		"the expression has too many parts; give some of them names under policies",
	},
}
