package policy

import (
	"maps"
	"slices"
)

// Use is how rules look at a claim.
type Use struct {
	// Whole says that an expression looks at the claim, which may look at all of it.
	Whole bool
	// Texts are what conditions compare it with, sorted. Where the claim is a list and
	// Whole is false, what else is in it makes no difference to what is decided.
	Texts []string
}

// Uses returns how the rule and its shadow look at claims, by the names of those at the
// top level. Claims returns the names alone.
func (r *Rule) Uses() map[string]Use {
	whole, texts := map[string]bool{}, map[string]map[string]bool{}
	for ; r != nil; r = r.shadow {
		if r.tree == nil {
			continue
		}
		r.tree.each(func(l leaf) {
			_, compares := l.test.(*comparison)
			for _, p := range l.claims() {
				name := p[0]
				whole[name] = whole[name] || !compares
				if texts[name] == nil {
					texts[name] = map[string]bool{}
				}
				for _, text := range l.literals() {
					texts[name][text] = true
				}
			}
		})
	}
	uses := make(map[string]Use, len(texts))
	for name, found := range texts {
		uses[name] = Use{Whole: whole[name], Texts: slices.Sorted(maps.Keys(found))}
	}
	return uses
}
