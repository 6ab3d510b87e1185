package config

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Person is a named set of claims for the tests. In the file it is the mapping of the
// claims alone, as they would come from a provider:
//
//	people:
//	  dev: {groups: [teams/kde-developers], email_verified: true}
type Person struct {
	// Name is the person's key, by which tests name them. It is not empty.
	Name string `yaml:",key"`
	// Claims are what is known about the person. They have gone through JSON, so that
	// tests see what requests bring: a value is a string, a json.Number, a bool, nil, a
	// []any or a map[string]any. What JSON cannot say, such as a date, is quoted in the
	// file or refused.
	//
	// The claim "provider" is the id of a provider; "client_id" may be there; "auth" may
	// not, since the test says it.
	Claims map[string]any
}

func (p *Person) decode(l *loader, n *yaml.Node, path string) bool {
	if n.Kind != yaml.MappingNode {
		return l.mismatch(n, path, "a mapping from claims to values")
	}
	return l.claims(n, &p.Claims, path)
}

// claims decodes a mapping from claims to values. The value of the claim provider is
// checked when the providers are known.
func (l *loader) claims(n *yaml.Node, to *map[string]any, path string) bool {
	if n.Kind != yaml.MappingNode {
		return l.mismatch(n, path, "a mapping from claims to values")
	}
	before := len(l.errors)
	*to = make(map[string]any, len(n.Content)/2)
	l.eachKey(n, path, func(name string, key, val *yaml.Node, path string) {
		switch name {
		case "auth":
			l.fault(key, path, "the claim auth is set by claimproxy alone").hint("say auth: browser, bearer or client in the test itself")
			return
		case "":
			l.fault(key, path, "expected the name of a claim, got an empty string")
			return
		case "provider":
			l.claimedProviders = append(l.claimedProviders, claimedProvider{follow(val), path})
		}
		(*to)[name] = l.json(key, follow(val), path)
	})
	return len(l.errors) == before
}

// claimedProvider is a place where the claims of a test say which provider it was.
type claimedProvider struct {
	node *yaml.Node
	path string
}

func (l *loader) validatePeople(c *Config) {
	for i := range c.People {
		if p := &c.People[i]; strings.TrimSpace(p.Name) == "" {
			l.bad(&p.Name, "expected the name of a person, got %s", quote(p.Name))
		}
	}
	if !l.fine(&c.Providers) {
		return
	}
	ids := c.providerIDs()
	for _, claimed := range l.claimedProviders {
		if n := claimed.node; !isText(n) {
			l.fault(n, claimed.path, "expected the id of a provider, got %s", l.describe(n))
		} else if !slices.Contains(ids, n.Value) {
			l.fault(n, claimed.path, "there is no provider %s", quote(n.Value)).suggest(n.Value, ids)
		}
	}
}
