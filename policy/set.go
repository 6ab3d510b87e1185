package policy

import "slices"

// Definition is a policy: a condition with a name.
type Definition struct {
	// Name is how routes and other policies refer to it: letters, digits, "_",
	// "-" and ".", at most 100 bytes, none of the words of the language.
	Name string
	// Title is shown to people instead of the name; Help, a sentence or an
	// address, tells them what to do when they are refused. Both may be empty.
	Title, Help string
	// Require is the condition.
	Require Clause
	// Shadow, if set, is evaluated beside Require and never decides. Wherever the
	// policy is named, the whole condition is evaluated a second time with Shadow in
	// its place.
	Shadow *Clause
	// Providers are the ids of the providers whose people and tokens the policy
	// speaks of; none means all. To the callers of other providers the policy grants
	// nothing, under not neither.
	Providers []string
	// Explain is how much a refusal tells.
	Explain Explain
	// At is where the policy stands.
	At Position
}

// Explain is how much a refusal tells the person who is refused. Of a condition
// that several policies take part in, each one's part is told as that policy says.
type Explain uint8

// The levels of Explain.
const (
	// ExplainDefault tells what is needed and the caller's own values of the claims
	// named there, but nothing about conditions under not: a person need not learn
	// which list shuts them out.
	ExplainDefault Explain = iota
	// ExplainFull tells conditions under not as well, without the caller's values.
	ExplainFull
	// ExplainRequirement tells what is needed, as ExplainDefault does, and none of
	// the caller's values.
	ExplainRequirement
	// ExplainNone tells nothing but the policy's title and help.
	ExplainNone
)

// Set is all policies of a configuration, compiled. It never changes, and any
// number of goroutines may ask it for rules.
type Set struct {
	codes codes
	// entries has every well-named policy, a faulty one with a nil rule.
	entries map[string]*entry
	names   []string
	claims  []string
}

// Names returns the names of all policies in the order of their definitions.
func (s *Set) Names() []string {
	if s == nil {
		return nil
	}
	return slices.Clone(s.names)
}

// Claims returns the top-level claims that the policies name, sorted.
func (s *Set) Claims() []string {
	if s == nil {
		return nil
	}
	return slices.Clone(s.claims)
}
