package policy

import (
	"slices"
	"strings"
	"testing"
)

// TestMuseum keeps the mistakes that people make, each with the sentence that
// they get and the mark under the fault.
func TestMuseum(t *testing.T) {
	set, faults := Compile([]Definition{
		{Name: "developers", Require: Clause{Text: "groups contains teams/kde-developers"}},
		{Name: "admins", Require: Clause{Text: "groups contains teams/sysadmins"}},
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	at := Position{File: "claimproxy.yaml", Line: 12, Column: 9}
	for _, m := range slices.Concat(museum, museumOfOtherLanguages) {
		t.Run(m.name, func(t *testing.T) {
			rule, faults := set.Rule(Clause{Text: m.text, At: at})
			if len(faults) != 1 {
				t.Fatalf("got %d faults, want 1: %v", len(faults), faults)
			}
			f := faults[0]
			if got := f.Error(); got != m.sentence {
				t.Errorf("sentence:\n got %s\nwant %s", got, m.sentence)
			}
			_, caret, _ := strings.Cut(f.Caret(), "\n")
			if caret != m.caret {
				t.Errorf("caret:\n     %s\n got %s\nwant %s", m.text, caret, m.caret)
			}
			if f.At != at || f.Text != m.text {
				t.Errorf("got a fault at %v in %q, want it at %v in %q", f.At, f.Text, at, m.text)
			}
			if f.Offset < 0 || f.Length < 0 || f.Offset+f.Length > len(f.Text) {
				t.Errorf("got bytes %d to %d of %d", f.Offset, f.Offset+f.Length, len(f.Text))
			}
			if got := rule.Decide(Caller{Claims: Index(nil), User: true}); got.Outcome != Deny {
				t.Errorf("the rule of a faulty condition: got %v, want deny", got.Outcome)
			}
		})
	}
}

var museum = []struct{ name, text, caret, sentence string }{
	{
		"an empty text",
		"",
		"",
		"the condition is empty; write for example groups contains teams/kde-developers",
	},
	{
		"only blanks",
		"  \n ",
		"^",
		"the condition is empty; write for example groups contains teams/kde-developers",
	},
	{
		"a claim alone",
		"groups",
		"^~~~~~",
		`"groups" is neither public, signed-in, nobody nor the name of a policy; a condition is written claim operator value`,
	},
	{
		"a quoted claim alone",
		`"groups"`,
		"        ^",
		"an operator is missing after groups; operators are: contains, contains any of, contains all of, is, is one of, starts with, ends with, matches, is present, is missing, within",
	},
	{
		"a word that nobody knows",
		"foo",
		"^~~",
		`"foo" is neither public, signed-in, nobody nor the name of a policy; a condition is written claim operator value`,
	},
	{
		"a misspelt policy as the whole rule",
		"developrs",
		"^~~~~~~~~",
		`"developrs" is neither public, signed-in, nobody nor the name of a policy; did you mean developers?`,
	},
	{
		"a rule word in capitals",
		"Public",
		"^~~~~~",
		`"Public" is neither public, signed-in, nobody nor the name of a policy; did you mean public?`,
	},
	{
		"a rule word inside a condition",
		"public and policy developers",
		"^~~~~~",
		"public stands alone as what a route allows and is not part of a condition",
	},
	{
		"a rule word at the end of a condition",
		"policy developers or nobody",
		"                     ^~~~~~",
		"nobody stands alone as what a route allows and is not part of a condition",
	},
	{
		"a policy's name without the word policy",
		"developers and policy admins",
		"^~~~~~~~~~",
		"expected a condition, got the name of a policy, developers; write policy developers",
	},
	{
		"a policy's name alone in parentheses",
		"(developers)",
		" ^~~~~~~~~~",
		"expected a condition, got the name of a policy, developers; write policy developers",
	},
	{
		"a misspelt policy",
		"policy develpers",
		"       ^~~~~~~~~",
		`unknown policy "develpers"; did you mean developers?`,
	},
	{
		"a policy far from all others",
		"policy nope",
		"       ^~~~",
		`unknown policy "nope"; policies are: developers, admins`,
	},
	{
		"policy without a name",
		"policy",
		"      ^",
		"the name after policy is missing",
	},
	{
		"policy before an operator",
		"policy is x",
		"       ^~",
		`expected the name of a policy, got "is"; a claim that is called policy is written in quotes: "policy"`,
	},
	{
		"a value that YAML took for a comment",
		"groups contains",
		"               ^",
		"a value is missing after contains; if it begins with #, YAML took it for a comment: put it in double quotes and the whole condition in single quotes",
	},
	{
		"a value after is that YAML took for a comment",
		"email is",
		"        ^",
		"a value is missing after is; if it begins with #, YAML took it for a comment: put it in double quotes and the whole condition in single quotes",
	},
	{
		"a list that YAML took for its own",
		"groups contains any of",
		"                      ^",
		"a list is missing after contains any of; write [a, b]; between { and } YAML takes brackets for itself: put the whole condition in single quotes",
	},
	{
		"half of an operator, any",
		"groups contains any [a]",
		"                ^~~",
		`unknown operator "contains any"; operators are: contains, contains any of, contains all of, is, is one of, starts with, ends with, matches, is present, is missing, within; if the value is the word any, put it in double quotes`,
	},
	{
		"half of an operator, all",
		"groups contains all of",
		"                      ^",
		"a list is missing after contains all of; write [a, b]; between { and } YAML takes brackets for itself: put the whole condition in single quotes",
	},
	{
		"half of an operator, one",
		"acr is one [silver]",
		"       ^~~",
		`unknown operator "is one"; operators are: contains, contains any of, contains all of, is, is one of, starts with, ends with, matches, is present, is missing, within; if the value is the word one, put it in double quotes`,
	},
	{
		"a list operator with a value",
		"groups contains any of teams/a",
		"                       ^~~~~~~",
		`contains any of takes a list, got "teams/a"; write groups contains any of [teams/a]`,
	},
	{
		"a list operator with parentheses",
		"groups contains any of (a, b)",
		"                       ^",
		`contains any of takes a list in square brackets, got "("; write [a, b]`,
	},
	{
		"an empty list",
		"groups contains any of []",
		"                       ^~",
		"the list is empty; a list has at least one value",
	},
	{
		"a list that is not closed",
		"groups contains any of [a, b",
		"                       ^",
		"the list that opens here is never closed; between { and } YAML takes brackets and commas for itself: put the whole condition in single quotes",
	},
	{
		"a list that ends after a comma",
		"groups contains any of [a,",
		"                       ^",
		"the list that opens here is never closed; between { and } YAML takes brackets and commas for itself: put the whole condition in single quotes",
	},
	{
		"a comma too many at the end of a list",
		"groups contains any of [a,]",
		"                          ^",
		`expected a value, got "]"; a value with brackets or commas is written in double quotes`,
	},
	{
		"a comma too many in a list",
		"groups contains any of [a,, b]",
		"                          ^",
		`expected a value, got ","; a value with brackets or commas is written in double quotes`,
	},
	{
		"a comma missing between quoted values",
		`groups contains any of ["a" "b"]`,
		"                            ^~~",
		`expected a comma or ], got "b"`,
	},
	{
		"a list in a list",
		"groups contains any of [a, [b]]",
		"                           ^",
		"a list cannot stand in a list",
	},
	{
		"a list closed by a parenthesis",
		"groups contains any of [a) and x is y",
		"                         ^",
		`expected a comma or ], got ")"`,
	},
	{
		"a keyword in a list",
		"groups contains any of [a, and]",
		"                           ^~~",
		"a value is missing before and; if the value is that word, put it in double quotes",
	},
	{
		"a list after contains",
		"groups contains [a, b]",
		"                ^",
		"contains takes one value, got a list; write contains any of [...] or contains all of [...]",
	},
	{
		"a list after is",
		"acr is [silver, gold]",
		"       ^",
		"is takes one value, got a list; write is one of [...]",
	},
	{
		"a bare list",
		"[groups contains a, groups contains b]",
		"^",
		"a bare list does not say whether all or any of it must hold; write all: or any: in front of the list",
	},
	{
		"a comma for an or",
		"groups contains a, b",
		"                 ^",
		`unexpected "," where the condition has ended; join two conditions with "and" or "or"`,
	},
	{
		"equals signs",
		"email == jane@kde.org",
		"      ^~",
		"== is not a word of this language; write is for one value or contains for a list",
	},
	{
		"one equals sign",
		"email = jane@kde.org",
		"      ^",
		"= is not a word of this language; write is for one value or contains for a list",
	},
	{
		"equals signs without spaces",
		"email==jane@kde.org",
		"     ^~",
		"== is not a word of this language; write is for one value or contains for a list",
	},
	{
		"equals signs without spaces in a longer text",
		"email==jane@kde.org and acr is gold",
		"     ^~",
		"== is not a word of this language; write is for one value or contains for a list",
	},
	{
		"equals signs after the operator",
		"email is == jane@kde.org",
		"         ^~",
		"expected a value, got ==; the operator alone is enough",
	},
	{
		"not equal",
		"email != jane@kde.org",
		"      ^~",
		"!= is not a word of this language; write not in front of the claim: not email is jane@example.org",
	},
	{
		"two ampersands",
		"groups contains a && groups contains b",
		"                  ^~",
		"&& is not a word of this language; write and",
	},
	{
		"two ampersands without spaces",
		"groups contains a&&groups contains b",
		"                ^~~~~~~~~",
		"&& is not a word of this language; write and, or put the value in double quotes if that belongs to it",
	},
	{
		"two bars",
		"groups contains a || groups contains b",
		"                  ^~",
		"|| is not a word of this language; write or",
	},
	{
		"two bars without spaces",
		"groups contains a||b",
		"                ^~~~",
		"|| is not a word of this language; write or, or put the value in double quotes if that belongs to it",
	},
	{
		"an exclamation mark",
		"!groups contains a",
		"^",
		"! is not a word of this language; write not",
	},
	{
		"an exclamation mark alone",
		"! groups contains a",
		"^",
		"! is not a word of this language; write not",
	},
	{
		"an exclamation mark before the value",
		"groups contains !a",
		"                ^~",
		"! is not a word of this language; write not in front of the claim, or put the value in double quotes if it begins with !",
	},
	{
		"a star as a wish for substrings",
		"groups contains teams/*",
		"                ^~~~~~~",
		"* stands for nothing but itself: values are compared whole, byte for byte; put the value in double quotes if the star belongs to it",
	},
	{
		"a claim on the right",
		"teams/kde-developers in groups",
		"^~~~~~~~~~~~~~~~~~~~~~~",
		"the claim stands on the left; write groups contains teams/kde-developers",
	},
	{
		"a quoted value with its claim on the right",
		`"Field Team" in groups`,
		"^~~~~~~~~~~~~~~",
		`the claim stands on the left; write groups contains "Field Team"`,
	},
	{
		"a claim on the right that is missing",
		"teams/x in",
		"^~~~~~~~~~",
		"the claim stands on the left; write groups contains teams/x",
	},
	{
		"a value with a space",
		"groups contains Field Team",
		"                      ^~~~",
		`unexpected "Team" after the value; a value with a space is written in double quotes: "Field Team"`,
	},
	{
		"a value with a space in a list",
		"groups contains any of [Field Team, b]",
		"                              ^~~~",
		`expected a comma or ], got "Team"; a value with a space is written in double quotes: "Field Team"`,
	},
	{
		"a value with a space before and",
		"groups contains Field Team and email_verified is true",
		"                      ^~~~",
		`unexpected "Team" after the value; a value with a space is written in double quotes: "Field Team"`,
	},
	{
		"or after and",
		"groups contains a and groups contains b or groups contains c",
		"                                        ^~",
		`"and" and "or" are mixed without parentheses; write (A and B) or C, or A and (B or C)`,
	},
	{
		"and after or",
		"groups contains a or groups contains b and groups contains c",
		"                                       ^~~",
		`"and" and "or" are mixed without parentheses; write (A and B) or C, or A and (B or C)`,
	},
	{
		"mixed in parentheses",
		"(groups contains a or groups contains b and groups contains c)",
		"                                        ^~~",
		`"and" and "or" are mixed without parentheses; write (A and B) or C, or A and (B or C)`,
	},
	{
		"two conditions without and",
		"groups contains a groups contains b",
		"                  ^~~~~~",
		`unexpected "groups" where the condition has ended; join two conditions with "and" or "or"`,
	},
	{
		"not instead of and not",
		"groups contains a not groups contains b",
		"                  ^~~",
		`unexpected "not" where the condition has ended; join two conditions with "and" or "or"`,
	},
	{
		"policy instead of and policy",
		"groups contains a policy admins",
		"                  ^~~~~~",
		`unexpected "policy" where the condition has ended; join two conditions with "and" or "or"`,
	},
	{
		"two parentheses without and",
		"(groups contains a) (groups contains b)",
		"                    ^",
		`unexpected "(" where the condition has ended; join two conditions with "and" or "or"`,
	},
	{
		"a parenthesis that is not closed",
		"groups contains a and (groups contains b",
		"                      ^",
		"the parenthesis that opens here is never closed",
	},
	{
		"a parenthesis too many",
		"groups contains a)",
		"                 ^",
		"a parenthesis closes that was not opened",
	},
	{
		"empty parentheses",
		"()",
		" ^",
		"a parenthesis closes that was not opened, or has nothing in it",
	},
	{
		"a bracket too many",
		"groups contains a]",
		"                 ^",
		"a list closes that was not opened",
	},
	{
		"a list after a finished condition",
		"groups contains a [b]",
		"                  ^",
		"a list stands where the condition has ended",
	},
	{
		"and at the end",
		"groups contains a and",
		"                     ^",
		"a condition is missing after and",
	},
	{
		"and at the beginning",
		"and groups contains a",
		"^~~",
		"a condition is missing before and",
	},
	{
		"and before or",
		"groups contains a and or groups contains b",
		"                      ^~",
		"a condition is missing before or",
	},
	{
		"and in capitals",
		"groups contains a AND groups contains b",
		"                  ^~~",
		`unexpected "AND"; write and in small letters`,
	},
	{
		"not alone",
		"not",
		"   ^",
		"a condition is missing after not",
	},
	{
		"not in capitals",
		"NOT groups contains a",
		"^~~",
		`unexpected "NOT"; write not in small letters`,
	},
	{
		"not between claim and operator",
		"groups not contains a",
		"       ^~~",
		"not stands before the claim; write not groups contains ...",
	},
	{
		"does not",
		"groups does not contain a",
		"       ^~~~",
		"not stands before the claim; write not groups contains ...",
	},
	{
		"is not",
		"email is not jane@kde.org",
		"         ^~~",
		"not stands before the claim; write not email is ...",
	},
	{
		"none of",
		"groups contains none of [a, b]",
		"                ^~~~~~~",
		`unknown operator "contains none of"; operators are: contains, contains any of, contains all of, is, is one of, starts with, ends with, matches, is present, is missing, within; if the value is the word none, put it in double quotes`,
	},
	{
		"is any of",
		"acr is any of [silver, gold]",
		"       ^~~~~~",
		`unknown operator "is any of"; operators are: contains, contains any of, contains all of, is, is one of, starts with, ends with, matches, is present, is missing, within; if the value is the word any, put it in double quotes`,
	},
	{
		"a missing value before and",
		"groups contains and email is a",
		"                ^~~",
		"a value is missing before and; if the value is that word, put it in double quotes",
	},
	{
		"a word of the language as the value",
		"groups contains policy",
		"                ^~~~~~",
		"expected a value, got the word policy; operators are: contains, contains any of, contains all of, is, is one of, starts with, ends with, matches, is present, is missing, within; if the value is that word, put it in double quotes",
	},
	{
		"a word of the language as the claim",
		"is is x",
		"^~",
		`expected a claim, got the word is; the claim stands first: claim operator value; a claim of that name is written in quotes: "is"`,
	},
	{
		"an operator in capitals",
		"groups Contains a",
		"       ^~~~~~~~",
		`unknown operator "Contains"; did you mean contains? operators are: contains, contains any of, contains all of, is, is one of, starts with, ends with, matches, is present, is missing, within`,
	},
	{
		"a misspelt operator",
		"groups contians a",
		"       ^~~~~~~~",
		`unknown operator "contians"; did you mean contains? operators are: contains, contains any of, contains all of, is, is one of, starts with, ends with, matches, is present, is missing, within`,
	},
	{
		"an operator of another language",
		"groups has a",
		"       ^~~",
		`unknown operator "has"; write contains; operators are: contains, contains any of, contains all of, is, is one of, starts with, ends with, matches, is present, is missing, within`,
	},
	{
		"an operator that does not exist",
		"groups resembles a",
		"       ^~~~~~~~~",
		`unknown operator "resembles"; operators are: contains, contains any of, contains all of, is, is one of, starts with, ends with, matches, is present, is missing, within`,
	},
	{
		"an operator of another language in two words",
		"email begins with a",
		"      ^~~~~~~~~~~",
		`unknown operator "begins with"; write starts with; operators are: contains, contains any of, contains all of, is, is one of, starts with, ends with, matches, is present, is missing, within`,
	},
	{
		"a pattern in quotes",
		`email matches "^a$"`,
		"              ^~~~~",
		`expected a pattern, got "^a$"; write it between slashes: email matches /^...$/`,
	},
	{
		"no pattern",
		"email matches",
		"             ^",
		"a pattern is missing after matches; write it between slashes: /^svc-[a-z]+$/",
	},
	{
		"a list of patterns",
		"email matches [/^a$/, /^b$/]",
		"              ^",
		"matches takes one pattern, got a list; write the alternatives into one: /^(a|b)$/",
	},
	{
		"a pattern that matches inside",
		"email matches /kde/",
		"              ^~~~~",
		"the pattern is not anchored at both ends, so it would match inside longer values; begin it with ^ and end it with $",
	},
	{
		"a pattern of which one alternative is open",
		"email matches /^a$|b$/",
		"              ^~~~~~~~",
		"the pattern is not anchored at both ends, so it would match inside longer values; begin it with ^ and end it with $, in each alternative or around all: ^(a|b)$",
	},
	{
		"a pattern whose anchors are of lines",
		"email matches /(?m)^a$/",
		"              ^~~~~~~~~",
		"the pattern is not anchored at both ends, so it would match inside longer values; begin it with ^ and end it with $",
	},
	{
		"a pattern that is none",
		"email matches /^(a$/",
		"              ^~~~~~",
		"the pattern cannot be read: missing closing ) in \"^(a$\"; it is written in the syntax of RE2, without lookahead and back references",
	},
	{
		"a pattern that never ends",
		"email matches /^a$",
		"              ^",
		"the pattern that opens here is never closed; it ends with a slash: /^...$/",
	},
	{
		"a pattern with flags behind it",
		"email matches /^a$/i",
		"                   ^",
		"the pattern ends at the slash before this; write \\/ for a slash inside it, and flags at its beginning: /^(?i)...$/",
	},
	{
		"a duration without a unit",
		"auth_time within 12",
		"                 ^~",
		"the duration 12 has no unit; write 15m, 12h, 7d or 1h30m",
	},
	{
		"a duration in words",
		"auth_time within hours",
		"                 ^~~~~",
		`expected a duration, got "hours"; write 15m, 12h, 7d or 1h30m`,
	},
	{
		"no duration",
		"auth_time within",
		"                ^",
		"a duration is missing after within; write 15m, 12h, 7d or 1h30m",
	},
	{
		"the beginning of everything",
		`email starts with ""`,
		"                  ^~",
		"every string starts with an empty one; to ask whether the claim is there write is present",
	},
	{
		"a value after is present",
		"groups is present yes",
		"                  ^~~",
		`unexpected "yes" where the condition has ended; join two conditions with "and" or "or"`,
	},
	{
		"a function call",
		`contains(groups, "a")`,
		"^~~~~~~~~~~~~~~~~~~~~",
		"there are no functions here; write groups contains a",
	},
	{
		"a method call",
		`claims.groups.contains("a")`,
		"^~~~~~~~~~~~~~~~~~~~~~~~~",
		"there are no functions here; write groups contains a",
	},
	{
		"a value in parentheses",
		"groups contains (a)",
		"                ^",
		`expected a value, got "("; a value with brackets or commas is written in double quotes`,
	},
	{
		"a parenthesis before the operator",
		"groups (contains a)",
		"       ^",
		`expected an operator after groups, got "("; operators are: contains, contains any of, contains all of, is, is one of, starts with, ends with, matches, is present, is missing, within`,
	},
	{
		"an expression",
		"expr: claims",
		"^~~~~",
		`expr: is not a claim's name without quotes; put the name in double quotes if it is one key: "expr:"`,
	},
	{
		"two dots",
		"realm_access..roles contains a",
		"             ^",
		`a name is missing between the dots of realm_access..roles; a dot in a claim's name, rather than a way into an object, is written in quotes: "realm_access..roles"`,
	},
	{
		"a dot at the beginning",
		".groups contains a",
		"^",
		`a name is missing between the dots of .groups; a dot in a claim's name, rather than a way into an object, is written in quotes: ".groups"`,
	},
	{
		"a dot at the end",
		"groups. contains a",
		"      ^",
		"a name is missing after the last dot of groups.",
	},
	{
		"an empty claim",
		`"" contains a`,
		"^~",
		"a claim's name is empty",
	},
	{
		"an empty segment",
		`realm_access."" contains a`,
		"             ^~",
		`a name is missing between the dots of realm_access.""; a dot in a claim's name, rather than a way into an object, is written in quotes: "realm_access.\"\""`,
	},
	{
		"a colon in a claim",
		"cognito:groups contains a",
		"^~~~~~~~~~~~~~",
		`cognito:groups is not a claim's name without quotes; put the name in double quotes if it is one key: "cognito:groups"`,
	},
	{
		"a slash in a claim",
		"groups/x contains a",
		"^~~~~~~~",
		`groups/x is not a claim's name without quotes; put the name in double quotes if it is one key: "groups/x"`,
	},
	{
		"a colon in a segment",
		`resource_access."a.b".c:d contains a`,
		"                      ^~~",
		"c:d is not a claim's name without quotes; put that part in double quotes",
	},
	{
		"a quote that is not closed",
		`groups contains "Field Team`,
		"                ^",
		"the quote that opens here is never closed",
	},
	{
		"a backslash in quotes",
		`groups contains "DOMAIN\users"`,
		"                       ^~",
		`a backslash in quotes stands before " or \ only; write \\ for a backslash`,
	},
	{
		"a quote closed too early",
		`groups contains "Field"Team`,
		"                       ^",
		`a space is missing after the closing quote; a quote inside quotes is written \"`,
	},
	{
		"a quote inside a value",
		`groups contains Field"Team`,
		"                     ^",
		`a quote stands inside a word; put the whole value in double quotes and write \" for a quote inside it`,
	},
	{
		"a quoted part of a value",
		`groups contains Field."Team"`,
		"                ^~~~~~~~~~~~",
		`a quote stands inside a value; put the whole value in double quotes and write \" for a quote inside it`,
	},
	{
		"single quotes",
		"groups contains 'Field Team'",
		"                ^",
		`' does not quote here; use straight double quotes: "..."`,
	},
	{
		"typographic quotes",
		"groups contains “Field Team”",
		"                ^",
		`“ does not quote here; use straight double quotes: "..."`,
	},
	{
		"a no-break space",
		"groups contains\u00a0a",
		"               ^",
		"an invisible character (U+00A0) stands here; take it out, or put the value in double quotes if it belongs there",
	},
	{
		"an invisible space in a value",
		"groups contains a\u200bb",
		"                 ^",
		"an invisible character (U+200B) stands here; take it out, or put the value in double quotes if it belongs there",
	},
	{
		"a mark that turns the text around",
		"groups contains \u202ea",
		"                ^",
		"an invisible character (U+202E) stands here; take it out, or put the value in double quotes if it belongs there",
	},
	{
		"a line break in quotes",
		"groups contains \"Field\nTeam\"",
		"                      ^",
		"a control character (U+000A) stands inside the quotes; a quoted text stays on one line",
	},
	{
		"a byte that is not UTF-8",
		"groups contains a\xff",
		"                 ^",
		"byte 0xff is not valid UTF-8",
	},
	{
		"a byte that is not UTF-8 in quotes",
		"groups contains \"a\xff\"",
		"                  ^",
		"byte 0xff is not valid UTF-8",
	},
	{
		"a comma at the beginning",
		", a is b",
		"^",
		`expected a claim, got ","`,
	},
	{
		"a value with a space after not",
		"not groups contains Field Team",
		"                          ^~~~",
		`unexpected "Team" after the value; a value with a space is written in double quotes: "Field Team"`,
	},
	{
		"a value with a space at the end",
		"email is x and groups contains Field Team",
		"                                     ^~~~",
		`unexpected "Team" after the value; a value with a space is written in double quotes: "Field Team"`,
	},
	{
		"a value with a space in parentheses",
		"(groups contains Field Team)",
		"                       ^~~~",
		`unexpected "Team" after the value; a value with a space is written in double quotes: "Field Team"`,
	},
	{
		"single quotes in place of a list",
		"groups contains any of 'a'",
		"                       ^",
		`' does not quote here; use straight double quotes: "..."`,
	},
	{
		"single quotes in a list",
		`groups contains any of ["a" 'b']`,
		"                            ^",
		`' does not quote here; use straight double quotes: "..."`,
	},
	{
		"single quotes around a policy's name",
		"policy 'developers'",
		"       ^",
		`' does not quote here; use straight double quotes: "..."`,
	},
	{
		"single quotes behind a condition",
		"groups contains a 'b'",
		"                  ^",
		`' does not quote here; use straight double quotes: "..."`,
	},
}
