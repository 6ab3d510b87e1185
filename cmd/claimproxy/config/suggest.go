package config

import (
	"strings"
	"unicode/utf8"
)

// closest returns the candidate that a person most probably meant by word, or "".
// Case, "-" and "_" do not count; of two that are equally near the first wins.
func closest(word string, candidates []string) string {
	folded := foldKey(word)
	best, bestDistance := "", max(1, utf8.RuneCountInString(folded)/3)+1
	for _, c := range candidates {
		if d := distance(folded, foldKey(c)); d < bestDistance && d < utf8.RuneCountInString(c) {
			best, bestDistance = c, d
		}
	}
	return best
}

// suggest completes a fault about a name that is not there.
func (f *Fault) suggest(name string, names []string) {
	switch meant := closest(name, names); {
	case meant != "":
		f.hint("did you mean %q?", meant)
	case len(names) == 1:
		f.hint("there is %s alone", names[0])
	case 1 < len(names) && len(names) <= 10:
		f.hint("there are %s", strings.Join(names, ", "))
	}
}

// foldKey makes spellings of one name equal: "client-secret", "clientSecret".
func foldKey(s string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "", "\u00a0", "").Replace(s))
}

// distance counts the insertions, deletions, substitutions and swaps of
// neighbours that lead from a to b (optimal string alignment).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s) > 100 || len(t) > 100 { // nobody mistypes a page of text
		return len(s) + len(t)
	}
	var before []int
	last := make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row := make([]int, len(t)+1)
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(t)]
}
