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
	// Claims are the names of the claims to keep, at the top level; nil keeps all, whole.
	// What names a person and their login is kept anyway.
	Claims []string
	// Parts are claims of which, if they are long lists, only some members matter. What is
	// missing altogether stays missing, and a list stays a list, be it empty.
	Parts map[string]Part
}

// Part is what matters of a long list: of somebody in very many groups, those that some
// policy asks for.
type Part struct {
	Members []string
	// Above is how many bytes of members, and commas between them, a list has before it is
	// cut to Members. A shorter one is no burden, and whoever is refused reads which groups
	// they are in.
	Above int
}

// always are the claims that claimproxy itself works with.
var always = []string{"sub", "sid", "provider", "auth", "client_id"}

// record returns what a cookie keeps of a record: no refresh token, nothing that only a
// refresh needs, no ID token, and of the claims those to keep; and the marks of these.
// Where the record comes of an earlier state of the session, before are the marks of
// that: what is from the ID token is not more now than it was then.
func (k *Keep) record(rec *session.Record, before marks) (*session.Record, marks) {
	kept := *rec
	kept.RefreshToken, kept.FormerRefreshToken, kept.IDToken, kept.Nonce = "", "", "", ""
	id := rec.Identity
	own := &session.Identity{
		Provider: id.Provider, Issuer: id.Issuer, Subject: id.Subject, ClientID: id.ClientID, Auth: id.Auth,
		User: id.User, SignedIn: id.SignedIn, Until: id.Until, Claims: id.Claims, Origins: id.Origins,
	}
	kept.Identity = own
	if k.Claims == nil {
		return &kept, marks{everything}
	}
	own.Claims, own.Origins = make(session.Claims), make(map[string]session.Source)
	var m marks
	for _, name := range k.Claims {
		m = append(m, wholeOf(name))
	}
	for name, v := range id.Claims {
		if !slices.Contains(k.Claims, name) && !slices.Contains(always, name) {
			continue
		}
		own.Claims[name] = v
		source, ok := id.Origins[name]
		if ok {
			own.Origins[name] = source
		}
		part, only := k.Parts[name]
		if !only || !slices.Contains(k.Claims, name) {
			continue
		}
		long := part.cuts(v)
		if long {
			own.Claims[name] = part.of(v.([]any))
		}
		if long || before != nil && source == session.SourceIDToken && !before.has(wholeOf(name)) && !before.has(everything) {
			m = slices.DeleteFunc(m, func(have mark) bool { return have == wholeOf(name) })
			m = append(m, partsOf(name, part.Members)...)
		}
	}
	return &kept, m.sorted()
}

// cuts says whether a claim is a list that is cut.
func (p *Part) cuts(v any) bool {
	list, _ := v.([]any)
	n := 0
	for _, e := range list {
		s, _ := e.(string)
		n += len(s) + 1
	}
	return n-1 > p.Above
}

// of leaves of a list what matters.
func (p *Part) of(list []any) []any {
	kept := []any{}
	for _, e := range list {
		if s, ok := e.(string); ok && slices.Contains(p.Members, s) {
			kept = append(kept, e)
		}
	}
	return kept
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
