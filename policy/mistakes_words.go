package policy

import (
	"fmt"
	"slices"
	"strings"
)

// The sentences for words of other languages that say who may in one word: they are
// written where public, signed-in, nobody or the name of a policy stands.

const whoIsWho = "public is everybody, signed-in is whoever is known"

// everybody are words for all people, or all who are known, and noOne for none of
// them; in small letters and without what stands between their parts.
var (
	everybody = []string{
		"*", "all", "allusers", "anonymous", "any", "anybody", "anyone", "anyuser", "authenticated", "authenticateduser", "authenticatedusers",
		"everybody", "everyone", "known", "loggedin", "loggedinuser", "loggedinusers", "members", "open", "signedin", "signedinusers", "true", "user", "users", "yes",
	}
	noOne = []string{"deny", "denyall", "false", "never", "no", "none", "noone"}
)

func folded(text string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", "@", "", " ", "").Replace(strings.Trim(text, blanks)))
}

// noWord explains a rule of one word that is none of those that there are.
func (s *Set) noWord(word string, c Clause) *Error {
	start := strings.Index(c.Text, word)
	at := span{src: &source{text: c.Text, at: c.At}, offset: start, end: start + len(word)}
	names := []string{}
	for _, w := range ruleWords {
		names = append(names, w.word)
	}
	hint := "a condition is written claim operator value"
	if meant := nearest(word, s.names); meant != "" {
		hint = "did you mean " + meant + "?"
	} else if meant := nearest(word, names); meant != "" && folded(meant) == folded(word) {
		hint = "did you mean " + meant + "?"
	} else if slices.Contains(everybody, folded(word)) {
		hint = whoIsWho
	} else if slices.Contains(noOne, folded(word)) {
		hint = "nobody lets no one in"
	} else if meant != "" {
		hint = "did you mean " + meant + "?"
	}
	return at.fault(fmt.Sprintf("%q is neither %s nor the name of a policy", word, strings.Join(names, ", ")), hint)
}

// noCondition explains a text that says in the words of other languages that
// everybody may. It returns nil for all others.
func (p *parser) noCondition() *Error {
	text := strings.Trim(p.src.text, blanks)
	if !slices.Contains(everybody, folded(text)) || slices.Contains(p.policies, text) || isRuleWord(text) {
		return nil
	}
	start := strings.Index(p.src.text, text)
	at := span{src: p.src, offset: start, end: start + len(text)}
	return at.fault(fmt.Sprintf("%q is not a condition", text), "as what a route allows, "+whoIsWho)
}
