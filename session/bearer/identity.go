package bearer

import (
	"slices"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// lacks says whether policies or headers use a claim that the token does not
// have.
func (v *Verifier) lacks(p *provider.Provider, c session.Claims) bool {
	missing := func(name string) bool { _, ok := c[name]; return !ok }
	return slices.ContainsFunc(v.Needs, missing) || missing(p.UserClaim)
}

// finish merges the claims and sets what follows from them.
func finish(id *session.Identity, p *provider.Provider, layers []session.Layer) {
	id.Claims, id.Origins = session.Merge(layers...)
	id.SetVirtual()
	if id.Auth != session.AuthClient {
		id.User = p.User(id.Claims[p.UserClaim])
	}
}
