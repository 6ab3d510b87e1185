package policy

import (
	"errors"
	"regexp"
	"strings"

	"github.com/expr-lang/expr/file"
)

// Sentences for what expr-lang finds wrong. Its own speak of tokens and Go types.

// expressionFault turns an error of expr into one about the text.
func expressionFault(src *source, err error) *Error {
	at, message := span{src: src, end: len(src.text)}, err.Error()
	if e := (*file.Error)(nil); errors.As(err, &e) {
		at, message = bytesOf(src, e.From, e.To), e.Message
	}
	message, _, _ = strings.Cut(message, "\n")
	for _, known := range expressionFaults {
		if m := known.pattern.FindStringSubmatch(message); m != nil {
			f := known.tell(m[1:])
			return at.fault(f.message, f.hint)
		}
	}
	return at.fault(message, "")
}

var expressionFaults = []struct {
	pattern *regexp.Regexp
	tell    func(m []string) fault
}{
	{regexp.MustCompile(`^unexpected token EOF|^unexpected end of expression`), func([]string) fault {
		return fault{"the expression ends too early", "something is missing here, or a bracket that opens is never closed"}
	}},
	{regexp.MustCompile(`^unexpected token [A-Za-z]+\("(.*)"\)`), unexpectedToken},
	{regexp.MustCompile(`^unknown name (.*)`), func(m []string) fault {
		if meant := nearest(m[0], []string{nameClaims, nameRequested}); meant != "" {
			return fault{"unknown name " + m[0], "did you mean " + meant + "?"}
		}
		return fault{"unknown name " + m[0], "a claim is written claims." + m[0] + ", a text in quotes"}
	}},
	{regexp.MustCompile(`^expected bool, but got (.*)`), func(m []string) fault {
		return fault{"an expression answers true or false, and this one is " + kindOfType(m[0]), ""}
	}},
	{regexp.MustCompile(`^invalid operation: (\S+) \(mismatched types (.*) and (.*)\)`), func(m []string) fault {
		return fault{m[0] + " stands between " + kindOfType(m[1]) + " and " + kindOfType(m[2]), ""}
	}},
	{regexp.MustCompile(`^invalid operation: (\S+) \(mismatched type (.*)\)`), func(m []string) fault {
		return fault{m[0] + " stands before " + kindOfType(m[1]), ""}
	}},
	{regexp.MustCompile(`^builtin (\S+) takes only array \(got (.*)\)`), func(m []string) fault {
		return fault{m[0] + " takes a list, got " + kindOfType(m[1]), "write list(...) around what may be a single text"}
	}},
	{regexp.MustCompile(`^predicate should return boolean \(got (.*)\)`), func(m []string) fault {
		return fault{"a predicate answers true or false, and this one is " + kindOfType(m[0]), `write for example # == "teams/a"`}
	}},
	{regexp.MustCompile(`^non-bool expression \(type (.*)\) used as condition`), func(m []string) fault {
		return fault{"what stands before ? answers true or false, and this is " + kindOfType(m[0]), ""}
	}},
	{regexp.MustCompile(`^cannot use (\S+) as argument \(type (\S+)\) to call (.*)`), func(m []string) fault {
		return fault{strings.TrimSpace(m[2]) + " takes " + kindOfType(m[1]) + ", got " + kindOfType(m[0]), ""}
	}},
	{regexp.MustCompile(`^(not enough|too many) arguments to call (\S+)`), func(m []string) fault {
		return fault{m[0] + " arguments for " + m[1], ""}
	}},
	{regexp.MustCompile(`^invalid (?:number of )?arguments?.* for (\S+?)\b`), func(m []string) fault {
		return fault{m[0] + " does not take this", ""}
	}},
	{regexp.MustCompile(`^expected at least (\d+) arguments`), func(m []string) fault {
		return fault{"this function takes " + m[0] + " arguments", `write for example any(claims.groups, # startsWith "teams/")`}
	}},
	{regexp.MustCompile(`^cannot redeclare (?:variable |function |builtin )?(\S+)`), func(m []string) fault {
		return fault{"the name " + m[0] + " is taken", "let gives a new name to a value"}
	}},
	{regexp.MustCompile(`^cannot use pointer accessor outside predicate`), outsidePredicate},
	{regexp.MustCompile(`^unknown pointer #(.*)`), func(m []string) fault {
		return fault{"there is no #" + m[0], "write # for a member of the list, and #index for its place"}
	}},
	{regexp.MustCompile(`^literal not terminated`), func([]string) fault {
		return fault{"a quote that opens here or before is never closed", ""}
	}},
	{regexp.MustCompile(`^invalid char escape`), func([]string) fault {
		return fault{"a backslash stands here before something that it does not change", `write \\ for a backslash`}
	}},
	{regexp.MustCompile(`^unrecognized character: U\+[0-9A-F]+ '(.*)'`), func(m []string) fault {
		if meant := symbols[m[0]]; meant != "" {
			return fault{m[0] + " means nothing in an expression", "write " + meant}
		}
		if strings.ContainsAny(m[0], curlyQuotes) {
			return fault{m[0] + " does not quote here", `use straight quotes: "..."`}
		}
		return fault{m[0] + " means nothing in an expression", ""}
	}},
	{regexp.MustCompile(`^bad number syntax: (.*)|^invalid \w+ literal: .*|^(?:integer|float) literal is too large`), func([]string) fault {
		return fault{"this is not a number, or too large for one", "an id that is larger than 9223372036854775807 is compared as a text, in quotes"}
	}},
	{regexp.MustCompile(`^unclosed comment`), func([]string) fault {
		return fault{"a comment is never closed", ""}
	}},
	{regexp.MustCompile(`^Operator \((.*)\) and coalesce expressions`), func(m []string) fault {
		return fault{m[0] + " and ?? are mixed without parentheses", ""}
	}},
	{regexp.MustCompile(`exceeds maximum allowed nodes`), func([]string) fault {
		return fault{"the expression has too many parts", "give some of them names under policies"}
	}},
}

