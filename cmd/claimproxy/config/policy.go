package config

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/claimproxy/claimproxy/policy"
)

// Policy is a named condition over claims. In the file it is a mapping, or in short
// the text of the condition alone.
type Policy struct {
	// Name is the policy's key: letters, digits, "-" and "_". The words that mean
	// something of their own in conditions and routes cannot be names.
	Name string `yaml:",key"`
	// Title is what people read in place of the name.
	Title string `yaml:"title"`
	// Require is the condition: its text, a block {all: [...]}, {any: [...]}, {not: ...},
	// or {expr: '...'}, an expression in the language of expr-lang.
	Require policy.Clause `yaml:"require,required"`
	// Providers are the ids of the providers that the policy is about: nobody else's
	// people have it, whatever their claims say. The default is all of them. With
	// several, a group of one is not the group of that name of another, so that a
	// policy that names none is warned about.
	Providers []string `yaml:"providers,many"`
	// Help is shown to people who are refused: an address or a sentence.
	Help string `yaml:"help,text"`
	// Explain is how much a refusal tells. By default it is what is needed and the
	// caller's own values of the claims named there, without what is under not: a person
	// need not learn which list shuts them out. "full" tells what is under not as well,
	// "requirement" none of the caller's values, "none" title and help alone.
	Explain Explain `yaml:"explain"`
	// Shadow is a condition, written like Require, that is evaluated beside it on live
	// traffic and never decides: where the two differ is counted and logged. There is
	// none by default.
	Shadow *policy.Clause `yaml:"shadow"`
}

// Explain is how much a refusal tells. The zero value is the default.
type Explain string

// The values of Explain.
const (
	ExplainFull        Explain = "full"
	ExplainRequirement Explain = "requirement"
	ExplainNone        Explain = "none"
)

func (Explain) words() []string {
	return []string{string(ExplainFull), string(ExplainRequirement), string(ExplainNone)}
}

// level is the same in the words of package policy.
func (e Explain) level() policy.Explain {
	switch e {
	case ExplainFull:
		return policy.ExplainFull
	case ExplainRequirement:
		return policy.ExplainRequirement
	case ExplainNone:
		return policy.ExplainNone
	}
	return policy.ExplainDefault
}

func (p *Policy) decode(l *loader, n *yaml.Node, path string) bool {
	if n.Kind == yaml.ScalarNode {
		return l.into(&p.Require, n, path)
	}
	if n.Kind == yaml.SequenceNode {
		l.fault(n, path, "expected a condition, or a mapping with require, got a list: say require: and below it all: or any:")
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := follow(n.Content[i]); slices.Contains(blockWords, key.Value) {
			l.fault(key, path, "%s belongs below require:", key.Value)
			return false
		} else if strings.ContainsAny(key.Value, " \t") {
			return l.into(&p.Require, n, path) // which knows the sentence for an unquoted `: `
		}
	}
	return l.structureInto(p, n, path)
}
