package bearer

import (
	"slices"
	"unique"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// fromUserInfo keeps of the claims that are needed those that userinfo could
// give: claimproxy's own and those of the protocol are never taken from it, and
// asking for them would cost a call for every token.
func fromUserInfo(needs []string) []string {
	offered := make(session.Claims, len(needs))
	for _, name := range needs {
		offered[name] = true
	}
	taken, _ := session.Merge(session.Layer{Source: session.SourceUserInfo, Claims: offered})
	return slices.DeleteFunc(slices.Clone(needs), func(name string) bool { return taken[name] == nil })
}

// lacks says whether policies or headers use a claim that the token does not
// have and userinfo may.
func (v *Verifier) lacks(p *provider.Provider, c session.Claims) bool {
	missing := func(name string) bool { _, ok := c[name]; return !ok }
	return slices.ContainsFunc(v.wanted, missing) || p.UserClaim != "" && missing(p.UserClaim)
}

// finish merges the claims, which it takes over, and sets what follows from them. Of what
// is kept, beside thousands of others, the same text is there once.
func (v *Verifier) finish(id *session.Identity, p *provider.Provider, layers []session.Layer, keep bool) {
	if len(layers) == 1 && layers[0].Source != session.SourceUserInfo {
		id.Claims, id.Origins = session.TakeOver(layers[0])
	} else {
		id.Claims, id.Origins = session.Merge(layers...)
	}
	id.SetVirtual()
	// sub is a claim of the protocol and not taken from userinfo where a token names
	// somebody itself. An opaque token at GitLab does not: its userinfo says who it
	// is, and the caller has compared what there is to compare.
	if id.Subject != "" && id.Claims["sub"] != id.Subject {
		id.Claims["sub"], id.Origins["sub"] = id.Subject, session.SourceUserInfo
	}
	if id.Auth != session.AuthClient {
		id.User = p.User(id.Claims[p.UserClaim])
	}
	if keep {
		id.Claims, id.Origins = compact(id.Claims), v.shapes.share(id.Origins)
		id.Subject, id.User = sameText(id.Claims["sub"], id.Subject), sameText(id.Claims[p.UserClaim], id.User)
		id.ClientID = unique.Make(id.ClientID).Value()
	}
}