// conditionWords are words of conditions that expressions say otherwise.
var conditionWords = map[string]string{
	"is": "==", "one": "in", "of": "in", "starts": "startsWith", "ends": "endsWith", "with": "startsWith or endsWith",
	"within": "a condition of its own", "present": `"groups" in claims`, "missing": `not ("groups" in claims)`,
	"has": "in", "equals": "==", "AND": "and", "OR": "or", "NOT": "not", "=": "==", "===": "==", "!==": "!=",
}

func unexpectedToken(m []string) fault {
	f := fault{message: "unexpected " + quote(m[0])}
	switch meant := conditionWords[m[0]]; {
	case m[0] == ")", m[0] == "]", m[0] == "}":
		return fault{m[0] + " closes what was not opened, or has nothing in front of it", ""}
	case m[0] == "#", m[0] == ".":
		return outsidePredicate(nil)
	case m[0] == "&", m[0] == "|":
		f.hint = "write " + symbols[m[0]]
	case meant != "":
		f.hint = "an expression is written in the language of expr-lang; there it is " + meant
	case isSegment(m[0]):
		f.hint = "an expression is written in the language of expr-lang; a condition stands beside it, in all: or any:"
	}
	return f
}

func outsidePredicate([]string) fault {
	return fault{"# and names that begin with a dot stand for one member of a list", "they belong inside all, any, none, one, filter or count"}
}

// kindOfType names a Go type in a sentence.
func kindOfType(t string) string {
	switch strings.TrimSpace(t) {
	case "string":
		return "a text"
	case "int", "float64":
		return "a number"
	case "bool":
		return "true or false"
	case "nil", "<nil>":
		return "nil"
	case "any", "unknown":
		return "a value"
	case "policy.expressionRequest":
		return "the request"
	}
	switch {
	case strings.HasPrefix(t, "["), strings.HasPrefix(t, "array"):
		return "a list"
	case strings.HasPrefix(t, "map"):
		return "an object"
	}
	return t
}
