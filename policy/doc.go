// Package policy answers one question: may they?
//
// It turns conditions such as
//
//	groups contains teams/kde-developers and not email_verified is false
//
// into decisions. A text is read by a grammar of our own into a tree, names of
// policies are put in, negation is pushed to the leaves, and what remains is
// compiled once into an expr-lang program. Deciding runs that program over
// claims that were indexed once for each caller.
//
// The package promises:
//
//   - Exact. contains is membership, never a substring; values are compared byte
//     for byte, numbers digit for digit.
//   - Fail closed. A claim that is missing or of the wrong type never grants,
//     under not neither. An evaluation error denies. Every zero value denies.
//   - No guessing. A text with two possible readings is an error that says so,
//     with the place of the fault.
//   - No text of a user ever becomes source code: the generated program names
//     leaves by number.
//
// It knows neither HTTP nor YAML nor OpenID Connect. Who the caller is, and what
// to do about a denial, is the business of others.
//
// # Grammar
//
//	condition  = term { "and" term } | term { "or" term }      (never mixed)
//	term       = "not" term | "(" condition ")" | "policy" name | comparison
//	comparison = claim operator [ operand ]
//	claim      = segment { "." segment }  |  a word with "://" in it
//	segment    = letters, digits, "_" and "-"  |  quoted
//	operand    = value | "[" value { "," value } "]" | pattern | duration
//	value      = quoted | a word that runs to the next space, bracket or comma
//	quoted     = double quotes around anything, with \" and \\ inside
//	pattern    = "/", an RE2 expression anchored at both ends, "/", with \/ inside
//	duration   = [ n "d" ] [ n "h" ] [ n "m" ] [ n "s" ]        (at least one of them)
//
// Which operand an operator takes:
//
//	contains, is                         a value
//	contains any of, contains all of,
//	is one of                            a list
//	starts with, ends with               a value that is not empty, always a text
//	matches                              a pattern
//	is present, is missing               nothing
//	within                               a duration, from a second to a century
//
// The operators are the table in operator.go; a new one is a new row there. The
// words of the language are written in quotes where they are a value, a claim or
// the name of a policy: and, or, not, policy, in, and every word of an operator's
// name (contains, any, all, of, is, one, starts, ends, with, matches, present,
// missing, within). So a forgotten value is never taken from what follows it.
//
// # What matches what
//
// contains and its kin take a list, of which elements that are not strings are
// passed over, or a string, which counts as a list of one; scope and scp at the
// top are split at spaces. is and is one of take a single string, number or
// boolean and refuse lists and objects. An unquoted true or false is the boolean
// or that very word; unquoted digits are the number of that value, all digits
// counted, or that very string; everything else, and everything in quotes, is a
// string.
//
// starts with, ends with and matches take a single string and nothing else. A
// pattern matches the whole string, line breaks included, or not at all.
//
// within takes a number of seconds since 1970, as auth_time is (OpenID Connect Core
// section 2), and holds when that moment is at most so long ago, the bound
// included. Clocks differ, so that a moment up to a minute ahead counts as now; one
// further ahead, before 1970 or beyond the year 5138 is of the wrong type. Without a
// time in Caller.Now every moment is.
//
// A claim is of the wrong type when no value like it could match: a number for
// is "5", the string "True" for is true, a string for within. Then neither the
// comparison nor its opposite holds. A claim that is null is missing.
//
// is present and is missing alone speak of absence, and take every type: false, 0,
// an empty text, an empty list and an empty object are present.
//
// # Beside conditions
//
// An expression (Clause.Expr) is a leaf in the language of expr-lang, for what a
// comparison cannot say; expression.go says what it may do and what strict means
// there. A policy may be restricted to providers: to callers of other providers it
// grants nothing, and under not neither. A shadow is evaluated beside a policy, or a
// rule, and never decides. Explain bounds what a refusal tells the person refused;
// Rule.Explain tells whoever runs the place everything.
package policy

// Bounds on what is read, so that a text that grew by accident, or by a script,
// ends in an error and not in a deep stack or a slow decision.
const (
	// maxText is the length of one condition in bytes.
	maxText = 16 << 10
	// maxNesting is how deep parentheses, not and blocks may nest in one
	// condition.
	maxNesting = 32
	// maxValues is the length of one list.
	maxValues = 1000
	// maxLeaves is how many comparisons one rule may have, and maxDepth how deep
	// its tree may be, after its policies have been put in.
	maxLeaves = 1000
	maxDepth  = 128
	// maxName is the length of a policy's name in bytes.
	maxName = 100
)
