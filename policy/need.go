package policy

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Need is one thing that was missing. It tells the caller's own values of the
// claims that the condition names, and nothing else about anybody. Texts hold no
// control characters and are bounded, whatever the claims contain; they are not
// escaped for any output format.
type Need struct {
	// Text is the condition that does not hold, groups contains teams/a; of
	// several that would each do, all: one of: A; B.
	Text string
	// Have is what the caller has instead: groups: [teams/b], or, with Missing,
	// claim groups is missing. It is empty where showing it would tell too much:
	// under not.
	Have string
	// Claim is the claim that Text is about; empty when there are several.
	Claim string
	// Missing is true when the caller has none of the claims.
	Missing bool
}

// String returns the sentence for people.
func (n Need) String() string {
	switch {
	case n.Have == "":
		return "needs " + n.Text
	case n.Missing:
		return "needs " + n.Text + " - " + n.Have
	}
	return "needs " + n.Text + " - you have " + n.Have
}

// Bounds on what a refusal shows.
const (
	shownNeeds        = 20
	shownAlternatives = 10
	shownRequired     = 20
	shownValues       = 10
	shownRunes        = 80
)

// explain walks the failing leaves of a tree that denied.
func (t *tree) explain(c *Claims) (Reason, []Need) {
	members := []*tree{t}
	if len(t.nodes) > 0 && t.connective == and {
		members = t.nodes
	}
	var needs []Need
	scopes, others := 0, 0
	for _, m := range members {
		if m.holds(c) {
			continue
		}
		n := m.need(c, func(l leaf) {
			// A scope that the token should not have is no lack of scope.
			if isScope(l.claim[0]) && !l.negated {
				scopes++
			} else {
				others++
			}
		})
		if len(needs) < shownNeeds {
			needs = append(needs, n)
		}
	}
	if scopes > 0 && others == 0 {
		return ReasonScope, needs
	}
	return ReasonNotAllowed, needs
}

// need describes a failing leaf, or a failing group of alternatives, and calls
// failing for each leaf that fails in it.
func (t *tree) need(c *Claims, failing func(leaf)) Need {
	var have, lack []string
	named, told := map[string]bool{}, map[string]bool{}
	text := t.unmet(c, func(l leaf) {
		failing(l)
		name := l.claim.String()
		named[name] = true
		v := c.find(l.claim)
		// Under not the caller's value stays hidden: a refusal does not tell
		// which of the things that shut people out it was.
		if told[name] || l.negated && v != nil {
			return
		}
		told[name] = true
		if v == nil {
			lack = append(lack, "claim "+visible(name)+" is missing")
		} else {
			have = append(have, visible(name)+": "+v.show(l))
		}
	})
	n := Need{Text: text, Missing: len(have) == 0 && len(lack) > 0}
	n.Have = strings.Join(append(have, lack...), "; ")
	if len(named) == 1 {
		for name := range named {
			n.Claim = name
		}
	}
	return n
}

// unmet returns the text of what fails below t.
func (t *tree) unmet(c *Claims, failing func(leaf)) string {
	if len(t.nodes) == 0 {
		failing(t.leaf)
		return t.leaf.requirement()
	}
	var parts []string
	for _, n := range t.nodes {
		if n.holds(c) {
			continue
		}
		part := n.unmet(c, failing)
		if len(n.nodes) > 0 && n.connective == or {
			part = "(" + part + ")"
		}
		parts = append(parts, part)
	}
	if t.connective == and {
		return strings.Join(parts, " and ")
	}
	if len(parts) > shownAlternatives {
		more := len(parts) - shownAlternatives
		parts = append(parts[:shownAlternatives:shownAlternatives], fmt.Sprintf("and %d more", more))
	}
	return "one of: " + strings.Join(parts, "; ")
}

// requirement is the text of a leaf.
func (l leaf) requirement() string {
	s := visible(l.describe(shownRequired))
	if l.negated {
		return "not " + s
	}
	return s
}

// show prints a claim's value for its owner, as it would be written in a
// condition, and says so when its type was the fault.
func (v *value) show(l leaf) string {
	if l.op.test(l.comparison, v) == wrongType {
		return fmt.Sprintf("%s (%s, where %s is needed)", v.print(), v.describe(), l.op.wants(l.comparison))
	}
	return v.print()
}

func (v *value) print() string {
	switch v.kind {
	case kindText:
		if len(v.members.list) == 1 && v.members.list[0] == v.text {
			return cut(quoteShown(v.text))
		}
		return v.printMembers()
	case kindNumber, kindBool:
		return cut(v.text)
	case kindList:
		return v.printMembers()
	case kindObject:
		return "{...}"
	}
	return "?"
}

func (v *value) printMembers() string {
	shown := make([]string, 0, shownValues)
	for _, m := range v.members.list[:min(shownValues, len(v.members.list))] {
		shown = append(shown, cut(quoteShown(m)))
	}
	return bracketed(shown, len(v.members.list))
}

// describe names the type of a value.
func (v *value) describe() string {
	switch v.kind {
	case kindText:
		return "a string"
	case kindNumber:
		return "a number"
	case kindBool:
		return "a boolean"
	case kindList:
		return "a list"
	case kindObject:
		return "an object"
	}
	return "something else"
}

// bracketed prints a list of which perhaps only the beginning is shown.
func bracketed(shown []string, total int) string {
	return "[" + strings.Join(shown, ", ") + more(len(shown), total) + "]"
}

func more(shown, total int) string {
	if total > shown {
		return fmt.Sprintf(", and %d more", total-shown)
	}
	return ""
}

// joined prints the first limit words of a list.
func joined(list []string, limit int) string {
	if len(list) > limit {
		return strings.Join(list[:limit], ", ") + more(limit, len(list))
	}
	return strings.Join(list, ", ")
}

// quoteShown quotes a value where it would need quotes in a condition, so that a
// value with a comma or a space does not pass for two.
func quoteShown(s string) string {
	if len(s) > 8*shownRunes {
		s = s[:8*shownRunes]
	}
	if s == "" || strings.ContainsAny(s, blanks+singles+`"`) {
		s = quote(s)
	}
	return visible(s)
}

// cut bounds the length of what is shown of one value.
func cut(s string) string {
	if len(s) <= shownRunes {
		return s
	}
	n := 0
	for i := range s {
		if n++; n > shownRunes {
			return s[:i] + "..."
		}
	}
	return s
}

// visible writes out what a terminal or a page would obey or hide instead of
// showing it: control characters, marks that reverse the direction of text,
// invisible spaces, bytes that are no UTF-8.
func visible(s string) string {
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}
