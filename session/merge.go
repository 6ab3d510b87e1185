package session

import "slices"

// Source names where a claim was taken from.
type Source string

// The sources of claims.
const (
	SourceIDToken       Source = "id_token"
	SourceAccessToken   Source = "access_token"
	SourceUserInfo      Source = "userinfo"
	SourceIntrospection Source = "introspection"
	SourceTokenInfo     Source = "token_info"
	// SourceVirtual marks the claims that claimproxy sets itself.
	SourceVirtual Source = "claimproxy"
)

// protocolClaims speak of a token or of the act of signing in and not of the
// person. They are believed from a verified token or from introspection alone:
// a userinfo reply that says "aud" or "acr" proves nothing.
var protocolClaims = map[string]bool{
	"iss": true, "sub": true, "aud": true, "exp": true, "nbf": true, "iat": true, "jti": true,
	"azp": true, "client_id": true, "appid": true, "cid": true, "typ": true, "token_type": true,
	"nonce": true, "at_hash": true, "c_hash": true, "s_hash": true, "sid": true,
	"auth_time": true, "acr": true, "amr": true, "scope": true, "scp": true,
	"active": true, "cnf": true, "act": true, "may_act": true, "events": true,
}

// virtualClaims are set by claimproxy alone; whoever else sends them is ignored.
var virtualClaims = []string{"provider", "auth", "client_id"}

// Layer is the claims of one source.
type Layer struct {
	Source Source
	Claims Claims
}

// Merge lays the claims of several sources of one provider over each other.
// Later layers win over earlier ones, so userinfo is passed after the ID token.
// Protocol claims are taken only from layers that are not userinfo. The names of
// virtual claims are dropped from every layer. The caller has compared sub.
func Merge(layers ...Layer) (Claims, map[string]Source) {
	n := len(virtualClaims)
	for _, l := range layers {
		n += len(l.Claims)
	}
	claims, origins := make(Claims, n), make(map[string]Source, n)
	for _, l := range layers {
		for name, v := range l.Claims {
			if protocolClaims[name] && l.Source == SourceUserInfo {
				continue
			}
			if slices.Contains(virtualClaims, name) {
				continue
			}
			claims[name], origins[name] = v, l.Source
		}
	}
	return claims, origins
}

// TakeOver is Merge of one layer that is not userinfo, and whose claims nobody else has:
// they are taken as they are.
func TakeOver(l Layer) (Claims, map[string]Source) {
	for _, name := range virtualClaims {
		delete(l.Claims, name)
	}
	origins := make(map[string]Source, len(l.Claims)+len(virtualClaims))
	for name := range l.Claims {
		origins[name] = l.Source
	}
	return l.Claims, origins
}

// SetVirtual sets the virtual claims from the fields of the identity: provider,
// auth, client_id. It is called once, while the identity is being made.
func (id *Identity) SetVirtual() {
	set := func(name, value string) {
		delete(id.Claims, name)
		delete(id.Origins, name)
		if value != "" {
			id.Claims[name], id.Origins[name] = value, SourceVirtual
		}
	}
	set("provider", id.Provider)
	set("auth", string(id.Auth))
	set("client_id", id.ClientID)
}
