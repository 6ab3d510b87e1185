package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/session"
)

// token checks the token as a running claimproxy does, and says which claims come from
// where.
func (p *Patient) token(ctx context.Context) []Finding {
	n := &notes{about: "token"}
	id, err := p.Tokens.Verify(ctx, session.Presented{Token: p.Token, Host: p.Config.PublicURL.Host, Path: "/"})
	if err != nil {
		n.add(Problem, "check", "it is not accepted: "+cause(err), "docs/operations.md says what each reason means")
		return n.list
	}
	who := "of subject " + id.Subject
	if id.Auth == session.AuthClient {
		who = "of a client alone, without a person"
	}
	n.add(OK, "check", fmt.Sprintf("accepted: provider %s, client %s, %s", id.Provider, orNone(id.ClientID), who), "")
	bySource := make(map[session.Source][]string)
	for name := range id.Claims {
		bySource[id.Origins[name]] = append(bySource[id.Origins[name]], name)
	}
	for _, source := range slices.Sorted(maps.Keys(bySource)) {
		slices.Sort(bySource[source])
		n.add(Note, "claims", fmt.Sprintf("from %s: %s", source, strings.Join(bySource[source], ", ")), "")
	}
	for _, name := range p.Needs {
		value, there := id.Claims[name]
		switch {
		case !there:
			n.add(Warning, "claim "+name, "the configuration uses it, and no source has it",
				"ask for a scope that brings it, or have the provider put it into userinfo or the token; without it policies that need it let nobody in, and headers that carry it stay away")
		default:
			n.add(OK, "claim "+name, fmt.Sprintf("%s, from %s", short(value), id.Origins[name]), "")
		}
	}
	return n.list
}

// short is a value as far as it fits a line.
func short(value any) string {
	const most = 100
	text, err := json.Marshal(value)
	if err != nil {
		return "a value"
	}
	if runes := []rune(string(text)); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return string(text)
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
