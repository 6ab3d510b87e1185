package policy

import (
	"fmt"
	"strings"
)

// functions are what other languages call, in small letters and without "_", and the
// operator that is written here instead.
var functions = map[string]string{
	"contains": "contains", "includes": "contains", "include": "contains", "has": "contains", "member": "contains", "in": "contains",
	"is": "is", "equals": "is", "eq": "is", "equal": "is",
	"starts": "starts with", "startswith": "starts with", "hasprefix": "starts with",
	"ends": "ends with", "endswith": "ends with", "hassuffix": "ends with",
	"matches": "matches", "match": "matches", "regex": "matches", "regexp": "matches",
	"hasrole": "contains", "hasgroup": "contains", "ingroup": "contains", "isingroup": "contains",
}

// call explains contains(groups, "x") and groups.contains("x"). The parenthesis
// is the current token, and t the one before it.
func (p *parser) call(t token) *Error {
	name, claim := t.text, ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		claim, name = name[:i], name[i+1:]
	}
	at, args := t.through(p.peek()), []token(nil)
	for _, arg := range p.tokens[p.pos+1:] {
		if arg.kind == tokenClose {
			at = t.through(arg)
			break
		}
		if arg.kind == tokenQuoted || arg.kind == tokenWord {
			args = append(args, arg)
		}
	}
	name = strings.ToLower(strings.ReplaceAll(name, "_", ""))
	operator := functions[name]
	switch {
	case claim == "" && len(args) == 1 && strings.HasSuffix(name, "group"):
		claim = "groups"
	case claim == "" && len(args) == 1 && strings.HasSuffix(name, "role"):
		claim = "roles"
	}
	if claim == "" && len(args) > 1 {
		claim, args = p.src.text[args[0].offset:args[0].end], args[1:]
	}
	claim = strings.TrimPrefix(claim, "claims.")
	hint := "a condition is written claim operator value"
	if operator != "" && claim != "" && len(args) == 1 {
		value := args[0].text
		if args[0].kind == tokenQuoted {
			value = literal{text: value}.String()
		}
		hint = fmt.Sprintf("write %s %s %s", claim, operator, value)
	} else if operator == "contains" && claim != "" && len(args) > 1 {
		hint = fmt.Sprintf("write %s contains any of [...]", claim)
	}
	return at.fault("there are no functions here", hint)
}
