package policy

import (
	"fmt"
	"strings"
	"time"
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
	// groups is not among the claims. It is empty where showing it would tell too
	// much: under not, and where the policy's Explain says so.
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
func (t *tree) explain(c *Caller) (Reason, []Need) {
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
		n, told := m.need(c, func(l leaf) {
			// A scope that the token should not have is no lack of scope.
			if aboutScope(l) && !l.negated {
				scopes++
			} else {
				others++
			}
		})
		if told && len(needs) < shownNeeds {
			needs = append(needs, n)
		}
	}
	if scopes > 0 && others == 0 {
		return ReasonScope, needs
	}
	return ReasonNotAllowed, needs
}

// aboutScope reports whether a leaf looks at the token's scopes and nothing else.
func aboutScope(l leaf) bool {
	claims := l.claims()
	for _, claim := range claims {
		if !isScope(claim[0]) {
			return false
		}
	}
	return len(claims) > 0
}

// need describes a failing leaf, or a failing group of alternatives, and calls
// failing for each leaf that fails in it. It reports false when nothing of it may
// be told.
func (t *tree) need(c *Caller, failing func(leaf)) (n Need, ok bool) {
	var have, lack []string
	named, told := map[string]bool{}, map[string]bool{}
	n.Text = t.unmet(c, func(l leaf) {
		failing(l)
		if l.hidden(c) {
			return
		}
		for _, claim := range l.claims() {
			name := claim.String()
			named[name] = true
			v := c.Claims.find(claim)
			// Under not the caller's value stays hidden: a refusal does not tell
			// which of the things that shut people out it was.
			if told[name] || l.explain == ExplainRequirement || l.negated && v != nil {
				continue
			}
			told[name] = true
			if v == nil {
				lack = append(lack, visible(name))
			} else {
				have = append(have, visible(name)+": "+l.show(claim, v, c))
			}
		}
	})
	if n.Text == "" {
		return Need{}, false
	}
	n.Missing = len(have) == 0 && len(lack) > 0
	if len(lack) > 0 {
		have = append(have, absent(lack))
	}
	n.Have = strings.Join(have, "; ")
	if len(named) == 1 {
		for name := range named {
			n.Claim = name
		}
	}
	return n, true
}

// absent says that claims are missing, and what that is most often due to.
func absent(names []string) string {
	verb := " is"
	if len(names) > 1 {
		verb = " are"
	}
	return joined(names, shownAlternatives) + verb + " not among the claims: is the scope asked for?"
}

// unmet returns the text of what fails below t, as far as it may be told.
func (t *tree) unmet(c *Caller, failing func(leaf)) string {
	if len(t.nodes) == 0 {
		failing(t.leaf)
		if t.leaf.hidden(c) {
			return ""
		}
		return t.leaf.requirement()
	}
	var parts []string
	for _, n := range t.nodes {
		if n.holds(c) {
			continue
		}
		part := n.unmet(c, failing)
		if part == "" {
			continue
		}
		if strings.HasPrefix(part, oneOf) {
			part = "(" + part + ")"
		}
		parts = append(parts, part)
	}
	if t.connective == and || len(parts) < 2 {
		return strings.Join(parts, " and ")
	}
	if len(parts) > shownAlternatives {
		more := len(parts) - shownAlternatives
		parts = append(parts[:shownAlternatives:shownAlternatives], fmt.Sprintf("and %d more", more))
	}
	return oneOf + strings.Join(parts, "; ")
}

// oneOf begins the text of alternatives.
const oneOf = "one of: "

// hidden reports whether a refusal does not mention the leaf. Conditions under not
// are told only where that is asked for, but that their claim is missing is told:
// it is what has to be mended, and says nothing about who is shut out.
func (l leaf) hidden(c *Caller) bool {
	if l.explain == ExplainNone || !l.negated || l.explain == ExplainFull {
		return l.explain == ExplainNone
	}
	claims := l.claims()
	return len(claims) != 1 || c.Claims.find(claims[0]) != nil || l.verdict(c) != missing
}

// requirement is the text of a leaf.
func (l leaf) requirement() string {
	s := visible(l.describe(shownRequired))
	switch claims := l.claims(); {
	case !l.negated:
		return s
	case l.explain != ExplainFull && len(claims) == 1: // its claim is missing, see hidden
		return visible(claims[0].String()) + " is present"
	}
	return "not " + s
}

// show prints the claim's value for its owner, as it would be written in a
// condition, and says so when its type was the fault.
func (c *comparison) show(_ path, v *value, who *Caller) string {
	if c.op.wants != nil && c.op.test(c, v, who.Now) == wrongType {
		return fmt.Sprintf("%s (%s, where %s is needed)", v.print(), v.describe(), c.op.wants(c))
	}
	if c.within > 0 {
		if age, ok := v.age(who.Now); ok {
			return fmt.Sprintf("%s (%s ago)", v.print(), age.Round(time.Second))
		}
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
