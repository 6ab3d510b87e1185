package stateless

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/claimproxy/claimproxy/session"
)

// Keep says which claims of a person are kept: a cookie has no room for what nobody
// looks at. The zero value keeps all.
type Keep struct {
	// Claims are the names of the claims to keep, at the top level; nil keeps all. What
	// names a person and their login is kept anyway.
	Claims []string
	// Members are claims of which, if they are lists, only these members matter: of
	// somebody in very many groups those that some policy asks for. What is missing
	// altogether stays missing, and an empty list stays one.
	Members map[string][]string
}

// always are the claims that claimproxy itself works with.
var always = []string{"sub", "sid", "provider", "auth", "client_id"}

// of returns the identity with what is kept of its claims.
func (k *Keep) of(id *session.Identity) *session.Identity {
	if k.Claims == nil && len(k.Members) == 0 {
		return id
	}
	kept := &session.Identity{
		Provider: id.Provider, Issuer: id.Issuer, Subject: id.Subject, ClientID: id.ClientID, Auth: id.Auth,
		User: id.User, SignedIn: id.SignedIn, Until: id.Until,
		Claims: make(session.Claims), Origins: make(map[string]session.Source),
	}
	for name, v := range id.Claims {
		if k.Claims != nil && !slices.Contains(k.Claims, name) && !slices.Contains(always, name) {
			continue
		}
		if members, only := k.Members[name]; only {
			v = keepMembers(v, members)
		}
		kept.Claims[name] = v
		if source, ok := id.Origins[name]; ok {
			kept.Origins[name] = source
		}
	}
	return kept
}

// keepMembers leaves what is no list as it is.
func keepMembers(v any, members []string) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	kept := []any{}
	for _, e := range list {
		if s, ok := e.(string); ok && slices.Contains(members, s) {
			kept = append(kept, e)
		}
	}
	return kept
}

// record returns the record with what a cookie keeps of it: no refresh token, nothing
// that only a refresh needs, and no ID token.
func (k *Keep) record(rec *session.Record) *session.Record {
	kept := *rec
	kept.Identity = k.of(rec.Identity)
	kept.RefreshToken, kept.FormerRefreshToken, kept.IDToken, kept.Nonce = "", "", "", ""
	return &kept
}

// accessToken stands for the access token among the sizes.
const accessToken = "(access token)"

// sizes are the sizes of what is in a record, by the names of claims.
func sizes(rec *session.Record) map[string]int {
	all := make(map[string]int, len(rec.Identity.Claims)+1)
	if n := len(rec.AccessToken); n > 0 {
		all[accessToken] = n
	}
	for name, v := range rec.Identity.Claims {
		if data, err := json.Marshal(v); err == nil {
			all[name] = len(name) + len(data) + 4
		}
	}
	return all
}

// largest lists the names of the three largest parts.
func largest(parts map[string]int) []string {
	names := slices.SortedFunc(maps.Keys(parts), func(a, b string) int { return parts[b] - parts[a] })
	return names[:min(3, len(names))]
}
